"""Filling in the templates of a site, as text: their comments are what a newcomer reads.

YAML's own parser says where in the text an entry stands; nothing else of the text is touched.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import yaml

from ocs.errors import OcsError

__all__ = [
    "AGGREGATOR_CLASS",
    "Instrument",
    "InstrumentKind",
    "TemplateError",
    "fill_compose_file",
    "fill_settings",
    "fill_site_file",
]

AGGREGATOR_CLASS = "AggregatorAgent"


class TemplateError(OcsError):
    """A template is not as it was shipped: put the project's own back."""


@attrs.frozen
class InstrumentKind:
    """A kind of instrument a new site can have.

    Args:
        label: What people call it.
        agent_class: Class of its agent, as the agent's program names itself.
        place_option: Option of the agent that says where the instrument is.
        further_options: What else its agent is told.
    """

    label: str
    agent_class: str
    place_option: str
    further_options: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Instrument:
    """One instrument; its serial number is the instance-id of its agent as well.

    Args:
        kind: What it is.
        serial_number: Letters and digits.
        place: Network address or serial port; empty for the agent to find it.
    """

    kind: InstrumentKind
    serial_number: str
    place: str = ""

    @property
    def description(self) -> str:
        """One line for people."""
        where = f" at {self.place}" if self.place else ""
        return f"{self.kind.label} {self.serial_number}{where}"


@attrs.frozen
class _Edit:
    """Replace the characters from ``start`` up to ``end`` by ``text``."""

    start: int
    end: int
    text: str = ""


def fill_site_file(
    text: str,
    hostname: str,
    kinds: Sequence[InstrumentKind],
    instruments: Sequence[Instrument],
    data_dir: str,
) -> str:
    """Fill in a site configuration: its host's name, its instruments, where data goes.

    Args:
        text: The template: one host, with an example of an instance of each kind.
        hostname: Name of the computer.
        kinds: The kinds whose examples the instruments replace; those of a kind without an
            instrument go.
        instruments: The instruments.
        data_dir: Directory of the Aggregator's files.

    Raises:
        TemplateError: The template lacks one of these.
    """
    hosts = _child(_compose(text), "hosts")
    if not isinstance(hosts, yaml.MappingNode) or len(hosts.value) != 1:
        raise TemplateError("the template of the site configuration must have one host")
    key, host = hosts.value[0]
    edits = [_Edit(*_span(key), _plain(hostname))]
    entries = _child(host, "agent-instances").value
    for kind in kinds:
        examples = [n for n, entry in enumerate(entries) if _class_of(entry) == kind.agent_class]
        if not examples:
            raise TemplateError(f"the template of the site configuration has no {kind.agent_class}")
        blocks = [_instance(one) for one in instruments if one.kind == kind]
        if blocks:
            edits.append(_Edit(*_span(entries[examples.pop(0)]), ",\n      ".join(blocks)))
        edits += [_without(entries, number) for number in examples]
    edits.append(_Edit(*_span(_data_dir(entries)), _quoted(data_dir)))
    return _apply(text, edits)


def fill_compose_file(text: str, instruments: Sequence[Instrument]) -> str:
    """Put a data node for each instrument in the place of the example ones.

    Args:
        text: The template, whose data nodes merge its ``x-thermometry``.
        instruments: The instruments.

    Raises:
        TemplateError: The template has no such data node.
    """
    root = _compose(text)
    pattern = _child(root, "x-thermometry")
    examples = [
        (key, service)
        for key, service in _child(root, "services").value
        if isinstance(service, yaml.MappingNode)
        and any(name.value == "<<" and merged is pattern for name, merged in service.value)
    ]
    if not examples:
        raise TemplateError("the template of docker-compose.yml has no data node of an instrument")
    edits = []
    blocks = [_data_node(instrument) for instrument in instruments]
    for key, service in examples:
        start = text.rindex("\n", 0, key.start_mark.index) + 1
        last = text.index("\n", _last_mark(service)) + 1
        # A block goes with the empty line below it.
        end = last + 1 if text[last : last + 1] == "\n" else last
        edits.append(_Edit(start, end, "".join(f"{block}\n" for block in blocks)))
        blocks = []
    return _apply(text, edits)


def fill_settings(text: str, values: Mapping[str, str]) -> str:
    """Set variables in the text of a file such as ``.env``, each in its own line.

    Raises:
        TemplateError: A variable is not in it.
    """
    for name, value in values.items():
        line = f"{name}={value}"
        text, found = re.subn(f"^{name}=.*$", _literally(line), text, flags=re.MULTILINE)
        if found != 1:
            raise TemplateError(f"the template of .env must set {name} once, not {found} times")
    return text


def _literally(text: str) -> Callable[[re.Match[str]], str]:
    # As a replacement itself, its backslashes would mean something.
    return lambda _: text


def _compose(text: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise TemplateError(f"a template is no YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise TemplateError("a template is empty")
    return node


def _child(node: yaml.Node, name: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return value
    raise TemplateError(f"a template has no {name!r}")


def _span(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index


def _last_mark(node: yaml.Node) -> int:
    """Return where the last value ends; a block's own mark is behind the comments after it."""
    if isinstance(node, yaml.MappingNode):
        return max(_last_mark(value) for _, value in node.value)
    return int(node.end_mark.index)


def _class_of(entry: yaml.Node) -> str:
    return str(_child(entry, "agent-class").value)


def _data_dir(entries: Sequence[yaml.Node]) -> Any:
    for entry in entries:
        if _class_of(entry) == AGGREGATOR_CLASS:
            for pair in _child(entry, "arguments").value:
                if pair.value[0].value == "--data-dir":
                    return pair.value[1]
    raise TemplateError(
        f"the template of the site configuration has no {AGGREGATOR_CLASS} that "
        "is told its --data-dir"
    )


def _without(entries: Sequence[yaml.Node], number: int) -> _Edit:
    start, end = _span(entries[number])
    if number + 1 < len(entries):
        return _Edit(start, entries[number + 1].start_mark.index)
    return _Edit(entries[number - 1].end_mark.index if number else start, end)


def _instance(instrument: Instrument) -> str:
    serial = _quoted(instrument.serial_number)
    pairs = [f"['--serial-number', {serial}]"]
    if instrument.place:
        pairs.append(f"[{_quoted(instrument.kind.place_option)}, {_quoted(instrument.place)}]")
    pairs += [
        f"[{_quoted(option)}, {_quoted(value)}]"
        for option, value in instrument.kind.further_options
    ]
    arguments = (",\n" + 21 * " ").join(pairs)
    return (
        f"{{'agent-class': {_quoted(instrument.kind.agent_class)},\n"
        f"       'instance-id': {serial},\n"
        f"       'arguments': [{arguments}]}}"
    )


def _data_node(instrument: Instrument) -> str:
    name = _plain(instrument.serial_number)
    return (
        f"  {name}:\n"
        "    <<: *thermometry\n"
        "    environment:\n"
        f"      TARGET: {name} # the agent's instance-id\n"
        f"      NAME: {name} # stands before :: in the names of its fields\n"
        f"      DESCRIPTION: {_quoted(instrument.description)}\n"
    )


def _plain(text: str) -> str:
    """Return text as YAML, without quotes where it stays text: 240123 would be a number."""
    simple = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text)
    return text if simple and yaml.safe_load(text) == text else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _apply(text: str, edits: Sequence[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text
