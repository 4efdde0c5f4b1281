"""The rewriter of OPT2I: new prompts from those that were tried and what each part of them scored."""

from .rewriter import Guidance, Rewriter, Shown

__all__ = ["Guidance", "Rewriter", "Shown"]
