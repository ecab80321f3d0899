"""What the simulated Lake Shore instruments share; nothing that runs a lab imports it."""
