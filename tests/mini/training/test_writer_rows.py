"""What mini-writer is taught: every answer is right by the world's own rules, in the very words that the agents send and read."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from inloop.agents.opt2i.rewriter import Rewriter, Shown, parse_proposals
from inloop.agents.rows.teacher import rows_from
from inloop.agents.scene import simple_scene_graph
from inloop.agents.scene.questioner import parse_tuples
from inloop.agents.scene.tuple_questions import questions_of_tuples
from inloop.mini.training.caption_rows import SKILLS, caption_row, skill_of, true_answer
from inloop.mini.training.revising import PARAPHRASE, REWRITE, judged, plain_slots, plainness, revise, slots_of
from inloop.mini.training.writer_evaluation import graph_right, measure_writer
from inloop.mini.training.writer_rows import ROLES, Row, altered, rows
from inloop.mini.world import Group, Spec, Wording, is_held_out, plain, spec_of, specs, word, wording_of
from inloop.runtime.records import Message, Reply


def some(role: str, count: int, seed: int = 30) -> list[Row]:
    return list(itertools.islice(rows(seed, role=role), count))


def wordings(count: int, seed: int = 8) -> list[tuple[Spec, Wording]]:
    rng = np.random.default_rng(seed)
    return [(spec, word(spec, rng, looseness=0.7)) for spec in itertools.islice(specs(seed), count)]


def meant_by(text: str) -> list[str]:
    """The tuples of a text of the world, which says "next to" of any two things and means no place by it."""
    return [node.tuple for node in simple_scene_graph(text).nodes if "next to" not in node.tuple]


def test_every_role_has_rows_and_they_repeat_themselves() -> None:
    first, again = (list(itertools.islice(rows(3), 300)) for _ in range(2))
    assert first == again and {row.role for row in first} == set(ROLES)


@pytest.mark.parametrize(("role", "head"), [("rewrite", "Rewrite"), ("paraphrase", "Paraphrase")])
def test_rewrites_and_paraphrases_are_new_and_mean_what_the_prompt_means(role: str, head: str) -> None:
    for row in some(role, 150):
        first, _, rest = row.prompt.partition("\n")
        name, _, text = first.partition(": ")
        texts, tagged = parse_proposals(row.answer)
        assert (name, tagged) == (head, True)
        assert len(texts) == int(re.search(r"Write (\d)\.$", row.prompt)[1]) == len(set(texts))  # type: ignore[index]
        assert {spec_of(other) for other in texts} == {spec_of(text)}
        shown = [line.partition(" ") for line in rest.splitlines() if line[:1].isdigit()]
        assert [int(score) for score, _, _ in shown] == sorted(int(score) for score, _, _ in shown)
        assert len(shown) <= 3 and not {said for _, _, said in shown} & set(texts)


async def test_the_rewriter_sends_what_its_rows_show() -> None:
    """A row's prompt, taken apart and given to the agent as what a loop has tried, is sent by it to the letter."""

    class Listening:
        model, revision, small, tuned_to, notes = "m", "1", True, "mini", ()

        async def complete(self, messages: list[Message], **other: object) -> Reply:
            self.asked = messages[-1].content
            return Reply(texts=("",), finish_reasons=("stop",), model="m")

    taken = 0
    for row in some("rewrite", 60):
        wrong = re.search(r"^Wrong: (.+)$", row.prompt, re.MULTILINE)
        questions = re.findall(r"[^?]+\?", wrong[1]) if wrong else []
        if wrong and not questions:
            continue  # noun phrases
        tried = [line.partition(" ") for line in row.prompt.splitlines() if line[:1].isdigit()]
        parts = tuple((question.strip(), 0) for question in questions)
        shown = [Shown(text=text, score=int(score)) for score, _, text in tried]
        if shown:
            shown[-1] = shown[-1].model_copy(update={"parts": parts})
        chat = Listening()
        text = row.prompt.splitlines()[0].removeprefix("Rewrite: ")
        count = int(row.prompt[-2])
        await Rewriter(chat, "mini", attempts=1).propose(text=text, history=shown, n=count, seed=0)  # type: ignore[arg-type]
        assert chat.asked == row.prompt
        taken += bool(parts)
    assert taken > 20


def test_scene_graphs_are_those_of_the_rules() -> None:
    for row in some("tuples", 150):
        assert parse_tuples(row.answer) == meant_by(row.prompt.removeprefix("Tuples: "))


def test_the_questions_follow_from_the_tuples() -> None:
    for _, wording in wordings(300):
        nodes = questions_of_tuples([node.fact for node in wording.scene_graph()], wording.text)
        assert graph_right([(node.tuple, node.question, node.parents) for node in nodes], wording)


def test_a_graph_is_right_in_any_order_and_wrong_with_one_edge_less() -> None:
    wording = plain(Spec(groups=(Group(kind="circle", color="red"), Group(kind="cat")), relation="above"))
    nodes = [(node.fact, node.question, node.parents) for node in wording.scene_graph()]
    assert graph_right(nodes, wording)
    swapped = [nodes[1], nodes[0], *((f, q, tuple(3 - p if p else 0 for p in ps)) for f, q, ps in nodes[2:])]
    assert graph_right(swapped, wording)
    assert not graph_right([*nodes[:-1], (*nodes[-1][:2], (1,))], wording)
    assert not graph_right(nodes[:-1], wording)


def test_what_is_marked_wrong_becomes_plain_and_paraphrases_stay_away_from_it() -> None:
    rng = np.random.default_rng(4)
    marked, unmarked, blind = [], [], []
    for spec, wording in wordings(300):
        loose = [slot for slot, easy in plain_slots(wording, spec).items() if not easy]
        if len(loose) < 2:
            continue
        new = plain_slots(revise(wording, spec, loose[:1], rng), spec)
        marked.append(new[loose[0]])
        unmarked.append(new[loose[1]])
        blind.append(plain_slots(revise(wording, spec, [], rng, PARAPHRASE), spec)[loose[0]])
    assert np.mean(marked) > 0.75 > 0.5 > np.mean(unmarked) > np.mean(blind) > 0.05


def test_an_imagined_judge_says_no_to_what_the_painter_does_not_know_and_to_all_that_hangs_on_it() -> None:
    spec = Spec(groups=(Group(kind="circle", color="red"), Group(kind="cat")), relation="above")
    asked = plain(spec)
    loose = replace(asked, phrases=(replace(asked.phrases[0], noun="disc"), asked.phrases[1]))
    rng = np.random.default_rng(0)
    said = {node.question: right for node, right in judged(loose, asked, spec, rng, luck=0.0)}
    assert said == {
        "Is there a circle?": False,
        "Is there a cat?": True,
        "Is the circle red?": False,
        "Is the circle above the cat?": False,
    }
    assert all(right for _, right in judged(asked, asked, spec, rng, luck=0.0))
    assert plainness(asked, spec) == 1 > plainness(loose, spec) > 0


def test_every_question_hangs_on_words_of_its_caption() -> None:
    for spec, wording in wordings(200):
        for node in wording.scene_graph():
            assert slots_of(node, wording) <= plain_slots(wording, spec).keys()


def test_a_wording_is_read_back_from_its_text() -> None:
    for spec, wording in wordings(400):
        found = wording_of(wording.text)
        assert found is not None and found.text == wording.text
        assert (found.phrases, plain_slots(found, spec)) == (wording.phrases, plain_slots(wording, spec))
    assert [wording_of(text) for text in ("", "a dog with wings", "two circle")] == [None] * 3


def test_what_differs_in_one_thing_says_something_else() -> None:
    rng = np.random.default_rng(2)
    for spec, _ in wordings(200):
        other = altered(spec, rng)
        assert other != spec and spec_of(plain(other).text) == other
    for row in some("same", 80):
        one, other = row.prompt.removeprefix("Same: ").splitlines()
        assert row.answer == ("yes" if spec_of(one) == spec_of(other) else "no")
        assert not is_held_out(spec_of(other))  # type: ignore[arg-type]


def test_rows_like_a_row_ask_the_same_of_other_captions_and_are_true() -> None:
    asked = set()
    for row in some("rows", 80):
        seed, _, label = row.prompt.splitlines()[0].removeprefix("Rows: ").rpartition(" | ")
        written = rows_from(row.answer)
        assert len(written) == int(row.prompt[-2]) and true_answer(seed) == label
        for draft in written:
            assert true_answer(draft.text) == draft.label and skill_of(draft.text) == skill_of(seed)
        asked.add(skill_of(seed))
    assert asked == set(SKILLS)


def test_a_row_whose_caption_does_not_hold_the_answer_has_none() -> None:
    for text, answer in (
        ("a crimson disc. what color is the disc?", "crimson"),
        ("a crimson disc. what color is the cat?", None),
        ("three cats. how many cats are there?", "three"),
        ("a cat above a dog. what is above the dog?", "cat"),
        ("a cat above a dog. what is below the dog?", None),
        ("a cat above a dog. is there a frog?", "no"),
        ("a cat above a dog. is there a unicorn?", None),
        ("a unicorn. is there a cat?", None),
        ("a cat above a dog", None),
    ):
        assert true_answer(text) == answer, text
    wording = plain(Spec(groups=(Group(kind="cat"),)))
    assert caption_row(wording, "color", np.random.default_rng(0)) is None


class Oracle:
    """Answers each role by the rules of the world."""

    model, revision, small, tuned_to, notes = "oracle", "1", True, "mini", ()

    async def complete(self, messages: list[Message], *, seed: int = 0, **other: object) -> Reply:
        head, _, rest = messages[-1].content.partition("\n")
        role, _, text = head.partition(": ")
        answer = getattr(self, role.lower())(text, rest, np.random.default_rng(seed))
        return Reply(texts=(answer,), finish_reasons=("stop",), model="oracle")

    def graph(self, text: str, part: str) -> str:
        wording = wording_of(text)
        assert wording is not None
        return "\n".join(f"{node.id} | {getattr(node, part)}".replace("(0,)", "0") for node in wording.scene_graph())

    def tuples(self, text: str, rest: str, rng: np.random.Generator) -> str:
        return self.graph(text, "fact")

    def questions(self, text: str, rest: str, rng: np.random.Generator) -> str:
        return self.graph(text, "question")

    def dependencies(self, text: str, rest: str, rng: np.random.Generator) -> str:
        return self.graph(text, "parents")

    def same(self, text: str, rest: str, rng: np.random.Generator) -> str:
        return "yes" if spec_of(text) == spec_of(rest) else "no"

    def rows(self, text: str, rest: str, rng: np.random.Generator) -> str:
        skill = skill_of(text.rpartition(" | ")[0])
        assert skill is not None
        made = [caption_row(wording, skill, rng) for _, wording in wordings(60)]
        return "\n".join(f"1 | {row.text} | {row.answer}" for row in [row for row in made if row is not None][:3])

    def paraphrase(self, text: str, rest: str, rng: np.random.Generator) -> str:
        return self.rewrite(text, rest, rng)

    def rewrite(self, text: str, rest: str, rng: np.random.Generator) -> str:
        tried = [line.partition(" ")[2] for line in rest.splitlines() if line[:1].isdigit()]
        asked, base, spec = wording_of(text), wording_of(tried[-1] if tried else text), spec_of(text)
        assert asked is not None and base is not None and spec is not None
        marked = [slot for node in asked.scene_graph() if node.question in rest for slot in slots_of(node, asked)]
        texts = [revise(base, spec, marked, rng, REWRITE if tried else PARAPHRASE).text for _ in range(12)]
        return "\n".join(f"<PROMPT>{text}</PROMPT>" for text in texts)


async def test_a_writer_that_is_always_right_measures_so() -> None:
    """An oracle that answers by the world's rules: each figure is then what it should be, and blind paraphrases gain less."""
    figures = await measure_writer(Oracle(), count=12)
    assert all(value == 1 for name, value in figures.items() if "right" in name or "keep" in name or "same" in name), (
        figures
    )
    assert figures["imagined score: best of the search"] > figures["imagined score: best of as many paraphrases"] + 0.1
    assert figures["imagined score: best of as many paraphrases"] >= figures["imagined score: the user's"]
    assert figures["plain words: standard deviation of what one round proposes"] > 0.05
