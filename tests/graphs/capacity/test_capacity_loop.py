"""Whether facts fit a student, from its config alone and measured; what is refused, and what LLM2LLM's plan says of it."""

import asyncio
import json
import math
import random
from types import SimpleNamespace

import pytest

from inloop.evaluators.capacity import draw_facts, writing_student
from inloop.graphs.capacity import CapacityConfig, capacity, plan
from inloop.graphs.llm2llm import Llm2LlmConfig, estimate
from inloop.runtime.errors import BadInput
from inloop.runtime.store import Store
from inloop.tools.students import open_student
from inloop.tools.tasks import open_task

pytest.importorskip("peft", reason="trains adapters: pip install 'inloop[students]'")


@pytest.fixture
def facts(tmp_path):
    return written(tmp_path / "facts.jsonl", 400)


def written(path, count):
    rng = random.Random(0)
    lines = [{"question": f"Which part has number {n}?", "answer": str(rng.randrange(10**6))} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_many_facts_do_not_fit_a_small_adapter_and_nothing_is_trained(facts, llama_folder, settings):
    result = capacity(facts, student=f"lora:{llama_folder}?rank=1&epochs=8", settings=settings)
    assert (result.fit.verdict, result.measured, result.calls) == ("does not fit", False, {})
    assert "does not fit" in result.finding() and "retrieval" in result.finding()
    [task] = result.tasks
    assert (task.facts, task.exposures, task.ratio, result.rows(), result.forests()) == (400, 8, None, [], ())
    again = asyncio.run(
        plan(CapacityConfig(rows=str(facts), student=f"lora:{llama_folder}?rank=1&epochs=8", measure=True), settings)
    )
    assert again.known.fit == result.fit
    assert again.sizes == (100, 200, 400)


def test_what_writes_no_answers_or_has_changed_is_refused(facts, settings, tmp_path):
    with pytest.raises(BadInput, match="does not write"):
        writing_student(SimpleNamespace(model="mine"))
    with pytest.raises(BadInput):
        capacity(tmp_path / "none.jsonl", settings=settings)
    config = CapacityConfig(rows=str(facts))
    written(facts, 20)
    with pytest.raises(BadInput, match="changed"):
        config.read()


def test_the_plan_of_llm2llm_says_where_facts_are_too_many(facts, llama_folder, settings):
    def planned(**options):
        config = Llm2LlmConfig.of(
            str(facts), settings=settings, teachers=(f"oracle:{facts.with_name('pool.jsonl')}",), **options
        )
        return asyncio.run(estimate(config, settings))

    pool = [{"question": f"Who is {n}?", "answer": f"{n}"} for n in range(12)]
    facts.with_name("pool.jsonl").write_text("\n".join(map(json.dumps, pool)), encoding="utf-8")
    told = planned(
        task="short-answer",
        student=f"lora:{llama_folder}?rank=1&epochs=1",
        verifiers=("none",),
        preset="paper",
        task_options={"tokens": 2},
    )
    assert "do not fit" in told.capacity and told.capacity in str(told)


@pytest.mark.trains
def test_parameters_are_counted_as_a_training_counts_them_and_losses_are_of_the_answers(llama_folder, settings):
    rows = draw_facts(24, 4)
    with Store.open(settings) as store:
        for spec in (f"lora:{llama_folder}?rank=2&epochs=1", f"full:{llama_folder}?epochs=12&rate=3e-3"):
            student = open_student(spec, open_task("short-answer"), settings, store)
            with pytest.raises(BadInput, match="not trained"):
                asyncio.run(student.losses(rows))
            training = asyncio.run(student.fit(rows, 0))
            assert student.trained_parameters() == training.parameters
            losses = asyncio.run(student.losses(rows))
            assert len(losses) == 24 and all(math.isfinite(loss) and loss > 0 for loss in losses)
            alone = asyncio.run(student.losses(rows[3:4]))
            assert alone[0] == pytest.approx(losses[3], abs=1e-3)
        assert training.losses[-1] < training.losses[0]


@pytest.mark.trains
def test_a_measurement_trains_on_drawn_facts_and_is_not_paid_twice(tmp_path, llama_folder, settings):
    facts = written(tmp_path / "few.jsonl", 16)
    asked = {"student": f"full:{llama_folder}?epochs=2", "measure": True, "sizes": 2, "settings": settings}
    result = capacity(facts, **asked)
    assert [task.facts for task in result.tasks] == [8, 16]
    assert [task.exposures for task in result.tasks] == [2, 2]
    last = result.tasks[-1]
    assert (last.answers, last.offered) == (16, 64)
    assert last.ratio is not None and last.ratio.value < 0.9
    assert (result.fit.verdict, result.measured) == ("does not fit", True)
    assert len(result.rows()) == 2 and len(result.forests()[0].rows) == 2
    assert result.calls["student"]["paid"] == 24
    second = capacity(facts, **asked)
    assert (second.tasks, second.calls["student"]["paid"]) == (result.tasks, 0)
