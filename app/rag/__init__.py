"""`inloop index`, `inloop ask`, `inloop eval-rag`, and an index behind a chat API."""

import lazy_loader

# one command does not wait for what another one needs
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
