"""kill -9 at write boundaries of a run while people vote on it: the same end, nothing paid twice, no vote lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
import run_killed
from run_killed import cast, run

from inloop.graphs.opt2i import Opt2iConfig, Opt2iResult, ballot_of
from inloop.runtime.folder import RunFolder
from inloop.runtime.store import Shown, Store, Vote, Votes

PROMPTS = (
    "a crimson disc to the left of an azure box",
    "a kitty beneath a scarlet valentine",
    "a trio of golden pentagrams",
    "a tiny emerald hoop above a plum rhombus",
    "a picture of a pair of bunnies",
    "an ebony block on the right side of a spaceship",
    "a foursome of tangerine dots against a snowy backdrop",
    "a gateau over a cobalt lozenge",
)


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that begin with everything imported, so that most of their life is the run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["run_killed"])
    # the server looks for what it preloads on its own path, and passes over what it does not find
    with pytest.MonkeyPatch.context() as environment:
        tests = str(Path(run_killed.__file__).parent)
        environment.setenv("PYTHONPATH", tests + os.pathsep + os.environ.get("PYTHONPATH", ""))
        forkserver.ensure_running()
    return context


def ended(process: Any) -> int:
    """The exit code of a process."""
    process.join(600)
    assert process.exitcode is not None, "a process hangs"
    return int(process.exitcode)


def votes_on(result: Opt2iResult, run: str) -> list[Vote]:
    """Two people's votes on the user's picture and each other one of the same seed."""
    cast = []
    for task in result.tasks:
        first, *others = task.trials
        for trial in others:
            for mine, its in zip(first.images, trial.images, strict=True):
                if mine.image == its.image:
                    continue
                left, right = (
                    Shown(picture=shot.image.sha256, candidate=each.id, seed=shot.seed)
                    for each, shot in ((first, mine), (trial, its))
                )
                for who in ("Ada", "Grace"):
                    id = f"{task.id}-{trial.id}-{mine.seed}-{who}"
                    shown = {"left": left, "right": right, "run": run, "task": task.id, "who": who}
                    cast.append(Vote(id=id, text=task.text, winner="right", at=float(len(cast)), **shown))
    return cast


def killed_again_and_again(processes: Any, tmp_path: Path, prompts: int, longest: int) -> tuple[int, int]:
    """The run without a kill, and the run that is killed after 1 to `longest` boundaries more each time; how many kills of it and of the voter."""
    config = Opt2iConfig(
        prompts=PROMPTS[:prompts], iterations=2, candidates=2, images_per_prompt=2, heldout_seeds=2, baselines=False
    )
    folder = RunFolder.create(tmp_path / "unbroken", "opt2i", config)
    process = processes.Process(target=run, args=(str(tmp_path / "unbroken"), folder.id, 0))
    process.start()
    assert ended(process) == 0
    unbroken = Opt2iResult.model_validate(folder.result())

    root, rng = tmp_path / "killed", random.Random(1)
    folder = RunFolder.create(root, "opt2i", config)
    votes = votes_on(unbroken, folder.id)
    assert len(votes) >= 2 * prompts
    at, acknowledged = root / ".store" / "votes.sqlite", root / "acknowledged"
    cast_ = (str(at), [vote.model_dump_json() for vote in votes], str(acknowledged))
    kills = voters = 0
    over: dict[str, bool] = {"run": False, "votes": False}
    while not all(over.values()):
        working = {}
        if not over["run"]:
            boundary = rng.randint(1, longest)
            working["run"] = processes.Process(target=run, args=(str(root), folder.id, boundary))
        if not over["votes"]:
            working["votes"] = processes.Process(target=cast, args=(*cast_, rng.randint(1, 12)))
        for process in working.values():
            process.start()
        for name, process in working.items():
            code = ended(process)
            assert code in (0, -signal.SIGKILL), f"{name} ended with {code}"
            over[name] = code == 0
            kills += name == "run" and code != 0
            voters += name == "votes" and code != 0
        if acknowledged.exists():
            assert set(acknowledged.read_text(encoding="utf-8").split()) <= {vote.id for vote in Votes(at).of()}

    killed = Opt2iResult.model_validate(folder.result())
    assert killed.tasks == unbroken.tasks and killed.cost.images == unbroken.cost.images
    with Store(root / ".store", run_id=folder.id) as store:
        assert store.ledger.paid_twice() == [] and store.ledger.failures() == []
        counts = store.ledger._rows.select("SELECT COUNT(*), COUNT(DISTINCT key) FROM uses WHERE paid = 1")
        finished = store.ledger._rows.select("SELECT COUNT(*) FROM results")
        assert counts == [(finished[0][0],) * 2], "each finished call was paid once, over all processes"
    kept = Votes(at).of()
    assert sorted(vote.id for vote in kept) == sorted(vote.id for vote in votes)
    assert all(ballot_of(folder.id, task, kept).void == [] for task in killed.tasks)
    return kills, voters


def test_killed_at_write_boundaries_while_people_vote(processes: Any, tmp_path: Path) -> None:
    kills, voters = killed_again_and_again(processes, tmp_path, prompts=1, longest=60)
    assert kills >= 3 and voters >= 1


@pytest.mark.slow
def test_eight_prompts_killed_at_write_boundaries_while_people_vote(processes: Any, tmp_path: Path) -> None:
    kills, voters = killed_again_and_again(processes, tmp_path, prompts=8, longest=300)
    print(f"{kills} kills of the run, {voters} of the voter")
    assert kills >= 8 and voters >= 8
