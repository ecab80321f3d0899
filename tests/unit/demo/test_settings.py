import socket
from pathlib import Path

import pytest

from demo.settings import DemoError, DemoSettings
from ocs.testing import free_port


def settings(tmp_path: Path, **environ: str) -> DemoSettings:
    ports = {
        "DEMO_HTTP_PORT": str(free_port()),
        "DEMO_ROUTER_PORT": str(free_port()),
        "DEMO_LS372_PORT": str(free_port()),
        "DEMO_DATA_DIR": str(tmp_path),
    }
    return DemoSettings.from_environment({**ports, **environ})


def test_without_variables_the_documented_ports_are_used():
    chosen = DemoSettings.from_environment({})
    assert (chosen.http.number, chosen.router.number, chosen.instrument.number) == (
        5000,
        8001,
        7777,
    )
    assert chosen.live_url == "http://127.0.0.1:5000/live"
    assert chosen.directory == Path("demo-data").resolve()


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "80.5"])
def test_a_port_that_is_none_is_refused_by_name(tmp_path, text):
    with pytest.raises(DemoError, match=f"DEMO_HTTP_PORT={text} is no TCP port"):
        settings(tmp_path, DEMO_HTTP_PORT=text)


def test_two_equal_ports_are_refused(tmp_path):
    with pytest.raises(DemoError, match="DEMO_HTTP_PORT and DEMO_ROUTER_PORT are both 9999"):
        settings(tmp_path, DEMO_HTTP_PORT="9999", DEMO_ROUTER_PORT="9999")


@pytest.mark.parametrize("variable", ["DEMO_HTTP_PORT", "DEMO_ROUTER_PORT", "DEMO_LS372_PORT"])
def test_a_port_in_use_is_named_with_the_variable_that_changes_it(tmp_path, variable):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(DemoError, match=f"port {port} .*{variable}={port + 1} make demo"):
            settings(tmp_path, **{variable: str(port)}).check()


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DemoError, match="DEMO_DATA_DIR"):
        settings(tmp_path, DEMO_DATA_DIR=str(tmp_path / "file" / "below")).check()


def test_free_ports_and_a_new_directory_pass(tmp_path):
    chosen = settings(tmp_path, DEMO_DATA_DIR=str(tmp_path / "new" / "place"))
    chosen.check()
    assert chosen.directory.is_dir()


def test_a_file_where_the_data_belong_is_named(tmp_path):
    (tmp_path / "hk").write_text("")
    with pytest.raises(DemoError, match=r"hk: File exists.*DEMO_DATA_DIR"):
        settings(tmp_path).check()


def test_a_second_demo_in_the_directory_is_refused_until_the_first_has_ended(tmp_path):
    chosen = settings(tmp_path)
    chosen.check()
    with chosen.lock(), pytest.raises(DemoError, match=r"another demo uses .*DEMO_DATA_DIR"):
        chosen.lock()
    chosen.lock().close()
