"""Settings from flags and the environment."""

import pytest

from ocs.errors import OcsError
from sisock.errors import Misconfigured
from sisock.feed_node import make_parser as feed_parser
from sisock.http.main import make_parser as http_parser
from sisock.settings import port_number, positive_number, required, router_url, run_main


def test_the_environment_of_the_seed() -> None:
    environ = {"TARGET": "LSA23JD", "NAME": "LSA23JD", "DESCRIPTION": "a 372"}
    args = feed_parser(environ).parse_args([])
    assert (args.target, args.name, args.description) == ("LSA23JD", "LSA23JD", "a 372")
    assert (args.feed, args.buffer_time, args.address_root) == (
        "temperatures",
        "3600",
        "observatory",
    )
    assert router_url(args) == "ws://sisock-crossbar:8001/ws"
    assert args.realm == "test_realm"


def test_flags_win_and_empty_variables_count_as_unset() -> None:
    environ = {"FEED": "", "BUFFER_TIME": "60", "CROSSBAR_HOST": "lab", "CROSSBAR_OCS_PORT": "9"}
    args = feed_parser(environ).parse_args(["--buffer-time", "120"])
    assert (args.feed, args.buffer_time) == ("temperatures", "120")
    assert router_url(args) == "ws://lab:9/ws"


def test_the_bridge_listens_to_itself_only() -> None:
    args = http_parser({}).parse_args([])
    assert (args.host, args.port, args.cors_origin) == ("127.0.0.1", "5000", None)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"TARGET is not set.*--target"):
        required(None, "TARGET", "--target")
    assert required("x", "TARGET", "--target") == "x"


@pytest.mark.parametrize("bad", ["", "x", "0", "65536", "-1", "80.5", "1e3"])
def test_ports(bad: str) -> None:
    with pytest.raises(Misconfigured, match=f"PORT={bad}: must be a port number"):
        port_number(bad, "PORT")
    assert port_number("5000", "PORT") == 5000


@pytest.mark.parametrize("bad", ["", "soon", "0", "-5", "nan", "inf"])
def test_numbers(bad: str) -> None:
    with pytest.raises(Misconfigured, match="BUFFER_TIME="):
        positive_number(bad, "BUFFER_TIME", "seconds")
    assert positive_number("0.5", "BUFFER_TIME", "seconds") == 0.5


def test_a_foreseeable_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise OcsError("no good")

    assert run_main("prog", fail) == 2
    assert capsys.readouterr().err == "prog: no good\n"
    assert run_main("prog", lambda: 0) == 0
