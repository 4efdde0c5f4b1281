"""`inloop steer-vlm`."""
