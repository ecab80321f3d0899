"""Start data acquisition of a thermometer and the recording of all feeds, wait, stop both.

Whatever was running before is left running: only what this program has started is stopped.

Exit status:
    0    everything was done
    1    an agent or the router is absent, or an operation was refused or failed
    2    wrong command line or site configuration
    130  interrupted (Ctrl-C); what was started has been stopped
"""

import argparse
from typing import Any

from autobahn.wamp.exception import ApplicationError

import ocs
from ocs import client_t, site_config
from ocs.connection import NotConnected
from ocs.errors import OcsError

DURATION_S = 3.0
"""What the script of 2019 slept between start and stop."""

END_TIMEOUT_S = 30.0
"""How long an operation may take to stop: an aggregator writes its files then."""


class OperationFailed(OcsError):
    """An agent refused a request, or its operation failed; its log says more."""


def main() -> None:
    """Run the program."""
    parser = site_config.add_arguments(
        argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
    )
    parser.add_argument(
        "--target", required=True, metavar="ID", help="instance-id of the thermometer's agent"
    )
    parser.add_argument(
        "--aggregator",
        default="aggregator",
        metavar="ID",
        help="instance-id of the aggregator (default: %(default)s)",
    )
    parser.add_argument(
        "--duration",
        type=_seconds,
        default=DURATION_S,
        metavar="SECONDS",
        help="how long to acquire (default: %(default)g)",
    )
    parser.add_argument(
        "--no-stop", action="store_true", help="start both, leave them running, and end at once"
    )
    client_t.run_control_script(control, parser)


async def control(app: client_t.ControlApp, args: argparse.Namespace) -> None:
    """Do it all (a control script of :mod:`ocs.client_t`)."""
    print("Entered control")
    print("Registering tasks")
    aggregator = f"{args.address_root}.{args.aggregator}"
    thermometer = f"{args.address_root}.{args.target}"
    record = client_t.ProcessClient(app, aggregator, "record")
    init = client_t.TaskClient(app, thermometer, "init_lakeshore")
    acquire = client_t.ProcessClient(app, thermometer, "acq")

    # Both agents have to be there before anything is started.
    recording = await is_active(record)
    acquiring = await is_active(acquire)
    started: list[tuple[str, client_t.ProcessClient]] = []
    try:
        print("Starting Aggregator")
        if recording:
            print(f"{args.aggregator} is already recording; leaving it as it is")
        else:
            await ask(record, "start")
            started.append(("Data Aggregator", record))
        print("Starting Data Acquisition")
        if acquiring:
            print(f"{args.target} is already acquiring; leaving it as it is")
        else:
            await run(init)
            await ask(acquire, "start")
            started.append(("Data Acquisition", acquire))
        if args.no_stop:
            return
        await watch([record, acquire], args.duration)
    except Exception:
        # Ctrl-C comes here too.
        for failure in await stop_all(started):
            print(failure)
        raise
    for failure in await stop_all(started):
        raise failure


async def ask(
    operation: client_t.OperationClient, action: str, timeout: float | None = None
) -> dict[str, Any]:
    """Ask something of an operation.

    Returns:
        Its session; ``{}`` if it never ran.

    Raises:
        OperationFailed: The agent is absent, or says no.
    """
    try:
        code, message, session = await operation.request(action, timeout=timeout)
    except ApplicationError as error:
        if error.error == "wamp.error.no_such_procedure":
            raise OperationFailed(
                f"no agent at {operation.root}: is it running, and is its instance-id spelt so?"
            ) from None
        raise OperationFailed(
            f"{operation.root}: {action} {operation.op_name}: {error.error} {error.args}"
        ) from None
    if code != ocs.OK:
        raise OperationFailed(f"{operation.root}: {action} {operation.op_name}: {message}")
    return dict(session)


async def is_active(process: client_t.ProcessClient) -> bool:
    """Tell whether an operation is running or about to."""
    session = await ask(process, "status")
    return bool(session) and session["status"] != "done"


async def run(task: client_t.TaskClient) -> None:
    """Run a task to its end; raise :class:`OperationFailed` unless it succeeds."""
    await ask(task, "start")
    check_success(task, await ask(task, "wait"))


async def watch(processes: list[client_t.ProcessClient], duration_s: float) -> None:
    """Let processes run; raise :class:`OperationFailed` if one ends before ``duration_s``."""
    remaining = next_line = duration_s
    while remaining > 0:
        if remaining <= max(next_line, 10):
            # Every second at the end, every ten before.
            print(f"sleeping for {remaining:g} more seconds")
            next_line = remaining - 10
        nap = min(remaining, 1.0)
        await client_t.dsleep(nap)
        remaining -= nap
        for process in processes:
            try:
                if await is_active(process):
                    continue
                session = await ask(process, "status")
            except NotConnected:
                # The router is away; the agents go on without it, and so does the time.
                continue
            check_success(process, session)
            raise OperationFailed(f"{process.root}: {process.op_name} has ended by itself")


async def stop_all(started: list[tuple[str, client_t.ProcessClient]]) -> list[OcsError]:
    """Stop processes, the latest first, and return what went wrong."""
    failures: list[OcsError] = []
    for name, process in reversed(started):
        print(f"Stopping {name}")
        try:
            await stop(process)
        except OcsError as error:
            failures.append(error)
    return failures


async def stop(process: client_t.ProcessClient) -> None:
    """Stop a process and wait for its end; raise :class:`OperationFailed` if it went wrong."""
    if await is_active(process):
        await ask(process, "stop")
    check_success(process, await ask(process, "wait", timeout=END_TIMEOUT_S))


def check_success(operation: client_t.OperationClient, session: dict[str, Any]) -> None:
    """Raise :class:`OperationFailed` unless a finished run was successful."""
    if session.get("success") is not True:
        texts = [text for _, text in session.get("messages", ()) if not text.startswith("Status ")]
        why = texts[-1] if texts else "it does not say why"
        raise OperationFailed(f"{operation.root}: {operation.op_name} failed: {why}")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; give seconds, 0 or more")
    return value


if __name__ == "__main__":
    main()
