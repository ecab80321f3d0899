"""The crossbar router: its configuration and how to start one.

The rules are those of spec/ocs-protocol.md, section 19, and spec/sisock-protocol.md, section 2;
the configuration passes ``crossbar check`` of crossbar 26.10.1.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocs.router_link import MAX_MESSAGE_BYTES
from ocs.router_security import SecureTransport, consumer_role, hub_list_permission

__all__ = ["LOOPBACK_ORIGINS", "router_command", "router_config", "write_router_config"]

LOOPBACK_ORIGINS = tuple(
    f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", "127.0.0.1")
)
"""Whose web pages may open a WebSocket to the router, unless told otherwise.

Anybody's page in a browser on the router's computer could command instruments if all were. Programs
say no origin, and are not concerned.
"""


def _role(name: str, uri: str, *, register: bool) -> dict[str, Any]:
    allow = {"call": True, "register": register, "publish": True, "subscribe": True}
    return {
        "name": name,
        "permissions": [
            {
                "uri": uri,
                "match": "prefix",
                "allow": allow,
                "disclose": {"caller": False, "publisher": False},
                "cache": True,
            }
        ],
    }


def router_config(
    *,
    port: int = 8001,
    interface: str = "127.0.0.1",
    realm: str = "test_realm",
    address_root: str = "observatory",
    secure: SecureTransport | None = None,
    allowed_origins: Sequence[str] = LOOPBACK_ORIGINS,
) -> dict[str, Any]:
    """Describe a crossbar node with one router for agents, clients and data nodes.

    Args:
        port: TCP port of the web transport (``/ws`` WebSocket, ``/call`` HTTP caller, ``/info``).
        interface: Address to listen on; loopback unless told otherwise.
        realm: The WAMP realm.
        address_root: First component of every agent's address.
        secure: A second transport, with TLS, for those who know a secret.
        allowed_origins: Web pages that may join, as ``https://lab.example:*``.
    """
    controller = _role("iocs_controller", f"{address_root}.", register=False)
    # Containers' health checks see whether a node is listed, without a session of their own.
    controller["permissions"].append(hub_list_permission())
    roles = [
        _role("server", "", register=True),
        _role("iocs_agent", f"{address_root}.", register=True),
        controller,
    ]
    transports = [
        {
            "type": "web",
            "endpoint": {"type": "tcp", "port": port, "interface": interface},
            "paths": {
                "ws": _websocket(
                    {"anonymous": {"type": "static", "role": "server"}}, allowed_origins
                ),
                "call": {
                    "type": "caller",
                    "realm": realm,
                    "role": "iocs_controller",
                    "options": {},
                },
                "info": {"type": "nodeinfo"},
            },
        }
    ]
    if secure is not None:
        roles.append(consumer_role())
        transports.append(
            {
                "type": "web",
                "endpoint": secure.endpoint(interface),
                "paths": {
                    "ws": _websocket(secure.auth(), allowed_origins),
                    "info": {"type": "nodeinfo"},
                },
            }
        )
    return {
        "version": 2,
        "controller": {},
        "workers": [
            {
                "type": "router",
                "realms": [{"name": realm, "roles": roles}],
                "transports": transports,
            }
        ],
    }


def _websocket(auth: dict[str, Any], allowed_origins: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "websocket",
        "serializers": ["msgpack", "cbor", "json"],
        "auth": auth,
        "options": {
            "auto_ping_interval": 10_000,
            "auto_ping_timeout": 5_000,
            # crossbar 26.10.1 refuses sizes below 12.
            "auto_ping_size": 12,
            "max_frame_size": MAX_MESSAGE_BYTES,
            "max_message_size": MAX_MESSAGE_BYTES,
            "open_handshake_timeout": 5_000,
            "close_handshake_timeout": 1_000,
            "allowed_origins": list(allowed_origins),
            "allow_null_origin": False,
        },
    }


def write_router_config(directory: Path, **options: Any) -> Path:
    """Write ``config.json`` for a crossbar node directory; `options` as in `router_config`.

    Nobody else on the machine can read it: it may hold secrets.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "config.json"
    text = json.dumps(router_config(**options), indent=2) + "\n"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def router_command(directory: Path) -> list[str]:
    """Command line that runs the router of a node directory with this interpreter."""
    crossbar = Path(sys.executable).with_name("crossbar")
    return [str(crossbar), "start", "--cbdir", str(directory), "--color", "false"]
