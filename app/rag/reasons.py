"""Why a question to documents has no answer, in words."""

from __future__ import annotations

__all__ = ["REASONS"]


REASONS = {
    "nothing_found": "nothing found",
    "does_not_say": "found, but it does not say",
    "not_sure": "not sure; this is the nearest that was found",
    "contradicting_sources": "the sources contradict each other",
    "verifier_failed": "the check of the citations failed",
    "answerer_failed": "the answerer failed",
    "failed": "a step failed",
    "budget": "the budget is spent",
}
