"""What a cleaning leaves behind: a row a picture with the reason that it stays or goes, and what that cost whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ...runtime.display import Forest, Interval, counted
from ...runtime.folder import RunResult, Task
from ...runtime.records import BlobRef, Record
from ...tools.curation import CurvePoint, Issue

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = [
    "Audit",
    "Balance",
    "Balanced",
    "CaptionCheck",
    "Cleaned",
    "Clue",
    "CurateResult",
    "CuratedRow",
    "Doubt",
    "LabelCheck",
    "PlantedRecall",
    "GapFound",
    "Reason",
    "Retrieval",
    "Share",
    "Sought",
    "Source",
    "Theme",
]

Reason = Literal[
    "", "unreadable", "issue", "caption", "leak", "same bytes", "same pixels", "near copy", "unlike", "balance"
]


class CuratedRow(Record):
    """One picture. `reason`: why it goes, "" where it stays; `why`: the same in words, or a person's word.

    `copy_of`: the picture that stays for it, or of the test set (`shown`); `score`: how alike they are. `cluster`: of copies, from 1 on; 0 for
    none. `written`: the captioner's caption, where one's own does not fit; `caption_score`: the filter's score of the caption that counts.
    `label`: its class; `likely`: another one, where the label does not fit. `like`: the example or query that it was found by, and
    `likeness` the cosine with it; `file`: where it lies, of one that joined from a pool.
    """

    id: str
    image: BlobRef | None = None
    reason: Reason = ""
    why: str = ""
    copy_of: str = ""
    shown: BlobRef | None = None
    score: float | None = None
    cluster: int = 0
    group: str = ""
    issues: tuple[Issue, ...] = ()
    width: int = 0
    height: int = 0
    bytes: int = 0
    caption: str = ""
    caption_score: float | None = None
    written: str = ""
    theme: str = ""
    label: str = ""
    likely: str = ""
    like: str = ""
    likeness: float | None = None
    file: str = ""

    @property
    def kept(self) -> bool:
        """Whether it stays."""
        return not self.reason


class Share(Record):
    """A share by way of removal, with its bootstrap interval: that of a group, or of right answers among its pictures.

    The encoder says who is of which group; "" stands for all.
    """

    group: str
    way: str
    share: float
    ci: tuple[float, float] | None = None


class PlantedRecall(Record):
    """How many planted pictures of one kind lie above the threshold."""

    change: str
    above: int
    of: int


class Source(Record):
    """A sub-folder: how many pictures it had and how many stay."""

    name: str
    before: int
    after: int


class Audit(Record):
    """What the removal did, and what a person must look at."""

    shares: tuple[Share, ...] = ()
    accuracies: tuple[Share, ...] = ()
    sources: tuple[Source, ...] = ()
    alarms: tuple[str, ...] = ()


class CaptionCheck(Record):
    """How captions were judged: how many were, how many do not fit, and of how many of those the captioner's fits.

    `auroc`: how well the filter parts right captions from wrong ones. `wrong`: the share that is wrong, had from how many score as planted wrong ones do.
    `asked`: borderline captions whose questions were asked. `repeated`: captions that stand under more than one picture, the commonest first, by their number.
    `doubt`: why the filter was not followed; "" where it was. Then `wrong` says nothing.
    """

    judged: int
    unfit: int
    written: int
    threshold: float
    auroc: float
    wrong: float = 0.0
    asked: int = 0
    repeated: tuple[tuple[str, int], ...] = ()
    doubt: str = ""


class Doubt(Record):
    """A label that does not fit: the class that the probe takes, and the probability that it gives to the label."""

    likely: str
    trust: float


class Clue(Record):
    """What gives the class away beside what is shown: how often it alone is right, each class counted alike. `alarm`: far above chance."""

    by: str
    accuracy: float
    ci: tuple[float, float] | None = None
    alarm: bool = False


class LabelCheck(Record):
    """How labels were judged: how many were and how many do not fit. `accuracy`: of the probe on pictures that it did not learn from.

    `chance`: one class of as many; `commonest`: the share of the commonest one, which a probe is to exceed. `planted`: the share of labels made wrong that were
    doubted, `others`: of those left as they were; `doubted`: of one's own, by group.
    """

    judged: int
    wrong: int
    chance: float
    commonest: float = 0.0
    accuracy: Share
    planted: Share
    others: Share
    doubted: tuple[Share, ...] = ()
    clues: tuple[Clue, ...] = ()

    @property
    def guesses(self) -> bool:
        """Whether the probe may be right no more often than who always says the commonest class; then no picture goes for its doubts."""
        return (self.accuracy.share if self.accuracy.ci is None else self.accuracy.ci[0]) <= max(
            self.chance, self.commonest
        )


class Sought(Record):
    """An example (with its picture) or a query, how many pictures were found that are most like it, and how many of these stay."""

    name: str
    image: BlobRef | None = None
    found: int
    stay: int


class Retrieval(Record):
    """What was found in the folder itself ("") or in a pool of `of` pictures (of an index: passages), and how many of these stay."""

    pool: str
    of: int
    found: int
    stay: int
    sought: tuple[Sought, ...]


class Balanced(Record):
    """A cluster of the highest level: how many pictures it had and how many stay; names of those nearest to its middle, those that stay first."""

    before: int
    after: int
    shown: tuple[str, ...]


class Balance(Record):
    """The clusters over which `asked` pictures were drawn evenly, the largest first."""

    asked: int
    clusters: tuple[Balanced, ...]


class Theme(Record):
    """Pictures that are alike in meaning. `by`: who gave the name, "" where it is but a number; `tells`: the AUROC with which the name tells its pictures.

    `before` and `after`: how many there were and are; `shown`: some of those; `rare`: groups that are rare in it, in words.
    """

    name: str
    by: str = ""
    tells: float | None = None
    before: int
    after: int
    shown: tuple[BlobRef, ...] = ()
    rare: tuple[str, ...] = ()


class GapFound(Record):
    """What a language model says is missing, and why. `query`: the words that would find it.

    `there`: how many of the kept pictures fit them, where that is known.
    """

    what: str
    why: str
    query: str
    there: int | None = None


class Cleaned(Task):
    """The whole folder. `table`: the rows as JSON lines in the blob store, one a picture, in the order of their names."""

    pictures: int
    kept: int
    reasons: dict[str, int]
    issues: dict[str, int] = Field(default_factory=dict)
    clusters: int = 0
    threshold: float | None = None
    how: str = ""
    curve: tuple[CurvePoint, ...] = ()
    planted: tuple[PlantedRecall, ...] = ()
    audit: Audit = Audit()
    captions: CaptionCheck | None = None
    labels: LabelCheck | None = None
    themes: tuple[Theme, ...] = ()
    gaps: tuple[GapFound, ...] = ()
    groups: tuple[str, ...] = ()
    retrieval: Retrieval | None = None
    balance: Balance | None = None
    table: BlobRef
    to: str = ""
    reviews: int = 0
    notes: tuple[str, ...] = ()


class CurateResult(RunResult[Cleaned]):
    """A run over one folder; without a task where the budget left no room for it."""

    def finding(self) -> str:
        """How many stay, and why the others go."""
        if not self.tasks:
            return "nothing was cleaned"
        [done] = self.tasks
        gone = ", ".join(f"{count} {_said(reason, count)}" for reason, count in done.reasons.items())
        return f"{done.kept} of {counted(done.pictures, 'picture')} stay" + (f"; {gone}" if gone else "")

    def rows(self) -> list[dict[str, Cell]]:
        """One row a reason."""
        return [
            {"folder": task.id, "reason": _said(reason, count), "pictures": count}
            for task in self.tasks
            for reason, count in {"stay": task.kept, **task.reasons}.items()
        ]

    def forests(self) -> tuple[Forest, ...]:
        """By group, its share by way of removal, and how often a probe is right that learns from what stays."""
        return (*self.group_shares(), *self.probes())

    def group_shares(self) -> tuple[Forest, ...]:
        """By group, its share by way of removal."""
        return _forests("share", self.tasks[0].audit.shares) if self.tasks else ()

    def probes(self) -> tuple[Forest, ...]:
        """For all and by group, how often a probe is right that learns from what a way of removal keeps."""
        return _forests("right answers of a probe", self.tasks[0].audit.accuracies) if self.tasks else ()


_SAID = {
    "near copy": ("near copy", "near copies"),
    "leak": ("copy of a test picture", "copies of test pictures"),
    "unreadable": ("that cannot be read",),
    "same bytes": ("with the same bytes as another",),
    "same pixels": ("with the same pixels as another",),
    "unlike": ("unlike what is wanted",),
    "balance": ("balanced out",),
    "caption": ("whose caption does not fit",),
    "issue": ("with an issue",),
}
"""Why pictures go, in words: of one, and where it differs of several."""


def _said(reason: str, count: int) -> str:
    words = _SAID.get(reason, (reason,))
    return words[0] if count == 1 else words[-1]


def _percent(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ends is None else (100 * ends[0], 100 * ends[1])


def _forests(what: str, shares: tuple[Share, ...]) -> tuple[Forest, ...]:
    return tuple(
        Forest(
            title=f"{group or 'all'}: {what} in percent, with 95 % intervals",
            rows=tuple(
                Interval.of(each.way, 100 * each.share, _percent(each.ci), main=each.way == "this run")
                for each in shares
                if each.group == group
            ),
            gains=False,
        )
        for group in dict.fromkeys(each.group for each in shares)
    )
