"""What the visits of a journey come to."""
