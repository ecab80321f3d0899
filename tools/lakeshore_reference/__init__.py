"""The reference pages of the Lake Shore Agents, made from the code."""
