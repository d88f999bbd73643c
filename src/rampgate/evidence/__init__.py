"""A run: its journal, what checks expect, its beginning and end, the demo that it may be about."""
