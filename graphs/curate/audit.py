"""What a removal cost whom: shares of groups beside other ways of removing as many, and sources that vanished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...evaluators.stats import estimate
from ...tools.curation import Pairs, fair_removal, group_similarities, joined, remove_pairs
from .annotations import source
from .config import CurateConfig
from .decisions import Decisions
from .labels import Labelled, probe_accuracies
from .result import Audit, Share, Source

__all__ = ["Before", "Grouped", "audited", "grouped_by"]

_FEW = 3  # pictures of a source whose loss is an alarm


@dataclass(frozen=True)
class Grouped:
    """The groups by `names`; `of` (pictures,): the group of each picture by number, `similarities` (pictures, groups): centred cosines with the words."""

    names: tuple[str, ...]
    of: NDArray[np.int64]
    similarities: NDArray[np.float64]

    def by_place(self) -> dict[int, str]:
        """The group of each picture."""
        return {place: self.names[number] for place, number in enumerate(self.of.tolist())}


def grouped_by(names: tuple[str, ...], vectors: NDArray[np.float32], prototypes: NDArray[np.float32]) -> Grouped:
    """The groups of pictures (pictures, size) by the words that they are most like; `prototypes` (groups, size)."""
    return Grouped(names, (vectors @ prototypes.T).argmax(axis=1), group_similarities(vectors, prototypes))


@dataclass(frozen=True)
class Before:
    """What stood before near copies were looked for: the places of those pictures, the pairs of them by their number in that list, and the threshold."""

    staying: list[int]
    among: Pairs
    threshold: float | None


def audited(
    config: CurateConfig,
    decisions: Decisions,
    vectors: NDArray[np.float32] | None,
    before: Before,
    grouped: Grouped | None,
    known: Labelled,
) -> Audit:
    """The audit; `known`: of the classes."""
    sources = _sources(decisions)
    own = {source(each.path) for each in decisions.looks[: decisions.own]}
    alarms = [
        f"nothing of {each.name!r} stays: all of its {each.before} pictures went ({_reasons(decisions, each.name)})"
        for each in sources
        if each.name in own and each.before >= _FEW and not each.after and len(sources) > 1
    ]
    shares: list[Share] = []
    accuracies: tuple[Share, ...] = ()
    if vectors is not None:
        ways = _ways(config, decisions, vectors, before, grouped)
        if grouped is not None and before.threshold is not None:
            shares = _shares(before, ways, grouped)
        if known.places:
            accuracies = _accuracies(decisions, vectors, before, ways, grouped, known)
    for told, what in ((shares, "the share of"), (accuracies, "the probe's accuracy on")):
        for group in dict.fromkeys(each.group for each in told):
            of = {each.way: each for each in told if each.group == group}
            first, last = of["before"], of["this run"]
            if last.ci is not None and last.ci[1] < first.share:
                name = repr(group) if group else "all"
                alarms.append(
                    f"{what} {name} fell from {first.share:.1%} to {last.share:.1%}, which is more than chance"
                )
    return Audit(shares=tuple(shares), accuracies=accuracies, sources=tuple(sources), alarms=tuple(alarms))


def _sources(decisions: Decisions) -> list[Source]:
    names = list(dict.fromkeys(source(each.path) for each in decisions.looks))
    before = dict.fromkeys(names, 0)
    after = dict(before)
    for place, each in enumerate(decisions.looks):
        before[source(each.path)] += 1
        after[source(each.path)] += not decisions.reasons[place]
    return [Source(name=name, before=before[name], after=after[name]) for name in names]


def _reasons(decisions: Decisions, name: str) -> str:
    found = dict.fromkeys(
        reason
        for each, reason in zip(decisions.looks, decisions.reasons, strict=True)
        if reason and source(each.path) == name
    )
    return ", ".join(found)


def _ways(
    config: CurateConfig, decisions: Decisions, vectors: NDArray[np.float32], before: Before, grouped: Grouped | None
) -> dict[str, NDArray[np.bool_]]:
    """By way of removal, which of those that stood before near copies were looked for stay."""
    places = np.array(before.staying, dtype=np.int64)
    ways = {"before": np.ones(len(places), dtype=bool)}
    if before.threshold is not None:
        crowds = joined(len(places), before.among, before.threshold)
        centre = -(vectors[places] @ vectors[places].mean(axis=0)).astype(np.float64)
        ways["random"] = _random(len(places), len(np.unique(crowds)), config.seed)
        ways["SemDeDup"] = remove_pairs(len(places), before.among, before.threshold, rule="components", priority=centre).kept  # fmt: skip
        if grouped is not None:
            ways["FairDeDup"] = fair_removal(vectors[places], crowds, grouped.similarities[places], "fairdedup").kept
    return {**ways, "this run": np.array([not decisions.reasons[place] for place in before.staying])}


def _shares(before: Before, ways: Mapping[str, NDArray[np.bool_]], grouped: Grouped) -> list[Share]:
    places = np.array(before.staying, dtype=np.int64)
    found = []
    for number, group in enumerate(grouped.names):
        for way, kept in ways.items():
            mine = (grouped.of[places[kept]] == number).astype(float).tolist()
            share = estimate(mine, draws=1000)
            found.append(Share(group=group, way=way, share=share.value or 0.0, ci=share.ci))
    return found


def _accuracies(
    decisions: Decisions, vectors: NDArray[np.float32], before: Before, ways: Mapping[str, NDArray[np.bool_]],
    grouped: Grouped | None, known: Labelled,
) -> tuple[Share, ...]:  # fmt: skip
    kept = {way: np.zeros(len(decisions.looks), dtype=bool) for way in ways}
    for way, stays in ways.items():
        kept[way][np.array(before.staying, dtype=np.int64)[stays]] = True
    labels = joined(len(before.staying), before.among, 2.0 if before.threshold is None else before.threshold)
    crowds = dict(zip(before.staying, labels.tolist(), strict=True))
    return probe_accuracies(known, vectors, kept, {} if grouped is None else grouped.by_place(), crowds)


def _random(count: int, kept: int, seed: int) -> NDArray[np.bool_]:
    """As many as one of each neighbourhood, drawn."""
    found = np.zeros(count, dtype=bool)
    found[np.random.default_rng([seed, 37]).choice(count, size=kept, replace=False)] = True
    return found
