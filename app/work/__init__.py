"""`inloop work`: one of several processes at work on a run."""
