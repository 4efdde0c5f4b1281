"""Pictures labelled with boxes and masks: models propose, a router asks a judge or a person about what is doubtful."""

import lazy_loader

# LangGraph is imported when a run begins, not when a command describes its flags
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
