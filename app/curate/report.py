"""The report of `inloop curate`: every cluster of copies with its pictures, the threshold, groups and sources before and after."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markupsafe import Markup

from ...graphs.curate import read_rows
from ..cli import amount
from ..report import DEFAULT_LIMIT, Pictures, run_page
from .charts import threshold_chart

if TYPE_CHECKING:
    from ...graphs.curate import Cleaned, CuratedRow, CurateResult, Sought, Theme
    from ...runtime.records import BlobRef
    from ...runtime.store import BlobStore

__all__ = ["render"]

_CLUSTERS, _MEMBERS, _SHOWN, _FOUND = 200, 24, 24, 11
_REASONS = {
    "unreadable": "cannot be read",
    "issue": "an issue that was to go",
    "caption": "the caption does not fit",
    "leak": "a copy of a test picture",
    "same bytes": "the same bytes as another",
    "same pixels": "the same pixels as another",
    "near copy": "a near copy",
    "unlike": "unlike what is wanted",
    "balance": "balanced out",
}


@dataclass(kw_only=True)
class Shown:
    """One picture as it is drawn: `tag` says what becomes of it, `why` the reason in words."""

    image: BlobRef | None
    id: str
    tag: str
    kept: bool
    why: str


@dataclass(kw_only=True)
class Crowd:
    """Copies of each other."""

    number: int
    why: str
    shown: list[Shown] = field(default_factory=list)
    more: int = 0


def render(result: CurateResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string; a picture that is not in the store is counted on the page."""
    if not result.tasks:
        return run_page(result, blobs, limit)
    [cleaned] = result.tasks
    rows = read_rows(blobs, cleaned)
    crowds, others = _crowds(rows)
    pictures = Pictures(blobs, limit, side=160)
    doubted = [row for row in rows if row.caption_score is not None and (row.reason == "caption" or row.written)]
    strange = sorted(doubted, key=lambda row: row.caption_score or 0.0)
    misfits = [row for row in rows if row.likely]
    issues = {
        name: [row for row in rows if name in row.issues][:_SHOWN] for name in cleaned.issues if name != "wrong label"
    }
    by_name = {row.id: row for row in rows}
    wanted = _wanted(cleaned, rows)
    parts = [(each, [by_name[name] for name in each.shown]) for each in cleaned.balance.clusters[:_SHOWN]] if cleaned.balance else []  # fmt: skip
    pictures.embed(sought.image for sought, _ in wanted if sought.image is not None)
    for _, shown in (*wanted, *parts):
        pictures.embed(row.image for row in shown if row.image is not None)
    for crowd in crowds:
        pictures.embed(each.image for each in crowd.shown if each.image is not None)
    for theme in cleaned.themes:
        pictures.embed(theme.shown)
    for group in (strange[:_SHOWN], misfits[:_SHOWN], *issues.values()):
        pictures.embed(row.image for row in group if row.image is not None)
    return run_page(
        result,
        blobs,
        template="curate/curate.html.j2",
        pictures=pictures,
        cleaned=cleaned,
        hidden=("groups",),
        reasons=[(_REASONS[reason], amount(count)) for reason, count in cleaned.reasons.items()],
        chart=Markup(threshold_chart(cleaned.curve, cleaned.threshold)),
        planted=[(each.change, amount(each.above), amount(each.of), f"{each.above / each.of:.0%}") for each in cleaned.planted],
        at=_at(cleaned),
        forests=result.group_shares(),
        probes=result.probes(),
        labels=_labels(cleaned),
        themes=[(each, _theme(each)) for each in cleaned.themes],
        clues=_clues(cleaned),
        misfits=misfits[:_SHOWN],
        more_misfits=max(0, len(misfits) - _SHOWN),
        sources=[(each.name or "(the folder itself)", amount(each.before), amount(each.after)) for each in cleaned.audit.sources],
        crowds=crowds,
        more_crowds=others,
        strange=strange[:_SHOWN],
        more_strange=max(0, len(strange) - _SHOWN),
        wanted=wanted,
        said=_REASONS,
        parts_of_all=parts,
        issues=[(name, cleaned.issues[name], shown) for name, shown in issues.items()],
        unreadable=[(row.id, row.why) for row in rows if row.reason == "unreadable"],
    )  # fmt: skip


def _crowds(rows: list[CuratedRow]) -> tuple[list[Crowd], int]:
    """The clusters of copies, the largest first, and how many more there are."""
    clusters = defaultdict[int, list["CuratedRow"]](list)
    for row in rows:
        if row.cluster or row.shown is not None:
            clusters[row.cluster or -len(clusters) - 1].append(row)
    largest = sorted(clusters.values(), key=lambda members: -len(members))
    crowds = []
    for number, members in enumerate(largest[:_CLUSTERS], start=1):
        members = sorted(members, key=lambda row: (not row.kept, -(row.score or 0.0), row.id))
        tests = {row.copy_of: row.shown for row in members if row.shown is not None}
        shown = [Shown(image=image, id=name, tag="in the test set", kept=True, why="") for name, image in tests.items()]
        shown += [
            Shown(image=row.image, id=row.id, tag="stays" if row.kept else _REASONS[row.reason], kept=row.kept, why=_why(row))
            for row in members
        ]  # fmt: skip
        reasons = dict.fromkeys(row.why for row in members if row.reason == "near copy")
        crowds.append(Crowd(number=number, why="; ".join(reasons), shown=shown[:_MEMBERS], more=max(0, len(shown) - _MEMBERS)))  # fmt: skip
    return crowds, max(0, len(largest) - _CLUSTERS)


def _wanted(cleaned: Cleaned, rows: list[CuratedRow]) -> list[tuple[Sought, list[CuratedRow]]]:
    """What was looked for, each query and those examples that most was found by, with pictures of it, the most alike first."""
    if cleaned.retrieval is None:
        return []
    found = defaultdict[str, list["CuratedRow"]](list)
    for row in sorted(rows, key=lambda row: -(row.likeness or 0.0)):
        if row.like:
            found[row.like].append(row)
    return [(each, found[each.name][:_FOUND]) for each in cleaned.retrieval.sought[:_SHOWN]]


def _why(row: CuratedRow) -> str:
    size = f"{row.width} × {row.height}"
    return f"{size}, {row.score:.2f} like {row.copy_of}" if row.score is not None and row.copy_of else size


def _theme(theme: Theme) -> str:
    """How many there were and are, and what is said of its name."""
    told = "" if theme.tells is None else f"; {theme.by}, which tells its pictures with an AUROC of {theme.tells:.2f}"
    return f"{amount(theme.before)} pictures, of which {amount(theme.after)} stay{told}"


def _labels(cleaned: Cleaned) -> str:
    """How labels were judged, in words; "" where they were not."""
    if (check := cleaned.labels) is None:
        return ""
    right, planted, others = (_told(each.share, each.ci) for each in (check.accuracy, check.planted, check.others))
    by_group = "; ".join(f"of {each.group}: {_told(each.share, each.ci)}" for each in check.doubted)
    return (
        f"{check.judged} labels were judged by a linear probe that learned from other pictures, and {check.wrong} do not fit. The probe is right in"
        f" {right}; the commonest class is {check.commonest:.0%} of them. Of labels that were made wrong to try it, {planted} were doubted, and of those left"
        f" as they were {others}." + (f" Doubted {by_group}." if by_group else "")
    )


def _clues(cleaned: Cleaned) -> list[tuple[str, str, str]]:
    """What gives the label away: by what, how often, and whether that is an alarm."""
    if cleaned.labels is None:
        return []
    return [
        (clue.by, _told(clue.accuracy, clue.ci), "far above chance" if clue.alarm else "")
        for clue in cleaned.labels.clues
    ]


def _told(value: float, ci: tuple[float, float] | None) -> str:
    return f"{value:.1%}" + ("" if ci is None else f" ({ci[0]:.1%} to {ci[1]:.1%})")


def _at(cleaned: Cleaned) -> str:
    """What the threshold in use finds, in words; "" where nothing was planted."""
    if cleaned.threshold is None or not cleaned.curve:
        return ""
    here = min(cleaned.curve, key=lambda point: abs(point.threshold - (cleaned.threshold or 0.0)))

    def ends(ci: tuple[float, float]) -> str:
        return f"{ci[0]:.1%} to {ci[1]:.1%}"

    return (
        f"At {cleaned.threshold:.3g} {here.recall:.1%} of the planted copies are found ({ends(here.recall_ci)}), and"
        f" {here.false:.1%} of the look-alikes are taken for copies ({ends(here.false_ci)})."
    )
