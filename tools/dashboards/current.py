"""Dashboards for a current Grafana with the Infinity data source (spec/simplejson-api.md, 6)."""

from typing import Any

from dashboards.boards import Board, NodeChoice, Panel, Target

__all__ = ["dashboard"]

_SOURCE = {"type": "yesoreyeram-infinity-datasource", "uid": "sisock"}
_LONGEST_BRIDGED_MS = 600_000
_MOST_POINTS = 1000


def dashboard(board: Board) -> dict[str, Any]:
    """Return the JSON model of a dashboard."""
    return {
        "id": None,
        "uid": board.uid,
        "title": board.title,
        "tags": ["sisock"],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "version": 1,
        "timezone": "browser",
        "refresh": board.refresh,
        "time": {"from": board.first, "to": board.last},
        "timepicker": {},
        "links": [_link()],
        "annotations": {"list": [_annotation(board)]},
        "templating": {"list": [] if board.choice is None else [_variable(board.choice)]},
        "panels": [_panel(number, panel) for number, panel in enumerate(board.panels, 1)],
    }


def _link() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "Live monitor",
        "icon": "external link",
        "tooltip": "",
        "tags": ["sisock"],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
        "url": "",
    }


def _query(
    ref_id: str,
    url: str,
    columns: list[tuple[str, str, str]],
    *,
    params: list[tuple[str, str]],
    shape: str = "table",
    root: str = "",
) -> dict[str, Any]:
    return {
        "refId": ref_id,
        "datasource": _SOURCE,
        "type": "json",
        "parser": "backend",
        "source": "url",
        "format": shape,
        "root_selector": root,
        "filters": [],
        "url": url,
        "url_options": {
            "method": "GET",
            "data": "",
            "params": [{"key": key, "value": value} for key, value in params],
        },
        "columns": [
            {"selector": selector, "text": text, "type": kind} for selector, text, kind in columns
        ],
    }


def _variable(choice: NodeChoice) -> dict[str, Any]:
    query = _query(
        "variable",
        "/api/v1/fields",
        [("node", "node", "string")],
        params=[("field", f".*{choice.suffix}")],
    )
    return {
        "name": "node",
        "label": "Instrument",
        "type": "query",
        "datasource": _SOURCE,
        "definition": "instruments",
        "query": {"query": "", "queryType": "infinity", "infinityQuery": query},
        "refresh": 1,
        "regex": "",
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "options": [],
        "current": {"selected": True, "text": choice.default, "value": choice.default},
    }


def _annotation(board: Board) -> dict[str, Any]:
    params = [("from", "${__from}"), ("to", "${__to}")]
    if board.choice is not None:
        params.append(("node", "${node}"))
    columns = [
        ("time", "time", "timestamp_epoch"),
        ("timeEnd", "timeEnd", "timestamp_epoch"),
        ("title", "title", "string"),
        ("text", "text", "string"),
        ("tags", "tags", "string"),
    ]
    return {
        "name": "Data nodes come and go",
        "datasource": _SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "orange",
        "target": _query("Anno", "/api/v1/annotations", columns, params=params),
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    x, y, width, height = panel.place
    common = {
        "id": number,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
    }
    if panel.kind == "nodes":
        return {**common, **_nodes()}
    if panel.kind == "value":
        return {**common, **_value(panel)}
    return {**common, **_plot(panel)}


def _rows(ref_id: str, target: Target, most_points: int) -> dict[str, Any]:
    columns = [("time", "Time", "timestamp_epoch"), ("value", "value", "number")]
    if not target.label:
        columns.insert(1, ("name", "name", "string"))
    params = [
        ("target", target.name.replace("$node", "${node}")),
        ("from", "${__from}"),
        ("to", "${__to}"),
        ("interval_ms", "${__interval_ms}"),
        ("max_points", str(most_points)),
    ]
    return _query(ref_id, "/api/v1/rows", columns, params=params, shape="timeseries")


def _targets(panel: Panel, most_points: int) -> list[dict[str, Any]]:
    """Return one query a curve.

    Channels of a scanner have times of their own: in one answer they would share a time column,
    and every sample would stand between the gaps of the others.
    """
    return [_rows(chr(65 + n), target, most_points) for n, target in enumerate(panel.targets)]


def _field_config(panel: Panel, custom: dict[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "noValue": "-", "custom": custom}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    names = [
        {
            "matcher": {"id": "byFrameRefID", "options": chr(65 + n)},
            "properties": [
                {"id": "displayName", "value": target.label or "${__field.labels.name}"}
            ],
        }
        for n, target in enumerate(panel.targets)
    ]
    return {"defaults": defaults, "overrides": names}


def _plot(panel: Panel) -> dict[str, Any]:
    together = any(not target.label for target in panel.targets)
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 0,
        "showPoints": "auto",
        "pointSize": 3,
        # A gap is a gap; but where fields share a time column, most of its nulls are none.
        "spanNulls": _LONGEST_BRIDGED_MS if together else False,
        "axisPlacement": "auto",
        "scaleDistribution": {"type": "linear"},
    }
    return {
        "type": "timeseries",
        "fieldConfig": _field_config(panel, custom),
        "options": {
            "legend": {
                "showLegend": True,
                "displayMode": "table",
                "placement": "bottom",
                "calcs": ["lastNotNull", "min", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "none"},
        },
        "targets": _targets(panel, _MOST_POINTS),
    }


def _value(panel: Panel) -> dict[str, Any]:
    return {
        "type": "stat",
        "fieldConfig": _field_config(panel, {}),
        "options": {
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
            "textMode": "value",
            "colorMode": "none",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "auto",
        },
        "targets": _targets(panel, 1),  # one point is the newest sample
    }


def _nodes() -> dict[str, Any]:
    columns = [
        ("name", "Node", "string"),
        ("connected", "There", "boolean"),
        ("since", "Since", "timestamp_epoch_s"),
        ("last_time", "Last sample", "timestamp_epoch_s"),
        ("fields", "Fields", "number"),
        ("reason", "Why", "string"),
        ("description", "Description", "string"),
    ]
    return {
        "type": "table",
        "fieldConfig": {"defaults": {"custom": {"align": "auto"}}, "overrides": []},
        "options": {"showHeader": True, "cellHeight": "sm"},
        "targets": [_query("A", "/api/v1/status", columns, params=[], root="nodes")],
    }
