"""What is known without asking anybody: measurements, metrics, statistics, ramp, buckets."""
