"""Floor 6. Writes a rampgate.toml, and a locustfile beside it, for a service that it looks at once."""
