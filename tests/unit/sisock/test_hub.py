"""The hub's list, and what it does about names and sessions."""

from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ocs.connection import ConnectionStatus
from sisock import uris
from sisock.hub import Hub


@pytest.fixture
def hub(connection: Any) -> Hub:
    connection.procedures["wamp.session.get"] = lambda session: {"session": session}
    return Hub(connection, Clock())


def test_add_list_subtract(hub: Hub, connection: Any, run: Any) -> None:
    assert run(hub.add("A", "first", 1)) is True
    assert run(hub.add("B", "second", 2)) is True
    assert hub.get_data_node() == [
        {"name": "A", "description": "first"},
        {"name": "B", "description": "second"},
    ]
    hub.subtract("A", 2)
    hub.subtract("B", 1)
    hub.subtract("nope", 1)
    hub.subtract(None, "x")
    assert len(hub.nodes) == 2
    hub.subtract("A", 1)
    assert hub.get_data_node() == [{"name": "B", "description": "second"}]
    assert connection.published == [
        (uris.NODE_ADDED, {"name": "A", "description": "first"}),
        (uris.NODE_ADDED, {"name": "B", "description": "second"}),
        (uris.NODE_SUBTRACTED, {"name": "A", "description": "first"}),
    ]


def test_a_name_is_refused_while_its_holder_lives(hub: Hub, connection: Any, run: Any) -> None:
    run(hub.add("A", "first", 1))
    assert run(hub.add("A", "second", 2)) is False
    assert hub.get_data_node() == [{"name": "A", "description": "first"}]
    assert len(connection.published) == 1


def test_a_dead_holder_is_replaced(hub: Hub, connection: Any, run: Any) -> None:
    run(hub.add("A", "first", 1))
    connection.procedures["wamp.session.get"] = lambda session: (
        {} if session == 2 else ApplicationError("wamp.error.no_such_session")
    )
    assert run(hub.add("A", "second", 2)) is True
    assert [event[0] for event in connection.published] == [
        uris.NODE_ADDED,
        uris.NODE_SUBTRACTED,
        uris.NODE_ADDED,
    ]


def test_whoever_left_while_the_router_was_asked_is_not_added(
    hub: Hub, connection: Any, run: Any
) -> None:
    run(hub.add("A", "first", 1))
    connection.procedures["wamp.session.get"] = lambda _: ApplicationError(
        "wamp.error.no_such_session"
    )
    assert run(hub.add("A", "second", 2)) is False
    assert hub.get_data_node() == []


def test_in_doubt_the_holder_lives(hub: Hub, connection: Any, run: Any) -> None:
    run(hub.add("A", "first", 1))
    connection.procedures["wamp.session.get"] = lambda _: ApplicationError(
        "wamp.error.not_authorized"
    )
    assert run(hub.add("A", "second", 2)) is False


def test_the_same_session_may_add_again(hub: Hub, connection: Any, run: Any) -> None:
    run(hub.add("A", "first", 1))
    assert run(hub.add("A", "first", 1)) is True
    assert len(connection.published) == 1
    assert run(hub.add("A", "better", 1)) is True
    assert hub.get_data_node() == [{"name": "A", "description": "better"}]


def test_two_at_once(hub: Hub, connection: Any, run: Any) -> None:
    """While the router is asked about a holder, somebody else takes the name."""
    run(hub.add("A", "first", 1))
    asked: Deferred[object] = Deferred()
    connection.procedures["wamp.session.get"] = lambda _: asked
    outcome: list[object] = []
    Deferred.fromCoroutine(hub.add("A", "second", 2)).addBoth(outcome.append)
    hub.session_left(1)
    run(hub.add("A", "third", 3))
    connection.procedures["wamp.session.get"] = lambda _: {}
    asked.errback(ApplicationError("wamp.error.no_such_session"))
    assert outcome == [False]
    assert hub.get_data_node() == [{"name": "A", "description": "third"}]


def test_a_leaving_session_takes_all_its_nodes(hub: Hub, connection: Any, run: Any) -> None:
    run(hub.add("A", "", 1))
    run(hub.add("B", "", 1))
    run(hub.add("C", "", 2))
    connection.handlers["wamp.session.on_leave"](1, "more", {"of": "it"})
    connection.handlers["wamp.session.on_leave"]({"session": 2})
    assert [node["name"] for node in hub.get_data_node()] == ["C"]


@pytest.mark.parametrize(
    ("name", "session", "complaint"),
    [("a b", 1, "white space"), ("", 1, "non-empty"), (3, 1, "non-empty"), ("A", "1", "session")],
)
def test_bad_arguments(hub: Hub, run: Any, name: object, session: object, complaint: str) -> None:
    with pytest.raises(ApplicationError, match=complaint):
        run(hub.add(name, "d", session))


def test_a_lost_connection_empties_the_list(hub: Hub, connection: Any, run: Any) -> None:
    run(hub.add("A", "", 1))
    for hook in connection.status_hooks:
        hook(ConnectionStatus("connecting", 0.0, "lost"))
    assert hub.get_data_node() == []


def test_joining_calls_everybody_and_finds_the_nodes_of_others(connection: Any) -> None:
    clock = Clock()
    hub = Hub(connection, clock)
    registrations = {
        1: uris.get_fields_uri("weather"),
        2: uris.get_data_uri("weather"),
        3: uris.get_fields_uri("ours"),
        4: "wamp.whatever",
        5: uris.get_fields_uri("gone"),
    }
    connection.procedures.update(
        {
            "wamp.registration.list": lambda: {"exact": list(registrations), "prefix": []},
            "wamp.registration.get": lambda number: (
                ApplicationError("wamp.error.no_such_registration")
                if number == 5
                else {"uri": registrations[number]}
            ),
            "wamp.registration.list_callees": lambda _: [55],
        }
    )
    for hook in connection.joined:
        Deferred.fromCoroutine(hook())
    assert connection.published == [(uris.HUB_STARTED,)]
    Deferred.fromCoroutine(hub.add("ours", "mine", 66))
    clock.advance(5)
    assert hub.get_data_node() == [
        {"name": "ours", "description": "mine"},
        {"name": "weather", "description": None},
    ]


def test_a_router_without_meta_api_is_no_disaster(hub: Hub, run: Any) -> None:
    run(hub.find_unlisted())
    assert hub.get_data_node() == []
