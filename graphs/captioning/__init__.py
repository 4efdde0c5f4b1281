"""Captioners for questions: their data, written and filtered, and their training, measured."""

import lazy_loader

# the loops import LangGraph, which a command that only describes its flags need not wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
