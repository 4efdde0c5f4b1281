"""How the offline verifier is made: texts, statements by rule, the training and its measurement."""

import lazy_loader

# torch is imported where it is needed
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
