"""A state machine of LangGraph's, carried: its silent gaps closed, its checkpoints kept, a signal heard between two steps."""

import lazy_loader

# the runner imports LangGraph, which commands that only look at runs need not wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
