"""What a language model's reply to a question about a picture comes to: a short answer, or that it cannot be told."""

from __future__ import annotations

import re

__all__ = ["is_untold", "short_answer"]

_UNTOLD = re.compile(
    r"\b(unknown|unanswerable|unclear|not sure|no idea|don'?t know|do not know|can ?not (be )?(tell|told|say|said|determined?)"
    r"|can'?t (be )?(tell|told|say|said|determined?)|not (enough|visible|mentioned|specified|stated|shown|clear|given))\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^\W*(?:(?:the )?(?:short )?answer(?: is)?|a|it is|it's|they are|this is|that is)\s*[:=]?\s+(?=\S)|^\s*[aA]\s*:\s*",
    re.I,
)
_LEADS = 3


def short_answer(reply: str) -> str:
    """The answer in a reply, as VQA answers are written: its first line, lower case, without a lead ("the answer is"), the
    article and the full stop.
    """
    line = next((line for line in reply.split("\n") if line.strip(" =")), "")
    line = re.split(r"={3,}|\bQ:", line)[0]
    for _ in range(_LEADS):
        stripped = _LEAD.sub("", line)
        line = stripped if stripped.strip() else line
    line = line.strip().strip("\"'“”*").strip()
    line = re.sub(r"[.\s]+$", "", line)
    line = re.sub(r"^(?:an?|the)\s+(?=\S)", "", line, flags=re.IGNORECASE)
    return " ".join(line.lower().split())[:200]


def is_untold(answer: str) -> bool:
    """Whether an answer says that it cannot be told."""
    return bool(_UNTOLD.search(answer))
