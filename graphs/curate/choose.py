"""Which pictures stay, with the reason of each that goes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tools.curation import (
    DETAILED,
    Pairs,
    Removal,
    cluster,
    cluster_count,
    fair_removal,
    joined,
    priorities,
    remove_pairs,
)
from ...tools.data import json_lines
from .audit import Before, Grouped, audited, grouped_by
from .balance import drawn_evenly
from .captions import Captioned
from .config import CurateConfig
from .context import CurateContext, CurateState, Looked
from .decisions import Decisions
from .floors import held_up, short_of
from .found import curve_of, proposal, threshold_of_share
from .labels import Labelled
from .result import Cleaned, CuratedRow, PlantedRecall
from .retrieve import Retrieved, retrieval, rows_marked, unlike
from .themes import Named, counted_themes

__all__ = ["chosen"]

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
    captioned = context.captions(state)
    known, named = context.labels(state), context.named(state)
    decisions.wrong_labels(known.doubts)
    _remarks(decisions, config, captioned, known)
    wanted = (
        Retrieved.model_validate_json(context.session.store.blobs.get(state["retrieved"]))
        if state["retrieved"]
        else None
    )
    if wanted is not None:
        decisions.own = wanted.own
        unlike(decisions, wanted)
    pairs, priority = context.pairs(state), _priority(config, looked, vectors)
    if wanted is not None:  # of copies the folder's own stays, and not the one that would join
        priority[wanted.own :] -= np.ptp(priority) + 1
    decisions.same_pixels(looked.tests, priority)
    pairs = decisions.of_those_that_stay(pairs)
    told = context.planted(state)
    curve = curve_of(told, config.copies)
    threshold = None
    if config.copies != "exact":
        threshold = _threshold(config, state, proposal(config, told), decisions, pairs, priority)
        decisions.leaks(pairs, threshold, looked.tests)
    grouped = None
    if prototypes is not None and vectors is not None:
        grouped = grouped_by(tuple(state["groups"]), vectors, prototypes)
    before = Before(*decisions.among_staying(pairs), threshold)
    if vectors is not None and threshold is not None:
        removal = _removal(config, before.staying, before.among, threshold, vectors, priority, grouped)
        why = (
            _STAYS[config.keep]
            if grouped is None
            else "of the copies the one stays that keeps the shares of the groups"
        )
        decisions.near(before.staying, removal, dict.fromkeys(before.staying, why))
        if grouped is not None and config.lowest is not None:
            held_up(decisions, grouped, config.lowest)
    balance = None
    if config.balance is not None and vectors is not None:
        balance = drawn_evenly(decisions, vectors, config.balance, config.seed)
    decisions.number_clusters(pairs, threshold)
    audit = audited(config, decisions, vectors, before, grouped, known)
    if grouped is not None and config.lowest is not None:
        low = short_of(decisions, grouped, config.lowest)
        audit = audit.model_copy(update={"alarms": (*audit.alarms, *low)})
    notes = (*looked.notes, *captioned.notes, *known.notes, *_limits(decisions, config, known))
    table = _table(context, decisions, looked, grouped, captioned, known, named)
    if wanted is not None:
        table = rows_marked(table, wanted)
        notes = (*notes, *wanted.notes)
    stays = np.array([not reason for reason in decisions.reasons])
    by_place = {} if grouped is None else grouped.by_place()
    inside = counted_themes(named, [each.blob for each in looked.looks], stays, by_place)
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
        captions=captioned.check, themes=inside, groups=tuple(state["groups"]),
        labels=known.check, balance=balance, retrieval=None if wanted is None else retrieval(decisions, wanted),
    )  # fmt: skip


def _limits(decisions: Decisions, config: CurateConfig, known: Labelled) -> list[str]:
    """What a reader must know of what was found, and of what cannot be."""
    plain = sum(each.detail < DETAILED for each in decisions.looks)
    notes = []
    if plain and config.copies == "pixels":
        notes.append(
            f"{plain} pictures show small things on a plain ground: a crop of such a picture is not told from the same small thing elsewhere, and stays."
        )
    if known.check is not None:
        if known.check.guesses and known.check.wrong:
            notes.append(
                f"the probe is right in {known.check.accuracy.share:.0%} of the labels, and the commonest class is {known.check.commonest:.0%} of them:"
                " its doubts say nothing, and no picture goes for them."
            )
        notes += [
            f"the {clue.by} alone tells the label of {clue.accuracy:.0%} (by chance {known.check.chance:.0%}): a model may learn that instead"
            for clue in known.check.clues
            if clue.alarm
        ]
    return notes


def _remarks(decisions: Decisions, config: CurateConfig, captioned: Captioned, known: Labelled) -> None:
    guesses = known.check is not None and known.check.guesses
    drop = [name for name in config.drop if not (guesses and name == "wrong label")]
    for place, issues in enumerate(decisions.issues):
        if bad := [name for name in issues if name in drop]:
            decisions.goes(place, "issue", f"issue: {', '.join(bad)}")
    for place, why in captioned.why.items():
        if place not in captioned.written:
            decisions.goes(place, "caption", f"its caption does not fit: {why}")


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
    priority: NDArray[np.float64], grouped: Grouped | None,
) -> Removal:  # fmt: skip
    if grouped is None:
        return remove_pairs(len(staying), among, threshold, rule=config.rule, priority=priority[staying])
    labels = joined(len(staying), among, threshold)
    return fair_removal(
        vectors[staying], labels, grouped.similarities[staying], config.choice, priority=priority[staying]
    )


def _table(
    context: CurateContext, decisions: Decisions, looked: Looked, grouped: Grouped | None, captioned: Captioned, known: Labelled, named: Named
) -> list[CuratedRow]:  # fmt: skip
    told = context.sources.annotations
    tests = {each.path: each.blob for each in looked.tests}
    rows = []
    for place, each in enumerate(looked.looks):
        written, score = captioned.written.get(place, ("", captioned.own.get(place)))
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
                group="" if grouped is None else grouped.names[int(grouped.of[place])],
                issues=decisions.issues[place],
                width=each.width,
                height=each.height,
                bytes=each.bytes,
                caption=told.captions.get(each.path, ""),
                caption_score=score,
                written=written,
                theme=named.themes[named.of[place]].name if named.themes else "",
                label=told.labels.get(each.path, ""),
                likely=known.doubts[place].likely if place in known.doubts else "",
            )
        )
    rows += [CuratedRow(id=path, reason="unreadable", why=why) for path, why in looked.unreadable.items()]
    order = {path: place for place, path in enumerate(context.sources.files)}
    return sorted(rows, key=lambda row: order.get(row.id, len(order)))  # what joined comes last


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
