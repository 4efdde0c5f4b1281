"""What a model thinks before it answers, told from the answer.

The model: a reply is thinking, a mark that ends it, and the answer. The marks are those of the published chat templates: think
tags (Qwen3, DeepSeek-R1, GLM, Hunyuan, Nemotron, Kimi and others; Seed's and Mistral's spelling), the channels of gpt-oss and of Gemma 4,
the blocks of Command A and Apertus. Where a template opens the thinking itself (DeepSeek-R1, Qwen3-Thinking), the reply
begins inside of it and holds the closing mark alone.

Invariant: the answer is what follows the last mark that ends thinking. Whatever stands before it is no answer, however much it
looks like one; neither is what follows a mark that begins thinking and is not ended.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Thought", "split_thinking"]

_TAG = r"(?:seed:)?think(?:ing)?|thoughts?|reasoning"
_CONSTRAINED = r"[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"
_BEGINS = re.compile(
    rf"<\s*(?:{_TAG})\s*>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|inner_prefix\|>|<\|channel>"
    rf"|<\|channel\|>(?!\s*final\b)|\Aanalysis(?=[\w\"(*<])|\A\s*thought\n",  # the last two: special tokens were left out
    re.IGNORECASE,
)
_ENDS = re.compile(
    rf"<\s*/\s*(?:{_TAG})\s*>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|inner_suffix\|>|<channel\|>"
    rf"|<\|channel\|>\s*final\b{_CONSTRAINED}",
    re.IGNORECASE,
)
_BARE_CHANNELS = re.compile(r"\Aanalysis(?=[\w\"(*<]).*assistantfinal", re.DOTALL)  # gpt-oss without its special tokens
_WRAPPED = re.compile(
    r"\A\s*<\s*(?:answer|response)\s*>(.*?)(?:<\s*/\s*(?:answer|response)\s*>\s*)?\Z", re.DOTALL | re.IGNORECASE
)
_TURN_ENDS = re.compile(
    r"(?:\s*(?:<\|(?:return|end|im_end|eot_id|endoftext|END_RESPONSE)\|>|<end_of_turn>|<turn\|>|<eos>|</s>))+\s*\Z"
)
_BOX = re.compile(r"<\|(?:begin_of_box|end_of_box|START_RESPONSE)\|>")


class Thought(NamedTuple):
    """A reply in its parts; `begun`: whether the mark that begins its thinking is there, which some templates write themselves."""

    answer: str
    thinking: str
    begun: bool = True


def split_thinking(text: str) -> Thought:
    """The answer of a reply and the thinking before it; a reply without a mark is an answer as it stands."""
    begin = 0
    if bare := _BARE_CHANNELS.match(text):
        begin = bare.end()
    for mark in _ENDS.finditer(text):
        begin = max(begin, mark.end())
    rest = text[begin:]
    if unfinished := _BEGINS.search(rest):
        return Thought("", text[: begin + unfinished.start()] + rest[unfinished.end() :])
    answer = _BOX.sub("", rest)
    if not begin:
        return Thought(answer, "")
    answer = _TURN_ENDS.sub("", answer)
    if wrapped := _WRAPPED.match(answer):
        answer = wrapped[1]
    return Thought(answer.strip(), text[:begin], begun=_BEGINS.match(text.lstrip()) is not None)
