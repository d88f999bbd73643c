"""What rampgate.toml says: settings, the thresholds in force, the plan of a stage."""
