"""Check Grafana's provisioning against a running bridge, without Grafana.

Reads the committed data sources and dashboards, sends the requests that the data sources' plugins
would send for every variable, panel and annotation, and reads the answers as the plugins would
(the project's SimpleJson specification, sections 2, 5 and 6). Standard library only (Python 3.11):
it also runs in a container that has nothing but Python and this folder.

    python probe.py --url http://sisock-http:5000 --provisioning current/provisioning \
        --dashboards current/dashboards --expect-data LSA23JD

Exit status 0 if all is well, 1 if not, 2 if the command line or a file cannot be used.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from probe_files import Unusable, read_sources, some
from probe_plugins import PLUGINS, Bridge, Infinity, ProbeError, SimpleJson, Span

__all__ = ["Report", "check_dashboard", "main", "probe", "span_of"]

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800}


@dataclass
class Report:
    """What was found in one dashboard.

    Attributes:
        title: The dashboard's.
        samples: Number of values by panel, in the order of the panels.
        troubles: What Grafana would show in red.
        names: Names of data nodes that the dashboard shows.
    """

    title: str
    samples: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        full = sum(count > 0 for count in self.samples.values())
        head = (
            f"{self.title}: {full} of {len(self.samples)} panels have data, "
            f"{sum(self.samples.values())} values"
        )
        return "\n".join([head, *(f"  {trouble}" for trouble in self.troubles)])


def span_of(dashboard: Mapping[str, Any], now: float) -> Span:
    """Return the range a dashboard opens with."""
    first, last = (_moment(dashboard["time"][key], now) for key in ("from", "to"))
    return Span(first, last)


def _moment(text: str, now: float) -> int:
    match = re.fullmatch(r"now(?:-(\d+)([smhdw]))?", text)
    if match is None:
        return round(datetime.fromisoformat(text).timestamp() * 1e3)
    back = int(match[1]) * _UNIT_S[match[2]] if match[1] else 0
    return round((now - back) * 1e3)


def check_dashboard(
    dashboard: Mapping[str, Any],
    plugins: Mapping[str, Infinity | SimpleJson],
    wanted: Sequence[str],
    now: float,
) -> Report:
    """Ask for everything a dashboard shows.

    Args:
        dashboard: Its JSON model.
        plugins: The data sources, by name and by uid.
        wanted: Data nodes to choose where a drop-down offers them.
        now: Unix time.
    """
    report = Report(dashboard["title"])
    span = span_of(dashboard, now)
    values: dict[str, str] = {}

    def plugin(of: Mapping[str, Any]) -> Infinity | SimpleJson:
        source = of["datasource"]
        key = source["uid"] if isinstance(source, dict) else source
        if key not in plugins:
            raise ProbeError(f"there is no data source called {key}")
        return plugins[key]

    for variable in dashboard["templating"]["list"]:
        try:
            options = plugin(variable).options(variable)
            values[variable["name"]] = _choice(variable, options, wanted)
        except ProbeError as error:
            report.troubles.append(f"variable {variable['name']}: {error}")
            return report
    report.names = set(values.values()) | set(_fixed_nodes(dashboard))
    for annotation in dashboard["annotations"]["list"]:
        try:
            plugin(annotation).annotations(annotation, values, span)
        except ProbeError as error:
            report.troubles.append(f"annotation {annotation['name']}: {error}")
    for panel in dashboard["panels"]:
        name = f"{panel['id']} {panel['title']}"
        try:
            report.samples[name] = plugin(panel).values(panel, values, span)
        except ProbeError as error:
            report.samples[name] = 0
            report.troubles.append(f"panel {name}: {error}")
    return report


def _choice(variable: Mapping[str, Any], options: Sequence[str], wanted: Sequence[str]) -> str:
    """Return what the drop-down shows: what is wanted, the default, or the first there is."""
    preferred = [*wanted, str(variable["current"]["value"]), *options]
    return next((name for name in preferred if name in options), preferred[len(wanted)])


def _fixed_nodes(value: object) -> Iterator[str]:
    """Find the nodes of targets that no drop-down stands in."""
    if isinstance(value, str) and "::" in value and not value.startswith(("$", "/")):
        yield value.partition("::")[0]
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _fixed_nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _fixed_nodes(inner)


def probe(
    bridge: Bridge,
    provisioning: Path,
    dashboards: Path,
    expected: Sequence[str] = (),
    *,
    complete: bool = False,
    now: float | None = None,
) -> tuple[list[Report], list[str]]:
    """Check data sources and dashboards.

    Args:
        bridge: Whom to ask.
        provisioning: Folder with ``datasources`` and ``dashboards``.
        dashboards: Folder with the dashboards.
        expected: Data nodes that must be shown by a dashboard, with data.
        complete: Whether every panel of such a dashboard must have data.
        now: Unix time; None for the computer's.

    Returns:
        What was found in each dashboard, and everything that is wrong.

    Raises:
        Unusable: a file cannot be read, or it is of a kind this probe does not know.
    """
    moment = time.time() if now is None else now
    troubles: list[str] = []
    plugins: dict[str, Infinity | SimpleJson] = {}
    for source in read_sources(provisioning):
        if source["type"] not in PLUGINS:
            raise Unusable(f"data source {source['name']}: unknown type {source['type']}")
        plugin = PLUGINS[source["type"]](bridge)
        plugins[source["name"]] = plugins[source.get("uid", source["name"])] = plugin
        try:
            plugin.test()
        except ProbeError as error:
            troubles.append(f"data source {source['name']}: {error}")
    reports = [
        check_dashboard(json.loads(path.read_text(encoding="utf-8")), plugins, expected, moment)
        for path in some(dashboards, "*.json")
    ]
    troubles += [f"{report.title}: {trouble}" for report in reports for trouble in report.troubles]
    for name in expected:
        troubles += _missing(name, [report for report in reports if name in report.names], complete)
    return reports, troubles


def _missing(name: str, reports: Sequence[Report], complete: bool) -> list[str]:
    if not reports:
        return [f"no dashboard shows data node {name}: is it there?"]
    found = []
    for report in reports:
        empty = [panel for panel, count in report.samples.items() if not count]
        if complete and empty:
            found.append(f"{report.title}: no data of {name} in {', '.join(empty)}")
        elif len(empty) == len(report.samples):
            found.append(f"{report.title}: no data of {name} in any panel")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the probe from the command line."""
    parser = argparse.ArgumentParser(description="Check Grafana's provisioning without Grafana.")
    parser.add_argument("--url", required=True, help="the bridge, as http://sisock-http:5000")
    parser.add_argument("--provisioning", required=True, type=Path, help="folder of Grafana's")
    parser.add_argument("--dashboards", required=True, type=Path, help="folder with *.json")
    parser.add_argument("--expect-data", action="append", default=[], metavar="NODE")
    parser.add_argument("--complete", action="store_true", help="expect data in every panel")
    parser.add_argument("--token-file", type=Path, help="file with the bridge's token")
    args = parser.parse_args(argv)
    try:
        token = args.token_file.read_text(encoding="ascii").strip() if args.token_file else None
        bridge = Bridge(args.url, token)
        reports, troubles = probe(
            bridge, args.provisioning, args.dashboards, args.expect_data, complete=args.complete
        )
    except (OSError, Unusable, KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"probe: {type(error).__name__}: {error}\n")
        return 2
    for report in reports:
        sys.stdout.write(f"{report}\n")
    for trouble in troubles:
        sys.stdout.write(f"wrong: {trouble}\n")
    sys.stdout.write("all is well\n" if not troubles else f"{len(troubles)} things are wrong\n")
    return 1 if troubles else 0


if __name__ == "__main__":
    raise SystemExit(main())
