"""Names on the wire (spec/sisock-protocol.md, section 3)."""

import re

from sisock.errors import BadNodeName

__all__ = [
    "ADD",
    "CONSUMER_PREFIX",
    "GET_DATA_NODE",
    "HUB_STARTED",
    "NODE_ADDED",
    "NODE_SUBTRACTED",
    "ROOT",
    "SUBTRACT",
    "check_node_name",
    "feed_topic",
    "get_data_uri",
    "get_fields_uri",
    "join_name",
    "node_of_registration",
    "split_name",
]

ROOT = "org.simonsobservatory."
"""Prefix of everything the monitor registers or publishes."""

ADD = ROOT + "data_node.add"
SUBTRACT = ROOT + "data_node.subtract"
GET_DATA_NODE = ROOT + "consumer.get_data_node"
NODE_ADDED = ROOT + "consumer.data_node_added"
NODE_SUBTRACTED = ROOT + "consumer.data_node_subtracted"
HUB_STARTED = ROOT + "hub.started"
"""Published by our hub whenever its list starts empty: nodes add themselves again."""

CONSUMER_PREFIX = ROOT + "consumer."

_SEPARATOR = "::"
_BAD_IN_NAME = re.compile(r"[\s#]")


def check_node_name(name: object) -> str:
    """Return ``name`` if a data node may be called so.

    Raises:
        BadNodeName: it is empty, not a string, or would make an invalid URI.
    """
    if not isinstance(name, str) or not name:
        raise BadNodeName(f"a data node's name must be a non-empty string, not {name!r}")
    if _BAD_IN_NAME.search(name) or any(not part for part in name.split(".")):
        raise BadNodeName(
            f"a data node cannot be called {name!r}: white space, '#' and empty parts between "
            "dots are not allowed"
        )
    return name


def get_fields_uri(node: str) -> str:
    """Return the procedure that lists a node's fields."""
    return f"{CONSUMER_PREFIX}{node}.get_fields"


def get_data_uri(node: str) -> str:
    """Return the procedure that gives a node's data."""
    return f"{CONSUMER_PREFIX}{node}.get_data"


def node_of_registration(uri: str) -> str | None:
    """Return the node whose ``get_fields`` has this URI; None for any other URI."""
    suffix = ".get_fields"
    if not (uri.startswith(CONSUMER_PREFIX) and uri.endswith(suffix)):
        return None
    return uri[len(CONSUMER_PREFIX) : -len(suffix)] or None


def feed_topic(address_root: str, target: str, feed: str) -> str:
    """Return the topic of an agent's feed (spec/ocs-protocol.md, section 1)."""
    return f"{address_root}.{target}.feeds.{feed}"


def join_name(node: str, field: str) -> str:
    """Return the name a field has in Grafana: ``NODE::field``."""
    return f"{node}{_SEPARATOR}{field}"


def split_name(name: str) -> tuple[str, str] | None:
    """Split ``NODE::field`` at its first ``::``; None when there is nothing to split.

    A field may itself contain ``::``; a node's name does not.
    """
    node, separator, field = name.partition(_SEPARATOR)
    return (node, field) if separator and node and field else None
