"""What a result says of itself: the gain never without its strongest rival, and folders of earlier versions are read."""

from __future__ import annotations

import pytest

from inloop.graphs.llm2llm.result import ArmRow, ArmRun, Llm2LlmResult, Llm2LlmTask

SEEDS = ArmRow(way="seed-only", accuracy=50.0, se=1.0, repeats=3)


def result_of(*rows, runs=()):
    return Llm2LlmResult(
        run_id="llm2llm-1", loop="llm2llm", created="2026-01-01T00:00:00", seconds=1.0, config={}, task={}, main="ours", counts={},
        tasks=tuple(Llm2LlmTask(id=f"r{run.repeat + 1}", repeat=run.repeat, ways=(run,)) for run in runs), table=rows,
    )  # fmt: skip


def row(way, gain, error=None, **rest):
    return ArmRow(way=way, accuracy=50.0 + gain, gain=gain, gain_se=error, repeats=1 if error is None else 3, **rest)


@pytest.mark.parametrize(
    ("rows", "finding", "verdict"),
    [
        (
            [SEEDS, row("random", 12.3, 0.9), row("eda", 1.0, 0.5), row("ours", 11.6, 1.0)],
            "+11.6 ± 1.0 points over the seeds alone; teacher, seeds at random +12.3 ± 0.9",
            "better",
        ),
        (
            [SEEDS, row("eda", -2.0, 0.5), row("ours", 0.2, 0.5)],
            "No confirmed gain: +0.2 ± 0.5 points over the seeds alone; noisy seeds (EDA) −2.0 ± 0.5",
            "unclear",
        ),
        (
            [SEEDS, row("ours", -3.0, ci=(-5.0, -1.0))],
            "−3.0 points over the seeds alone, in one repeat; no other way of getting rows was tried",
            "worse",
        ),
        (
            [ArmRow(way="eda", accuracy=60.5), ArmRow(way="ours", accuracy=61.0)],
            "61.0 points on the test rows; noisy seeds (EDA) 60.5",
            "unclear",
        ),
        ([ArmRow(way="ours", accuracy=None)], "Nothing was measured: there are no test rows", "unclear"),
    ],
)
def test_a_gain_is_told_with_its_strongest_rival(rows, finding, verdict):
    result = result_of(*rows)
    assert result.finding() == finding and result.main_row.verdict == verdict


def test_the_gains_are_drawn_with_their_intervals():
    [forest] = result_of(SEEDS, row("random", 12.0, 1.0), row("ours", 11.0, 2.0)).forests()
    assert [(line.name, line.value, line.low, line.high, line.main) for line in forest.rows] == [
        ("teacher, seeds at random", 12.0, 10.0, 14.0, False),
        ("LLM2LLM, ours", 11.0, 7.0, 15.0, True),
    ]
    assert result_of(ArmRow(way="ours", accuracy=61.0)).forests() == ()


def test_a_result_of_an_earlier_version_is_read():
    runs = [ArmRun(way="ours", repeat=repeat, stop="steps", seeds=3, added=2) for repeat in range(2)]
    result = result_of(SEEDS, runs=runs)
    old = result.model_dump(mode="json", exclude={"tasks", "failed", "stopped"})
    old["ways"] = [run.model_dump(mode="json") for run in runs]
    assert Llm2LlmResult.model_validate(old) == result
    assert Llm2LlmResult.model_validate_json(result.model_dump_json()) == result
