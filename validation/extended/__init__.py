"""A quarter of an hour to an hour after a deployment."""
