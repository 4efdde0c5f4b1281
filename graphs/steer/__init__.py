"""The wording of a question that makes a vision-language model look at shape, or at texture, at held accuracy."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
