"""The operations of an agent as attributes of an object (spec/ocs-protocol.md, section 16.2)."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from twisted.logger import Logger

from ocs import site_config
from ocs.base import ResponseCode
from ocs.client_http import ControlClient

__all__ = ["MatchedOp", "MatchedProcess", "MatchedTask", "OCSClient", "OCSReply"]

log = Logger()

MESSAGES_SHOWN = 5


class OCSReply(NamedTuple):
    """Answer of an agent; print it to read it.

    Attributes:
        status: ``ocs.OK``, ``ocs.ERROR`` or ``ocs.TIMEOUT``: whether the request was accepted.
            Whether the operation succeeded is in ``session["success"]``.
        msg: What the agent says about the request.
        session: The operation's current or latest run (section 5 of the spec), or ``{}``.
    """

    status: int
    msg: str
    session: dict[str, Any]

    def __repr__(self) -> str:
        try:
            code = ResponseCode(self.status).name
        except ValueError:
            code = "???"
        lines = [f"OCSReply: {code} : {self.msg}"]
        if not self.session:
            lines.append("  (no session -- op has never run)")
        else:
            lines += _describe_session(self.session)
        return "\n".join(lines)


class MatchedOp:
    """One operation of an agent.

    Args:
        name: Name of the operation.
        info: Its description, as ``get_api`` has it.
        client: Calls the agent.
        password: Sent with each request unless None.
    """

    def __init__(
        self, name: str, info: Mapping[str, Any], client: ControlClient, password: str | None
    ) -> None:
        self.name = name
        self._client = client
        self._extra = {} if password is None else {"password": password}

        def start(**params: Any) -> OCSReply:
            return self._request("start", params)

        # help(client.acq.start) shows what the agent's author wrote.
        start.__doc__ = info.get("docstring")
        self.start = start

    def wait(self, timeout: float | None = None) -> OCSReply:
        """Wait until the operation has ended, or ``timeout`` seconds at most."""
        return self._request("wait", timeout=timeout)

    def status(self) -> OCSReply:
        """Return the current or latest run."""
        return self._request("status")

    def _request(
        self, action: str, params: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> OCSReply:
        reply = self._client.request(action, self.name, params, **kwargs, **self._extra)
        return OCSReply(*reply)


class MatchedTask(MatchedOp):
    """A task; calling it runs it to its end."""

    def abort(self) -> OCSReply:
        """Ask the task to give up; the reply does not mean that it has."""
        return self._request("abort")

    def __call__(self, **params: Any) -> OCSReply:
        """Start the task and wait for its end; a refused start is returned at once."""
        reply = self.start(**params)
        return self.wait() if reply.status == ResponseCode.OK.value else reply


class MatchedProcess(MatchedOp):
    """A process; calling it asks for its status."""

    def stop(self) -> OCSReply:
        """Ask the process to stop; the reply does not mean that it has."""
        return self._request("stop")

    def __call__(self) -> OCSReply:
        """Return the current or latest run."""
        return self.status()


class OCSClient:
    """A running agent, its operations being attributes.

    ``OCSClient("LSA23JD").acq.start()`` starts the process ``acq``; a ``-`` or space in the
    name of an operation becomes ``_``.

    Args:
        instance_id: Instance-id of the agent.
        privs: Password for restricted operations; None or 1 sends none.
        args: Where to find the site: a command line (``["--site-file", "lab.yaml"]``) or
            parsed options; None is the default site.
        **kwargs: Handed on to :func:`ocs.site_config.get_control_client`.

    Raises:
        ControlClientError: The router or the agent does not answer.
        SiteConfigError: The site configuration is faulty.
        ValueError: ``privs`` is a level, which would need a password file.
    """

    def __init__(
        self, instance_id: str, privs: str | int | None = None, args: Any = None, **kwargs: Any
    ) -> None:
        self.instance_id = instance_id
        self._client = site_config.get_control_client(
            instance_id, args=[] if args is None else args, **kwargs
        )
        self._api = self._client.get_api()
        password = self._password(privs)
        for kind, operations in (
            (MatchedTask, self._api["tasks"]),
            (MatchedProcess, self._api["processes"]),
        ):
            for name, _, info in operations:
                attribute = name.replace("-", "_").replace(" ", "_")
                setattr(self, attribute, kind(name, info, self._client, password))

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is no operation: say which ones there are.
        if name.startswith("_"):
            raise AttributeError(name)
        operations = sorted(op[0] for kind in ("tasks", "processes") for op in self._api[kind])
        raise AttributeError(
            f"{self.instance_id} has no operation {name!r}; it has: {', '.join(operations)}"
            f"{site_config.nearest(name, operations)}"
        )

    def __repr__(self) -> str:
        return f"OCSClient({self.instance_id!r})"

    def _password(self, privs: str | int | None) -> str | None:
        if privs in (None, "", 1):
            return None
        if not isinstance(privs, str):
            raise ValueError(  # noqa: TRY004 - levels are allowed, these are not yet
                f"privs={privs!r}: allowed are a password (text), 1 and None"
            )
        if self._api.get("access_control") is None:
            log.warn("{instance_id} knows no passwords; none is sent", instance_id=self.instance_id)
            return None
        return privs


def _describe_session(session: Mapping[str, Any]) -> list[str]:
    shown = ("op_name", "session_id", "status", "start_time", "end_time", "messages", "success")
    run = f"{session.get('op_name')}[session={session.get('session_id')}]"
    lines = [f"  {run}; status={session.get('status')}{_describe_progress(session)}"]
    messages = session.get("messages") or []
    if messages:
        latest = messages[-MESSAGES_SHOWN:]
        lines.append(f"  messages ({len(latest)} of {len(messages)}):")
        lines += [f"    {when:.3f} {text}" for when, text in latest]
    others = [key for key in session if key not in shown]
    if others:
        lines.append(f"  other keys in .session: {', '.join(others)}")
    return lines


def _describe_progress(session: Mapping[str, Any]) -> str:
    start, end = session.get("start_time"), session.get("end_time")
    if start is None:
        return ""
    now = time.time()
    if session.get("status") in {"starting", "running"}:
        return f" for {_duration(now - start)}"
    if end is None:
        return ""
    # Agents of 2019 say -1 for a crash.
    how = "without error" if session.get("success") is True else "with ERROR"
    return f" {how} {_duration(now - end)} ago, took {_duration(end - start)}"


def _duration(seconds: float) -> str:
    for limit, unit, name in (
        (120, 1, "s"),
        (120 * 60, 60, "mins"),
        (48 * 3600, 3600, "hrs"),
    ):
        if abs(seconds) < limit:
            digits = 6 if abs(seconds) < 1 else 1
            return f"{seconds / unit:.{digits}f} {name}"
    return f"{seconds / 86400:.1f} days"
