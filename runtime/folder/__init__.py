"""The folder of a run, as a person finds it: what was asked, what happened, what came out; lists of them, and what is packed to be sent."""

import lazy_loader

# the runner imports LangGraph, which commands that only look at runs need not wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
