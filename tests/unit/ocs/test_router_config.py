"""What the router's configuration says; crossbar's own check is in tests/integration."""

import json
from pathlib import Path

from ocs.connection import MAX_MESSAGE_BYTES
from ocs.router import router_config, write_router_config


def test_it_listens_where_it_is_told(tmp_path: Path) -> None:
    path = write_router_config(tmp_path / "node", port=1234, realm="lab")
    config = json.loads(path.read_text(encoding="utf-8"))
    assert config == router_config(port=1234, realm="lab")
    (worker,) = config["workers"]
    assert worker["realms"][0]["name"] == "lab"
    transport = worker["transports"][0]
    assert transport["endpoint"] == {"type": "tcp", "port": 1234, "interface": "127.0.0.1"}
    assert set(transport["paths"]) == {"ws", "call", "info"}
    assert transport["paths"]["call"]["realm"] == "lab"


def test_it_takes_what_our_programs_send() -> None:
    websocket = router_config()["workers"][0]["transports"][0]["paths"]["ws"]
    assert websocket["options"]["max_message_size"] == MAX_MESSAGE_BYTES
    assert websocket["options"]["auto_ping_size"] >= 12
    assert {"msgpack", "cbor", "json"} <= set(websocket["serializers"])


def test_the_http_caller_may_use_agents_and_see_the_hubs_list_but_not_register() -> None:
    roles = router_config(address_root="lab")["workers"][0]["realms"][0]["roles"]
    (controller,) = [role for role in roles if role["name"] == "iocs_controller"]
    permission, hub_list = controller["permissions"]
    assert permission["uri"] == "lab."
    assert permission["allow"] == {
        "call": True,
        "register": False,
        "publish": True,
        "subscribe": True,
    }
    assert hub_list["uri"] == "org.simonsobservatory.consumer.get_data_node"
    assert hub_list["match"] == "exact"
    assert not hub_list["allow"]["register"]
    assert not hub_list["allow"]["publish"]
