"""`inloop score` and `inloop certify`."""
