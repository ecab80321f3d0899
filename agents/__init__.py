"""The agents of the lab: one folder an agent."""
