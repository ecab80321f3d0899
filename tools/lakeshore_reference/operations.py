"""A page of operations: docstrings, declared parameters, examples."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import yaml
from twisted.logger import Logger

from agents.lakeshore240.driver import Ls240Driver, SerialNumberConnector
from agents.lakeshore240.LS240_agent import LS240_Agent
from agents.lakeshore372.limits import Limits
from agents.lakeshore372.LS372_agent import LS372_Agent
from agents.lakeshore372.output_operations import OutputOperations
from ocs.params import declared_params

__all__ = ["Agent", "Example", "Operation", "examples", "lakeshore240", "lakeshore372", "page"]

EXAMPLES = Path(__file__).parent

_HEAD = """\
# Operations of the {title} Agent

<!-- Written by tools/make_operations_reference.py from docstrings, declared parameters and
tools/lakeshore_reference/*.yaml: do not edit. -->

A test runs all these examples, one after the other, against the simulator; `…` stands for what is
not the same each time. In Python, `client` is

    from ocs.ocs_client import OCSClient
    client = OCSClient('{instance_id}')

A task, called like a function, waits for its end and returns a reply, whose `session` holds
`success`, `messages` and `data`. A process is started with `.start(...)`, asked with `.status()`,
ended with `.stop()`. What can be aborted has `.abort()`.

{links}
"""


@attrs.frozen
class Operation:
    """One operation as it is offered to clients."""

    name: str
    function: Callable[..., Any]
    is_process: bool
    can_abort: bool


@attrs.frozen
class Example:
    """A call, and what the operation's last message then is.

    Attributes:
        operation: its name.
        params: what is sent.
        answer: the message; ``…`` stands for what is not the same each time.
        success: whether the operation succeeds.
    """

    operation: str
    params: Mapping[str, Any]
    answer: str
    success: bool = True

    @property
    def python(self) -> str:
        """The call, without the client's name."""
        given = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.operation}({given})"


@attrs.frozen
class Agent:
    """What a page is about."""

    title: str
    instance_id: str
    operations: Sequence[Operation]
    examples: Sequence[Example]


class _Registrar:
    """Stands in for an OCS agent and takes down what is registered with it."""

    def __init__(self) -> None:
        self.log = Logger()
        self.operations: list[Operation] = []

    def register_feed(self, name: str, **options: Any) -> None:
        """Take no notice: this page is about operations."""

    def register_task(
        self, name: str, func: Callable[..., Any], *, aborter: Any = None, **_: Any
    ) -> None:
        """Note a task."""
        self.operations.append(Operation(name, func, is_process=False, can_abort=bool(aborter)))

    def register_process(
        self, name: str, func: Callable[..., Any], _stop: Callable[..., Any], **_: Any
    ) -> None:
        """Note a process."""
        self.operations.append(Operation(name, func, is_process=True, can_abort=True))


def examples(name: str) -> list[Example]:
    """Return the examples of a file, in the order in which they are run."""
    entries = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))

    def example(entry: Mapping[str, Any]) -> Example:
        params, success = entry.get("params", {}), entry.get("success", True)
        return Example(entry["op"], params, entry["answer"], success=success)

    return [example(entry) for entry in entries]


def lakeshore372() -> Agent:
    """Return what there is to say about the 372 Agent."""
    registrar: Any = _Registrar()
    lakeshore = LS372_Agent(registrar, None, "127.0.0.1")
    lakeshore.register()
    OutputOperations(
        registrar,
        lakeshore.driver,
        Limits(),
        on_input_change=lakeshore.channels_changed.set,
    ).register()
    return Agent(
        "Lake Shore 372", "LSA23JD", registrar.operations, examples("lakeshore372_examples")
    )


def lakeshore240() -> Agent:
    """Return what there is to say about the 240 Agent."""
    registrar: Any = _Registrar()
    LS240_Agent(registrar, [Ls240Driver(SerialNumberConnector("LSA2359"))]).register(mode="idle")
    return Agent(
        "Lake Shore 240", "LSA2359", registrar.operations, examples("lakeshore240_examples")
    )


def page(agent: Agent) -> str:
    """Return the page of an Agent.

    Raises:
        ValueError: an operation has no example, or a parameter is documented or declared only.
    """
    links = ", ".join(f"[`{it.name}`](#{it.name})" for it in agent.operations)
    parts = [_HEAD.format(title=agent.title, instance_id=agent.instance_id, links=links)]
    for operation in agent.operations:
        shown = [it for it in agent.examples if it.operation == operation.name]
        if not shown:
            raise ValueError(f"{operation.name} has no example")
        parts.append(_section(operation, shown, agent.instance_id))
    return "\n".join(parts)


def _section(operation: Operation, shown: Sequence[Example], instance_id: str) -> str:
    doc = inspect.getdoc(operation.function) or ""
    signature, _, rest = doc.partition("\n")
    text, arguments, notes = _split(rest.strip())
    parts = [f"## {operation.name}\n", f"`{signature.strip()}`\n", f"{_markdown(text)}\n"]
    if operation.can_abort and not operation.is_process:
        parts.append("Can be aborted.\n")
    table = _parameters(operation, arguments)
    if table:
        parts.append(table)
    if notes:
        parts.append(f"{_markdown(notes)}\n")
    for example in shown:
        call = example.python
        if operation.is_process:
            call = call.replace("(", ".start(", 1)
        line = f"client.{call}"
        outcome = "answers" if example.success else "fails with"
        if operation.is_process:
            outcome = "ends with" if example.success else "fails with"
        # Python's quotes are single, the shell's double.
        parts.append(
            f"```python\n{line}\n```\n\n```sh\n"
            f'echo "{line}" | ocs-client-cli shell {instance_id} --simple\n```\n\n'
            f"{outcome}: *{example.answer}*\n"
        )
    return "\n".join(parts)


def _split(text: str) -> tuple[str, dict[str, str], str]:
    """Return a docstring's description, its arguments with what they mean, and its notes."""
    head, _, notes = text.partition("\nNotes:\n")
    description, _, listed = head.partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(listed).splitlines() if listed else []:
        start = re.match(r"(\w+) \(([^)]*)\): (.*)", line)
        if start:
            name = start[1]
            found[name] = start[3]
        elif line.strip():
            found[name] += " " + line.strip()
    return description.strip(), found, inspect.cleandoc(notes)


def _parameters(operation: Operation, arguments: Mapping[str, str]) -> str:
    """Return the table of an operation's parameters; nothing if it has none."""
    declared = declared_params(operation.function)
    if undeclared := arguments.keys() - declared.keys():
        raise ValueError(f"{operation.name} documents what it does not take: {undeclared}")
    documented = inspect.getdoc(operation.function) or ""
    if hidden := [name for name in declared if name not in documented]:
        raise ValueError(f"{operation.name} takes what it does not document: {hidden}")
    if not declared:
        return ""
    bar = "\\|"
    rows = ["| Parameter | Default | Meaning |", "|---|---|---|"]
    for name, rule in declared.items():
        if name not in arguments:
            # A second name for another one, which says so.
            continue
        default = f"`{rule['default']!r}`" if "default" in rule else "required"
        rows.append(f"| `{name}` | {default} | {_markdown(arguments[name]).replace('|', bar)} |")
    return "\n".join(rows) + "\n"


def _markdown(text: str) -> str:
    """Turn a docstring's marks into Markdown's."""
    text = text.replace("``", "`")
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)
