"""Looking over the directory of a site: what is wrong in it, and the remedy."""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from twisted.logger import Logger

from ocs._config_args import flatten_arguments
from ocs._config_schema import read_yaml
from ocs.credentials import SecretError, read_secret
from ocs.errors import OcsError
from ocs.server_certificate import CERTIFICATE, KEY, ServerCertificate
from ocs.site_config import ArgContainer, HostConfig, SiteConfig, SiteConfigError, nearest
from ocs.tls_trust import load_certificates

__all__ = ["AGENT_CLASSES", "Finding", "check_site_directory"]

log = Logger()

AGENT_CLASSES = {
    "AggregatorAgent": False,
    "Lakeshore240Agent": True,
    "Lakeshore372Agent": True,
    "RegistryAgent": False,
}
"""Agents of this project, and whether the live monitor shows what they read."""

_COMPOSE_FILE = "docker-compose.yml"
_CA = "ca_cert.pem"
_PUBLIC = (_CA, CERTIFICATE)
_SECRETS = ("secrets/server.secret", "secrets/consumer.secret", "secrets/grafana_admin.secret")
_NEEDED = (*_PUBLIC, KEY, *_SECRETS)
_CA_KEY = "ca_key.pem"
_PLACEHOLDER = "hostname"
_WARN_BEFORE = timedelta(days=30)


@attrs.frozen
class Finding:
    """Something to know about a site.

    Args:
        text: What it is, and what to do: one line.
        serious: Whether it keeps something from working, or from being safe.
    """

    text: str
    serious: bool = True


def check_site_directory(
    directory: Path, hostname: str, now: datetime, name: str = "default"
) -> list[Finding]:
    """Look over the directory of a site.

    Args:
        directory: The directory, as in ``OCS_CONFIG_DIR``.
        hostname: Name of the computer it is for.
        now: The time, with a time zone.
        name: Name of the site's file, as with ``--site``.

    Returns:
        What there is to say; empty if all is in order.
    """
    if not directory.is_dir():
        return [Finding(f"{directory} is no directory; name the one of default.yaml")]
    findings: list[Finding] = []
    site_file, link_findings = _site_file(directory, name)
    findings += link_findings
    site = None
    if site_file is not None:
        try:
            site = SiteConfig.from_yaml(site_file)
        except SiteConfigError as error:
            findings.append(Finding(str(error)))
    if site is not None:
        findings += _check_hosts(site, hostname)
        findings += _check_instances(site)
        findings += _check_data_dir(site, hostname)
    findings += _check_router(directory / ".crossbar" / "config.json")
    compose_file = directory / _COMPOSE_FILE
    if compose_file.exists():
        settings = _settings(directory / ".env")
        findings += _check_compose_file(compose_file, site)
        findings += _check_settings(directory, settings, site)
        findings += _check_certificates(directory / ".crossbar", now)
    return findings


def _site_file(directory: Path, name: str) -> tuple[Path | None, list[Finding]]:
    """Return the file to check, and what is to be said about its being there."""
    path = directory / f"{name}.yaml"
    if path.exists():
        return path, []
    what = "is a link to a file that is gone" if path.is_symlink() else "is missing"
    others = sorted(other for other in directory.glob("*.yaml") if other.exists())
    if len(others) == 1:
        (other,) = others
        remedy = f"ln -sfn {other.name} {path} (or give every program --site={other.stem})"
        return other, [Finding(f"{path} {what}; {remedy}")]
    names = ", ".join(other.name for other in others)
    remedy = f"link it to the site's own: {names}" if names else "ocs-site new makes a site"
    return None, [Finding(f"{path} {what}; {remedy}")]


def _check_hosts(site: SiteConfig, hostname: str) -> Iterator[Finding]:
    if hostname in site.hosts or "localhost" in site.hosts:
        return
    known = ", ".join(site.hosts) or "none"
    if _PLACEHOLDER in site.hosts:
        remedy = f"write {hostname} in the place of {_PLACEHOLDER!r}"
    else:
        remedy = f"add an entry for it, or give --site-host{nearest(hostname, site.hosts)}"
    yield Finding(
        f"{site.source_file}: hosts has no entry for this computer, {hostname!r} (it has: "
        f"{known}); {remedy}"
    )


def _check_instances(site: SiteConfig) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for host, place, instance in _instances(site):
        instance_id = str(instance["instance-id"])
        other = first.setdefault(instance_id, str(host.name))
        if other != host.name:
            yield Finding(
                f"{place.key('instance-id')}: {instance_id!r} is an instance of host {other!r} "
                "already; all agents of a site share one router: give one of them another name"
            )
        agent_class = instance.get("agent-class")
        if agent_class is not None and agent_class not in AGENT_CLASSES:
            hint = nearest(str(agent_class), AGENT_CLASSES)
            yield Finding(
                f"{place.key('agent-class')}: {agent_class!r} is no agent of this project"
                + (
                    hint or f" ({', '.join(AGENT_CLASSES)}); fine if you have one that is called so"
                ),
                serious=bool(hint),
            )


def _instances(site: SiteConfig) -> Iterator[tuple[HostConfig, Any, Mapping[str, Any]]]:
    for host in site.hosts.values():
        for number, instance in enumerate(host.instances):
            yield host, host.place.key("agent-instances").index(number), instance


def _check_data_dir(site: SiteConfig, hostname: str) -> Iterator[Finding]:
    """See that the Aggregator on this computer can write, if it was us who started it."""
    here = site.hosts.get(hostname) or site.hosts.get("localhost")
    for host, place, instance in _instances(site):
        if host is not here:
            continue
        options = ArgContainer(flatten_arguments(instance.get("arguments") or ()))
        for name in options.values("--data-dir")[-1:]:
            existing = Path(name).absolute()
            # Path.exists would raise where a directory above may not be entered.
            while not os.path.exists(existing):  # noqa: PTH110
                existing = existing.parent
            if not os.access(existing, os.W_OK):
                yield Finding(
                    f"{place.key('arguments')}: the --data-dir {name} cannot be written to by "
                    f"you; sudo install -d -o $USER {name}, or name another (agents in containers "
                    "have their own)",
                    serious=False,
                )


def _check_router(path: Path) -> Iterator[Finding]:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        yield Finding(
            f"{path} is missing; copy it from the templates, or run no router on this computer",
            serious=False,
        )
    except PermissionError:
        # What there is to say, the certificates' check says of the whole directory.
        log.debug("{path} may not be read", path=path)
    except (OSError, ValueError) as error:
        yield Finding(f"{path} is no JSON the router can read: {error}; copy it from the templates")


def _check_compose_file(path: Path, site: SiteConfig | None) -> Iterator[Finding]:
    try:
        data, _ = read_yaml(path)
    except SiteConfigError as error:
        yield Finding(str(error))
        return
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        yield Finding(f"{path} has no services; copy it from the templates")
        return
    if site is None:
        return
    classes = {
        str(instance["instance-id"]): str(instance.get("agent-class"))
        for _, _, instance in _instances(site)
    }
    targets = {name: _target(service) for name, service in services.items()}
    for name, target in targets.items():
        # One that is a variable of .env is for docker-compose to know.
        if target is not None and "$" not in target and target not in classes:
            known = ", ".join(classes) or "none"
            yield Finding(
                f"{path}: services.{name}: TARGET {target!r} is no instance-id of the site (there "
                f"are: {known}){nearest(target, classes)}; write one of these, or drop the service"
            )
    for instance_id, agent_class in classes.items():
        if AGENT_CLASSES.get(agent_class) and instance_id not in targets.values():
            yield Finding(
                f"{path}: no service has the TARGET {instance_id}: the live monitor does not show "
                "it; copy the service of another instrument",
                serious=False,
            )


def _target(service: object) -> str | None:
    """Return TARGET of a service's environment, which is a mapping or a list of ``NAME=VALUE``."""
    environment = service.get("environment") if isinstance(service, dict) else None
    if isinstance(environment, list):
        environment = dict(str(entry).partition("=")[::2] for entry in environment)
    target = environment.get("TARGET") if isinstance(environment, dict) else None
    return None if target is None else str(target)


def _settings(path: Path) -> dict[str, str]:
    """Read a ``.env``: one ``NAME=VALUE`` a line, as all versions of docker-compose understand."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    return dict(re.findall(r"^([A-Za-z_]\w*)=(.*?)\s*$", text, re.MULTILINE))


def _check_settings(
    directory: Path, settings: Mapping[str, str], site: SiteConfig | None
) -> Iterator[Finding]:
    path = directory / ".env"
    source = settings.get("OCS_SOURCE", ".")
    if not (directory / source / "docker" / "Dockerfile").is_file():
        yield Finding(
            f"{path}: OCS_SOURCE={source} is no clone of this project (no docker/Dockerfile); "
            "set it to one, from here or with its full path"
        )
    host = settings.get("OCS_SITE_HOST")
    if site is not None and host is not None and not {host, "localhost"} & site.hosts.keys():
        yield Finding(
            f"{path}: OCS_SITE_HOST={host} is no host of the site ({', '.join(site.hosts)}); "
            "agents in containers (profile agents) need one",
            serious="agents" in settings.get("COMPOSE_PROFILES", "").split(","),
        )


def _check_certificates(directory: Path, now: datetime) -> Iterator[Finding]:
    try:
        yield from _check_modes(directory)
        missing = [name for name in _NEEDED if not _has_content(directory / name)]
    except PermissionError:
        yield Finding(
            f"{directory} may not be read by you: its certificates were not all checked; do it as "
            "its owner, or with sudo",
            serious=False,
        )
        return
    if folders := [name for name in missing if (directory / name).is_dir()]:
        yield Finding(
            f"{directory}: {', '.join(folders)} must be a file but is a directory, as Docker makes "
            "one where a file to be mounted is not there; docker-compose down, sudo rmdir it"
        )
    if missing:
        yield Finding(
            f"{directory} lacks {', '.join(missing)}; run ./setup-tls.sh && "
            "sudo ./init-docker-env.sh"
        )
    for name in _SECRETS:
        if name not in missing:
            try:
                read_secret(directory / name)
            except SecretError as error:
                yield Finding(str(error))
    if not {*_PUBLIC, KEY} & {*missing}:
        yield from _check_chain(directory, now)


def _check_chain(directory: Path, now: datetime) -> Iterator[Finding]:
    try:
        server = ServerCertificate.load(directory)
        authorities = load_certificates(directory / _CA)
    except OcsError as error:
        yield Finding(str(error))
        return
    if warning := server.warning(now):
        yield Finding(warning)
    end = min(authority.not_valid_after_utc for authority in authorities)
    if end - now <= _WARN_BEFORE:
        yield Finding(
            f"{directory / _CA}: the authority's certificate ends on {end:%Y-%m-%d}; run "
            "./setup-tls.sh --renew-ca and give its clients the new one"
        )
    if not any(_issued(server, authority) for authority in authorities):
        yield Finding(
            f"{directory / CERTIFICATE} was not issued by {_CA}: nobody will believe the router; "
            "run ./setup-tls.sh --renew"
        )


def _has_content(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except (FileNotFoundError, IsADirectoryError):
        return False


def _issued(server: ServerCertificate, authority: x509.Certificate) -> bool:
    if server.leaf == authority:
        return True
    try:
        server.leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check_modes(directory: Path) -> Iterator[Finding]:
    """See that nobody but the owner, and the containers' group, may read what is secret."""
    for name in (KEY, _CA_KEY, *_SECRETS):
        path = directory / name
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        # The containers have no use for the authority's key.
        allowed = 0o600 if name == _CA_KEY else 0o640
        if mode & 0o077 & ~allowed:
            yield Finding(
                f"{path} has mode {mode:o}: others may read or change what is secret; "
                f"chmod {mode & allowed:o} {path}"
            )
