"""What carries a run of a loop: its folder, its checkpoints, its graph, its time and calls."""

import lazy_loader

# the runner imports LangGraph, which commands that only look at runs need not wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
