"""From files to the parts of an experiment: seeds to learn from, dev to choose by, test to look at once, a pool of real rows.

The parts never share a text. Where they would, test wins over dev, dev over seeds, seeds over the pool, and a note says how many rows
were dropped. Another `repeat` draws other seeds; the test rows stay the same. Rows are learned from only where they say one thing: of
texts that come with several labels none is kept. What is measured on is left as it is, whatever labels it holds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.records import Row
from ...tools.data import drop_overlaps, per_class, read_rows, text_key
from ...tools.tasks import Classification, NoAnswer, Task, open_task, slip_of
from .config import Llm2LlmConfig
from .state import data_sha256

__all__ = ["Parts", "Source", "open_source"]

_DEV_SHARE = 0.2
_LEAST = 2


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The rows of one repeat; no text is in two of them. `pool`: what is left of the training file, or the oracle's own file."""

    seeds: tuple[Row, ...]
    dev: tuple[Row, ...]
    test: tuple[Row, ...]
    pool: tuple[Row, ...]

    @property
    def seeds_sha256(self) -> str:
        """Names the draw of the seeds."""
        return data_sha256(self.seeds)


class Source:
    """The files of an experiment, read and checked once.

    Args:
        train, test, dev, pool: files of rows (see `tools.data.rows`); `text` and `label` name their columns.
        task: as `tools.tasks.open_task` takes it, with its `options`.
        seeds_per_class: rows of each class to learn from (for open answers: rows in all); None takes the whole training file. A class
            with fewer gives all that it has.
        dev_per_class: likewise for dev, from the rest of the training file; 0 for no dev rows; None: half as many as seeds,
            or a fifth of the training file where all of it is used.

    Raises:
        BadInput: a file that cannot be used, labels that look like slips, one class only, or no class with enough rows.
    """

    def __init__(
        self,
        *,
        train: Path,
        test: Path | None = None,
        dev: Path | None = None,
        pool: Path | None = None,
        task: str = "classification",
        options: dict[str, Any] | None = None,
        text: str | None = None,
        label: str | None = None,
        seeds_per_class: int | None = None,
        dev_per_class: int | None = None,
    ) -> None:
        notes: list[str] = []

        def read(path: Path | None) -> list[Row]:
            return [] if path is None else read_rows(path, text=text, label=label, note=notes.append)

        for name, count in (("seeds-per-class", seeds_per_class), ("dev-per-class", dev_per_class)):
            if count is not None and count < (0 if name.startswith("dev") else 1):
                raise BadInput(f"--{name} {count!r} cannot be used: give 1 or more.")
        raw = {"train": read(train), "test": read(test), "dev": read(dev), "pool": read(pool)}
        self.notes = list(dict.fromkeys(notes))
        self._unlearned: set[str] = set()  # labels that only the rows to measure on have
        self.task: Task = open_task(task, rows=raw["train"], **(options or {}))
        if isinstance(self.task, Classification) and not (options or {}).get("labels"):
            self.task = self._widened(self.task, raw)
        self.seeds_per_class, self.dev_per_class = seeds_per_class, dev_per_class
        self._test = self._in_form(raw["test"], "test")
        self._dev = self._drop(self._in_form(raw["dev"], "dev"), "dev", self._test)
        self._train = self._drop(self._in_form(raw["train"], "training"), "training", self._test, self._dev)
        self.task.check(self._train)
        self._has_pool = pool is not None
        self._pool = self._in_form(self._known(raw["pool"]), "pool")
        self._say_of_classes()

    def parts(self, seed: int) -> Parts:
        """The rows that are drawn by `seed`."""
        seeds, rest = self._train, list[Row]()
        if self.seeds_per_class is not None:
            seeds = self._draw(self._train, self.seeds_per_class, seed, "seeds")
            rest = _without(self._train, seeds)
        dev = self._dev
        if not dev and self.dev_per_class != 0:
            if rest:
                wanted = self.dev_per_class or max(_LEAST, (self.seeds_per_class or 0) // 2)
                dev = self._draw(rest, wanted, seed + 1_000_003, "dev")
                rest = _without(rest, dev)
            else:
                dev = self._share(seeds, seed)
                seeds = _without(seeds, dev)
        pool = self._pool if self._has_pool else rest
        kept, _ = drop_overlaps(pool, seeds, dev, self._test)
        return Parts(seeds=tuple(seeds), dev=tuple(dev), test=tuple(self._test), pool=tuple(kept))

    def _in_form(self, rows: Sequence[Row], name: str) -> list[Row]:
        made = []
        for row in rows:
            try:
                made.append(self.task.row(row.id, row.text, row.label, **row.meta))
            except BadInput as error:
                raise BadInput(f"the {name} rows: {error}") from None
        labels: dict[str, list[str]] = {}
        for row in made:
            labels.setdefault(text_key(row.text), []).append(row.label)
        torn = [row for row in made if len(set(labels[text_key(row.text)])) > 1]
        if torn:
            both = " and ".join(repr(label) for label in dict.fromkeys(labels[text_key(torn[0].text)]))
            become = "not all of them can be got right" if name == "test" else "they were dropped"
            self.notes.append(
                f"{len(torn)} {name} rows have the text of a row with another label, such as {torn[0].text[:80]!r} ({both}): {become}"
            )
        if name == "test":
            return made
        unique: dict[str, Row] = {}
        for row in made:
            if len(set(labels[text_key(row.text)])) == 1:
                unique.setdefault(text_key(row.text), row)
        if len(unique) < len(made) - len(torn):
            self.notes.append(
                f"{len(made) - len(torn) - len(unique)} {name} rows repeat another row's text and were dropped"
            )
        return list(unique.values())

    def _widened(self, task: Classification, raw: dict[str, list[Row]]) -> Classification:
        """With the labels that only the rows to measure on have: they cannot be learned, and their rows count as wrong."""
        counts = Counter(row.label for row in raw["train"])
        new = self._unlearned
        for name in ("test", "dev"):
            unknown = Counter(row.label for row in raw[name] if not _is_label(task, row.label))
            real = [label for label, count in unknown.items() if not slip_of(label, count, counts)]
            count = sum(unknown[label] for label in real)
            if count and count == len(raw[name]):
                raise BadInput(
                    f"the {name} rows: none has a label of the training rows; theirs are {', '.join(map(repr, sorted(real)[:5]))}, those"
                    f" of the training rows {', '.join(map(repr, task.labels[:5]))}. Give files of one task."
                )
            if count:
                named = ", ".join(map(repr, sorted(real)[:5])) + (", ..." if len(real) > 5 else "")
                self.notes.append(
                    f"{count} {name} rows have labels that no training row has ({named}): what cannot be learned counts as wrong"
                )
            new.update(real)
        return task.model_copy(update={"labels": tuple(sorted({*task.labels, *new}))}) if new else task

    def _known(self, pool: list[Row]) -> list[Row]:
        """The rows of the oracle's file with labels that can be asked for."""
        if not isinstance(self.task, Classification):
            return pool
        known = [row for row in pool if _is_label(self.task, row.label)]
        if len(known) < len(pool):
            self.notes.append(
                f"{len(pool) - len(known)} pool rows have labels that no training row has and were dropped"
            )
        return known

    def _say_of_classes(self) -> None:
        """Note what classes cannot give the seeds that are asked for; an error where none can."""
        wanted = self.seeds_per_class
        if wanted is None or not self.task.classes:
            return
        have = Counter(row.label for row in self._train)
        largest = max(have, key=lambda label: have[label])
        if have[largest] < wanted:
            raise BadInput(
                f"no class has the {wanted} rows that are asked for (--seeds-per-class): the largest, {largest!r}, has {have[largest]}."
            )
        learned = [label for label in self.task.classes if label not in self._unlearned]
        few = [f"{label!r} ({have[label]})" for label in learned if have[label] < wanted]
        if few:
            self.notes.append(
                f"{len(few)} of {len(learned)} classes have fewer than {wanted} training rows, and give all they have:"
                f" {', '.join(few[:5])}{', ...' if len(few) > 5 else ''}"
            )

    def _drop(self, rows: list[Row], name: str, *others: Sequence[Row]) -> list[Row]:
        kept, dropped = drop_overlaps(rows, *others)
        if dropped:
            self.notes.append(f"{len(dropped)} {name} rows have the text of a test or dev row and were dropped")
        if rows and not kept:
            raise BadInput(f"every {name} row has the text of a test or dev row: the files must not share their rows.")
        return kept

    def _draw(self, rows: Sequence[Row], count: int, seed: int, name: str) -> list[Row]:
        if self.task.classes:
            return per_class(rows, count, seed, fewer=True)
        if count > len(rows):
            raise BadInput(f"{count} {name} are asked for, and there are {len(rows)} rows.")
        chosen = {row.id for row in random.Random(f"{seed}/{name}").sample(list(rows), count)}
        return [row for row in rows if row.id in chosen]

    def _share(self, rows: Sequence[Row], seed: int) -> list[Row]:
        """A share of the rows, of each class where there are classes; a class of two rows or fewer gives none away."""
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.label if self.task.classes else "", []).append(row)
        chosen: set[str] = set()
        for label, members in sorted(groups.items()):
            count = self.dev_per_class or round(_DEV_SHARE * len(members))
            count = min(max(1, count), len(members) - _LEAST)
            if count > 0:
                chosen |= {row.id for row in random.Random(f"{seed}/dev/{label}").sample(members, count)}
        return [row for row in rows if row.id in chosen]


def open_source(config: Llm2LlmConfig) -> Source:
    """The files of a run, checked.

    Raises:
        BadInput: what cannot be used, or files that are not what they were when the run began.
    """
    paths = {role: Path(path) for role, path in config.paths.items()}
    source = Source(
        train=Path(config.train), test=paths.get("test"), dev=paths.get("dev"), pool=paths.get("pool"), task=config.task,
        options=config.task_options, text=config.text, label=config.label, seeds_per_class=config.seeds_per_class,
        dev_per_class=config.dev_per_class,
    )  # fmt: skip
    if role := config.changed():
        raise BadInput(
            f"the {role} file {config.paths[role]!r} has changed since the run began: restore it, or start a new run."
        )
    return source


def _is_label(task: Task, label: str) -> bool:
    try:
        task.read(label)
    except NoAnswer:
        return False
    return True


def _without(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    taken = {row.id for row in others}
    return [row for row in rows if row.id not in taken]
