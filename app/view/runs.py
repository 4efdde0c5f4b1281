"""What the page shows of runs, as JSON: which there are, their searches, the pictures of one, and what a run asks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...graphs.opt2i import Ballot, Opt2iTask, Trial, ballot_of, evaluator_name, followed
from ...runtime.errors import BadInput
from ...runtime.folder import RunFolder, list_runs
from ...runtime.session import Questions
from ...runtime.settings import Settings
from ...runtime.store import StoreLocation, Votes
from ..cli import points, signed
from ..opt2i import stop_words, verdict_words

__all__ = ["Runs"]

_ID = re.compile(r"[a-z0-9_]+-[a-z0-9-]+")
_LINES = 12


class Runs:
    """The runs in `runs_dir`. Ids come from addresses: they are looked up, never made a path of as they are."""

    def __init__(self, runs_dir: Path, settings: Settings) -> None:
        self.runs_dir, self._settings = Path(runs_dir), settings
        self._stores: dict[str, StoreLocation] = {}

    def listed(self) -> list[dict[str, Any]]:
        """All runs, the newest first."""
        found = []
        for info in reversed(list_runs(self.runs_dir)):
            found.append(
                {"id": info.id, "loop": info.loop, "created": info.created, "state": info.state, "note": info.note}
                | {"about": list(info.about[:3]), "count": len(info.about)}
            )
        return found

    def folder(self, id: str) -> RunFolder:
        """The folder of a run; `BadInput` where there is none."""
        if not _ID.fullmatch(id) or not (self.runs_dir / id / "config.json").is_file():
            raise BadInput(f"there is no run {id!r:.80}.")
        return RunFolder.open(self.runs_dir, (self.runs_dir / id).resolve())

    def store(self, folder: RunFolder) -> StoreLocation:
        """Where the pictures and votes of a run are."""
        if folder.id not in self._stores or not folder.finished:
            self._stores[folder.id] = folder.store_of(self._settings)
        return self._stores[folder.id]

    def votes(self, folder: RunFolder) -> Votes:
        """The votes of the run's store."""
        return self.store(folder).votes()

    def questions(self, folder: RunFolder) -> Questions:
        """What the run asks, in the store that it works with."""
        settings = self._settings.model_copy(update={"runs_dir": self.runs_dir})
        return Questions(StoreLocation.named_by(folder.with_its_store(settings)), folder.id)

    def stamp(self, id: str) -> str:
        """What changes whenever there is something new to see of a run."""
        folder = self.folder(id)
        watched = [folder.path / name for name in ("events.jsonl", "result.json")]
        sizes = [(path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else (0, 0) for path in watched]
        return f"{_state(folder)} {sizes} {self.votes(folder).newest()} {self.questions(folder).stamp()}"

    def run(self, id: str) -> dict[str, Any]:
        """One run: its searches in a line each, what it asks, and the last lines of what happened."""
        folder = self.folder(id)
        tasks = followed(folder) if folder.loop == "opt2i" else ()
        return {
            "id": folder.id,
            "loop": folder.loop,
            "created": folder.created,
            "state": _state(folder),
            "resume": folder.resume_command,
            "report": folder.report_path.is_file(),
            "expected": len(folder.about),
            "tasks": [_summary(task, folder.finished) for task in tasks],
            "questions": [pending.model_dump(mode="json") for pending in self.questions(folder).waiting()],
            "lines": [_line(event) for event in folder.events()[-_LINES:]],
        }

    def task(self, id: str, task: str) -> dict[str, Any]:
        """One search: its prompts with their pictures and scores, and what judge and people say together."""
        folder = self.folder(id)
        found = self._task(folder, task)
        ballot = ballot_of(folder.id, found, self.votes(folder).of(text=found.text))
        return _summary(found, folder.finished) | {
            "run": folder.id,
            "trials": [_trial(trial, found) for trial in found.trials],
            "votes": _said(ballot),
        }

    def ballot(self, id: str, task: str) -> Ballot:
        """The votes on a search."""
        folder = self.folder(id)
        found = self._task(folder, task)
        return ballot_of(folder.id, found, self.votes(folder).of(text=found.text))

    def picture(self, id: str, sha: str) -> bytes:
        """The bytes of a picture of a run; `PrerequisiteError` where they are gone or altered."""
        return self.store(self.folder(id)).open_blobs().get(sha)

    def _task(self, folder: RunFolder, task: str) -> Opt2iTask:
        tasks = {each.id: each for each in followed(folder)} if folder.loop == "opt2i" else {}
        if task not in tasks:
            raise BadInput(f"the run {folder.id!r} has no search {task!r:.40} yet.")
        return tasks[task]


def _state(folder: RunFolder) -> str:
    return "finished" if folder.finished else "running" if folder.locked else "stopped"


def _summary(task: Opt2iTask, finished: bool) -> dict[str, Any]:
    user, best = task.user_trial, task.best_trial
    before, after = (None if trial is None else trial.objective for trial in (user, best))
    change = None if before is None or after is None else 100 * (after - before)
    state = ("accepted" if task.accepted else "not accepted") if finished else "working"
    return {
        "id": task.id,
        "text": task.text,
        "best": task.best_text,
        "bestId": task.best,
        "chosen": task.chosen if finished else "",
        "state": state,
        "verdict": verdict_words(task)[0] if finished else "",
        "stop": stop_words(task.stop) if task.stop else "",
        "iterations": task.iterations,
        "count": len(task.trials),
        "before": points(before),
        "after": points(after),
        "change": signed(change) if task.best_text != task.text else "",
        "pictures": [trial.images[0].image.sha256 for trial in (user, best) if trial is not None and trial.images],
    }


def _trial(trial: Trial, task: Opt2iTask) -> dict[str, Any]:
    parts = next(iter(trial.parts.values()), ())
    held = [shot for each in task.heldout.values() if each.text == trial.text for shot in each.images]
    return {
        "id": trial.id,
        "iteration": trial.iteration,
        "text": trial.text,
        "score": points(trial.objective),
        "scores": [[evaluator_name(name), points(value)] for name, value in trial.scores.items()],
        "parts": [[part.name, points(part.value)] for part in parts],
        "note": trial.note,
        "best": trial.id == task.best,
        "pictures": [
            {
                "seed": shot.seed,
                "picture": shot.image.sha256,
                "score": points(next((score.value for score in shot.scores.values()), None)),
                "unseen": unseen,
            }
            for unseen, shots in ((False, trial.images), (True, held))
            for shot in shots
        ],
    }


def _said(ballot: Ballot) -> dict[str, Any]:
    said = ballot.said() if ballot.votes and len(ballot.trials) > 1 else None
    void = [{"who": vote.who, "left": vote.left.candidate, "right": vote.right.candidate} for vote in ballot.void]
    if said is None:
        return {"counted": len(ballot.votes), "void": void, "possible": len(ballot.trials) > 1}
    return {
        "counted": said.counted,
        "void": void,
        "possible": True,
        "people": list(said.people),
        "chosen": said.chosen,
        "probability": round(100 * said.probability),
        "sure": said.sure,
        "agreement": {
            evaluator_name(name): [
                None if each.share.value is None else round(100 * each.share.value),
                None if each.share.ci is None else [round(100 * end) for end in each.share.ci],
                each.answers,
            ]
            for name, each in said.agreement.items()
        },
        "standings": [[said.texts[each.item], round(100 * each.best)] for each in said.standings],
        "reliabilities": [
            [each.rater.removeprefix("people: "), round(100 * each.value), [round(100 * end) for end in each.ci]]
            for each in said.reliabilities
        ],
    }


def _line(event: dict[str, Any]) -> str:
    known = {
        "trial": lambda: f"{event['trial']['id']} {points(event['trial']['objective'])}: {event['trial']['text']}",
        "iteration": lambda: f"round {event['iteration']}: best {points(event['objective'])}",
    }
    kind = str(event.get("event", ""))
    try:
        return known[kind]()
    except (KeyError, TypeError):
        return " ".join(filter(None, (kind.replace("_", " "), str(event.get("task", "")), str(event.get("text", "")))))
