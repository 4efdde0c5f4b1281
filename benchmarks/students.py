"""Fine-tuning a LoRA student (135M parameters unless told otherwise) on 200 rows for 3 epochs, beside a plain transformers Trainer with the same settings.

Each way runs in a process of its own, in turn, so that neither warms the machine up for the other and each peak of memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.records import Row
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.data import per_class, read_rows
from inloop.tools.students import LoraStudent, open_student
from inloop.tools.tasks import Classification

from .figures import Figure, Options

__all__ = ["measure"]

_ROWS, _EPOCHS, _BATCH = 200, 3, 16


def measure(options: Options) -> list[Figure]:
    """Seconds a step of both ways, their ratio, the peak of memory, and texts answered a second."""
    _rows()
    student = options.student or "local"
    told: dict[str, list[dict[str, float]]] = {"ours": [], "plain": []}
    for _ in range(max(1, options.repeats // 3)):
        for way in told:
            command = [
                sys.executable,
                "-m",
                f"{__package__}.students",
                way,
                student,
                "--device",
                options.device,
            ]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
            if done.returncode:
                raise PrerequisiteError(f"the {way} training failed", remedy="see its message above.")
            told[way].append(json.loads(done.stdout.splitlines()[-1]))
    ours, plain = told["ours"], told["plain"]
    note = f"{student}, LoRA rank 16 on all linear layers, {_ROWS} rows x {_EPOCHS} epochs, batch {_BATCH}"
    ratios = [a["step"] / b["step"] for a, b in zip(ours, plain, strict=True)]
    return [
        Figure.of("a step, our student", [run["step"] for run in ours], "s", note),
        Figure.of("a step, plain Trainer", [run["step"] for run in plain], "s"),
        Figure.of("a step, ours over plain", ratios, "x"),
        Figure.of("peak memory, our student", [run["memory"] for run in ours], "GB"),
        Figure.of("peak memory, plain Trainer", [run["memory"] for run in plain], "GB"),
        Figure.of("answers", [run["answers"] for run in ours], "texts/s", "64 unseen texts"),
        Figure.of("answers with label probabilities", [run["scored"] for run in ours], "texts/s"),
    ]


def _rows() -> list[Row]:
    data = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[2] / "shared" / "data")) / "llm2llm" / "snips"
    if not data.is_dir():
        raise PrerequisiteError(
            f"SNIPS is not in {data}", remedy="set INLOOP_DATA to the folder that holds llm2llm/snips."
        )
    rows = per_class(read_rows(data / "train.jsonl"), 40, seed=0)
    return random.Random(0).sample(rows, len(rows))


def _student(spec: str, device: str, store: Store) -> tuple[LoraStudent, list[Row]]:
    rows = _rows()
    student = open_student(
        f"{spec}?epochs={_EPOCHS}&batch={_BATCH}", Classification.of(rows), Settings.load(device=device), store
    )
    assert isinstance(student, LoraStudent)
    return student, rows


def _ours(spec: str, device: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        student, rows = _student(spec, device, store)

        async def run() -> dict[str, float]:
            training = await student.fit(rows[:_ROWS], seed=0)
            assert training.seconds is not None
            step, memory = training.seconds / training.steps, _memory()
            await student.predict([rows[-1].text])  # loads the weights
            found = {"step": step, "memory": memory}
            for name, scores in (("answers", False), ("scored", True)):
                started = time.perf_counter()
                said = await student.predict([row.text for row in rows[_ROWS : _ROWS + 64]], scores=scores)
                found[name] = len(said) / (time.perf_counter() - started)
            return found

        return asyncio.run(run())


def _plain(spec: str, device: str) -> dict[str, float]:
    """What a user would write: the same examples, padded by transformers' collator, and the model's own loss."""
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments, set_seed

    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        student, rows = _student(spec, device, store)
        set_seed(0)
        examples: Any = [student._example(row) for row in rows[:_ROWS]]
        tokenizer = student.tokenizer
        tokenizer.pad_token_id = tokenizer.pad_token_id or tokenizer.eos_token_id
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=_EPOCHS,
            per_device_train_batch_size=_BATCH,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=device == "cpu",
        )
        collate = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100)
        trainer = Trainer(model=student._fresh_net(), args=arguments, train_dataset=examples, data_collator=collate)
        started = time.perf_counter()
        result = trainer.train()
        return {"step": (time.perf_counter() - started) / result.global_step, "memory": _memory()}


def _memory() -> float:
    """The most memory so far, in GB: of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.students")
    parser.add_argument("way", choices=("ours", "plain"))
    parser.add_argument("student", nargs="?", default="local")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    print(json.dumps({"ours": _ours, "plain": _plain}[given.way](given.student, given.device)))
