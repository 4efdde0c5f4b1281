"""10,000 generated replies, from near-right to hostile: a parser gives a value or says `CallFailed`, nothing else."""

import random

from inloop.agents.scene.phrases import parse_phrases
from inloop.agents.scene.questioner import parse_dependencies, parse_questions, parse_tuples
from inloop.evaluators.text_image.dsg import verdict
from inloop.evaluators.vqa.accuracy import official_form
from inloop.runtime.errors import CallFailed
from inloop.runtime.records import Answer
from inloop.runtime.transport.parsing import json_from, numbered_from, tags_from

GOOD = (
    "1 | entity - whole (disc)\n2 | attribute - color (disc, red)\n3 | relation - spatial (disc, box, left)",
    "1 | Is there a disc?\n2 | Is the disc red?\n3 | Is the disc left of the box?",
    "1 | 0\n2 | 1\n3 | 1,2",
    "a red disc, the box, two stars",
    '{"a": [1, 2, {"b": "c"}], "d": null}',
    "<PROMPT>a red disc</PROMPT>\n2. <PROMPT>a box</PROMPT>",
    "yes",
    "no, it is not",
)
PIECES = (
    *("|", "||", "\n", "\r\n", "\t", "\x00", "\u2028", "\ufeff", "\u202e", "(", ")", "[", "]", "{", "}", "<", ">", '"', "'", "\\"),
    *("0", "-1", "1e9", "99999999999999999999", "٣", "²", "NaN", "Infinity", "None", "Output:", "output :", "```", "```json", "</PROMPT>"),
    *("<PROMPT", "1 |", "1.", "- 2:", "yes", "no", "maybe", "\ud800", "🟥", "é", "a" * 500, " " * 200, "1,2,3,", "1 | 1", "2 | 3\n3 | 2"),
)  # fmt: skip


def reply(rng: random.Random) -> str:
    text = rng.choice((*GOOD, "", rng.choice(GOOD) * 20))
    for _ in range(rng.randrange(6)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 0, 1, 3, 30)))
        text = text[:start] + rng.choice(PIECES) * rng.choice((1, 1, 1, 50)) + text[end:]
    return text


PARSERS = {
    "tuples": parse_tuples,
    "questions": lambda text: parse_questions(text, 3),
    "dependencies": lambda text: parse_dependencies(text, 3),
    "phrases": lambda text: parse_phrases(text, "a red disc and a box"),
    "numbered": numbered_from,
    "json": json_from,
    "tags": lambda text: tags_from(text, "PROMPT"),
    "answer": lambda text: [verdict(Answer(text=text), rule) for rule in ("strict", "released")],
    "normalised": official_form,
}


def test_ten_thousand_replies():
    rng = random.Random(0)
    refused = dict.fromkeys(PARSERS, 0)
    count = 10_000
    for _ in range(count):
        text = reply(rng)
        for name, parse in PARSERS.items():
            try:
                parse(text)
            except CallFailed as error:
                assert str(error)
                refused[name] += 1
    assert refused["answer"] == refused["normalised"] == 0
    assert all(0 < refused[name] < count for name in ("tuples", "questions", "dependencies", "phrases", "json")), (
        refused
    )
