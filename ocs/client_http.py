"""Calls to agents through the router's HTTP interface (spec/ocs-protocol.md, 15 and 16.1)."""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ocs.errors import OcsError

__all__ = ["ControlClient", "ControlClientError"]

CONNECT_TIMEOUT_S = 10.0
REPLY_TIMEOUT_S = 60.0
"""How long a call that an agent answers at once may take, on a router under load."""

_KEEPALIVE = (
    # A peer that vanished while a call is held open is noticed after 60 + 6 x 10 s.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
)


class ControlClientError(OcsError, RuntimeError):
    """A call did not get through, or the agent answered it with an error.

    ``wamp.error.no_such_procedure``: the agent is not running, or its name is misspelt.
    ``client_http.error.connection_error``: the router is not running, or its address is wrong.

    ``args[0]`` is upstream's list ``[0, 0, 0, 0, uri, args, kwargs]``.
    """

    def __init__(self, record: list[Any]) -> None:
        super().__init__(record)

    @property
    def uri(self) -> str:
        """Name of the error, such as ``wamp.error.no_such_procedure``."""
        return str(self.args[0][4])

    @property
    def details(self) -> list[Any]:
        """What the error says about itself, mostly one line of text."""
        return list(self.args[0][5])

    def __str__(self) -> str:
        return ": ".join([self.uri, *map(str, self.details)])


class ControlClient:
    """Calls procedures of one agent. Safe to use from several threads.

    Args:
        agent_addr: Address of the agent, such as ``observatory.LSA23JD``.
        url: The router's HTTP address, such as ``http://localhost:8001/call``.
        realm: Accepted for compatibility; the router's address implies it.
        reply_timeout: Seconds within which a call other than ``wait`` and :meth:`special`
            has to be answered; None waits for ever.
    """

    def __init__(
        self,
        agent_addr: str,
        *,
        url: str,
        realm: str | None = None,
        reply_timeout: float | None = REPLY_TIMEOUT_S,
    ) -> None:
        self.agent_addr = agent_addr
        self.realm = realm
        self.call_url = url
        self._reply_timeout = reply_timeout

    def start(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing; clients of other kinds connect here."""

    def stop(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing; clients of other kinds disconnect here."""

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call any procedure and wait for its result as long as it takes.

        Args:
            procedure: Full address of the procedure.
            *args: Its arguments; they have to be JSON.
            **kwargs: Its keyword arguments.

        Raises:
            ControlClientError: The call failed.
        """
        return self._call(None, procedure, args, kwargs)

    def get_api(self, simple: bool = False) -> dict[str, Any]:
        """Return the description of the agent (section 3 of the spec).

        Args:
            simple: Return only the names of the tasks, processes and feeds.

        Raises:
            ControlClientError: The call failed.
        """
        api: dict[str, Any] = self._manage("get_api")
        if not simple:
            return api
        return {
            kind: [item[0] for item in api[kind]]
            for kind in ("tasks", "processes", "feeds")
            if kind in api
        }

    def get_tasks(self) -> list[Any]:
        """Return the tasks as lists ``[name, session, info]``."""
        tasks: list[Any] = self._manage("get_tasks")
        return tasks

    def get_processes(self) -> list[Any]:
        """Return the processes as lists ``[name, session, info]``."""
        processes: list[Any] = self._manage("get_processes")
        return processes

    def get_feeds(self) -> list[Any]:
        """Return the feeds as lists ``[name, info]``."""
        feeds: list[Any] = self._manage("get_feeds")
        return feeds

    def request(
        self, action: str, op_name: str, params: Mapping[str, Any] | None = None, **kw: Any
    ) -> list[Any]:
        """Ask something of an operation (section 4 of the spec).

        Args:
            action: ``start``, ``status``, ``wait``, ``stop`` or ``abort``.
            op_name: Name of the operation.
            params: Its parameters.
            **kw: ``timeout`` in seconds (of ``wait``; None waits until the operation ends)
                and ``password``.

        Returns:
            ``[code, message, session]``.

        Raises:
            ControlClientError: The call failed.
        """
        limit = self._reply_timeout
        if action == "wait":
            timeout = kw.get("timeout")
            limit = None if timeout is None or limit is None else max(timeout, 0) + limit
        reply: list[Any] = self._call(
            limit, f"{self.agent_addr}.ops", (action, op_name, params or {}), kw
        )
        return reply

    def special(self, subaddr: str, *args: Any, **kwargs: Any) -> Any:
        """Call the procedure ``subaddr`` that this agent offers beside the usual ones."""
        return self.call(f"{self.agent_addr}.{subaddr}", *args, **kwargs)

    def _manage(self, query: str) -> Any:
        return self._call(self._reply_timeout, self.agent_addr, (query,), {})

    def _call(
        self,
        limit: float | None,
        procedure: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        body = json.dumps({"procedure": procedure, "args": args, "kwargs": kwargs})
        status, text = self._post(body.encode(), limit)
        try:
            answer = json.loads(text)
            if "error" in answer and status == http.client.OK:
                uri, details = answer["error"], answer.get("args", [])
                raise ControlClientError([0, 0, 0, 0, uri, details, answer.get("kwargs", {})])
            if status == http.client.OK:
                return answer["args"][0]
        except (ValueError, LookupError, TypeError):
            if status == http.client.OK:
                raise self._failed("request_error", "which is no WAMP router") from None
        raise self._failed("request_error", f"it replied with HTTP status {status}")

    def _post(self, body: bytes, limit: float | None) -> tuple[int, bytes]:
        connection = self._connect()
        try:
            connection.sock.settimeout(limit)
            connection.request("POST", self._path(), body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError:
            problem = "the router stopped answering" if limit is None else f"none in {limit:g} s"
            raise self._failed("connection_error", f"no reply: {problem}") from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failed("connection_error", f"the connection broke: {error}") from None
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.call_url)
        kinds: dict[str, type[http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": http.client.HTTPSConnection,
        }
        try:
            connection = kinds[parts.scheme](
                parts.hostname or "", parts.port, timeout=CONNECT_TIMEOUT_S
            )
            connection.connect()
        except (KeyError, ValueError, http.client.InvalidURL):
            raise self._failed("connection_error", "that is no http:// address") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise self._failed("connection_error", f"{reason}; is the router running?") from None
        for option in _KEEPALIVE:
            connection.sock.setsockopt(*option)
        return connection

    def _path(self) -> str:
        parts = urlsplit(self.call_url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _failed(self, kind: str, why: str) -> ControlClientError:
        text = f"Failed to call {self.call_url}: {why}"
        return ControlClientError([0, 0, 0, 0, f"client_http.error.{kind}", [text], {}])
