"""The two documents of a rollout that people read: what was announced, and what has become of it."""
