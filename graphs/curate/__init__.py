"""A picture data set cleaned: near copies, leaks into a test set, groups, captions; nothing is deleted."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
