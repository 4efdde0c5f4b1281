"""Whether facts fit a student: what they ask for, what it has room for, and what it was measured to store."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
