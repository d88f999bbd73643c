"""Watching a rollout between its steps: metrics read over time, episodes, alerts, a verdict at its end."""
