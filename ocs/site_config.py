"""Site configuration: which hub, which host, which instance (spec/ocs-protocol.md, section 13).

How a faulty configuration ends a program: :func:`parse_args` and :func:`reparse_args`
behave as ``argparse`` does and as agents of others expect: they print one line on stderr and
raise ``SystemExit(2)``. Everything else raises :class:`SiteConfigError`, so that a library or
a notebook can catch it; :func:`resolve_args` is ``parse_args`` in that manner. A program that
calls one of those wraps it in :func:`exit_on_config_error`.
"""

import argparse
import contextlib
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ocs._config_args import ArgContainer, flatten_arguments
from ocs._config_choice import NO_INSTANCE, ResolvedConfig, get_config
from ocs._config_model import (
    DEFAULT_CROSSBAR_TIMEOUT_S,
    CrossbarConfig,
    HostConfig,
    HubConfig,
    InstanceConfig,
    SiteConfig,
    summarize_dict,
)
from ocs._config_schema import SiteConfigError, check_url, nearest
from ocs.client_http import ControlClient

__all__ = [
    "ArgContainer",
    "CrossbarConfig",
    "HostConfig",
    "HubConfig",
    "InstanceConfig",
    "ResolvedConfig",
    "SiteConfig",
    "SiteConfigError",
    "add_arguments",
    "add_site_attributes",
    "exit_on_config_error",
    "get_config",
    "get_control_client",
    "nearest",
    "parse_args",
    "reparse_args",
    "require_site_attributes",
    "resolve_args",
    "summarize_dict",
]

_SITE_OPTIONS = (
    ("--site", "SITE", "load $OCS_CONFIG_DIR/SITE.yaml (default: default); none: load no file"),
    ("--site-file", "FILE", "load this file instead"),
    ("--site-host", "HOST", "use the configuration of this host (default: this machine's name)"),
    ("--site-hub", "URL", "router's WebSocket address, overrides wamp_server"),
    ("--site-http", "URL", "router's HTTP address, overrides wamp_http"),
    ("--site-realm", "REALM", "WAMP realm, overrides wamp_realm"),
    ("--instance-id", "ID", "which instance of the site configuration this is"),
    ("--address-root", "ROOT", "first part of all addresses, overrides address_root"),
    ("--registry-address", "ADDRESS", "accepted for scripts of 2019, has no effect"),
    ("--log-dir", "DIR", "directory of the log files, relative to the working directory"),
    ("--working-dir", "DIR", "working directory (default: the current one)"),
    ("--access-policy", "POLICY", "access policy, overrides access_policy"),
)


def add_arguments(parser: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """Add the options of the site configuration to a parser.

    Args:
        parser: The parser; None makes a new one. A parser that has the options is left
            as it is.

    Returns:
        The parser.
    """
    if parser is None:
        parser = argparse.ArgumentParser()
    group = parser.add_argument_group("site configuration")
    for option, metavar, text in _SITE_OPTIONS:
        try:
            group.add_argument(option, metavar=metavar, help=text)
        except argparse.ArgumentError:
            if option == "--site" and "--site-realm" in parser.format_help():
                return parser
            raise
    group.add_argument(
        "--crossbar-timeout",
        metavar="SECONDS",
        type=int,
        help="how long an agent waits for the router before it ends itself; 0: for ever "
        "(default: the host's crossbar_timeout, else 0)",
    )
    return parser


def add_site_attributes(
    args: argparse.Namespace, site: SiteConfig | None, host: HostConfig | None = None
) -> None:
    """Fill attributes of ``args`` that are None from the site and the host, in place.

    Args:
        args: Namespace with the attributes of :func:`add_arguments`.
        site: The site, or None to fill defaults only.
        host: The host, or None.
    """
    values: dict[str, Any] = {}
    if host is not None:
        values |= {"log_dir": host.log_dir, "working_dir": host.working_dir}
        values["crossbar_timeout"] = host.crossbar_timeout
    if site is not None:
        hub = site.hub.data
        values |= {
            "site_hub": hub["wamp_server"],
            "site_http": hub.get("wamp_http"),
            "site_realm": hub["wamp_realm"],
            "address_root": hub["address_root"],
            "registry_address": hub.get("registry_address"),
            "access_policy": hub.get("access_policy"),
            "site_file": site.source_file,
        }
    values.setdefault("working_dir", str(Path.cwd()))
    values.setdefault("crossbar_timeout", DEFAULT_CROSSBAR_TIMEOUT_S)
    for name, value in values.items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)


def require_site_attributes(args: argparse.Namespace, *names: str) -> None:
    """Check that attributes of ``args`` have a value.

    Raises:
        SiteConfigError: One has none: no option and no site file gave it.
    """
    missing = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name) is None]
    if missing:
        raise SiteConfigError(
            f"no value for {', '.join(missing)}: give it as an option or in the site file"
        )


def resolve_args(
    agent_class: str | None = None,
    parser: argparse.ArgumentParser | None = None,
    args: Sequence[str] | None = None,
    *,
    echo: Callable[[str], object] | None = None,
) -> argparse.Namespace:
    """Do what :func:`parse_args` does, but raise :class:`SiteConfigError` where that exits.

    Unknown or malformed options that were typed, not configured, still end the program in
    the manner of ``argparse``.
    """
    parser = add_arguments(parser)
    words = list(sys.argv[1:] if args is None else args)
    if "-h" in words or "--help" in words:
        # Help has to work without any configuration.
        parser.parse_args(words)
    chosen = _choice(parser, words)
    site, host, instance = get_config(chosen, agent_class)
    typed = ArgContainer(words)
    merged = ArgContainer(flatten_arguments(instance.arguments if instance else ()))
    configured = [name for name in merged.names() if name not in typed.names()]
    told = {name: merged.values(name) for name in configured}
    merged.update(typed)
    result = _parse_merged(parser, merged.to_list(), configured, instance)
    for name, values in told.items():
        _announce(_attribute(name), " ".join(values) if values else "True", echo)
    if instance is not None:
        # Chosen by its class: the program shall know its name all the same.
        result.instance_id = instance.data["instance-id"]
    for option in ("site_hub", "site_http"):
        check_url(option, getattr(result, option))
    add_site_attributes(result, site, host)
    if site is None and agent_class not in NO_INSTANCE:
        require_site_attributes(result, "site_hub", "site_realm", "address_root", "instance_id")
    if not hasattr(result, "agent_class"):
        result.agent_class = agent_class
    return result


def parse_args(
    agent_class: str | None = None,
    parser: argparse.ArgumentParser | None = None,
    args: Sequence[str] | None = None,
    *,
    echo: Callable[[str], object] | None = None,
) -> argparse.Namespace:
    """Parse a program's options together with what the site file says about it.

    Strongest first: command line, ``arguments`` of the instance, keys of the host, keys of
    the hub, defaults of the parser. An option on the command line replaces all values the
    file gives to the same option.

    Args:
        agent_class: As for :func:`get_config`.
        parser: Parser with the program's own options; None makes an empty one.
        args: The command line; None takes ``sys.argv[1:]``.
        echo: Gets one line of text (with its newline) for each option the site file sets,
            which is what a person watching an agent start expects; None writes to stdout.

    Returns:
        The options of :func:`add_arguments`, ``agent_class`` and the program's own.

    Raises:
        SystemExit: With status 2, after one line on stderr, if the options or the
            configuration are wrong.
    """
    with exit_on_config_error(parser.prog if parser else None):
        return resolve_args(agent_class, parser, args, echo=echo)


@contextlib.contextmanager
def exit_on_config_error(prog: str | None = None) -> Iterator[None]:
    """Turn a :class:`SiteConfigError` inside a ``with`` into one line and exit status 2.

    Args:
        prog: Name of the program for the message; None takes it from ``sys.argv``.
    """
    try:
        yield
    except SiteConfigError as error:
        name = prog or Path(sys.argv[0]).name
        sys.stderr.write(f"{name}: error: {error}\n")
        raise SystemExit(2) from None


def reparse_args(
    args: argparse.Namespace,
    agent_class: str | None = None,
    *,
    echo: Callable[[str], object] | None = None,
) -> argparse.Namespace:
    """Fill in parsed options from the site file, as agents of 2019 do.

    Differs from :func:`parse_args` as section 17.3 of the spec has it: ``arguments`` of the
    instance win over the command line, and their values stay as the file has them.

    Args:
        args: Namespace with the attributes of :func:`add_arguments`; changed in place.
        agent_class: As for :func:`get_config`.
        echo: As for :func:`parse_args`.

    Returns:
        ``args``; untouched with ``--site=none``.

    Raises:
        SystemExit: As for :func:`parse_args`.
    """
    with exit_on_config_error():
        site, host, instance = get_config(args, agent_class)
        if site is None:
            return args
        if instance is not None:
            args.instance_id = instance.data["instance-id"]
            for number, pair in enumerate(instance.arguments):
                if not (isinstance(pair, list | tuple) and len(pair) == 2):
                    at = instance.place.key("arguments").index(number)
                    raise at.error(f"found {pair!r}; this agent wants pairs: ['--option', value]")
                name = _attribute(str(pair[0]))
                _announce(name, str(pair[1]), echo)
                setattr(args, name, pair[1])
        add_site_attributes(args, site, host)
    return args


def get_control_client(
    instance_id: str,
    site: SiteConfig | None = None,
    args: argparse.Namespace | Sequence[str] | None = None,
    start: bool = True,
    client_type: str | None = "http",
) -> ControlClient:
    """Return a client for the operations of one agent.

    Args:
        instance_id: Instance-id of the agent.
        site: The site; None finds it by ``args``.
        args: Parsed options, or a command line to parse; None takes ``sys.argv[1:]``. ``[]``
            is the default site.
        start: Accepted for compatibility; there is nothing to start.
        client_type: ``http`` is the only one.

    Raises:
        SiteConfigError: The configuration is faulty or names no HTTP address.
        ValueError: ``client_type`` is another one.
    """
    if client_type not in (None, "http"):
        raise ValueError(f"client_type {client_type!r} is not supported; allowed: 'http'")
    if site is not None:
        hub = site.hub.data
        root, url, realm = hub["address_root"], hub.get("wamp_http"), hub["wamp_realm"]
    else:
        if not isinstance(args, argparse.Namespace):
            args = resolve_args("*control*", args=args)
        elif args.site_http is None or args.address_root is None:
            add_site_attributes(args, *get_config(args, "*control*")[:2])
        root, url, realm = args.address_root, args.site_http, args.site_realm
    if url is None or root is None:
        raise SiteConfigError(
            "this client needs the router's HTTP address and an address root; set hub.wamp_http "
            "(such as http://localhost:8001/call) and hub.address_root in the site file, or give "
            "--site-http and --address-root"
        )
    client = ControlClient(f"{root}.{instance_id}", url=url, realm=realm)
    if start:
        client.start()
    return client


def _choice(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return only those options that choose file, host and instance.

    The others may come from the instance's arguments as well and are read with them.
    """
    chooser = argparse.ArgumentParser(prog=parser.prog, add_help=False)
    for option in ("--site", "--site-file", "--site-host", "--instance-id"):
        chooser.add_argument(option)
    chosen, _ = chooser.parse_known_args(words)
    for other in ("site_hub", "site_http", "site_realm", "address_root", "log_dir", "working_dir"):
        setattr(chosen, other, None)
    return chosen


def _parse_merged(
    parser: argparse.ArgumentParser,
    words: Sequence[str],
    configured: Sequence[str],
    instance: InstanceConfig | None,
) -> argparse.Namespace:
    """Parse, and blame the site file for what came from it."""
    exit_on_error = parser.exit_on_error
    parser.exit_on_error = False
    try:
        result, unknown = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        names = (error.argument_name or "").split("/")
        if instance is not None and set(names) & set(configured):
            raise instance.place.key("arguments").error(str(error)) from None
        parser.error(str(error))
    finally:
        parser.exit_on_error = exit_on_error
    if instance is not None:
        theirs = set(flatten_arguments(instance.arguments))
        blamed = [word for word in unknown if word in theirs]
        if blamed:
            options = re.findall(r"--[a-zA-Z][\w-]*", parser.format_help())
            raise instance.place.key("arguments").error(
                f"{parser.prog} does not know {shlex.join(blamed)}{nearest(blamed[0], options)}"
            )
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return result


def _announce(name: str, value: str, echo: Callable[[str], object] | None) -> None:
    line = f'site_config is setting values of "{name}" to "{value}".\n'
    if echo is not None:
        echo(line)
    else:
        sys.stdout.write(line)
        sys.stdout.flush()


def _attribute(option: str) -> str:
    return option.lstrip("-").replace("-", "_")
