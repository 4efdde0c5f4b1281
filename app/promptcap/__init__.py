"""`inloop vqa`, `inloop vqa-eval` and `inloop promptcap`."""
