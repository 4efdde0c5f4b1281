"""What is refused and why, and verifiers who are not the writer."""

from __future__ import annotations

import pytest
from row_stand_ins import WordStudent, made_rows
from servers import fails, says, serving

from inloop.agents.rows.teacher import Ask, Draft, Written
from inloop.evaluators.rows.checks import RowChecks, RowTable
from inloop.evaluators.rows.duplicates import KnownTexts
from inloop.evaluators.rows.verifiers import ByStudent, Opinion, SecondModel, open_checker
from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.records import Row
from inloop.runtime.store.open import Store
from inloop.runtime.transport.sender import Sender
from inloop.tools.tasks.kinds import Classification, ShortAnswer

TASK = Classification(labels=("dining", "music", "weather"))
SEED = Row(id="s", text="play the blue album", label="music")


def reply(*rows, seed="s"):
    return Written(
        seed=seed, n=len(rows), teacher="t", drafts=tuple(Draft(text=text, label=label) for text, label in rows)
    )


class Says:
    name, threshold = "a judge", 0.5

    def __init__(self, **agreements):
        self.agreements, self.asked = agreements, []

    async def opinions(self, rows, *, seed):
        self.asked += [row.text for row in rows]
        return [Opinion(agreement=self.agreements.get(row.text.split()[0], 1.0), said="so it says") for row in rows]


async def test_every_row_ends_in_one_outcome_and_the_dear_check_comes_last():
    known = KnownTexts(rouge=0.7)
    await known.add("seeds", [SEED.text])
    await known.add("test", ["put the old record on again"])
    judge = Says(wrong=0.2, unsure=None)
    rows = [
        ("Play the BLUE album!", "music"), ("put the old record on", "music"), ("an earlier row of this run", "music"),
        ("spin a tune", "musik"), ("will it rain", "weather"), ("wrong said the judge", "music"), ("unsure about that one", "music"),
        ("good one for all", "music"), ("good one for all!", "music"), ("no label given here", None),
    ]  # fmt: skip
    checks = RowChecks(TASK, known, verifiers=[judge])
    asks, earlier = [Ask(seed=SEED, wrong="weather")], ["an earlier row of this run"]
    judged, table = await checks.judge(asks, [reply(*rows)], earlier=earlier, prefix="p", seed=0)
    assert [entry.outcome for entry in judged] == [
        "duplicate", "leaked", "duplicate", "unknown label", "wrong label", "wrong label", "unverified", "accepted", "duplicate", "accepted",
    ]  # fmt: skip
    assert judge.asked == ["wrong said the judge", "unsure about that one", "good one for all", "no label given here"]
    assert "Did you mean 'music'" in judged[3].reason and "0.20" in judged[5].reason
    assert table.parsed == 10 == sum(table.outcomes.values()) and table.accepted == 2
    assert (
        judged[-1].row.label == "music"
        and judged[-1].wrong == "weather"
        and len({entry.row.id for entry in judged if entry.row}) == 9
    )
    told = str(table + RowTable(asked=12))
    assert all(word in told for word in ("asked for", "duplicate", "leaked", "wrong label", "unverified", "accepted"))


async def test_the_papers_checks_do_not_look_at_the_test_rows():
    known = KnownTexts(rouge=0.95)
    await known.add("test", ["put the old record on again"])
    checks, copy = RowChecks(TASK, known, leaks=False), reply(("put the old record on again", "music"))
    [found], _ = await checks.judge([Ask(seed=SEED)], [copy], earlier=[], prefix="", seed=0)
    assert found.outcome == "accepted"


async def test_open_answers_need_an_answer_and_may_differ_from_the_seed():
    task = ShortAnswer(match="number")
    seed = Row(id="s", text="2 + 3?", label="5")
    [good, none, words], _ = await RowChecks(task, None).judge(
        [Ask(seed=seed)], [reply(("4 - 9?", "-5"), ("1 + 1?", None), ("2 + 2?", "many"))], earlier=[], prefix="", seed=0
    )
    assert (good.outcome, good.row.label, none.outcome, words.outcome) == (
        "accepted",
        "-5",
        "unknown label",
        "unknown label",
    )


@pytest.mark.parametrize(
    ("said", "agreement"),
    [
        ("Answer: music", 1.0),
        ("I think it is\nAnswer: *Weather*.", 0.0),
        ("It is music.", 1.0),
        ("music or weather", None),
        ("", None),
    ],
)
async def test_a_second_model_answers_without_seeing_the_label(said, agreement):
    chat = ScriptedChat([said], model="judge")
    verifier = SecondModel(chat, TASK, about="Name the topic.", writers=["writer"])
    [opinion] = await verifier.opinions([SEED], seed=0)
    assert opinion.agreement == agreement and verifier.name == "answers of judge"
    assert "Answer: music" not in chat.asked[0][-1].content and SEED.text in chat.asked[0][-1].content


async def test_votes_are_counted_and_the_writer_alone_cannot_judge_itself():
    chat = ScriptedChat(["Answer: 12", "Answer: 1/2", "Answer: 0.5", "no idea"], model="writer")
    task = ShortAnswer(match="number")
    verifier = SecondModel(chat, task, about="Count.", votes=4, writers=["writer"])
    [opinion] = await verifier.opinions([Row(id="1", text="half?", label="1/2")], seed=0)
    assert opinion.agreement == 0.5 and verifier.name.startswith("self-consistency of writer")
    with pytest.raises(BadInput, match="cannot check itself"):
        SecondModel(chat, task, about="Count.", writers=["writer"])


async def test_a_verifier_that_fails_refuses_and_does_not_accept(tmp_path):
    with serving() as server, Store(tmp_path / "s", run_id="t") as store:
        server.behaviours = [fails(400, "no"), says("Answer: music")]
        async with OpenAIChat(Sender(server.url, "k", model="m", attempts=1), store=store) as chat:
            [opinion] = await SecondModel(chat, TASK, about="").opinions([SEED], seed=0)
    assert opinion.agreement is None and "failed" in opinion.said


async def test_a_classifier_vetoes_the_other_class_only():
    student = WordStudent(TASK.labels)
    await student.fit(made_rows(8), 0)
    rows = [
        Row(id="1", text="song", label="music"),
        Row(id="2", text="song", label="weather"),
        Row(id="3", text="quux", label="dining"),
    ]
    right, wrong, unknown = await ByStudent(student).opinions(rows, seed=0)
    assert right.agreement == 1.0 and wrong.agreement < 0.2 < unknown.agreement


def test_a_checker_is_a_users_own_file(tmp_path):
    good = tmp_path / "check.py"
    good.write_text(
        "def check(row):\n    if 'boom' in row.text: raise KeyError('boom')\n"
        "    return 'too short' if len(row.text) < 5 else True\n", encoding="utf-8",
    )  # fmt: skip
    checker = open_checker(good)
    said = [checker._one(Row(id="1", text=text, label="x")) for text in ("a long text", "a", "boom boom")]
    assert [opinion.agreement for opinion in said] == [1.0, 0.0, None] and said[1].said == "too short"
    for content in ("def other(row): ...", "def check(a, b): ...", "import nothing_like_this"):
        bad = tmp_path / "bad.py"
        bad.write_text(content, encoding="utf-8")
        with pytest.raises(BadInput, match=r"bad\.py"):
            open_checker(bad)
