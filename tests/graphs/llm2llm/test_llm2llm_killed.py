"""`kill -9` at every write boundary, and at some of them in a row: the same rows, and nothing paid twice."""

from __future__ import annotations

import multiprocessing
import random

import pytest
from row_stand_ins import made_rows, teaching, write_rows
from servers import serving

from inloop.graphs.llm2llm.config import Llm2LlmConfig
from inloop.graphs.llm2llm.result import Llm2LlmResult
from inloop.runtime.folder.run_folder import RunFolder
from inloop.runtime.store.open import Store

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with everything imported, so that most of their life is the run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_rows"])
    return context


@pytest.fixture
def config(tmp_path):
    test = made_rows(6, seed=2, start=1000)
    taken = {row.text for row in test}
    write_rows(tmp_path / "train.jsonl", [row for row in made_rows(8, seed=1) if row.text not in taken])
    write_rows(tmp_path / "test.jsonl", test)

    def make(url):
        return Llm2LlmConfig(
            train=str(tmp_path / "train.jsonl"), test=str(tmp_path / "test.jsonl"), seeds_per_class=4, teachers=(f"{url}#m",),
            verifiers=("none",), rouge=0.95, steps=2, per_error=2, folds=3, compare=("seed-only", "random"),
        )  # fmt: skip

    return make


def until_done(processes, folder, kills):
    """Run and resume, killed at each of `kills` in turn (write number, before or after it); gives how often it died."""
    from killed_rows import go

    died = 0
    for fatal, after in [*kills, (0, False)]:
        process = processes.Process(target=go, args=(str(folder.path.parent), folder.id, fatal, after))
        process.start()
        process.join(600)
        assert process.exitcode in (0, -9), f"the run ended with {process.exitcode}"
        died += process.exitcode == -9
        if process.exitcode == 0:
            break
    return died


def hashes(folder):
    outcome = Llm2LlmResult.model_validate(folder.result())
    return [(run.way, run.repeat, run.data_sha256, run.added, run.test, run.stop) for run in outcome.ways]


def test_killed_anywhere_it_ends_with_the_same_rows(processes, config, tmp_path):
    with serving() as server:
        server.behaviours = [teaching]
        made = config(server.url)
        unbroken = RunFolder.create(tmp_path / "unbroken", "llm2llm", made)
        assert until_done(processes, unbroken, []) == 0
        expected, asked = hashes(unbroken), len([body for body in server.seen if "messages" in body])
        assert any(added for _, _, _, added, _, _ in expected)
        writes = int((tmp_path / "unbroken" / "writes").read_text(encoding="utf-8"))
        assert writes > 60
        rng = random.Random(0)
        # one kill each, spread over the whole run, on either side of the write; then many kills in one run
        plans = [[(1 + place * (writes - 12) // 5, place % 2 == 0)] for place in range(6)]
        plans.append([(rng.randrange(1, writes // 2), rng.random() < 0.5) for _ in range(4)])
        for number, plan in enumerate(plans):
            server.seen.clear()
            folder = RunFolder.create(tmp_path / f"killed{number}", "llm2llm", made)
            died = until_done(processes, folder, plan)
            assert died == len(plan) or number == len(plans) - 1, plan
            assert hashes(folder) == expected, plan
            now = len([body for body in server.seen if "messages" in body])
            assert now <= asked + 8 * died, "at most what was in flight was asked again"
            with Store(folder.path.parent / ".store", run_id=folder.id) as store:
                assert store.ledger.paid_twice() == []
