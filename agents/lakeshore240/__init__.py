"""Agent for the Lake Shore 240 series of input modules."""
