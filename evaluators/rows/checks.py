"""Which of a teacher's rows may be trained on, and why the others may not.

Every row ends in exactly one `Outcome`, in this order: its text must hold something that can be seen ("empty"); its label must be
one of the task's ("unknown label") and the one that was asked for ("wrong label"); the student must be able to read it whole ("too
long"); its text must not copy a seed, an earlier row or one of its own batch ("duplicate"), nor come near a text that is measured on
("leaked"); and a verifier, who is not the writer, must agree with the label ("wrong label", or "unverified" where it could not tell).
What is left is "accepted". The dear checks come last, and only for what the cheap ones left.

`RowTable` counts it all, from the requests to the accepted rows; where nothing was accepted, it is the error message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from ...agents.rows import Ask, Draft, Written
from ...runtime.errors import BadInput
from ...runtime.records import Record, Row
from ...runtime.text import is_blank
from ...tools.tasks import Task
from .duplicates import KnownTexts
from .verifiers import Opinion, Verifier

__all__ = ["MEASURED_ON", "Judged", "Outcome", "RowChecks", "RowTable"]

Outcome = Literal["accepted", "empty", "duplicate", "leaked", "wrong label", "unknown label", "too long", "unverified"]
MEASURED_ON = ("dev", "test")
_LONGEST = 4000  # characters of a row that a teacher may write


class Judged(Record):
    """One written row with what became of it and where it came from.

    `row`: as it may be trained on, in the task's form; None where its label is none. `wrong`: the student's answer to the seed.
    """

    outcome: Outcome
    reason: str = ""
    text: str
    label: str | None
    row: Row | None = None
    seed: str
    wrong: str | None = None
    teacher: str
    revision: str = ""
    prompt: str = ""
    verifier: str = ""
    agreement: float | None = None


class RowTable(Record):
    """How many rows came to what. `asked`: rows asked for; `failed`, `refused`, `unreadable`: replies without a row; `parsed`: rows read."""

    asked: int = 0
    failed: int = 0
    refused: int = 0
    unreadable: int = 0
    parsed: int = 0
    outcomes: dict[str, int] = Field(default_factory=dict)
    examples: dict[str, str] = Field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Rows that may be trained on."""
        return self.outcomes.get("accepted", 0)

    def __add__(self, other: RowTable) -> RowTable:
        return RowTable(
            asked=self.asked + other.asked,
            failed=self.failed + other.failed,
            refused=self.refused + other.refused,
            unreadable=self.unreadable + other.unreadable,
            parsed=self.parsed + other.parsed,
            outcomes=dict(Counter(self.outcomes) + Counter(other.outcomes)),
            examples={**other.examples, **self.examples},
        )

    def lines(self) -> list[tuple[str, int, str]]:
        """(what, how many, an example of why), in the order of the checks; without what never happened."""
        rows = [
            ("asked for", self.asked, ""),
            ("call failed", self.failed, self.examples.get("failed", "")),
            ("refused by the teacher", self.refused, self.examples.get("refused", "")),
            ("unreadable reply", self.unreadable, self.examples.get("unreadable", "")),
            ("parsed", self.parsed, ""),
        ]
        order: tuple[Outcome, ...] = (
            "empty",
            "unknown label",
            "wrong label",
            "too long",
            "duplicate",
            "leaked",
            "unverified",
        )
        rows += [(name, self.outcomes.get(name, 0), self.examples.get(name, "")) for name in order]
        return [row for row in rows if row[1] or row[0] == "asked for"] + [("accepted", self.accepted, "")]

    def __str__(self) -> str:
        """As lines of text."""
        shown = [f"{what:<24}{count:>5}" + (f"   {why[:110]}" if why else "") for what, count, why in self.lines()]
        return "\n".join(shown)


class RowChecks:
    """Judges what teachers wrote.

    Args:
        task: says what a label is.
        known: what must not be copied, in the group "seeds" and the groups of `MEASURED_ON`; None: copies are rows like others.
        verifiers: each must agree; none: labels are taken as they are written.
        agreement: the agreement that is enough, instead of each verifier's own threshold.
        leaks: whether a row near to dev or test is refused. The paper does not look.
        too_long: why the student cannot read a row, empty where it can (`Student.too_long`).
    """

    def __init__(
        self,
        task: Task,
        known: KnownTexts | None,
        *,
        verifiers: Sequence[Verifier] = (),
        agreement: float | None = None,
        leaks: bool = True,
        too_long: Callable[[Row], str] = lambda row: "",
    ) -> None:
        if agreement is not None and not 0 < agreement <= 1:
            raise BadInput(f"agreement={agreement!r} must lie above 0 and not above 1.")
        self.task, self.known, self.verifiers = task, known, tuple(verifiers)
        self.agreement, self.leaks, self.too_long = agreement, leaks, too_long

    async def judge(
        self, asks: Sequence[Ask], written: Sequence[Written], *, earlier: Sequence[str], prefix: str, seed: int
    ) -> tuple[list[Judged], RowTable]:
        """Every row that could be read, judged; and the table.

        `earlier`: the texts of all rows that were added, or put aside, before; `prefix` begins the ids of the new rows.
        """
        by_seed = {ask.seed.id: ask for ask in asks}
        judged: list[Judged] = []
        for reply in written:
            ask = by_seed[reply.seed]
            for draft in reply.drafts:
                judged.append(self._read(ask, reply, draft, f"{prefix}{len(judged)}"))
        judged = await self._copies(judged, earlier)
        judged = await self._verified(judged, seed)
        return judged, _table(written, judged)

    def _read(self, ask: Ask, reply: Written, draft: Draft, name: str) -> Judged:
        fields = {
            "text": draft.text, "label": draft.label, "seed": ask.seed.id, "wrong": ask.wrong,
            "teacher": reply.teacher, "revision": reply.revision, "prompt": reply.prompt,
        }  # fmt: skip
        if is_blank(draft.text):
            shown = f"{draft.text!r} cannot be seen" if draft.text else "there is no text"
            return Judged(outcome="empty", reason=shown, **fields)
        label = draft.label if draft.label is not None else ask.seed.label if self.task.classes else ""
        try:
            row = self.task.row(name, draft.text, label, **draft.meta)
        except BadInput as error:
            return Judged(outcome="unknown label", reason=str(error), **fields)
        if self.task.classes and row.label != ask.seed.label:
            return Judged(
                outcome="wrong label",
                reason=f"{row.label!r}, not {ask.seed.label!r}, which was asked for",
                row=row,
                **fields,
            )
        long = (
            f"{len(row.text)} characters, and {_LONGEST} are taken" if len(row.text) > _LONGEST else self.too_long(row)
        )
        if long:
            return Judged(outcome="too long", reason=long, row=row, **fields)
        return Judged(outcome="accepted", row=row, **fields)

    async def _copies(self, judged: Sequence[Judged], earlier: Sequence[str]) -> list[Judged]:
        if self.known is None:
            return list(judged)
        matches = await self.known.nearest([entry.text for entry in judged])
        # made anew each time: a node that runs twice must judge the same
        added = KnownTexts(rouge=self.known.rouge, cosine=self.known.cosine, embed=self.known.embed)
        await added.add("rows", earlier)
        out = []
        for entry, match in zip(judged, matches, strict=True):
            if entry.outcome != "accepted":
                out.append(entry)
                continue
            if match is not None and match.group in MEASURED_ON and not self.leaks:
                match = None
            if match is None:
                [match] = await added.nearest([entry.text])
            if match is not None:
                outcome: Outcome = "leaked" if match.group in MEASURED_ON else "duplicate"
                out.append(entry.model_copy(update={"outcome": outcome, "reason": str(match)}))
                continue
            await added.add("rows", [entry.text])
            out.append(entry)
        return out

    async def _verified(self, judged: Sequence[Judged], seed: int) -> list[Judged]:
        out = list(judged)
        for verifier in self.verifiers:
            open_places = [place for place, entry in enumerate(out) if entry.outcome == "accepted"]
            rows = [row for place in open_places if (row := out[place].row) is not None]
            enough = self.agreement if self.agreement is not None else verifier.threshold
            for place, opinion in zip(open_places, await verifier.opinions(rows, seed=seed), strict=True):
                out[place] = _with(out[place], verifier.name, opinion, enough)
        return out


def _with(entry: Judged, name: str, opinion: Opinion, enough: float) -> Judged:
    agreement = None if opinion.agreement is None else round(opinion.agreement, 4)
    verifier = f"{entry.verifier}; {name}" if entry.verifier else name
    update = {"verifier": verifier, "agreement": agreement, "reason": opinion.said}
    if agreement is None:
        update["outcome"] = "unverified"
    elif agreement < enough:
        update |= {
            "outcome": "wrong label",
            "reason": f"{name}: {opinion.said} (agreement {agreement:.2f}, {enough:g} needed)",
        }
    return entry.model_copy(update=update)


def _table(written: Sequence[Written], judged: Sequence[Judged]) -> RowTable:
    examples: dict[str, str] = {}
    for reply in written:
        if reply.failed:
            examples.setdefault("failed", reply.failed)
        for text in reply.raw if reply.refused else ():
            examples.setdefault("refused", text[:160])
        for text in reply.raw if reply.unreadable else ():
            examples.setdefault("unreadable", text[:160])
    for entry in judged:
        if entry.outcome != "accepted":
            examples.setdefault(entry.outcome, f"{entry.text[:60]!r}: {entry.reason}")
    counts: Mapping[str, int] = Counter(entry.outcome for entry in judged)
    return RowTable(
        failed=sum(bool(reply.failed) for reply in written),
        refused=sum(reply.refused for reply in written),
        unreadable=sum(reply.unreadable for reply in written),
        parsed=len(judged),
        outcomes=dict(counts),
        examples=examples,
    )
