"""What can be seen of a run while it works: spans, metrics, and the queues of this process."""

from .gauges import Gauge, Watched, gauges, watch
from .metrics import Instruments, measured
from .pulse import Pace, Pulse, pace
from .spans import NAMES, Span, call_span, recorded, span, written

__all__ = [
    "NAMES",
    "Gauge",
    "Instruments",
    "Pace",
    "Pulse",
    "Span",
    "Watched",
    "call_span",
    "gauges",
    "measured",
    "pace",
    "recorded",
    "span",
    "watch",
    "written",
]
