"""What changes the percentage of features: one file an actuator, one method each."""
