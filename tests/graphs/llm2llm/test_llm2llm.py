"""The machine with a real small student: what ends it, what it keeps, what the dev rows refuse, and that it goes on after a stop."""

from __future__ import annotations

import dataclasses

import pytest
from row_stand_ins import ScriptedTeacher, WordStudent, made_rows

from inloop.agents.rows.baselines import Copies, Noise, OraclePool
from inloop.agents.rows.teacher import Written
from inloop.evaluators.rows.checks import RowChecks
from inloop.evaluators.rows.duplicates import KnownTexts
from inloop.evaluators.rows.verifiers import ByStudent
from inloop.graphs.llm2llm.context import ArmContext
from inloop.graphs.llm2llm.events import ArmTested
from inloop.graphs.llm2llm.graph import build
from inloop.graphs.llm2llm.mistakes import find_mistakes
from inloop.graphs.llm2llm.result import Mistake
from inloop.graphs.llm2llm.state import data_sha256, first_state, judged_at, measured_at, steps_of
from inloop.graphs.llm2llm.teaching import ask_about
from inloop.runtime.budget import Budget
from inloop.runtime.errors import CallFailed
from inloop.runtime.machine.runner import Runner
from inloop.runtime.records import Cost, Row
from inloop.runtime.store.blobs import BlobStore
from inloop.tools.tasks.kinds import Classification

TASK = Classification(labels=("dining", "music", "weather"))
SEEDS = tuple(made_rows(4, seed=1))
TEST = tuple(made_rows(30, seed=2, start=1000))
POOL = tuple(row for row in made_rows(60, seed=3, start=2000) if row.text not in {r.text for r in (*SEEDS, *TEST)})


async def context_of(tmp_path, **changes):
    known = KnownTexts(rouge=0.95)
    await known.add("seeds", [row.text for row in SEEDS])
    await known.add("test", [row.text for row in TEST])
    given = {
        "task": TASK, "student": WordStudent(), "seeds": SEEDS, "dev": (), "test": TEST, "mining": "out of fold",
        "teachers": (OraclePool(POOL),), "checks": RowChecks(TASK, known), "blobs": BlobStore(tmp_path / "blobs"),
        "steps": 3, "per_error": 2,
    }  # fmt: skip
    return ArmContext(**(given | changes))


async def go(context, checkpoints=None, thread="t"):
    runner = Runner(build(), context=context, checkpoints=checkpoints, thread_id=thread, max_steps=200)
    finish = await runner.start_or_resume(dict(first_state("t")))
    assert finish.finished
    return finish.state


async def test_errors_out_of_fold_lead_to_rows_and_the_rows_help(tmp_path):
    events = []
    context = await context_of(tmp_path, emit=events.append)
    assert await find_mistakes(dataclasses.replace(context, mining="seeds"), [], 1, None) == [], (
        "it has fitted its seeds"
    )
    state = await go(context)
    steps = steps_of(context.blobs, state["chapter"])
    added = judged_at(context.blobs, state["kept"])
    assert len(steps[1].mistakes) > 0 and all(mistake.said != mistake.seed.label for mistake in steps[1].mistakes)
    assert len(added) == state["size"] == sum(step.added for step in steps) > 0
    assert {entry.seed for entry in added} <= {mistake.seed.id for step in steps for mistake in step.mistakes}
    assert all(entry.wrong and entry.teacher.startswith("oracle") for entry in added)
    before = await go(await context_of(tmp_path, steps=0), thread="seeds")
    accuracy = [context.blobs.get(s["test"]) for s in (before, state)]
    assert accuracy[0] != accuracy[1]
    tested = [event.accuracy for event in events if isinstance(event, ArmTested)]
    assert len(tested) == 1, "the test rows are looked at once"
    assert tested[0] > _accuracy(before, context)


async def test_the_teacher_is_shown_other_seeds_of_both_classes(tmp_path):
    context = await context_of(tmp_path)
    seed = next(row for row in SEEDS if row.label == "music")
    by_class = {label: {row.text for row in SEEDS if row.label == label} for label in TASK.labels}
    ask = ask_about(context, Mistake(seed=seed, said="dining"), ("a row", "another"))
    assert set(ask.alike) == by_class["music"] - {seed.text} and len(ask.unlike) == 3
    assert set(ask.unlike) < by_class["dining"] and ask.avoid == ("a row", "another")
    assert ask == ask_about(context, Mistake(seed=seed, said="dining"), ("a row", "another"))
    unread = ask_about(context, Mistake(seed=seed, said="well, let me see", outcome="format"))
    assert unread.unreadable and unread.alike and unread.unlike == ()


async def test_few_rows_are_asked_for_mistakes_of_all_classes(tmp_path):
    asked = set()
    for seed in range(6):
        context = await context_of(tmp_path / str(seed), cap=4, steps=1, seed=seed)
        state = await go(context, thread=str(seed))
        [step] = [step for step in steps_of(context.blobs, state["chapter"]) if step.step == 1]
        assert len(step.mistakes) > 2 and state["size"] == step.table.accepted == 4
        assert step.table.asked == 4 + len(step.judged) - step.table.accepted, "no row is paid for that cannot be added"
        asked |= {entry.seed for entry in step.judged}
    labels = {row.id: row.label for row in SEEDS}
    assert SEEDS[-1].label in {labels[seed] for seed in asked}, "the last class of the file is asked for too"


def _accuracy(state, context):
    return measured_at(context.blobs, state["test"]).accuracy


async def test_a_fold_that_leaves_one_class_knows_that_class_alone(tmp_path):
    seeds = (*(row for row in SEEDS if row.label == "music"), next(row for row in SEEDS if row.label == "dining"))
    student = WordStudent()
    found = await find_mistakes(await context_of(tmp_path, seeds=seeds, student=student), [], 1, None)
    assert [(one.seed.label, one.said) for one in found if one.seed.label == "dining"] == [("dining", "music")]
    assert len(student.fits) == 4, "one class alone is not trained on"


async def test_rows_that_the_student_cannot_read_are_refused(tmp_path):
    long = ScriptedTeacher(lambda ask, n, seed: [("la " * 61 + f"{ask.seed.id} {seed}", ask.seed.label)] * n)
    student = WordStudent()
    context = await context_of(
        tmp_path, teachers=(long,), checks=RowChecks(TASK, None, too_long=student.too_long), student=student
    )
    state = await go(context)
    assert state["stop"] == "nothing accepted"
    [step] = [step for step in steps_of(context.blobs, state["chapter"]) if step.judged]
    assert step.table.outcomes == {"too long": len(step.judged)} and "words, and 60 are read" in step.judged[0].reason


async def test_no_errors_is_an_end_of_its_own(tmp_path):
    context = await context_of(tmp_path, mining="seeds")
    state = await go(context)
    assert (state["stop"], state["size"], state["step"]) == ("no errors left", 0, 0)
    assert _accuracy(state, context) > 0


async def test_nothing_accepted_ends_with_the_table_and_the_seeds(tmp_path):
    teacher = ScriptedTeacher(
        lambda ask, n, seed: [(ask.seed.text, ask.seed.label), ("x y z", "no such label"), ("a b c", "music")]
    )
    context = await context_of(tmp_path, teachers=(teacher,), attempts=2)
    state = await go(context)
    assert state["stop"] == "nothing accepted" and state["size"] == 0 and state["test"]
    [_, step] = steps_of(context.blobs, state["chapter"])
    assert step.table.accepted == 0 and step.table.outcomes["duplicate"] and step.table.outcomes["unknown label"]
    assert step.table.parsed == sum(step.table.outcomes.values()) == len(step.judged)
    attempts = {(ask.seed.id, len(ask.avoid)) for ask, _ in teacher.asked}
    assert len(attempts) == 2 * len(step.mistakes), (
        "asked twice for each mistake, the second time with what was there already"
    )


async def test_it_asks_again_for_what_is_missing_only(tmp_path):
    made = iter(range(10_000))

    def script(ask, n, seed):
        return [(f"{ask.seed.text} number {next(made)} {'abcdefgh'[:3]}", ask.seed.label)]

    teacher = ScriptedTeacher(script)
    context = await context_of(tmp_path, teachers=(teacher,), steps=1, checks=RowChecks(TASK, None))
    state = await go(context)
    mistakes = len(steps_of(context.blobs, state["chapter"])[1].mistakes)
    assert [n for _, n in teacher.asked] == [2] * mistakes + [1] * mistakes
    assert state["size"] == 2 * mistakes


async def test_dev_rows_put_a_harmful_step_aside(tmp_path):
    other = {"music": "weather", "weather": "dining", "dining": "music"}
    wrong = [Row(id=f"w{row.id}", text=row.text, label=other[row.label]) for row in POOL]
    poison = OraclePool(wrong)
    context = await context_of(
        tmp_path, teachers=(poison,), dev=tuple(made_rows(15, seed=9, start=5000)), checks=RowChecks(TASK, None),
        per_error=10, patience=2, steps=5,
    )  # fmt: skip
    state = await go(context)
    steps = steps_of(context.blobs, state["chapter"])
    assert [step.kept for step in steps] == [True, False, False] and "put aside: dev fell" in steps[1].note
    assert state["size"] == 0 and "refused 2 steps" in state["stop"]
    assert _accuracy(state, context) == _accuracy(await go(await context_of(tmp_path, steps=0), thread="s"), context)
    judged = steps[2].judged
    assert not {entry.text for entry in judged} & {entry.text for entry in steps[1].judged}, "not the same rows again"


async def test_a_verifier_that_knows_the_seeds_vetoes_them_too(tmp_path):
    judge = WordStudent()
    await judge.fit(SEEDS, 0)
    other = {"music": "weather", "weather": "dining", "dining": "music"}
    teacher = ScriptedTeacher(
        lambda ask, n, seed: [(f"{t} again {seed % 7}", ask.seed.label) for t in texts_of(other[ask.seed.label])[:n]]
    )
    checks = RowChecks(TASK, None, verifiers=[ByStudent(judge)])
    context = await context_of(tmp_path, teachers=(teacher,), checks=checks, attempts=1, steps=1)
    state = await go(context)
    step = steps_of(context.blobs, state["chapter"])[-1]
    assert step.table.outcomes["wrong label"] > 0
    assert all(entry.verifier and entry.agreement < 0.2 for entry in step.judged if entry.outcome == "wrong label")


def texts_of(label):
    return [row.text for row in POOL if row.label == label]


@pytest.mark.parametrize("teacher", [Copies(), Noise(SEEDS), OraclePool(POOL)], ids=["copies", "noise", "pool"])
async def test_blind_ways_add_exactly_as_many_rows_as_they_may(tmp_path, teacher):
    blind = {
        "teachers": (teacher,),
        "mining": "random",
        "cap": 29,
        "steps": 20,
        "per_error": 1,
        "checks": RowChecks(TASK, None),
    }
    state = await go(await context_of(tmp_path, **blind))
    assert (state["size"], state["stop"]) == (29, "size reached")
    again = await go(await context_of(tmp_path / "again", **blind))
    assert again["kept"] == state["kept"], "the same seed draws the same rows"


async def test_a_teacher_that_always_fails_stops_the_run_and_it_can_go_on(tmp_path):
    down = [True]

    def script(ask, n, seed):
        if down[0]:
            return Written(seed=ask.seed.id, n=n, teacher="t", failed="503 overloaded", passing=True)
        return [(row.text, row.label) for row in POOL if row.label == ask.seed.label][seed % 20 : seed % 20 + n]

    teacher = ScriptedTeacher(script)
    context = await context_of(tmp_path, teachers=(teacher,), steps=1)
    with pytest.raises(CallFailed, match=r"failed on all \d+ requests of step 1: 503 overloaded"):
        await go(context, tmp_path / "c.sqlite")
    down[0] = False
    fits = len(context.student.fits)
    state = await go(context, tmp_path / "c.sqlite")
    assert state["size"] > 0 and len(context.student.fits) == fits + 1, "only the last student was still to be trained"


async def test_a_budget_ends_it_with_a_result(tmp_path):
    budget = Budget({"calls": 1}, spent=Cost(calls=1))
    context = await context_of(tmp_path, budget=budget)
    state = await go(context)
    assert state["stop"].startswith("budget: ") and state["size"] == 0 and state["test"]


async def test_the_state_stays_small_with_many_long_rows(tmp_path):
    rows = tuple(Row(id=str(i), text=f"{row.text} {'long ' * 300}{i}", label=row.label) for i, row in enumerate(SEEDS))
    context = await context_of(
        tmp_path, seeds=rows, mining="random", cap=60, teachers=(Noise(rows),), checks=RowChecks(TASK, None)
    )
    state = await go(context)  # the runner refuses more than 16 KB
    assert state["size"] == 60


def test_a_data_set_is_named_by_its_rows_in_their_order():
    a, b = SEEDS[:2]
    assert data_sha256([a, b]) != data_sha256([b, a]) and data_sha256([a]) == data_sha256(
        [a.model_copy(update={"id": "z"})]
    )
