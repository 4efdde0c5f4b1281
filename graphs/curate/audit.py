"""What a removal cost whom: shares of groups beside other ways of removing as many, and sources that vanished."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from ...evaluators.stats import estimate
from ...tools.curation import Pairs, fair_removal, joined, remove_pairs
from .config import CurateConfig
from .decisions import Decisions
from .result import Audit, GroupShare, Source

__all__ = ["audited"]

_FEW = 3  # pictures of a source whose loss is an alarm


def audited(
    config: CurateConfig,
    decisions: Decisions,
    vectors: NDArray[np.float32] | None,
    staying: list[int],
    among: Pairs,
    threshold: float | None,
    groups: NDArray[np.int64] | None,
    fair: NDArray[np.float64] | None,
) -> Audit:
    """The audit. `staying`: the places before near copies went, `among` the pairs of them; `groups`: the group of each picture."""
    sources = _sources(decisions)
    alarms = [
        f"nothing of {source.name!r} stays: all of its {source.before} pictures went ({_reasons(decisions, source.name)})"
        for source in sources
        if source.before >= _FEW and not source.after and len(sources) > 1
    ]
    shares: list[GroupShare] = []
    if groups is not None and vectors is not None and threshold is not None and fair is not None:
        shares = _shares(config, decisions, vectors, staying, among, threshold, groups, fair)
    for group in dict.fromkeys(each.group for each in shares):
        of = {each.way: each for each in shares if each.group == group}
        before, after = of["before"], of["this run"]
        if after.ci is not None and after.ci[1] < before.share:
            alarms.append(
                f"the share of {group!r} fell from {before.share:.1%} to {after.share:.1%}, which is more than chance"
            )
    return Audit(shares=tuple(shares), sources=tuple(sources), alarms=tuple(alarms))


def _source(path: str) -> str:
    parent = str(PurePath(path).parent)
    return "" if parent == "." else parent


def _sources(decisions: Decisions) -> list[Source]:
    names = list(dict.fromkeys(_source(each.path) for each in decisions.looks))
    before = dict.fromkeys(names, 0)
    after = dict(before)
    for place, each in enumerate(decisions.looks):
        before[_source(each.path)] += 1
        after[_source(each.path)] += not decisions.reasons[place]
    return [Source(name=name, before=before[name], after=after[name]) for name in names]


def _reasons(decisions: Decisions, source: str) -> str:
    found = dict.fromkeys(
        reason
        for each, reason in zip(decisions.looks, decisions.reasons, strict=True)
        if reason and _source(each.path) == source
    )
    return ", ".join(found)


def _shares(
    config: CurateConfig,
    decisions: Decisions,
    vectors: NDArray[np.float32],
    staying: list[int],
    among: Pairs,
    threshold: float,
    groups: NDArray[np.int64],
    fair: NDArray[np.float64],
) -> list[GroupShare]:
    """Of those that stood before near copies were looked for, by way of removal."""
    places = np.array(staying, dtype=np.int64)
    labels = joined(len(places), among, threshold)
    centre = vectors[places] @ vectors[places].mean(axis=0)
    ways = {
        "before": np.ones(len(places), dtype=bool),
        "random": _random(len(places), len(np.unique(labels)), config.seed),
        "SemDeDup": remove_pairs(len(places), among, threshold, rule="components", priority=-centre.astype(np.float64)).kept,
        "FairDeDup": fair_removal(vectors[places], labels, fair[places], "fairdedup").kept,
        "this run": np.array([not decisions.reasons[place] for place in staying]),
    }  # fmt: skip
    found = []
    for number, group in enumerate(config.group_names):
        for way, kept in ways.items():
            mine = (groups[places[kept]] == number).astype(float).tolist()
            share = estimate(mine, draws=1000)
            found.append(GroupShare(group=group, way=way, share=share.value or 0.0, ci=share.ci))
    return found


def _random(count: int, kept: int, seed: int) -> NDArray[np.bool_]:
    """As many as one of each neighbourhood, drawn."""
    found = np.zeros(count, dtype=bool)
    found[np.random.default_rng([seed, 37]).choice(count, size=kept, replace=False)] = True
    return found
