"""What models look at: shape or texture, frequencies, a band of noise, and what else moves their answers, beside shifted accuracy."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
