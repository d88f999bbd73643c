"""One file per source of a reported metric: its keys in [[metrics]], and how it is read."""
