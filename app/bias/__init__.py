"""`inloop bias`."""
