"""Each switch of a search beside the plain search, prompt by prompt, for the same number of pictures.

Each goes on until it has painted what `--iterations` rounds of 5 new rewrites on 4 seeds would be (it ends with the round that passes the
mark, or as soon as every question is answered rightly), the plain search too: rewrites that were tried before are not painted again. The
gain is that of DSG on 8 seeds that nothing was chosen on, of the best prompt found whether confirmed or not. Abandonment and the plain
search are run once more for the same rounds: there their winners must be the same, and what is counted are the pictures that are saved.

Each search is kept in `search-cases.jsonl` as soon as it has ended, and is not run again: a measurement that was killed goes on, and
`--prompts` can grow. All searches share one call ledger; a picture that another switch paid for counts all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import inloop
from inloop.evaluators.stats import estimate
from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings

from .figures import Figure, Options

_LOOSE = Path(__file__).parent.parent / "examples" / "prompts" / "loose.txt"
_CANDIDATES, _SEEDS, _HELD_OUT, _MOST_ROUNDS = 5, 4, 8, 30
PLAIN, PLAIN_ROUNDS, SAME_ROUNDS = "plain", "plain, same rounds", "race abandon, same rounds"
SWITCHES: Mapping[str, dict[str, Any]] = {
    PLAIN: {},
    PLAIN_ROUNDS: {},
    SAME_ROUNDS: {"race": "abandon"},
    "race abandon": {"race": "abandon"},
    "race halve": {"race": "halve", "candidates": 2 * _CANDIDATES},
    "keep front": {"keep": "front"},
    "diverse": {"diverse": 3},
    "parallel": {"parallel": 2},
    "restart": {"restart": 2},
    "crossover": {"crossover": True},
}


def measure(options: Options) -> list[Figure]:
    """By switch: gain on unseen seeds, gain over the plain search, pictures; of abandonment the winners and what it saves."""
    prompts = [line for line in _LOOSE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    cases = _Cases(options)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SWITCHES}
    refused: dict[str, str] = {}
    for prompt in prompts[: options.prompts]:
        for name in SWITCHES:
            if name in refused:
                continue
            try:
                found[name].append(cases.of(name, prompt))
            except BadInput as error:
                refused[name] = str(error)
    return [*_figures(found), *(_left_out(name, why) for name, why in refused.items())]


class _Cases:
    """The searches that have ended, by switch, prompt and what else they depend on."""

    def __init__(self, options: Options) -> None:
        self.options, self.path = options, options.out / "search-cases.jsonl"
        self.settings = Settings.load(runs_dir=options.out / "search", device=options.device)
        options.out.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        self.kept = {json.dumps(case["key"]): case for case in map(_read, lines) if case}

    def of(self, name: str, prompt: str) -> dict[str, Any]:
        """The case of a switch and a prompt: kept, or run now."""
        options = self.options
        models = {"llm": options.llm, "images": options.images, "vqa": options.vqa, "clip": options.clip}
        key = [name, prompt, options.iterations, models]
        if (case := self.kept.get(json.dumps(key))) is not None:
            return case
        exact = name in (PLAIN_ROUNDS, SAME_ROUNDS)
        mark = _SEEDS * (1 + options.iterations * _CANDIDATES)
        asked = {"candidates": _CANDIDATES, **SWITCHES[name], **models}
        asked |= (
            {"iterations": options.iterations} if exact else {"iterations": _MOST_ROUNDS, "budget": f"images={mark}"}
        )
        result = inloop.opt2i(
            prompt, settings=self.settings, images_per_prompt=_SEEDS, heldout_seeds=_HELD_OUT, baselines=False, **asked
        )
        [task] = result.tasks
        user, best = task.heldout["user"].scores["dsg"], task.heldout["best"].scores["dsg"]
        case = {
            "key": key,
            "gain": None if user is None or best is None else 100 * (best - user),
            "confirmed": task.accepted,
            "best": task.best_text,
            "rounds": task.iterations,
            "rewrites": len(task.trials) - 1,
            "images": sum(len(trial.images) for trial in task.trials),
            "stop": task.stop,
        }
        self.kept[json.dumps(key)] = case
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(case) + "\n")
        return case


def _read(line: str) -> dict[str, Any] | None:
    try:
        case: dict[str, Any] = json.loads(line)
    except ValueError:  # what was being written when it was killed
        return None
    return case


def _figures(found: Mapping[str, Sequence[dict[str, Any]]]) -> list[Figure]:
    figures, plain = [], found[PLAIN]
    for name, cases in found.items():
        if not cases or name in (PLAIN_ROUNDS, SAME_ROUNDS):
            continue
        tried = f"{sum(case['images'] for case in cases)} pictures, {sum(case['rewrites'] for case in cases)} rewrites"
        confirmed = f"{sum(case['confirmed'] for case in cases)} of {len(cases)} confirmed"
        figures.append(_mean(f"{name}: gain", [case["gain"] for case in cases], f"{confirmed}; {tried}"))
        if name != PLAIN:
            pairs = zip(cases, plain, strict=True)
            over = [None if a["gain"] is None or b["gain"] is None else a["gain"] - b["gain"] for a, b in pairs]
            figures.append(_mean(f"{name}: gain over plain", over, "paired by prompt"))
    same, rounds = found[SAME_ROUNDS], found[PLAIN_ROUNDS]
    if same:
        equal = [a["best"] == b["best"] for a, b in zip(same, rounds, strict=True)]
        figures.append(Figure.share("race abandon: the same winner in the same rounds", equal))
        left, of = (sum(case["images"] - _SEEDS for case in cases) for cases in (same, rounds))
        saved = 100 * (1 - left / of) if of else 0.0
        figures.append(
            Figure(name="race abandon: pictures of rewrites saved", value=saved, unit="%", note=f"{left} for {of}")
        )
    return figures


def _mean(name: str, values: Sequence[float | None], note: str) -> Figure:
    points = estimate(values)
    low, high = points.ci or (None, None)
    value = float("nan") if points.value is None else points.value
    return Figure(name=name, value=value, unit="points", low=low, high=high, note=f"{points.n} prompts; {note}")


def _left_out(name: str, why: str) -> Figure:
    return Figure(name=f"{name}: not measured", value=0, unit="", note=why)
