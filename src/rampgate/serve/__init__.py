"""The verdict over HTTP, for controllers that ask by themselves; it judges nothing of its own."""
