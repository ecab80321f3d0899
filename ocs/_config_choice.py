"""Choosing file, host and instance of a site configuration for one program."""

import argparse
import os
import socket
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger

from ocs._config_model import HostConfig, InstanceConfig, SiteConfig
from ocs._config_schema import SiteConfigError, nearest

__all__ = ["NO_INSTANCE", "ResolvedConfig", "get_config"]

log = Logger()

NO_INSTANCE = ("*control*", "*host*")
"""Pseudo-classes: a client, which needs neither host nor instance, and a program of a host."""

_HOST_OVERRIDES = ("wamp_server", "wamp_http", "wamp_realm")


class ResolvedConfig(NamedTuple):
    """What a program's options chose from the site file; all None with ``--site=none``."""

    site: SiteConfig | None
    host: HostConfig | None
    instance: InstanceConfig | None


def get_config(args: argparse.Namespace, agent_class: str | None = None) -> ResolvedConfig:
    """Load the site file and choose host and instance.

    Args:
        args: Namespace with the attributes of :func:`add_arguments`.
        agent_class: Class of the agent; chooses the instance when ``args.instance_id`` is
            None. ``*host*`` needs no instance; ``*control*`` needs neither host nor instance.

    Returns:
        Site, host and instance, with the host's and ``args``' overrides put into the hub.

    Raises:
        SiteConfigError: The file is missing or wrong, or no host or instance fits.
    """
    if args.site == "none":
        return ResolvedConfig(None, None, None)
    site = SiteConfig.from_yaml(_site_file(args))
    host = _find_host(site, args.site_host, needed=agent_class != "*control*")
    if host is not None:
        site.hub.data |= {key: host.data[key] for key in _HOST_OVERRIDES if host.data.get(key)}
        host.working_dir = args.working_dir or host.working_dir
        host.log_dir = args.log_dir or host.log_dir
    for key, value in (
        ("wamp_server", args.site_hub),
        ("wamp_http", args.site_http),
        ("wamp_realm", args.site_realm),
        ("address_root", args.address_root),
    ):
        if value is not None:
            site.hub.data[key] = value
    if host is None or agent_class in NO_INSTANCE:
        return ResolvedConfig(site, host, None)
    return ResolvedConfig(site, host, _find_instance(host, args.instance_id, agent_class))


def _site_file(args: argparse.Namespace) -> Path:
    directory = os.environ.get("OCS_CONFIG_DIR")
    in_directory = Path(directory, f"{args.site or 'default'}.yaml") if directory else None
    if args.site_file is not None:
        # A namespace that went through add_site_attributes has both, and they agree.
        if args.site is not None and in_directory != Path(args.site_file):
            raise SiteConfigError("--site and --site-file exclude each other; give one of them")
        return Path(args.site_file)
    if in_directory is None:
        raise SiteConfigError(
            "OCS_CONFIG_DIR is not set; set it to the directory of default.yaml, "
            "or name a file with --site-file"
        )
    return in_directory.absolute()


def _find_host(site: SiteConfig, wanted: str | None, *, needed: bool) -> HostConfig | None:
    name = wanted or socket.gethostname()
    host = site.hosts.get(name) or site.hosts.get("localhost")
    if host is None and needed:
        known = ", ".join(site.hosts) or "none"
        raise SiteConfigError(
            f"{site.source_file}: hosts has neither {name!r} nor 'localhost'; known: {known}"
            f"{nearest(name, site.hosts)}; choose one with --site-host"
        )
    return host


def _find_instance(
    host: HostConfig, instance_id: str | None, agent_class: str | None
) -> InstanceConfig:
    if instance_id is not None:
        found = [n for n, data in enumerate(host.instances) if data["instance-id"] == instance_id]
    else:
        found = [
            number
            for number, data in enumerate(host.instances)
            if agent_class is not None and data.get("agent-class") == agent_class
        ]
    if len(found) != 1:
        raise _no_instance(host, instance_id, agent_class, several=bool(found))
    at = host.place.key("agent-instances").index(found[0])
    instance = InstanceConfig.from_dict(host.instances[found[0]], parent=host, place=at)
    configured = instance.data.get("agent-class")
    if agent_class is not None and configured not in (None, agent_class):
        log.warn(
            "{place}: {instance_id} is configured as a {configured}, but a {running} is started",
            place=at.key("agent-class"),
            instance_id=instance.data["instance-id"],
            configured=configured,
            running=agent_class,
        )
    return instance


def _no_instance(
    host: HostConfig, instance_id: str | None, agent_class: str | None, *, several: bool
) -> SiteConfigError:
    source = host.place.source
    known = {str(data["instance-id"]): data.get("agent-class") for data in host.instances}
    if instance_id is not None:
        elsewhere = [
            other.name
            for other in (host.parent.hosts.values() if host.parent else ())
            if any(data["instance-id"] == instance_id for data in other.instances)
        ]
        if elsewhere:
            hint = f"; it belongs to host {elsewhere[0]!r}: use --site-host={elsewhere[0]}"
        else:
            hint = nearest(instance_id, known)
        return SiteConfigError(
            f"{source}: no instance {instance_id!r} on host {host.name!r}; "
            f"known: {', '.join(known) or 'none'}{hint}"
        )
    if several:
        fitting = [name for name, its_class in known.items() if its_class == agent_class]
        return SiteConfigError(
            f"{source}: host {host.name!r} has several instances of class {agent_class}: "
            f"{', '.join(fitting)}; choose one with --instance-id"
        )
    listed = ", ".join(f"{name} ({its_class})" for name, its_class in known.items())
    classes = [its_class for its_class in known.values() if its_class]
    return SiteConfigError(
        f"{source}: no instance of class {agent_class} on host {host.name!r}; "
        f"known: {listed or 'none'}{nearest(agent_class or '', classes)}"
    )
