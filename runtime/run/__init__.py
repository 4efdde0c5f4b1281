"""A run, carried: a loop is one object, and its tasks are worked on by this process, by several, or by those that an engine places."""

import lazy_loader

# the runner imports LangGraph, which commands that only look at runs need not wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
