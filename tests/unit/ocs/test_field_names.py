"""Field names: what is valid, and repair (spec/ocs-protocol.md, section 7.6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.field_names import MAX_LENGTH, check_field_name, repair_field_name, repair_field_names
from ocs.ocs_feed import Feed

names = st.text(max_size=300) | st.text("_ a0-é", max_size=400)


@pytest.mark.parametrize("name", ["a", "Channel_2_T", "_a", "__x9", "a" * 255])
def test_valid(name: str) -> None:
    check_field_name(name)
    assert repair_field_name(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Empty field name"),
        ("a b", "invalid character ' '"),
        ("a.b", "invalid character '.'"),
        ("é", "invalid character"),
        ("a\n", "invalid character"),
        ("٣a", "invalid character"),
        ("9a", "does not start with a letter"),
        ("__9", "does not start with a letter"),
        ("___", "does not start with a letter"),
        ("a" * 256, "exceeds the valid length of 255"),
    ],
)
def test_invalid(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_field_name(name)


@pytest.mark.parametrize(
    ("name", "repaired"),
    [
        ("", "invalid_field"),
        ("a b", "a_b"),
        ("a-b.c", "abc"),
        ("__9a", "__a"),
        ("9", "invalid_field_9"),
        ("___", "invalid_field____"),
        ("é", "invalid_field_"),
        ("x" * 300, "x" * 255),
    ],
)
def test_repair(name: str, repaired: str) -> None:
    assert repair_field_name(name) == repaired
    assert Feed.enforce_field_name_rules(name) == repaired


def test_collisions_are_numbered() -> None:
    assert repair_field_names(["a b", "a_b", "a.b", "ab"]) == {
        "a b": "a_b",
        "a_b": "a_b_01",
        "a.b": "ab",
        "ab": "ab_01",
    }


def test_numbered_names_stay_short_enough() -> None:
    long = "x" * 300
    assert repair_field_names([long, long + "y"])[long + "y"] == "x" * 252 + "_01"


@given(names)
def test_a_repaired_name_is_valid_and_stays(name: str) -> None:
    repaired = repair_field_name(name)
    check_field_name(repaired)
    assert repair_field_name(repaired) == repaired


@given(st.lists(names, unique=True, max_size=20))
def test_no_two_repaired_names_are_equal(given_names: list[str]) -> None:
    repaired = repair_field_names(given_names)
    assert list(repaired) == given_names
    assert len(set(repaired.values())) == len(given_names)
    assert all(len(name) <= MAX_LENGTH for name in repaired.values())
    for name in repaired.values():
        check_field_name(name)
