"""A metric and a loop for inloop."""
