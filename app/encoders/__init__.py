"""`inloop encoders`."""
