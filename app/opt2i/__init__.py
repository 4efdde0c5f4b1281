"""`inloop opt2i`: its command, progress, report and summary."""
