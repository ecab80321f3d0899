"""The data nodes that come with the monitor: weather, radiometer, sensors (docs/data-nodes.md)."""

__all__: list[str] = []
