"""What the tasks of a run share: the config it was asked with, its models, its events, its budget, questions to a person, and work over many items."""

import lazy_loader

# the runner imports LangGraph, which commands that only look at runs need not wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
