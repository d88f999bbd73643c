"""A load run: its plan, its raw times, its judging. Locust itself is only in loadtests/."""
