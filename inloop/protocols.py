"""What a model, an index or an evaluator of one's own must be able to do."""

from .runtime.protocols import *  # noqa: F403
from .runtime.protocols import __all__ as __all__
