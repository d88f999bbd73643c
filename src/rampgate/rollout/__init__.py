"""Moving a percentage on evidence: the plan, what is remembered, the actuators, and the way back."""
