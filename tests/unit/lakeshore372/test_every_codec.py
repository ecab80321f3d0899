"""Every query and command of every codec of the 372, found by itself.

A function of a ``*codec`` module's ``__all__`` that is declared to return a `Query` or a `Command`
is covered here as soon as its parameters have names (or types) that `arguments` knows.
"""

import importlib
import inspect
import pkgutil
import re
import types
import typing

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agents.lakeshore372
from agents.lakeshore.messages import BadReply, Command, Query, identify
from agents.lakeshore372.dialect import _ABILITIES, Dialect

NAMED = {
    "channel": [1, 16, "A"],
    "output": [0, 1, 2],
    "control": [True, False],
    "curve": [1, 21, 59],
    "number": [1, 2],
    "zone": [1, 10],
    "index": [1, 200],
    "field": [1],
}
"""What parameters of queries may be, by their names."""


def codecs():
    names = [item.name for item in pkgutil.iter_modules(agents.lakeshore372.__path__)]
    return [
        importlib.import_module(f"agents.lakeshore372.{name}")
        for name in names
        if name.endswith("codec")
    ]


def functions(kind):
    for module in codecs():
        for name in module.__all__:
            function = getattr(module, name)
            if isinstance(function, types.FunctionType):
                hints = typing.get_type_hints(function)
                returned = hints.get("return")
                if (typing.get_origin(returned) or returned) is kind:
                    yield pytest.param(function, id=f"{module.__name__.split('.')[-1]}.{name}")


def calls(function):
    """Call a function with each choice of each parameter in turn; leave out what it refuses."""
    parameters = inspect.signature(function).parameters.values()
    assert {item.name for item in parameters} <= set(NAMED), f"{function}: add to NAMED"
    if not parameters:
        return [function()]
    longest = max(len(NAMED[item.name]) for item in parameters)
    found = []
    for turn in range(longest):
        chosen = {item.name: NAMED[item.name][turn % len(NAMED[item.name])] for item in parameters}
        by_position = [
            chosen.pop(item.name) for item in parameters if item.kind is not item.KEYWORD_ONLY
        ]
        try:
            found.append(function(*by_position, **chosen))
        except ValueError:
            continue
    assert found, f"{function} refused all of {NAMED}"
    return found


class Asked(Exception):
    """Carries what was asked."""


def compound_queries():
    def ask(query):
        raise Asked(query)

    dialect = Dialect()
    for question in (
        lambda: dialect.reading(ask, 3),
        lambda: dialect.control_reading(ask),
        lambda: dialect.channel_settings(ask, 3),
        lambda: dialect.scanner_settings(ask),
        lambda: dialect.settled(ask),
    ):
        with pytest.raises(Asked) as asked:
            question()
        yield asked.value.args[0]


QUERIES = [identify(), _ABILITIES, *compound_queries()] + [
    query for item in functions(Query) for query in calls(item.values[0])
]

REPLIES = (
    st.binary(max_size=120)
    | st.text("+-.E0123456789,; A\"'", max_size=90).map(str.encode)
    | st.lists(
        st.sampled_from(["0", "1", "2", "3", "06", "010", "255", "A", "+1.00000E+00", "x", ""]),
        max_size=12,
    ).map(lambda words: ",".join(words).encode())
)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.text[:40])
@given(reply=REPLIES)
def test_any_reply_is_a_value_or_a_bad_reply(query: Query, reply: bytes):
    try:
        query.decode(reply)
    except BadReply as error:
        assert query.text in str(error)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.text[:40])
def test_a_query_is_one_line(query: Query):
    assert re.fullmatch(rb"[\x20-\x7e]+\r\n", query.encode())
    assert all("?" in part for part in query.text.split(";"))


def test_every_mnemonic_of_the_specification_is_there():
    """Section 1.4; those of the curves are in a module of the curves' own."""
    sources = "".join(inspect.getsource(module) for module in codecs())
    mnemonics = (
        "*CLS *ESR? *ESE *SRE *STB? *OPC *RST *TST? *WAI DFLT EMUL SCAN INSET INTYPE INNAME INCRV "
        "TLIMIT FILTER FREQ CMR KRDG? RDGK? RDGR? SRDG? QRDG? RDGPWR? RDGST? RDGSTL? MDAT? "
        "MNMXRST OUTMODE HTRSET RANGE MOUT HTR? AOUT? HTRST? PID SETP RAMP RAMPST? STILL WARMUP "
        "ZONE ALARM ALARMST? ALMRST ANALOG BEEP BRIGT DISPFLD DISPLAY DOUT IEEE INTSEL LEDS LOCK "
        "MODE MONITOR NET NETID? RELAY RELAYST? WEBLOG"
    )
    for mnemonic in mnemonics.split():
        assert f'"{mnemonic}' in sources, mnemonic


def samples(hint):
    """Return a value of a type that a command takes."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return samples(next(item for item in typing.get_args(hint) if item is not type(None)))
    if origin is typing.Literal:
        return typing.get_args(hint)[0]
    if origin is tuple:
        return ("0",) * 10
    if isinstance(hint, type) and attrs.has(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{field.name: samples(hints[field.name]) for field in attrs.fields(hint)})
    if isinstance(hint, type) and issubclass(hint, int) and hasattr(hint, "__members__"):
        return next(iter(hint))
    return {bool: True, int: 10, float: 1.5, str: "abc"}[hint]


TESTED_WITH_THEIR_GROUP = {"set_zone", "set_analog", "set_relay"}
"""Commands whose arguments depend on each other."""

COMMANDS = [
    item for item in functions(Command) if item.values[0].__name__ not in TESTED_WITH_THEIR_GROUP
]


@pytest.mark.parametrize("function", COMMANDS)
def test_every_command_is_one_line(function):
    hints = typing.get_type_hints(function)
    # Numbers that most commands allow; what else one needs is tested with its own group.
    for number in (1, 3, 10, 21):
        arguments = {
            name: number if hint is int else samples(hint)
            for name, hint in hints.items()
            if name != "return"
        }
        if "channel" in arguments:
            arguments["channel"] = 3
        try:
            line = function(
                *(
                    arguments[item.name]
                    for item in inspect.signature(function).parameters.values()
                    if item.kind is not item.KEYWORD_ONLY
                ),
                **{
                    item.name: arguments[item.name]
                    for item in inspect.signature(function).parameters.values()
                    if item.kind is item.KEYWORD_ONLY
                },
            ).encode()
        except ValueError:
            continue
        assert re.fullmatch(rb"[\x20-\x7e]+\r\n", line)
        assert b"?" not in line
        assert b"True" not in line
        assert b"None" not in line
        return
    pytest.fail(f"{function.__name__} takes none of the sample values")
