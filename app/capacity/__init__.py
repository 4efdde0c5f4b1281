"""`inloop capacity`."""
