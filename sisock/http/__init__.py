"""The HTTP bridge: what Grafana and the live page talk to."""

__all__: list[str] = []
