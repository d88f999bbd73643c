"""One file per check: its settings, metrics, default thresholds and its measure function."""
