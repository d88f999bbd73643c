"""Floor 1. What is known without asking anybody: measurements, metrics, statistics, ramp, buckets."""
