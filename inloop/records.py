"""The records that parts of one's own take and give: `Sample`, `Score`, `BlobRef`, ..."""

from .runtime.records import *  # noqa: F403
from .runtime.records import __all__ as __all__
