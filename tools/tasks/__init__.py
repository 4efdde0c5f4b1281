"""What a student is asked to do, and when an answer is right."""

from .base import NoAnswer, Task
from .kinds import Classification, open_task, slip_of

__all__ = ["Classification", "NoAnswer", "Task", "open_task", "slip_of"]
