"""Live monitor: hub, data nodes, caches and the HTTP bridge (spec/sisock-protocol.md)."""

__all__: list[str] = []
