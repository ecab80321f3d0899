"""Names and times on the wire."""

import pytest

from sisock import uris
from sisock.errors import BadArgument, BadNodeName
from sisock.times import resolve, resolve_interval

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("given", "meant"),
    [(1, 1.0), (1_547_136_000.25, 1_547_136_000.25), (0, NOW), (-60, NOW - 60), (-0.5, NOW - 0.5)],
)
def test_zero_and_negative_times_are_relative_to_now(given: float, meant: float) -> None:
    assert resolve(given, NOW) == meant


@pytest.mark.parametrize("bad", [None, "0", True, float("nan"), float("inf"), [1]])
def test_a_time_must_be_a_finite_number(bad: object) -> None:
    with pytest.raises(BadArgument, match="end must be a finite number"):
        resolve_interval(1, bad, NOW)


@pytest.mark.parametrize("good", ["LSA23JD", "apex_archive", "a.b", "é"])
def test_names_of_nodes_that_make_a_uri(good: str) -> None:
    assert uris.check_node_name(good) == good


@pytest.mark.parametrize("bad", ["", "a b", "a#b", "a..b", ".", "a\n", 3, None])
def test_names_of_nodes_that_do_not(bad: object) -> None:
    with pytest.raises(BadNodeName):
        uris.check_node_name(bad)


def test_a_node_is_found_by_its_registration() -> None:
    assert uris.node_of_registration(uris.get_fields_uri("a.b")) == "a.b"
    assert uris.node_of_registration(uris.get_data_uri("a")) is None
    assert uris.node_of_registration(uris.GET_DATA_NODE) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("N::f", ("N", "f")),
        ("N::f::g", ("N", "f::g")),
        ("N", None),
        ("::f", None),
        ("N::", None),
        ("", None),
    ],
)
def test_a_name_is_split_at_the_first_separator(name: str, parts: object) -> None:
    assert uris.split_name(name) == parts
