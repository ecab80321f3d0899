"""What a target means, and patterns from strangers."""

import contextlib
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sisock.http.patterns import Effort, PatternError, glob_to_pattern, matching
from sisock.http.targets import MAX_SERIES, expand

NAMES = dict.fromkeys(
    ["A::ch_1_t", "A::ch_1_r", "A::ch_2_t", "A::ch_2_r", "B::pwv", "G::obs.A.feeds.x (1)"]
)


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("A::ch_1_t", ["A::ch_1_t"]),
        ("G::obs.A.feeds.x (1)", ["G::obs.A.feeds.x (1)"]),
        (r"G::obs\.A\.feeds\.x \(1\)", ["G::obs.A.feeds.x (1)"]),
        ("(A::ch_1_t|B::pwv)", ["A::ch_1_t", "B::pwv"]),
        ("A::(ch_2_r|ch_1_t)", ["A::ch_2_r", "A::ch_1_t"]),
        ("A::ch_(1|2)_t", ["A::ch_1_t", "A::ch_2_t"]),
        ("(A|A)::ch_1_t", ["A::ch_1_t"]),
        (r"(B::pwv|G::obs\.A\.feeds\.x \(1\))", ["B::pwv", "G::obs.A.feeds.x (1)"]),
        ("A::.*_t", ["A::ch_1_t", "A::ch_2_t"]),
        ("A::*_t", ["A::ch_1_t", "A::ch_2_t"]),
        ("^A::ch_[12]_r$", ["A::ch_1_r", "A::ch_2_r"]),
        ("(A::ch_1_.*|B::pwv)", ["A::ch_1_t", "A::ch_1_r", "B::pwv"]),
    ],
)
def test_known_names(target: str, names: list[str]) -> None:
    expansion = expand(target, NAMES)
    assert list(expansion.names) == names
    assert expansion.known
    assert not expansion.trouble


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("A::new", ["A::new"]),
        (r"A::x\.y", ["A::x.y"]),
        ("Z::a::b", ["Z::a::b"]),
        ("A::(new|ch_1_t)", ["A::new", "A::ch_1_t"]),
    ],
)
def test_unknown_names_are_left_to_their_node(target: str, names: list[str]) -> None:
    expansion = expand(target, NAMES)
    assert list(expansion.names) == names
    assert not expansion.known
    assert expand(target, {}).names == expansion.names or "(" in target


@pytest.mark.parametrize("target", ["nonsense", "A::zz.*", "(((", "[", "A::ch_1_t|", "\\", "::x"])
def test_nothing_found_says_so(target: str) -> None:
    expansion = expand(target, NAMES)
    if not expansion.names:
        assert target in expansion.trouble or repr(target) in expansion.trouble


def test_too_many_names_are_cut_and_told() -> None:
    many = {f"A::c{n}": None for n in range(MAX_SERIES + 5)}
    expansion = expand("A::.*", many)
    assert len(expansion.names) == MAX_SERIES
    assert "505 fields" in expansion.trouble


@pytest.mark.parametrize(
    "pattern",
    ["a.c", "a*", "ab+c?", "(a|b)*c", "[a-c]+", "[^a]*", "a|b|", "(a(b|c))+", r"a\.b", "[]a]", ""],
)
@settings(max_examples=60)
@given(text=st.text("abc.]", max_size=6))
def test_like_the_standard_library(pattern: str, text: str) -> None:
    assert bool(matching(pattern, [text])) == bool(re.fullmatch(pattern, text))


@settings(max_examples=200)
@given(glob=st.text("ab*?.[+", max_size=6), text=st.text("ab.[+", max_size=6))
def test_globs(glob: str, text: str) -> None:
    escaped = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    assert bool(matching(glob_to_pattern(glob), [text])) == bool(re.fullmatch(escaped, text))


@settings(max_examples=300)
@given(st.text("ab(|)[]*+?\\^$.-", max_size=12))
def test_any_pattern_ends_in_an_answer_or_one_error(pattern: str) -> None:
    try:
        matching(pattern, ["aab", "b"])
    except PatternError as error:
        assert pattern in str(error) or repr(pattern) in str(error)


@pytest.mark.parametrize(
    "pattern",
    ["(a*)*b", "(a|a)*b", "(a|aa)+$b", ".*.*.*.*.*.*x", "(" * 20 + "a*" + ")*" * 20, "x" * 5000],
)
def test_patterns_that_hang_others(pattern: str) -> None:
    begin = time.perf_counter()
    with contextlib.suppress(PatternError):
        assert matching(pattern, ["a" * 250] * 200) == []
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("target", "times"),
    [("(" + "|" * 60_000 + ")" + "x" * 60_000, 5), ("(.*a?)" * 330 + "x", 100)],
)
def test_targets_that_would_take_for_ever(target: str, times: int) -> None:
    """A request may hold hundreds of them; its patterns have one measure of work for all."""
    many = {f"LSA{n}JD::channel_{n}_t": None for n in range(300)}
    effort = Effort()
    begin = time.perf_counter()
    expansions = [expand(target, many, effort) for _ in range(times)]
    assert time.perf_counter() - begin < 10
    assert not any(expansion.names for expansion in expansions)
    assert expansions[-1].trouble
