"""`inloop opt2i`: its command, progress, report and summary."""

from .command import read_prompts

__all__ = ["read_prompts"]
