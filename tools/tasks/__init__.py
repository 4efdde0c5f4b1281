"""What a student is asked to do, and when an answer is right."""

from .base import NoAnswer, Task
from .choice_words import choice_words
from .kinds import Classification, open_task, slip_of

__all__ = ["Classification", "NoAnswer", "Task", "choice_words", "open_task", "slip_of"]
