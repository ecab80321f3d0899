"""The whole system on one machine, with simulated instruments."""
