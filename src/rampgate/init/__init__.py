"""Writes a rampgate.toml, and a locustfile beside it, for a service that it probes once."""
