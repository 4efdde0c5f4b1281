"""Who writes training rows: the teacher, and the baselines that it has to beat."""

from .baselines import Copies, Noise, OraclePool
from .teacher import Ask, ChatTeacher, Draft, Teacher, Written, read, rows_from

__all__ = ["Ask", "ChatTeacher", "Copies", "Draft", "Noise", "OraclePool", "Teacher", "Written", "read", "rows_from"]
