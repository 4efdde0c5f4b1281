"""Which pictures stay, with the reason of each that goes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tools.curation import (
    Pairs,
    Planted,
    Removal,
    by_clusters,
    by_samples,
    cluster,
    cluster_count,
    fair_removal,
    group_similarities,
    joined,
    priorities,
    remove_pairs,
)
from ...tools.data import json_lines
from .audit import audited
from .config import CurateConfig
from .context import CurateContext, CurateState, Looked
from .decisions import Decisions
from .found import curve_of, proposed_threshold, threshold_of_share
from .result import CaptionCheck, Cleaned, CuratedRow, PlantedRecall

__all__ = ["chosen"]

_FEW_EXAMPLES = 12  # of fewer, clusters are hit too seldom, and the nearest pictures are taken
_STAYS = {
    "largest": "the one that stays has the most pixels",
    "hard": "the one that stays is farthest from the centre of its cluster",
    "easy": "the one that stays is nearest to the centre of its cluster",
    "random": "the one that stays was drawn",
}


def chosen(context: CurateContext, state: CurateState, prototypes: NDArray[np.float32] | None) -> Cleaned:
    """The cleaned folder; `prototypes` (groups, size): unit vectors of the groups' words, None without groups."""
    config, looked = context.config, context.looked(state)
    count = len(looked.looks)
    every = context.vectors(state) if state["vectors"] else None
    vectors = None if every is None else every[:count]
    by_name = {each.path: place for place, each in enumerate(looked.looks)}
    decisions = Decisions(looked.looks, {by_name[id] for id in state["kept"]})
    captioned = context.get_json(state["captioned"]) if state["captioned"] else {}
    _remarks(decisions, config, captioned)
    if config.like and every is not None:
        _unlike(decisions, every[:count], every[count + len(looked.tests) :], config)
    pairs, priority = context.pairs(state), _priority(config, looked, vectors)
    decisions.same_pixels(looked.tests, priority)
    pairs = decisions.of_those_that_stay(pairs)
    told = [Planted(int(s), c, float(v)) for s, c, v in context.get_json(state["planted"])] if state["planted"] else []
    curve = curve_of(told, config.copies)
    threshold = None if config.copies == "exact" else proposed_threshold(curve, config.copies)
    if threshold is not None:
        threshold = _threshold(config, state, threshold, decisions, pairs, priority)
        decisions.leaks(pairs, threshold, looked.tests)
    groups = fair = None
    if prototypes is not None and vectors is not None:
        groups, fair = (vectors @ prototypes.T).argmax(axis=1), group_similarities(vectors, prototypes)
    staying, among = decisions.among_staying(pairs)
    before = list(staying)
    if threshold is not None and vectors is not None:
        removal = _removal(config, staying, among, threshold, vectors, priority, fair)
        why = _STAYS[config.keep] if fair is None else "of the copies the one stays that keeps the shares of the groups"
        decisions.near(staying, removal, dict.fromkeys(staying, why))
    decisions.number_clusters(pairs, threshold)
    audit = audited(config, decisions, vectors, before, among, threshold, groups, fair)
    notes = (*looked.notes, *captioned.get("notes", ()), *_doubts(decisions, config))
    table = _table(context, decisions, looked, groups, captioned)
    reasons = Counter(row.reason for row in table if row.reason)
    changes = Counter(each.change for each in told)
    return Cleaned(
        id=config.folder, pictures=len(table), kept=sum(row.kept for row in table), reasons=dict(reasons.most_common()),
        issues=dict(Counter(name for row in table for name in row.issues).most_common()),
        clusters=max(decisions.clusters), threshold=threshold, how=_how(config, state, bool(curve)), curve=curve,
        planted=tuple(
            PlantedRecall(change=change, of=of, above=sum(each.score > (threshold or 0) for each in told if each.change == change))
            for change, of in changes.items()
        ),
        audit=audit, notes=notes, to=config.to, reviews=state["reviews"],
        table=context.session.store.blobs.put(json_lines([row.model_dump(mode="json") for row in table]), "application/jsonl"),
        captions=None if "own" not in captioned else CaptionCheck(
            judged=len(captioned["own"]), unfit=len(captioned["unfit"]), written=len(captioned["written"]),
            threshold=captioned["threshold"], auroc=captioned["auroc"],
        ),
    )  # fmt: skip


def _doubts(decisions: Decisions, config: CurateConfig) -> list[str]:
    """What is said of near copies that show hardly anything."""
    went = zip(decisions.reasons, decisions.issues, strict=True)
    weak = sum(reason == "near copy" and "little in it" in issues for reason, issues in went)
    if not weak or config.copies != "pixels":
        return []
    return [
        f"{weak} near copies have little in them: a small thing elsewhere on a plain ground lies over itself as a crop would. Look at their"
        " clusters, and raise the threshold where they are no copies."
    ]


def _remarks(decisions: Decisions, config: CurateConfig, captioned: Any) -> None:
    for place, issues in enumerate(decisions.issues):
        if bad := [name for name in issues if name in config.drop]:
            decisions.goes(place, "issue", f"issue: {', '.join(bad)}")
    for place in captioned.get("unfit", ()):
        if str(place) not in captioned["written"]:
            score, least = captioned["own"][str(place)], captioned["threshold"]
            decisions.goes(place, "caption", f"its caption does not fit: a cosine of {score:.3f}, below {least:.3f}")


def _unlike(
    decisions: Decisions, vectors: NDArray[np.float32], likes: NDArray[np.float32], config: CurateConfig
) -> None:
    many = len(likes) >= _FEW_EXAMPLES
    each = min(4, len(vectors))
    near = by_clusters(vectors, likes, seed=config.seed) if many else by_samples(vectors, likes, each=each)
    why = "it is in no cluster that examples fall into" if many else "it is not among the four nearest of an example"
    for place in sorted({*range(len(vectors))} - {*near.tolist()}):
        decisions.goes(place, "unlike", why)


def _priority(config: CurateConfig, looked: Looked, vectors: NDArray[np.float32] | None) -> NDArray[np.float64]:
    if config.keep == "largest" or vectors is None:
        return np.array([each.width * each.height + min(each.bytes, 10**9) / 10**10 for each in looked.looks])
    parts = cluster(vectors, cluster_count(len(vectors)), seed=config.seed)
    return priorities(vectors, parts, config.keep, seed=config.seed)


def _threshold(
    config: CurateConfig, state: CurateState, proposal: float, decisions: Decisions, pairs: Pairs, priority: Any
) -> float:
    given = state["threshold"] if state["threshold"] is not None else config.threshold
    if given is not None:
        return given
    if config.share is None:
        return proposal
    staying, among = decisions.among_staying(pairs)

    def removed(threshold: float) -> int:
        return int((~remove_pairs(len(staying), among, threshold, rule=config.rule, priority=priority[staying]).kept).sum())  # fmt: skip

    return threshold_of_share(among, config.share, len(decisions.looks), removed)


def _removal(
    config: CurateConfig, staying: list[int], among: Pairs, threshold: float, vectors: NDArray[np.float32],
    priority: NDArray[np.float64], fair: NDArray[np.float64] | None,
) -> Removal:  # fmt: skip
    if fair is None:
        return remove_pairs(len(staying), among, threshold, rule=config.rule, priority=priority[staying])
    labels = joined(len(staying), among, threshold)
    return fair_removal(vectors[staying], labels, fair[staying], config.choice)


def _table(
    context: CurateContext, decisions: Decisions, looked: Looked, groups: NDArray[np.int64] | None, captioned: Any
) -> list[CuratedRow]:
    names, captions = context.config.group_names, context.sources.captions
    tests = {each.path: each.blob for each in looked.tests}
    rows = []
    for place, each in enumerate(looked.looks):
        written, score = captioned.get("written", {}).get(str(place), ("", None))  # fmt: skip
        own = captioned.get("own", {}).get(str(place))
        rows.append(
            CuratedRow(
                id=each.path,
                image=each.blob,
                reason=decisions.reasons[place],
                why=decisions.why[place],
                copy_of=decisions.copy_of[place],
                shown=tests.get(decisions.copy_of[place]) if decisions.reasons[place] == "leak" else None,
                score=decisions.scores[place],
                cluster=decisions.clusters[place],
                group="" if groups is None else names[int(groups[place])],
                issues=decisions.issues[place],
                width=each.width,
                height=each.height,
                bytes=each.bytes,
                caption=captions.get(each.path, ""),
                caption_score=own if score is None else score,
                written=written,
            )
        )
    rows += [CuratedRow(id=path, reason="unreadable", why=why) for path, why in looked.unreadable.items()]
    order = {path: place for place, path in enumerate(context.sources.files)}
    return sorted(rows, key=lambda row: order[row.id])


def _how(config: CurateConfig, state: CurateState, planted: bool) -> str:
    if config.copies == "exact":
        return "the same pixels alone"
    if state["threshold"] is not None:
        return "a person's threshold"
    if config.threshold is not None:
        return "the given threshold"
    if config.share is not None:
        return f"the threshold that takes {config.remove}"
    if not planted:
        return "the usual threshold: one picture is too few to plant copies"
    return "the threshold that parts planted copies from look-alikes best"
