"""The description of the dashboards, and how each Grafana wants them written."""
