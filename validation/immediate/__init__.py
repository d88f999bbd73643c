"""Minutes after a deployment."""
