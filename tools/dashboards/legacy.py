"""Dashboards for Grafana 5.4 with the SimpleJson data source (spec/simplejson-api.md, 5.4)."""

from typing import Any

from dashboards.boards import Board, NodeChoice, Panel

__all__ = ["dashboard"]

_SOURCE = "sisock"


def dashboard(board: Board) -> dict[str, Any]:
    """Return the JSON model of a dashboard."""
    return {
        "id": None,
        "uid": board.uid,
        "title": board.title,
        "tags": ["sisock"],
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 16,
        "version": 1,
        "timezone": "",
        "refresh": board.refresh or False,
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
        "icon": "external link",
        "tags": ["sisock"],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
    }


def _variable(choice: NodeChoice) -> dict[str, Any]:
    return {
        "name": "node",
        "label": "Instrument",
        "type": "query",
        "datasource": _SOURCE,
        "query": choice.suffix,
        "regex": f"/^(.*)::.*{choice.suffix}$/",
        "refresh": 1,
        "sort": 1,
        "multi": False,
        "includeAll": False,
        "allValue": None,
        "hide": 0,
        "options": [],
        "current": {"text": choice.default, "value": choice.default},
        "tagValuesQuery": "",
        "tags": [],
        "tagsQuery": "",
        "useTags": False,
    }


def _annotation(board: Board) -> dict[str, Any]:
    return {
        "name": "Data nodes come and go",
        "datasource": _SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "rgba(255, 152, 48, 1)",
        "query": "" if board.choice is None else "$node",
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    x, y, width, height = panel.place
    shape = {"nodes": _nodes, "value": _value, "plot": _plot}[panel.kind]
    return {
        "id": number,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        **shape(panel),
    }


def _targets(panel: Panel) -> list[dict[str, Any]]:
    return [
        {"refId": chr(65 + n), "target": target.name, "type": "timeserie", "rawQuery": True}
        for n, target in enumerate(panel.targets)
    ]


def _plot(panel: Panel) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "format": panel.unit,
        "label": None,
        "logBase": 1,
        "min": None,
        "max": None,
    }
    return {
        "type": "graph",
        "renderer": "flot",
        "lines": True,
        "linewidth": 1,
        "fill": 0,
        "points": False,
        "pointradius": 1,
        "bars": False,
        "stack": False,
        "steppedLine": False,
        "percentage": False,
        "nullPointMode": "null",
        "decimals": panel.decimals,
        "aliasColors": {},
        "seriesOverrides": [],
        "thresholds": [],
        "legend": {
            "show": True,
            "values": True,
            "alignAsTable": True,
            "current": True,
            "min": True,
            "max": True,
            "avg": False,
            "total": False,
        },
        "tooltip": {"shared": True, "sort": 0, "value_type": "individual"},
        "xaxis": {"mode": "time", "name": None, "show": True, "values": [], "buckets": None},
        "yaxes": [{**axis, "show": True}, {**axis, "format": "short", "show": False}],
        "yaxis": {"align": False, "alignLevel": None},
        "targets": _targets(panel),
    }


def _value(panel: Panel) -> dict[str, Any]:
    return {
        "type": "singlestat",
        "valueName": "current",
        "format": panel.unit,
        "decimals": panel.decimals,
        "nullText": "-",
        "nullPointMode": "null",
        "maxDataPoints": 1,  # one point is the newest sample
        "prefix": "",
        "postfix": "",
        "prefixFontSize": "50%",
        "postfixFontSize": "50%",
        "valueFontSize": "80%",
        "colorBackground": False,
        "colorValue": False,
        "colors": ["#299c46", "rgba(237, 129, 40, 0.89)", "#d44a3a"],
        "thresholds": "",
        "mappingType": 1,
        "mappingTypes": [
            {"name": "value to text", "value": 1},
            {"name": "range to text", "value": 2},
        ],
        "valueMaps": [],
        "rangeMaps": [],
        "gauge": {
            "show": False,
            "minValue": 0,
            "maxValue": 100,
            "thresholdMarkers": True,
            "thresholdLabels": False,
        },
        "sparkline": {"show": False, "full": False},
        "tableColumn": "",
        "targets": _targets(panel),
    }


def _nodes(_panel: Panel) -> dict[str, Any]:
    date = {"type": "date", "dateFormat": "YYYY-MM-DD HH:mm:ss", "alias": ""}
    return {
        "type": "table",
        "transform": "table",
        "columns": [],
        "fontSize": "100%",
        "pageSize": None,
        "scroll": True,
        "showHeader": True,
        "sort": {"col": None, "desc": False},
        "styles": [
            {"pattern": "/^(Since|Last sample)$/", **date},
            {"pattern": "Fields", "type": "number", "unit": "none", "decimals": 0, "alias": ""},
        ],
        "targets": [{"refId": "A", "target": "nodes", "type": "table", "rawQuery": True}],
    }
