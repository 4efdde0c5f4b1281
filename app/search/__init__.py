"""`inloop search`: OPT2I's machine for a text of any kind."""
