"""`inloop view` and `inloop votes`: runs in a browser, live; people's votes and answers."""
