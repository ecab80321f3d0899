"""Declared parameters: messages and order of checks (spec/ocs-protocol.md, section 6.4)."""

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import inlineCallbacks

from ocs.params import ParamError, ParamHandler, check_params, param


@param("a", type=int)
@param("delay", default=5, type=float, check=lambda d: 0 <= d < 1000)
@param("b", default="x", choices=["x", "y"])
@param("c", default=None, cast=float)
@param("t", default=(1, 2), type=tuple)
def op(session: Any, params: Any) -> tuple[bool, str]:
    return True, "done"


def test_every_declared_key_is_there() -> None:
    assert check_params(op, {"a": 1}) == {"a": 1, "delay": 5.0, "b": "x", "c": None, "t": (1, 2)}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Param 'a' is required and must not be None"),
        ({"a": None}, "Param 'a' is required and must not be None"),
        (None, "Param 'a' is required and must not be None"),
        ([], "Param 'a' is required and must not be None"),
        ({"a": 1, "delay": "two"}, "Param 'delay'=two is not of required type (<class 'float'>)"),
        ({"a": 1.0}, "Param 'a'=1.0 is not of required type (<class 'int'>)"),
        ({"a": True}, "Param 'a'=True is not of required type (<class 'int'>)"),
        ({"a": 1, "delay": True}, "Param 'delay'=True is not of required type"),
        ({"a": 1, "c": "z"}, "Param 'c'=z could not be cast to <class 'float'>."),
        ({"a": 1, "b": "z"}, "Param 'b'=z is not in allowed set (['x', 'y'])"),
        ({"a": 1, "b": []}, "Param 'b'=[] is not in allowed set"),
        ({"a": 1, "delay": -1}, "Param 'delay'=-1.0 failed validity check"),
        ({"a": 1, "zz": 1, "yy": 2}, "params included unexpected values: ['zz', 'yy']"),
        ([1], "params must be an object"),
        ("text", "params must be an object"),
    ],
)
def test_refusals(params: Any, message: str) -> None:
    with pytest.raises(ParamError) as caught:
        check_params(op, params)
    assert message in str(caught.value)
    assert caught.value.msg == str(caught.value)


def test_conversions() -> None:
    checked = check_params(op, {"a": 3, "delay": 7, "c": "1.5", "t": [1, 2]})
    assert checked == {"a": 3, "delay": 7.0, "b": "x", "c": 1.5, "t": (1, 2)}
    assert type(checked["delay"]) is float


def test_undecorated_operations_get_what_was_sent() -> None:
    def plain(session: Any, params: Any) -> None: ...

    assert check_params(plain, None) is None
    assert check_params(plain, [1]) == [1]


def test_no_parameters_declared() -> None:
    @param("_")
    def nothing(session: Any, params: Any) -> None: ...

    assert check_params(nothing, None) == {}
    with pytest.raises(ParamError, match=r"unexpected values: \['x'\]"):
        check_params(nothing, {"x": 1})


def test_strays_can_be_let_through() -> None:
    @param("_no_check_strays")
    @param("a", default=1)
    def lenient(session: Any, params: Any) -> None: ...

    assert check_params(lenient, {"x": 1}) == {"a": 1}


def test_order_among_decorators_does_not_matter() -> None:
    def logged(func: Any) -> Any:
        @functools.wraps(func)
        def wrapper(*args: Any) -> Any:
            return func(*args)

        return wrapper

    @param("a", default=1)
    @inlineCallbacks
    @logged
    @param("b", default=2)
    def mixed(session: Any, params: Any) -> Any:
        yield

    assert check_params(mixed, {}) == {"a": 1, "b": 2}


def test_methods_share_no_rules() -> None:
    class Agent:
        @param("a", default=1)
        def one(self, session: Any, params: Any) -> None: ...

        @param("b", default=2)
        def two(self, session: Any, params: Any) -> None: ...

    agent = Agent()
    assert check_params(agent.one, {}) == {"a": 1}
    assert check_params(agent.two, {}) == {"b": 2}


@pytest.mark.parametrize("sent", ["text", [1], {"a": 1}])
def test_a_check_that_stumbles_refuses(sent: Any) -> None:
    @param("v", check=lambda v: 0 < v < 10)
    def checked(session: Any, params: Any) -> None: ...

    with pytest.raises(ParamError, match="failed validity check"):
        check_params(checked, {"v": sent})


def test_a_cast_that_stumbles_refuses() -> None:
    @param("v", cast=lambda v: v["key"])
    def casting(session: Any, params: Any) -> None: ...

    with pytest.raises(ParamError, match="could not be cast"):
        check_params(casting, {"v": {}})


def test_none_can_be_a_value() -> None:
    handler = ParamHandler({"a": None})
    assert handler.get("a", treat_none_as_missing=False) is None
    with pytest.raises(ParamError):
        handler.get("b", treat_none_as_missing=False)


def test_unknown_keywords_of_a_declaration() -> None:
    with pytest.raises(TypeError, match="chek"):
        param("a", chek=bool)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(anything)
def test_nothing_but_a_refusal_comes_out_of_bad_input(params: Any) -> None:
    try:
        checked = check_params(op, params)
    except ParamError:
        return
    assert checked.keys() == {"a", "delay", "b", "c", "t"}
