"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says nothing about what it proves, and a busy machine would make it fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
