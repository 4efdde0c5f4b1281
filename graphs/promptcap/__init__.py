"""PromptCap: a caption for the question asked, then an answer from it and from what is known."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
