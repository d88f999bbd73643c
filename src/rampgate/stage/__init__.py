"""A stage under pytest: its fixtures, the context that checks measure with, its lines on the terminal."""
