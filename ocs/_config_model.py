"""The parts of a site configuration as objects (spec/ocs-protocol.md, section 13)."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocs._config_schema import (
    MANAGE_VALUES,
    Place,
    SiteConfigError,
    check_crossbar,
    check_host,
    check_hub,
    check_instance,
    check_site,
    read_yaml,
)

__all__ = [
    "DEFAULT_CROSSBAR_TIMEOUT_S",
    "CrossbarConfig",
    "HostConfig",
    "HubConfig",
    "InstanceConfig",
    "SiteConfig",
    "summarize_dict",
]

DEFAULT_CROSSBAR_TIMEOUT_S = 0
"""0 waits for the router for ever. Upstream's 10 s makes agents end themselves in an outage."""


class SiteConfig:
    """A whole site: its hub and its hosts.

    Attributes:
        hub: The hub.
        hosts: Hosts by real or pseudo host name.
        source_file: Absolute path of the file, or None.
    """

    hub: "HubConfig"

    def __init__(self) -> None:
        self.hosts: dict[str, HostConfig] = {}
        self.source_file: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], place: Place | None = None) -> "SiteConfig":
        """Build from a dictionary with the keys ``hub`` and ``hosts``.

        Args:
            data: The dictionary.
            place: Where it comes from, for error messages.

        Raises:
            SiteConfigError: The dictionary is not as it has to be.
        """
        place = place or Place()
        check_site(data, place)
        self = cls()
        self.hub = HubConfig.from_dict(data["hub"], parent=self, place=place.key("hub"))
        for name, host in data["hosts"].items():
            at = place.key("hosts").key(name)
            self.hosts[name] = HostConfig.from_dict(host, parent=self, name=name, place=at)
        return self

    @classmethod
    def from_yaml(cls, filename: str | os.PathLike[str]) -> "SiteConfig":
        """Build from a YAML file.

        Raises:
            SiteConfigError: The file cannot be read, or its content is not as it has to be.
        """
        path = Path(filename).absolute()
        data, place = read_yaml(path)
        self = cls.from_dict(data, place)
        self.source_file = str(path)
        return self


class HubConfig:
    """The router everybody meets at.

    Attributes:
        data: ``wamp_server``, ``wamp_realm``, ``address_root`` and optionally ``wamp_http``,
            ``access_policy`` and ``registry_address``.
        parent: The site, or None.
    """

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.parent: SiteConfig | None = None

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], parent: SiteConfig | None = None, place: Place | None = None
    ) -> "HubConfig":
        """Build from the ``hub`` section; arguments and errors as :meth:`SiteConfig.from_dict`."""
        check_hub(data, place or Place(path="hub"))
        self = cls()
        self.parent = parent
        self.data = dict(data)
        return self

    def summary(self) -> str:
        """Return the settings as text, one a line."""
        return summarize_dict(self.data)


class HostConfig:
    """One host and the agents that may run on it.

    Attributes:
        name: Name of the host in the file.
        instances: Raw dictionaries of the agent instances.
        log_dir: Directory of log files, or None.
        working_dir: Directory relative paths start from.
        crossbar_timeout: Seconds an agent waits for the router, 0 for ever.
        crossbar: How to start a router on this host, or None.
        data: The raw section.
        parent: The site, or None.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name
        self.instances: list[dict[str, Any]] = []
        self.log_dir: str | None = None
        self.working_dir: str = str(Path.cwd())
        self.crossbar_timeout: float = DEFAULT_CROSSBAR_TIMEOUT_S
        self.crossbar: CrossbarConfig | None = None
        self.data: dict[str, Any] = {}
        self.parent: SiteConfig | None = None
        self.place = Place()

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, Any],
        parent: SiteConfig | None = None,
        name: str | None = None,
        place: Place | None = None,
    ) -> "HostConfig":
        """Build from a host's section; arguments and errors as :meth:`SiteConfig.from_dict`."""
        self = cls(name=name)
        self.place = place or Place(path=f"hosts.{name}")
        check_host(data, self.place)
        self.parent = parent
        self.data = dict(data)
        self.instances = list(data["agent-instances"] or ())
        self.crossbar = CrossbarConfig.from_dict(data.get("crossbar"))
        self.log_dir = data.get("log-dir")
        timeout = data.get("crossbar_timeout")
        self.crossbar_timeout = DEFAULT_CROSSBAR_TIMEOUT_S if timeout is None else timeout
        return self


class CrossbarConfig:
    """How to run a crossbar router on a host.

    Attributes:
        binary: Path of the crossbar executable, or None if there is none.
        cbdir: Directory of its configuration, or None.
        cbdir_args: The same as arguments of crossbar.
    """

    def __init__(self) -> None:
        self.binary: str | None = None
        self.cbdir: str | None = None
        self.cbdir_args: list[str] = []
        self.parent: HostConfig | None = None

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, Any] | None,
        parent: HostConfig | None = None,
        place: Place | None = None,
    ) -> "CrossbarConfig | None":
        """Build from a host's ``crossbar`` section; null gives None."""
        if check_crossbar(data, place or Place(path="crossbar")) is None or data is None:
            return None
        self = cls()
        self.parent = parent
        self.binary = data.get("bin") or shutil.which("crossbar")
        self.cbdir = data.get("config-dir")
        self.cbdir_args = [] if self.cbdir is None else ["--cbdir", self.cbdir]
        return self

    def get_cmd(self, cmd: str) -> list[str]:
        """Return the command line of the crossbar subcommand ``cmd``.

        Raises:
            SiteConfigError: There is no crossbar executable.
        """
        if self.binary is None:
            raise SiteConfigError(
                "no crossbar on the PATH; install it or name it in the host's crossbar.bin"
            )
        if not Path(self.binary).exists():
            raise SiteConfigError(f"the host's crossbar.bin, {self.binary}, does not exist")
        return [self.binary, cmd, *self.cbdir_args]

    def summary(self) -> str:
        """Return the settings as text, one a line."""
        return summarize_dict({"bin": self.binary, "config-dir": self.cbdir})


class InstanceConfig:
    """One agent instance of a host.

    Attributes:
        data: The raw dictionary.
        arguments: Arguments for the agent: words, or lists of words.
        manage: What a host manager shall do with it: ``host/up``, ``host/down``,
            ``docker/up``, ``docker/down`` or ``ignore``.
        parent: The host, or None.
    """

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.arguments: list[Any] = []
        self.manage = MANAGE_VALUES[None]
        self.parent: HostConfig | None = None
        self.place = Place()

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], parent: HostConfig | None = None, place: Place | None = None
    ) -> "InstanceConfig":
        """Build from an instance; arguments and errors as :meth:`SiteConfig.from_dict`."""
        self = cls()
        self.place = place or Place(path="agent-instances")
        check_instance(data, self.place)
        self.parent = parent
        self.data = dict(data)
        self.arguments = list(data.get("arguments") or ())
        self.manage = MANAGE_VALUES[data.get("manage")]
        return self


def summarize_dict(d: Mapping[str, Any]) -> str:
    """Return a dictionary as text, one entry a line."""
    entries = "".join(f"  {key!r}: {value!r},\n" for key, value in d.items())
    return f"{{\n{entries}}}"
