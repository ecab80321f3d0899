"""Reading and checking of a site configuration file (spec/ocs-protocol.md, section 13).

Every fault is one :class:`SiteConfigError` that names the file, the line and the key.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import yaml
from twisted.logger import Logger

from ocs.errors import OcsError

__all__ = [
    "MANAGE_VALUES",
    "Place",
    "SiteConfigError",
    "check_crossbar",
    "check_host",
    "check_hub",
    "check_instance",
    "check_site",
    "check_url",
    "nearest",
    "read_yaml",
]

log = Logger()

MANAGE_VALUES: Mapping[object, str] = {
    "host/up": "host/up",
    "host/down": "host/down",
    "docker/up": "docker/up",
    "docker/down": "docker/down",
    "ignore": "ignore",
    "host": "host/up",
    "up": "host/up",
    "down": "host/down",
    "docker": "docker/up",
    "yes": "host/up",
    "no": "ignore",
    # YAML 1.1 reads a bare yes or no as a boolean.
    True: "host/up",
    False: "ignore",
    None: "host/up",
}
"""What ``manage`` may be in a file, and the state it stands for."""

_SITE_KEYS = ("hub", "hosts")
_HUB_KEYS = (
    "wamp_server",
    "wamp_http",
    "wamp_realm",
    "address_root",
    "access_policy",
    "registry_address",
)
_HOST_KEYS = (
    "agent-instances",
    "log-dir",
    "crossbar_timeout",
    "wamp_server",
    "wamp_http",
    "wamp_realm",
    "crossbar",
    "agent-paths",
)
_INSTANCE_KEYS = ("agent-class", "instance-id", "manage", "arguments")
_CROSSBAR_KEYS = ("config-dir", "bin")
_URL_SCHEMES = {
    "wamp_server": ("ws://", "wss://"),
    "wamp_http": ("http://", "https://"),
    "site_hub": ("ws://", "wss://"),
    "site_http": ("http://", "https://"),
}


class SiteConfigError(OcsError, RuntimeError):
    """The site configuration cannot be used; correct the named key, line or option.

    It is a ``RuntimeError`` as well, because that is what upstream raises when no
    instance of the configuration fits.
    """


@attrs.frozen
class Place:
    """A key of a site configuration, and where in which file it stands.

    Args:
        source: What the configuration was read from, as a person knows it.
        path: Key path, such as ``hosts.lab.agent-instances[0].manage``.
        lines: Line numbers by key path, from 1; empty without a file.
    """

    source: str = "site configuration"
    path: str = ""
    lines: Mapping[str, int] = attrs.field(factory=dict, repr=False)

    def key(self, name: object) -> "Place":
        """Return the place of the entry ``name`` of this mapping."""
        return attrs.evolve(self, path=f"{self.path}.{name}" if self.path else str(name))

    def index(self, number: int) -> "Place":
        """Return the place of element ``number`` (from 0) of this list."""
        return attrs.evolve(self, path=f"{self.path}[{number}]")

    def error(self, text: str) -> SiteConfigError:
        """Return the error that says ``text`` about this place."""
        return SiteConfigError(f"{self}: {text}")

    def __str__(self) -> str:
        line = self.lines.get(self.path)
        where = self.source if line is None else f"{self.source}, line {line}"
        return f"{where}: {self.path}" if self.path else where


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'X'?"`` for the known word most like ``word``, or ``""``."""
    spelling = {_plain(name): name for name in known}
    found = difflib.get_close_matches(_plain(word), spelling, n=1, cutoff=0.7)
    return f"; did you mean {spelling[found[0]]!r}?" if found else ""


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")


def read_yaml(path: Path) -> tuple[Any, Place]:
    """Read a YAML file.

    Args:
        path: The file.

    Returns:
        The document, and its place with the line of every key.

    Raises:
        SiteConfigError: The file is missing, unreadable or not YAML, or a mapping
            names a key twice.
    """
    place = Place(source=str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise place.error("no such file" + _other_sites(path)) from None
    except UnicodeDecodeError as error:
        raise place.error(f"not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise place.error(f"cannot be read: {error.strerror}") from None
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise place.error("the file is empty; 'hub' and 'hosts' are needed")
        lines: dict[str, int] = {}
        place = attrs.evolve(place, lines=lines)
        _collect_lines(node, place, lines, ())
        return loader.construct_document(node), place
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise SiteConfigError(f"{path}{where}: not valid YAML: {what}") from None
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise SiteConfigError(f"{path}: not valid YAML: {what}") from None
    finally:
        loader.dispose()


def _other_sites(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor the directory {path.parent})"
    others = sorted(other.stem for other in path.parent.glob("*.yaml"))
    if not others:
        return f"; {path.parent} holds no *.yaml at all"
    return f"; sites in {path.parent}: {', '.join(others)}{nearest(path.stem, others)}"


def _collect_lines(
    node: yaml.Node, place: Place, lines: dict[str, int], above: tuple[yaml.Node, ...]
) -> None:
    if node in above:
        raise place.error("refers to itself")
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            child = place.key(name)
            if name in seen and key.tag != "tag:yaml.org,2002:merge":
                raise SiteConfigError(
                    f"{place.source}, line {key.start_mark.line + 1}: {child.path}: given twice; "
                    f"the first is in line {lines[child.path]}"
                )
            seen.add(name)
            lines[child.path] = key.start_mark.line + 1
            _collect_lines(value, child, lines, above)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            child = place.index(number)
            lines[child.path] = value.start_mark.line + 1
            _collect_lines(value, child, lines, above)


def check_site(data: object, place: Place) -> Mapping[str, Any]:
    """Check that a document is a whole site configuration.

    Args:
        data: The document.
        place: Where it comes from.

    Returns:
        ``data`` itself.

    Raises:
        SiteConfigError: Something in it is not as section 13 of the spec has it.
    """
    site = _mapping(data, place, _SITE_KEYS, required=("hub", "hosts"))
    check_hub(site["hub"], place.key("hub"))
    hosts = site["hosts"]
    if not isinstance(hosts, dict):
        raise _wrong_type(place.key("hosts"), hosts, "a mapping from host name to host")
    for name, host in hosts.items():
        if not isinstance(name, str):
            raise place.key("hosts").error(
                f"the host name {name!r} is a {type(name).__name__} to YAML; put it in quotes"
            )
        check_host(host, place.key("hosts").key(name))
    return site


def check_hub(data: object, place: Place) -> Mapping[str, Any]:
    """Check the ``hub`` section; same arguments and errors as :func:`check_site`."""
    hub = _mapping(data, place, _HUB_KEYS, required=("wamp_server", "wamp_realm", "address_root"))
    _check_wamp(hub, place)
    for key in ("address_root", "access_policy", "registry_address"):
        _text(hub, key, place)
    return hub


def check_host(data: object, place: Place) -> Mapping[str, Any]:
    """Check one host's section; same arguments and errors as :func:`check_site`."""
    host = _mapping(data, place, _HOST_KEYS, required=("agent-instances",))
    _check_wamp(host, place)
    _text(host, "log-dir", place)
    timeout = host.get("crossbar_timeout")
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0
    ):
        raise _wrong_type(
            place.key("crossbar_timeout"), timeout, "seconds, 0 or more (0 waits for ever)"
        )
    check_crossbar(host.get("crossbar"), place.key("crossbar"))
    instances = host["agent-instances"]
    here = place.key("agent-instances")
    if instances is not None and not isinstance(instances, list):
        raise _wrong_type(here, instances, "a list of instances")
    first: dict[str, int] = {}
    for number, instance in enumerate(instances or ()):
        at = here.index(number)
        instance_id = check_instance(instance, at)["instance-id"]
        if instance_id in first:
            raise at.key("instance-id").error(
                f"{instance_id!r} is already taken by {here.index(first[instance_id]).path}; "
                "an instance-id is given once a host"
            )
        first[instance_id] = number
    return host


def check_crossbar(data: object, place: Place) -> Mapping[str, Any] | None:
    """Check a host's ``crossbar`` section, which may be null; otherwise as the others."""
    if data is None:
        return None
    crossbar = _mapping(data, place, _CROSSBAR_KEYS)
    for key in _CROSSBAR_KEYS:
        _text(crossbar, key, place)
    return crossbar


def check_instance(data: object, place: Place) -> Mapping[str, Any]:
    """Check one agent instance; same arguments and errors as :func:`check_site`."""
    instance = _mapping(data, place, _INSTANCE_KEYS, required=("instance-id",))
    _text(instance, "instance-id", place)
    _text(instance, "agent-class", place)
    instance_id = instance["instance-id"]
    # A topic is split at dots, and the router's matching knows no others.
    if not instance_id or any(char in ".#" or char.isspace() for char in instance_id):
        raise place.key("instance-id").error(
            f"found {instance_id!r}; an instance-id is not empty and has no '.', '#' or space"
        )
    manage = instance.get("manage")
    if not isinstance(manage, str | bool | None) or manage not in MANAGE_VALUES:
        words = [value for value in MANAGE_VALUES if isinstance(value, str)]
        raise place.key("manage").error(
            f"found {manage!r}; allowed: {', '.join(words)}{nearest(str(manage), words)}"
        )
    arguments = instance.get("arguments")
    if arguments is not None:
        _check_arguments(arguments, place.key("arguments"))
    return instance


def _check_arguments(arguments: object, place: Place) -> None:
    if not isinstance(arguments, list | tuple):
        raise _wrong_type(place, arguments, "a list such as [['--serial-number', 'LSA23JD']]")
    for number, argument in enumerate(arguments):
        at = place.index(number)
        if isinstance(argument, list | tuple):
            _check_arguments(argument, at)
        elif argument is None or isinstance(argument, dict):
            raise _wrong_type(at, argument, "text, a number or a list of them")


def _mapping(
    data: object, place: Place, known: Sequence[str], required: Sequence[str] = ()
) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _wrong_type(place, data, f"a mapping with the keys {', '.join(known)}")
    for key in data:
        if key in known:
            continue
        free = [name for name in known if name not in data]
        hint = nearest(str(key), free)
        if hint:
            raise place.key(key).error(f"unknown key; allowed: {', '.join(known)}{hint}")
        # Real site files carry notes and the keys of other versions: those must not hurt.
        log.warn(
            "{place}: unknown key, ignored; known: {known}",
            place=place.key(key),
            known=", ".join(known),
        )
    for key in required:
        if key not in data:
            raise place.error(f"the key {key!r} is missing; found: {', '.join(map(str, data))}")
    return data


def _check_wamp(data: Mapping[str, Any], place: Place) -> None:
    _text(data, "wamp_realm", place)
    for key in ("wamp_server", "wamp_http"):
        _text(data, key, place)
        check_url(key, data.get(key), place)


def check_url(key: str, url: str | None, place: Place | None = None) -> None:
    """Check the scheme of a router's address.

    Args:
        key: Key of the site file, or attribute of the parsed options.
        url: The address; None is not given, which is fine.
        place: The section the key is in; None for an option.

    Raises:
        SiteConfigError: The scheme is not one of the key's.
    """
    schemes = _URL_SCHEMES[key]
    if url is None or url.startswith(schemes):
        return
    where = f"--{key.replace('_', '-')}" if place is None else place.key(key)
    raise SiteConfigError(
        f"{where}: found {url!r}; it must be an address that starts with {' or '.join(schemes)}"
    )


def _text(data: Mapping[str, Any], key: str, place: Place) -> None:
    optional = key not in {"wamp_realm", "wamp_server", "address_root", "instance-id"}
    if key not in data or (optional and data[key] is None):
        return
    if not isinstance(data[key], str):
        raise _wrong_type(place.key(key), data[key], "text")


def _wrong_type(place: Place, found: object, expected: str) -> SiteConfigError:
    what = "nothing" if found is None else f"{found!r} ({type(found).__name__})"
    hint = "; put it in quotes" if expected == "text" and isinstance(found, int | float) else ""
    return place.error(f"found {what}; it must be {expected}{hint}")
