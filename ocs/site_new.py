"""Making the directory of a new site from the templates."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from ocs._config_schema import read_yaml
from ocs._site_template import (
    Instrument,
    InstrumentKind,
    fill_compose_file,
    fill_settings,
    fill_site_file,
)
from ocs.errors import OcsError
from ocs.site_config import SiteConfig, SiteConfigError

__all__ = [
    "DEFAULT_DATA_DIR",
    "KINDS",
    "LAKESHORE_240",
    "LAKESHORE_372",
    "Instrument",
    "InstrumentKind",
    "NewSite",
    "NewSiteError",
    "Templates",
    "check_name",
    "find_templates",
    "make_site",
]

DEFAULT_DATA_DIR = "/data/hk"

LAKESHORE_372 = InstrumentKind("Lake Shore 372", "Lakeshore372Agent", "--ip-address")
# Unlike the 372's, this agent does not acquire by itself unless told so.
LAKESHORE_240 = InstrumentKind(
    "Lake Shore 240", "Lakeshore240Agent", "--port", (("--mode", "acq"),)
)
KINDS = (LAKESHORE_372, LAKESHORE_240)

_SITE_TEMPLATE = "ocs_template.yaml"
_COMPOSE_FILE = "docker-compose.yml"
_SETTINGS = ".env"
# docker-compose would take a docker-compose.yaml for its own; default.yaml is the link.
_TAKEN_NAMES = ("default", "compose", "docker-compose", "ocs_template")


class NewSiteError(OcsError):
    """A site cannot be made there or so; nothing was left behind."""


@attrs.frozen
class Templates:
    """Where the templates are.

    Args:
        directory: What a new site is a copy of.
        source: Clone of the project they belong to, from which images are built and which has
            Grafana's provisioning; None if there is none on this computer.
    """

    directory: Path
    source: Path | None = None


@attrs.frozen
class NewSite:
    """What a person says about a new site.

    Args:
        name: Name of the institution: letters, digits, ``_`` and ``-``.
        directory: What to make.
        hostname: Computer the agents run on.
        instruments: Its instruments.
        data_dir: Absolute path of the directory the Aggregator writes to.
        link: Whether ``default.yaml`` shall be this site.
    """

    name: str
    directory: Path
    hostname: str
    instruments: Sequence[Instrument] = ()
    data_dir: str = DEFAULT_DATA_DIR
    link: bool = True

    @property
    def file_name(self) -> str:
        """Name of the site's configuration file."""
        return f"{self.name}.yaml"


def check_name(name: str) -> None:
    """See that a site can have this name.

    Raises:
        NewSiteError: It cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name in _TAKEN_NAMES:
        raise NewSiteError(
            f"the name {name!r} cannot be a site's: letters, digits, - and _ are allowed, "
            f"but not {', '.join(_TAKEN_NAMES)}"
        )


def find_templates(package: Path = Path(__file__).parent) -> Templates:
    """Return the templates that were installed with the package, or those of its clone.

    Args:
        package: Directory of the package ``ocs``.

    Raises:
        NewSiteError: There are none.
    """
    installed, clone = package / "site_templates", package.parent
    if installed.is_dir():
        return Templates(installed)
    if (clone / "site-configs" / "templates").is_dir():
        return Templates(clone / "site-configs" / "templates", clone)
    raise NewSiteError(
        f"no templates: neither {installed} nor {clone}/site-configs/templates is there; "
        "install the package again"
    )


def make_site(site: NewSite, templates: Templates) -> None:
    """Make the directory of a site: whole and checked, or not at all.

    Args:
        site: The site.
        templates: What it is a copy of.

    Raises:
        NewSiteError: The answers are of no use, the directory exists, it
            cannot be made, or what came out is no site configuration.
        TemplateError: The templates are not as shipped.
    """
    _check(site)
    parent = site.directory.absolute().parent
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{site.directory.name}.", dir=parent))
    except OSError as error:
        raise NewSiteError(f"cannot make a directory in {parent}: {error.strerror}") from error
    try:
        made = work / site.name
        _copy(templates.directory, made)
        _fill(site, templates, made)
        _validate(site, made)
        # The only step that shows: until here nobody sees half a site.
        made.rename(site.directory.absolute())
    except OSError as error:
        raise NewSiteError(
            f"cannot make {site.directory}: {error.strerror} ({error.filename}); nothing was made"
        ) from error
    finally:
        shutil.rmtree(work)


def _check(site: NewSite) -> None:
    check_name(site.name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", site.hostname):
        raise NewSiteError(f"--hostname {site.hostname!r} is no host name, such as `hostname` says")
    if not Path(site.data_dir).is_absolute() or not site.data_dir.isprintable():
        raise NewSiteError(
            f"--data-dir {site.data_dir!r} must be an absolute path, such as {DEFAULT_DATA_DIR}"
        )
    ids = [instrument.serial_number for instrument in site.instruments]
    for instance_id in ids:
        if ids.count(instance_id) > 1:
            raise NewSiteError(f"the serial number {instance_id} is given twice")
    if os.path.lexists(site.directory):
        raise NewSiteError(
            f"{site.directory} exists already; choose another --directory, or see what is wrong "
            f"with it: ocs-site check {site.directory}"
        )


def _copy(templates: Path, made: Path) -> None:
    def foreign(directory: str, names: list[str]) -> list[str]:
        # Another site's keys and data, if somebody has used the templates where they are.
        if Path(directory).name == ".crossbar":
            return [name for name in names if name != "config.json"]
        return [name for name in names if name in {"data", "default.yaml", "__pycache__"}]

    shutil.copytree(templates, made, ignore=foreign)
    for script in made.glob("*.sh"):
        # Not every installer keeps this bit.
        script.chmod(script.stat().st_mode | 0o111)


def _fill(site: NewSite, templates: Templates, made: Path) -> None:
    template = made / _SITE_TEMPLATE
    text = fill_site_file(
        template.read_text(encoding="utf-8"),
        site.hostname,
        KINDS,
        site.instruments,
        site.data_dir,
    )
    template.rename(made / site.file_name).write_text(text, encoding="utf-8")
    compose = made / _COMPOSE_FILE
    compose.write_text(
        fill_compose_file(compose.read_text(encoding="utf-8"), site.instruments), encoding="utf-8"
    )
    settings = made / _SETTINGS
    settings.write_text(
        fill_settings(settings.read_text(encoding="utf-8"), _settings(site, templates.source)),
        encoding="utf-8",
    )
    if site.link:
        (made / "default.yaml").symlink_to(site.file_name)


def _settings(site: NewSite, source: Path | None) -> dict[str, str]:
    values = {"OCS_SITE_HOST": site.hostname}
    if not site.link:
        values["OCS_SITE_CONFIG"] = f"./{site.file_name}"
    if source is not None:
        # Inside the clone the site moves with it.
        home = site.directory.absolute()
        inside = home.resolve().is_relative_to(source.resolve())
        values["OCS_SOURCE"] = (
            os.path.relpath(source.resolve(), home.resolve()) if inside else str(source.resolve())
        )
    for instrument in reversed(site.instruments):
        # The stack has one container for agents of either kind: the first one's.
        if instrument.kind == LAKESHORE_372:
            values["LS372_ID"] = instrument.serial_number
        else:
            values["LS240_ID"] = instrument.serial_number
            values["LS240_DEVICE"] = (
                instrument.place if instrument.place.startswith("/dev/") else "/dev/null"
            )
    return values


def _validate(site: NewSite, made: Path) -> None:
    """Load what was written as an agent will, and see that it says what was asked for."""
    try:
        host = SiteConfig.from_yaml(made / site.file_name).hosts[site.hostname]
        # An instrument may have the name of a service.
        read_yaml(made / _COMPOSE_FILE)
    except SiteConfigError as error:
        text = str(error).replace(str(made), str(site.directory))
        raise NewSiteError(f"nothing was made, for it would be faulty: {text}") from None
    found = {str(instance["instance-id"]) for instance in host.instances}
    missing = {instrument.serial_number for instrument in site.instruments} - found
    if missing:
        raise NewSiteError(f"the configuration made lacks {', '.join(sorted(missing))}")
