"""Programs of a person that command running agents."""
