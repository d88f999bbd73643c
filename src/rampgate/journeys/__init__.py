"""Journeys through a site in a real browser, each visit in a process of its own.

What a user's own file needs is ``Journey``; the rest is what runs it.
"""

from rampgate.journeys.journey import Account, Journey

__all__ = ["Account", "Journey"]
