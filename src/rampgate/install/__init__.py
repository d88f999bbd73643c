"""Installs what rampgate doctor misses: browser tools, monitoring programs."""
