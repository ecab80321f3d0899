"""Registry Agent."""
