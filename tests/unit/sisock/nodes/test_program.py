"""Settings of the nodes' programs."""

import pytest

from sisock.errors import Misconfigured
from sisock.nodes import apex_weather, radiometer
from sisock.nodes.program import make_parser, point_limit


@pytest.mark.parametrize(("text", "limit"), [(None, None), ("", None), ("0", None), ("800", 800)])
def test_max_points_is_optional(text: str | None, limit: int | None) -> None:
    assert point_limit(text) == limit


@pytest.mark.parametrize("bad", ["-1", "many", "1.5", "1e3", "²"])
def test_max_points_is_a_whole_number(bad: str) -> None:
    with pytest.raises(Misconfigured, match=f"MAX_POINTS={bad}: must be a whole number"):
        point_limit(bad)


def test_flags_win_over_the_environment() -> None:
    environ = {"MAX_POINTS": "5", "DATA_DIR": "/a", "CROSSBAR_HOST": "lab"}
    parser = make_parser("p", "d", environ, data_dir="/data", max_points=True)
    args = parser.parse_args(["--data-dir", "/b"])
    assert (args.data_dir, args.max_points, args.crossbar_host) == ("/b", "5", "lab")
    args = make_parser("p", "d", {}, data_dir="/data", max_points=True).parse_args([])
    assert (args.data_dir, args.max_points) == ("/data", None)


@pytest.mark.parametrize("module", [apex_weather, radiometer])
def test_bad_settings_are_one_line(
    module: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAMP_TRANSPORT", "plain")
    monkeypatch.setenv("CROSSBAR_OCS_PORT", "none")
    assert module.main([]) == 2  # type: ignore[attr-defined]
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "CROSSBAR_OCS_PORT=none" in error
