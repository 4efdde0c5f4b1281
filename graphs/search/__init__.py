"""Search with OPT2I's machine for something else: a text of any kind, bettered by what it does."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
