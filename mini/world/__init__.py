"""The drawn world: its things and words, its drawings, its questions, and an exact reader of its pictures."""

import lazy_loader

# torch is imported where it is needed
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
