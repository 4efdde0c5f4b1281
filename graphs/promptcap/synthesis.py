"""Caption data for questions, made with a language model and filtered: PromptCap's synthesis (Hu et al. 2023, section 4).

The way of a row: the writer samples captions from the picture's sentences, the question and its answer; what is said twice
or only restates is dropped; a reader answers the question from each caption, which scores it (`evaluators.caption_filter`);
the best is taken, of equal ones that with the higher CIDEr against the picture's sentences; a caption that plants the
answer has to pass a judge who sees nothing else, or the next best is taken.

Every call goes through the ledger: a run that was killed, or stopped by its budget, goes on where it was when it is started again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ...agents.captions import CaptionJudge, CaptionReader, CaptionWriter
from ...evaluators.rows import KnownTexts, normal
from ...evaluators.vqa import Cider, hard_accuracy, off_topic, planted, restates, soft_accuracy
from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...tools.data import CaptionRow

__all__ = ["Filter", "Judged", "Proposal", "Synthesis", "synthesize"]

Filter = Literal["soft", "hard", "none"]

_WAVE = 16  # rows that are worked on at once; a budget is looked at between waves
_SAME = 0.95  # ROUGE-L of (question, caption) above which two rows of a picture are one


class Proposal(Record):
    """A caption that was written. `read`: what the reader answered from it; `why`: why it was not taken, "" where it may be."""

    caption: str
    read: str | None = None
    soft: float | None = None
    hard: float | None = None
    cider: float | None = None
    why: str = ""


class Judged(Record):
    """What became of a row. `caption`: the one taken; `reason`: why there is none."""

    row: CaptionRow
    outcome: Literal["accepted", "refused", "failed"]
    caption: str | None = None
    soft: float | None = None
    hard: float | None = None
    cider: float | None = None
    reason: str = ""
    proposals: tuple[Proposal, ...] = ()


class Synthesis(Record):
    """All rows that were worked on, in order; `stopped`: why the rest was not."""

    judged: tuple[Judged, ...]
    left: int = 0
    stopped: str = ""

    @property
    def accepted(self) -> list[Judged]:
        """The rows with a caption."""
        return [entry for entry in self.judged if entry.outcome == "accepted"]


async def synthesize(
    rows: Sequence[CaptionRow],
    *,
    writer: CaptionWriter,
    reader: CaptionReader | None,
    judge: CaptionJudge | None,
    n: int = 10,
    filter: Filter = "soft",
    least: float = 0.5,
    seed: int = 0,
    budget: Budget,
    tell: Callable[[int, int, Judged], None] = lambda done, total, entry: None,
) -> Synthesis:
    """A caption for the question of each row.

    Args:
        rows: each with question, answers and captions.
        writer: samples the captions.
        reader: answers from captions; needed unless `filter` is "none".
        judge: without one, a caption with a planted answer is refused.
        n: captions asked for a row.
        filter: what a caption is chosen by; "none": the first one is taken as it is.
        least: what the soft accuracy must reach; the hard one must be above 0.
        seed: of the writer.
        budget: looked at between waves of rows.
        tell: called after each row with the rows done and all rows.

    Raises:
        BadInput: no rows, n below 1, or a filter without a reader.
        PrerequisiteError: a server is down, refuses the key, or does not know the model.
    """
    if not rows or n < 1:
        raise BadInput(f"{len(rows)} rows and n={n!r}: give at least one row, and ask for at least one caption.")
    if filter != "none" and reader is None:
        raise BadInput(f"the filter {filter!r} needs a reader: give one, or filter 'none'.")
    cider = Cider(list({row.image or row.id: row.captions for row in rows}.values()))  # a picture counts once
    known: dict[str, KnownTexts] = {}
    judged: list[Judged] = []
    for start in range(0, len(rows), _WAVE):
        stop = budget.exhausted()
        if stop is not None:
            return Synthesis(judged=tuple(judged), left=len(rows) - len(judged), stopped=stop)
        wave = rows[start : start + _WAVE]
        written = await writer.write(wave, n=n, seed=seed)
        proposals = [_proposals(row, found.captions, filter) for row, found in zip(wave, written, strict=True)]
        if filter != "none" and reader is not None:
            proposals = await _read(wave, proposals, reader, cider)
        for row, found, mine in zip(wave, written, proposals, strict=True):
            entry = (
                Judged(row=row, outcome="failed", reason=found.failed)
                if found.failed
                else await _choose(row, mine, filter=filter, least=least, judge=judge)
            )
            judged.append(await _new(entry, known))
            tell(len(judged), len(rows), judged[-1])
    return Synthesis(judged=tuple(judged))


def _proposals(row: CaptionRow, captions: Sequence[str], filter: Filter) -> list[Proposal]:
    made: list[Proposal] = []
    seen: set[str] = set()
    for caption in captions:
        if normal(caption) in seen:
            continue  # said twice, with other marks
        seen.add(normal(caption))
        why = ""
        if filter != "none" and restates(caption, row.question or "", row.answers, row.captions):
            why = "it only restates the question and its answer"
        elif filter != "none" and off_topic(caption, row.captions):
            why = "it speaks of the question instead of the picture"
        made.append(Proposal(caption=caption, why=why))
    return made


async def _read(
    rows: Sequence[CaptionRow], proposals: list[list[Proposal]], reader: CaptionReader, cider: Cider
) -> list[list[Proposal]]:
    """The proposals with their scores; those that are out already are not read."""
    places = [(r, p) for r, mine in enumerate(proposals) for p, one in enumerate(mine) if not one.why]
    answers = await reader.answer([(proposals[r][p].caption, rows[r].question or "") for r, p in places])
    for (r, p), said in zip(places, answers, strict=True):
        row, one = rows[r], proposals[r][p]
        known = {"cider": round(cider.score(one.caption, row.captions), 4), "read": said}
        if said is None:
            proposals[r][p] = one.model_copy(update={**known, "why": "the reader failed on it"})
            continue
        soft, hard = soft_accuracy(said, row.answers), hard_accuracy(said, row.answers)
        proposals[r][p] = one.model_copy(update={**known, "soft": round(soft, 4), "hard": round(hard, 4)})
    return proposals


async def _choose(
    row: CaptionRow, proposals: list[Proposal], *, filter: Filter, least: float, judge: CaptionJudge | None
) -> Judged:
    """The best proposal that does not give its answer away."""

    def score(one: Proposal) -> float:
        return (one.soft if filter == "soft" else one.hard) or 0.0

    mine = list(proposals)
    order = [place for place, one in enumerate(mine) if not one.why]
    if filter != "none":
        order.sort(key=lambda place: (-score(mine[place]), -(mine[place].cider or 0.0), place))
    for place in order:
        one = mine[place]
        if filter != "none":
            if score(one) < least if filter == "soft" else score(one) <= 0:
                mine[place] = one.model_copy(update={"why": "the reader does not answer right from it"})
                continue
            if planted(one.caption, row.answers, row.captions):
                seen = (
                    (await judge.seen([(one.caption, _planted_word(one.caption, row.answers))]))[0] if judge else False
                )
                if not seen:
                    why = (
                        "the judge's verdict cannot be read"
                        if seen is None
                        else "it plants an answer that cannot be seen"
                    )
                    mine[place] = one.model_copy(update={"why": why})
                    continue
        return Judged(
            row=row,
            outcome="accepted",
            caption=one.caption,
            soft=one.soft,
            hard=one.hard,
            cider=one.cider,
            proposals=tuple(mine),
        )
    reasons = list(dict.fromkeys(one.why for one in mine if one.why))
    return Judged(row=row, outcome="refused", reason="; ".join(reasons) or "no caption", proposals=tuple(mine))


def _planted_word(caption: str, answers: Sequence[str]) -> str:
    """The answer that stands in the caption."""
    return next((answer for answer in answers if planted(caption, [answer], ())), answers[0])


async def _new(entry: Judged, known: dict[str, KnownTexts]) -> Judged:
    """The entry, refused where its picture has a row of nearly the same question and caption."""
    if entry.outcome != "accepted":
        return entry
    text = f"{entry.row.question} {entry.caption}"
    texts = known.setdefault(entry.row.image or entry.row.id, KnownTexts(rouge=_SAME))
    match = (await texts.nearest([text]))[0]
    if match is not None:
        return entry.model_copy(update={"outcome": "refused", "caption": None, "reason": str(match)})
    await texts.add("a row of the same picture", [text])
    return entry
