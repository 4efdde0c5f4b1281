"""The command line: commands by name, sessions, progress, words, and the commands about runs and models."""

import lazy_loader

# the list of commands answers at once: nothing is imported for it
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
