"""Aggregator Agent: records all feeds into `.g3` files."""
