"""The training loop: what a kill leaves, what the parts of a batch add up to, what it reports, and how it ends early."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from inloop.runtime.errors import Interrupted, PrerequisiteError
from inloop.tools.training import Checkpoint, Progress, TrainingLoop, WeightAverage
from inloop.tools.training.randomness import seeded

pytestmark = pytest.mark.trains

STEPS, EPOCH = 12, 4


def network() -> torch.nn.Module:
    with seeded(5):
        return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.3), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def rows(step: int, count: int = 8) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(step))


def error(model: torch.nn.Module, seen: torch.Tensor) -> torch.Tensor:
    return (model(seen)[:, 0] - seen.sum(1)).square().mean()


def loop(model: torch.nn.Module, **more: Any) -> TrainingLoop[torch.nn.Module, torch.Tensor]:
    given = {"loss": error, "batches": lambda step: [rows(step)], "steps": STEPS, "epoch": EPOCH, "precision": "no"}
    optimizer = torch.optim.AdamW((value for value in model.parameters() if value.requires_grad), lr=0.02)
    return TrainingLoop(model=model, optimizer=optimizer, **{**given, **more})


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch, test_loop
from inloop.tools.training import Checkpoint, WeightAverage, checkpoint
checkpoint._PAUSE = 0.0
where = sys.argv[3]

def error(model, seen):
    error.steps += 1
    if where == "step" and error.steps == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return test_loop.error(model, seen)

error.steps = 0
save = torch.save

def save_half(state, file):
    if where == "checkpoint" and state["step"] == 6:
        file.write(b"PK" * 50)
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(state, file)

torch.save = save_half
model = test_loop.network()
test_loop.loop(
    model, loss=error, average=WeightAverage(model), checkpoint=Checkpoint(path=Path(sys.argv[2]), key="k")
).run()
"""


@pytest.mark.parametrize(("where", "step"), [("step", 6), ("checkpoint", 5)])
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(where: str, step: int, tmp_path: Path) -> None:
    """Killed by SIGKILL within a step, or half through the writing of a checkpoint; with dropout and averaged weights."""
    path = tmp_path / "work" / "checkpoint.pt"
    threads = str(torch.get_num_threads())
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(path), where]
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    told: list[Progress] = []
    broken = network()
    average = WeightAverage(broken)
    checkpoint = Checkpoint(path=path, key="k")
    resumed = loop(broken, average=average, checkpoint=checkpoint, progress=told.append).run()
    assert str(told[0]) == f"goes on from step {step}/{STEPS}"
    whole = network()
    other = WeightAverage(whole)
    outcome = loop(whole, average=other).run()
    assert same(broken, whole) and resumed.losses == outcome.losses and resumed.steps == STEPS
    average.put_in()
    other.put_in()
    assert same(broken, whole)
    checkpoint.remove()
    assert list(path.parent.iterdir()) == []


def test_a_finished_training_is_read_from_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(path=tmp_path / "checkpoint.pt", key="one")
    whole, again, other = network(), network(), network()
    outcome = loop(whole, checkpoint=checkpoint).run()

    def never(model: torch.nn.Module, seen: torch.Tensor) -> torch.Tensor:
        raise AssertionError("nothing is left to train")

    assert loop(again, loss=never, checkpoint=checkpoint).run().losses == outcome.losses and same(again, whole)
    # the checkpoint of another training is none of ours
    told: list[Progress] = []
    loop(other, checkpoint=Checkpoint(path=checkpoint.path, key="two"), progress=told.append).run()
    assert told[0].loss is not None and same(other, whole)
    checkpoint.path.write_bytes(b"PK" * 50)
    with pytest.raises(PrerequisiteError, match=r"checkpoint\.pt' cannot be read.*\n.*delete it"):
        loop(network(), checkpoint=checkpoint).run()


def test_the_parts_of_a_batch_add_up_to_the_batch() -> None:
    plain, parted = network().eval(), network().eval()
    for model in (plain, parted):
        model[1].p = 0.0  # type: ignore[index,union-attr]
    losses = loop(plain).run().losses
    in_parts = loop(parted, batches=lambda step: list(rows(step).split(2))).run().losses
    assert in_parts == pytest.approx(losses, rel=1e-4)
    for one, other in zip(plain.parameters(), parted.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_it_learns_and_tells_how_far_it_is() -> None:
    told: list[Progress] = []
    before = torch.get_rng_state()
    model = network()
    outcome = loop(model, steps=150, epoch=40, progress=told.append).run()
    assert [at.step for at in told if at.epoch_ends] == [40, 80, 120, 150]
    assert tuple(at.loss for at in told if at.epoch_ends) == outcome.losses and told[-1].epochs == 4
    assert outcome.losses[-1] < outcome.losses[0] / 2 and not model.training
    assert outcome.parameters == 6 * 8 + 8 + 8 + 1 and outcome.steps == 150
    assert torch.equal(torch.get_rng_state(), before), "the process keeps its random numbers"
    assert str(told[0]) == f"epoch 1/4  loss {outcome.losses[0]:.4f}"


def test_the_rates_follow_the_schedule_and_what_is_frozen_stays(tmp_path: Path) -> None:
    model = network()
    model[0].requires_grad_(False)  # type: ignore[index,operator]
    frozen = model[0].weight.clone()  # type: ignore[index,operator,union-attr]
    rates: list[float] = []

    def schedule(step: int) -> float:
        return (step + 1) / STEPS

    training = loop(model, schedule=schedule, checkpoint=Checkpoint(path=tmp_path / "c.pt"))

    def watched(model: torch.nn.Module, seen: torch.Tensor) -> torch.Tensor:
        rates.append(training.optimizer.param_groups[0]["lr"])
        return error(model, seen)

    training.loss = watched
    training.run()
    assert rates == pytest.approx([0.02 * (step + 1) / STEPS for step in range(STEPS)])
    assert torch.equal(model[0].weight, frozen)  # type: ignore[index,union-attr,arg-type]
    assert set(torch.load(tmp_path / "c.pt", weights_only=True)["model"]) == {"3.weight", "3.bias"}


def test_it_is_cancelled_before_the_next_step_and_goes_on_from_there(tmp_path: Path) -> None:
    stop, steps = threading.Event(), 0
    checkpoint = Checkpoint(path=tmp_path / "checkpoint.pt")

    def until_five(model: torch.nn.Module, seen: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 5:
            stop.set()
        return error(model, seen)

    broken, whole = network(), network()
    with pytest.raises(Interrupted, match="after step 5"):
        loop(broken, loss=until_five, checkpoint=checkpoint, stop=stop).run()
    assert steps == 5
    broken = network()
    loop(broken, checkpoint=checkpoint).run()
    loop(whole).run()
    assert same(broken, whole)


def test_a_loss_that_is_no_number_ends_it_and_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inloop.tools.training.checkpoint._PAUSE", 0.0)

    def broken(model: torch.nn.Module, seen: torch.Tensor) -> torch.Tensor:
        return error(model, seen) * (math.nan if torch.equal(seen, rows(2)) else 1.0)

    checkpoint = Checkpoint(path=tmp_path / "checkpoint.pt")
    with pytest.raises(PrerequisiteError, match="loss of step 3 is nan"):
        loop(network(), loss=broken, checkpoint=checkpoint).run()
    held = checkpoint.read()
    assert held is not None and held["step"] == 2


def test_trainings_in_threads_take_turns() -> None:
    models = [network() for _ in range(3)]
    threads = [threading.Thread(target=loop(model).run) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    whole = network()
    loop(whole).run()
    assert all(same(model, whole) for model in models)


def test_half_precision_is_close_to_full() -> None:
    """bfloat16 on the CPU, whether it is fast here or not: a share of the loss, not its digits."""
    full, half = network(), network()
    losses = loop(full, steps=100, epoch=50).run().losses
    in_half = loop(half, steps=100, epoch=50, precision="bf16").run().losses
    assert in_half != losses and in_half == pytest.approx(losses, rel=0.2)
    assert all(value.dtype == torch.float32 for value in half.parameters())
