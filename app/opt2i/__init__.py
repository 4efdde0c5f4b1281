"""`inloop opt2i`: its flags, its progress, its words and its report."""

import lazy_loader

# the words are needed by the viewer, which draws no report
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
