"""What `mini-answerer` is taught: the words of `inloop vqa`, answers that the context holds, and "unknown" where it does not."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from inloop.agents.captions import PRESETS, answering_messages, is_untold
from inloop.mini.training.answerer_case import UNKNOWN
from inloop.mini.training.answerer_questions import HAND_WRITTEN
from inloop.mini.training.answerer_rows import HELD_OUT_KINDS, answer_rows, known_case, lacking_case, seen_case
from inloop.mini.training.everyday_cases import everyday_case
from inloop.mini.training.everyday_scenes import plural_of
from inloop.mini.world import TEMPLATES, items


@pytest.fixture(scope="module")
def rows():
    return list(itertools.islice(answer_rows(8), 800))


def test_rows_are_the_same_for_a_seed_and_of_every_kind(rows):
    assert list(itertools.islice(answer_rows(8), 20)) == rows[:20] and rows[:20] != list(
        itertools.islice(answer_rows(9), 20)
    )
    kinds = {"seen", "known", "by heart", "lacking", "color", "place", "closed", "beside", "everyday", "told", "sign"}
    assert kinds <= {row.kind for row in rows}
    assert all(is_untold(row.answer) == (row.answer == UNKNOWN) for row in rows)
    assert 0.1 < np.mean([row.answer == UNKNOWN for row in rows]) < 0.4


def test_nothing_of_the_test_set_is_taught(rows):
    unseen = [re.escape(text).replace(r"\{x\}", ".+") for _, test in TEMPLATES.values() for text in test]
    for row in rows:
        told = row.messages[-1].content
        assert not re.search("|".join(unseen), told) and "can you name" not in told
        assert (
            not HELD_OUT_KINDS & set(re.findall(r"[a-z]+", told.split("Q:")[-1].lower()))
            and row.answer not in HELD_OUT_KINDS
        )


def test_the_context_holds_the_answer_or_lacks_it():
    rng = np.random.default_rng(0)
    for item in items("test", 60, seed=4):
        seen, known, lacking = seen_case(item, rng), known_case(item, rng), lacking_case(item, rng)
        assert seen.answer in seen.context[0].split() and seen.answer not in seen.question.split()
        assert (
            any(answer in " ".join(known.context).lower() for answer in item.answers) and 2 <= len(known.context) <= 4
        )
        if lacking is not None and lacking.kind == "lacking":
            assert item.view.thing.kind not in lacking.context[0].split() and lacking.answer == UNKNOWN


def test_what_is_asked_of_everyday_scenes_can_be_read():
    rng = np.random.default_rng(2)
    for case in (everyday_case(rng) for _ in range(400)):
        told = " ".join(case.context).lower()
        assert case.answer in ("yes", "no", "one", UNKNOWN) or case.answer in told, case
        if (
            case.kind == "everyday"
            and case.answer in ("yes", "no")
            and (thing := re.search(r"\ban? (\w+)", case.question))
        ):
            assert (case.answer == "yes") == (re.search(rf"\b{thing[1]}|{plural_of(thing[1])}\b", told) is not None), (
                case
            )
        assert case.answer not in case.lures and not {"yes", "no", UNKNOWN} & set(case.lures)


def test_questions_written_by_hand_have_their_answer_in_the_context_and_are_not_taught(rows):
    for context, question, right in HAND_WRITTEN:
        told = " ".join(context).lower()
        loose = {"yes", "no", UNKNOWN, "wood", "cat", "boiling water", "2", "3"}
        assert loose & set(right) or any(answer in told for answer in right), question
        assert not any(question in row.messages[-1].content and context[0] in row.messages[-1].content for row in rows)


def test_the_words_are_those_of_the_answerer(rows):
    case = seen_case(next(items("train", 1, seed=1)), np.random.default_rng(1))
    plain = next(row for row in rows if len(row.messages) == 2)
    assert plain.messages[0] == answering_messages(PRESETS["promptcap"], case.question, case.context, ())[0]
    assert plain.messages[1].content.startswith(
        "Please answer the question according to the above context.\n===\nContext: "
    )
