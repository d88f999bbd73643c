"""A stage under pytest: fixtures, probes made from settings, and what is told as checks end."""
