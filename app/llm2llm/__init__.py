"""`inloop llm2llm`: its command, plan, report and export."""
