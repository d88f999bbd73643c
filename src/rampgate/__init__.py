"""Promote, hold or roll back: the engine of the deployment gate."""

__version__ = "0.1.0"
