"""The answer and the thinking before it, in the forms of the published chat templates; no text of a draft is ever an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.opt2i.rewriter import parse_proposals
from inloop.runtime.transport.thinking import split_thinking

ANSWER = "1. <PROMPT>a rabbit below a red star</PROMPT>\n2. <PROMPT>a rabbit under a crimson star</PROMPT>"
DRAFT = "The user wants new wordings. A first one:\n1. <PROMPT>TODO bunny</PROMPT>\nNo, that is bad."

# (what stands before the thinking, between it and the answer, after the answer)
FORMS = {
    "Qwen3": ("<think>\n", "\n</think>\n\n", ""),
    "Qwen3 with its end of turn": ("<think>\n", "\n</think>\n\n", "<|im_end|>"),
    "Qwen3-Thinking-2507, whose template opens the thinking": ("", "\n</think>\n\n", ""),
    "DeepSeek-R1, which begins inside of its thinking": ("", "\n</think>\n\n", ""),
    "DeepSeek-R1-0528": ("<think>\n", "\n</think>\n\n", ""),
    "GLM-4.5": ("\n<think>", "</think>\n", ""),
    "GLM-4.1V-Thinking": ("<think>", "</think><answer>", "</answer>"),
    "GLM-4.5V": ("<think>", "</think><|begin_of_box|>", "<|end_of_box|>"),
    "gpt-oss": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>", "<|return|>"),
    "gpt-oss held to a schema": (
        "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>", "<|return|>"
    ),
    "gpt-oss with a preamble": (
        "<|channel|>commentary<|message|>I shall look.<|end|><|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>", "",
    ),
    "gpt-oss without its special tokens": ("analysis", "assistantfinal", ""),
    "Gemma 4": ("<|channel>thought\n", "<channel|>", "<turn|>"),
    "Seed-OSS": ("<seed:think>", "</seed:think>", ""),
    "Magistral": ("[THINK]", "[/THINK]", ""),
    "Kimi-VL-Thinking": ("◁think▷", "◁/think▷", ""),
    "Command A Reasoning": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>", "<|END_RESPONSE|>"),
    "Hunyuan-A13B": ("<think>\n", "\n</think>\n<answer>\n", "\n</answer>"),
    "EXAONE Deep": ("<thought>\n", "\n</thought>\n\n", ""),
    "another spelling": ("<Thinking >", "< / THINKING>", ""),
}  # fmt: skip
BEGUN = {name: form for name, form in FORMS.items() if form[0]}
forms = st.sampled_from(list(FORMS))


@pytest.mark.parametrize("name", FORMS)
def test_a_recorded_reply(name: str) -> None:
    begin, end, after = FORMS[name]
    thought = split_thinking(begin + DRAFT + end + ANSWER + after)
    assert thought.answer == ANSWER
    assert DRAFT in thought.thinking and thought.begun == bool(begin)


@pytest.mark.parametrize("name", BEGUN)
def test_thinking_that_was_cut_off_leaves_no_answer(name: str) -> None:
    begin, end, _ = FORMS[name]
    for cut in range(len(begin) + 1, len(begin + DRAFT) + 1, 7):
        assert split_thinking((begin + DRAFT + end)[:cut]).answer == ""


@pytest.mark.parametrize("name", FORMS)
def test_thinking_alone_is_no_answer(name: str) -> None:
    begin, end, after = FORMS[name]
    assert split_thinking(begin + DRAFT + end + after).answer == ""


def test_thinking_that_was_switched_off() -> None:
    assert split_thinking("<think>\n\n</think>\n\nYes").answer == "Yes"  # Qwen3 with /no_think
    assert split_thinking("<|channel>thought\n<channel|>Yes").answer == "Yes"  # Gemma 4
    assert split_thinking("</think>\nYes").answer == "Yes"  # GLM with its /nothink


def test_what_was_thought_again_after_an_answer_is_none() -> None:
    """Only the last mark counts: what stands before it may be a draft however it looks."""
    assert split_thinking("<think>a</think>one<think>no, better</think>two").answer == "two"
    assert split_thinking("<think>a</think>one<think>no, bett").answer == ""


def test_a_reply_without_a_mark_is_left_as_it_is() -> None:
    for text in (
        "",
        "  Yes.\n",
        "I think so.",
        "analysis of the picture: red",
        "Analysis: red",
        "a < b and c > d",
        "thought so\n",
    ):
        assert split_thinking(text) == (text, "", True)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
marks = st.sampled_from(
    [part for form in FORMS.values() for part in form] + ["<think>", "</think>", "<PROMPT>", "</PROMPT>"]
)


@given(forms, st.lists(words | marks, max_size=8))
def test_whatever_is_thought_the_answer_is_what_follows_it(name: str, pieces: list[str]) -> None:
    begin, end, after = FORMS[name]
    thinking = " ".join(pieces)
    if not begin or begin == "analysis":  # nothing but the last mark tells this form
        thinking = f"So: {thinking}"
    assert split_thinking(begin + thinking + end + ANSWER + after).answer == ANSWER


@given(forms, st.lists(st.text("abc xyz", min_size=1, max_size=12), min_size=1, max_size=5), st.data())
def test_no_draft_is_ever_a_candidate(name: str, drafts: list[str], data: st.DataObject) -> None:
    """However much of the reply came: a candidate is a text of the answer, and never one of the thinking."""
    begin, end, after = FORMS[name]
    thinking = "So: " + "\n".join(f"{number}. <PROMPT>draft {draft}</PROMPT>" for number, draft in enumerate(drafts, 1))
    whole = begin + thinking + end + ANSWER + after
    seen = whole[: data.draw(st.integers(len(begin), len(whole)))] if begin else whole
    candidates, _ = parse_proposals(split_thinking(seen).answer)
    assert not any("draft" in candidate for candidate in candidates)
    if seen == whole:
        assert candidates == ["a rabbit below a red star", "a rabbit under a crimson star"]


@given(st.text())
def test_an_answer_has_no_thinking_left_in_it(text: str) -> None:
    answer = split_thinking(text).answer
    assert split_thinking(answer).answer == answer
