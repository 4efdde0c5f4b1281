"""A small real student (naive Bayes over words), rows of a small made-up task, and teachers that misbehave; no test module."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections import Counter
from pathlib import Path

from servers import completion

from inloop.agents.rows.teacher import Draft, Written
from inloop.runtime.records import Prediction, Row, Training
from inloop.tools.students.base import check_lengths

THINGS = {
    "music": ("play", "song album track tune record ballad remix single".split()),
    "weather": ("check", "rain snow wind hail fog frost drizzle heat".split()),
    "dining": ("book", "table seat booth terrace corner spot stool bench".split()),
}
NAMES = "adele bowie coltrane prince ella rome oslo lima cairo perth nobu alinea noma".split()
FILL = "please now today tonight for me again somehow quickly".split()


def made_rows(count: int, seed: int = 0, start: int = 0) -> list[Row]:
    """`count` rows of each class, no two alike; one word in five or six tells the class."""
    rng, rows, seen = random.Random(seed), [], set()
    for label, (verb, things) in THINGS.items():
        made = 0
        while made < count:
            words = [*rng.sample(FILL, 2), rng.choice(things), rng.choice(NAMES)]
            if rng.random() < 0.2:
                words.insert(0, verb)
            text = " ".join(words)
            if text not in seen:
                seen.add(text)
                rows.append(Row(id=str(start + len(rows)), text=text, label=label))
                made += 1
    return rows


def write_rows(path: Path, rows: list[Row]) -> Path:
    """As JSONL with text and label."""
    lines = [json.dumps({"id": row.id, "text": row.text, "label": row.label}) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class WordStudent:
    """Naive Bayes over the words of a text."""

    model = "naive-bayes"

    def __init__(self, labels: tuple[str, ...] = tuple(THINGS)) -> None:
        self.labels = labels
        self.fits: list[int] = []
        self._counts: dict[str, Counter[str]] | None = None
        self._key = ""

    @property
    def revision(self) -> str:
        return f"1+{self._key}" if self._key else "1"

    @property
    def fitted(self) -> bool:
        return self._counts is not None

    def check(self, rows):
        check_lengths(self, rows)
        return list(rows)

    def too_long(self, row):
        words = len(row.text.split())
        return f"{words} words, and 60 are read" if words > 60 else ""

    async def fit(self, rows, seed):
        self._counts = {label: Counter() for label in self.labels}
        for row in rows:
            self._counts[row.label].update(row.text.lower().split())
        self._key = hashlib.sha256(repr([(row.text, row.label) for row in rows]).encode()).hexdigest()[:8]
        self.fits.append(len(rows))
        return Training(rows=len(rows), seed=seed)

    async def predict(self, texts, *, scores=True):
        return [self._one(text) for text in texts]

    def _one(self, text):
        vocabulary = len({word for counts in self._counts.values() for word in counts}) + 1
        logs = {}
        for label, counts in self._counts.items():
            total = sum(counts.values())
            logs[label] = sum(
                math.log((counts[word] + 0.1) / (total + 0.1 * vocabulary)) for word in text.lower().split()
            )
        top = max(logs.values())
        shares = {label: math.exp(value - top) for label, value in logs.items()}
        scores = {label: value / sum(shares.values()) for label, value in shares.items()}
        return Prediction(text=max(scores, key=lambda label: (scores[label], label)), scores=scores)

    async def aclose(self):
        pass

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "counts.json").write_text(json.dumps(self._counts), encoding="utf-8")

    def load(self, folder):
        loaded = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
        self._counts = {label: Counter(counts) for label, counts in loaded.items()}

    def fresh(self):
        twin = WordStudent(self.labels)
        twin.fits = self.fits
        return twin


def open_word_student(spec, task, settings, store, **rest):
    """In the place of `open_student`."""
    return WordStudent(task.classes)


def teaching(handler, body):
    """A server that writes good rows for what it is asked, the same for the same seed."""
    asked = body["messages"][-1]["content"]
    label = re.search(r"(?:Right answer|Answer): (\w+)", asked)
    count = re.search(r"(?:Write|Generate) (\d+)", asked)
    if label is None or count is None or label[1] not in THINGS:
        handler.json(completion(["hello"] * body.get("n", 1), output_tokens=3))
        return
    rng = random.Random(body.get("seed"))
    rows = [
        {
            "text": " ".join([*rng.sample(FILL, 3), rng.choice(THINGS[label[1]][1]), rng.choice(NAMES)]),
            "label": label[1],
        }
        for _ in range(int(count[1]))
    ]
    handler.json(completion([json.dumps({"rows": rows})], output_tokens=20))


class ScriptedTeacher:
    """Writes what a function of (ask, n, seed) says: (text, label) pairs, or a `Written`."""

    model, revision, source = "scripted", "1", "script"

    def __init__(self, script):
        self.script = script
        self.asked = []

    async def write(self, asks, *, n, seed, taken):
        self.asked += [(ask, n) for ask in asks]
        written = []
        for ask in asks:
            made = self.script(ask, n, seed)
            if not isinstance(made, Written):
                drafts = tuple(Draft(text=text, label=label) for text, label in made)
                made = Written(seed=ask.seed.id, n=n, teacher=self.model, drafts=drafts)
            written.append(made)
        return written
