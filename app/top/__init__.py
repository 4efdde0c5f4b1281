"""`inloop top`: the runs that are being worked on, live."""
