"""`caption_synthesis`: captions for questions, written by a language model and filtered (Hu et al. 2023, section 4).

The way of a row: the writer samples captions from the picture's sentences, the question and its answer; what is said twice
or only restates is dropped; a reader answers the question from each caption, which scores it (`evaluators.vqa`);
the best is taken, of equal ones that with the higher CIDEr against the picture's sentences; a caption that plants the
answer has to pass a judge who sees nothing else, or the next best is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...agents.captions import CaptionJudge, CaptionReader, CaptionWriter
from ...evaluators.rows import KnownTexts, normal
from ...evaluators.vqa import Cider, hard_accuracy, off_topic, planted, restates, soft_accuracy
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.run import Loop
from ...runtime.session import Mapped, Session
from ...tools.data import CaptionRow, read_caption_rows
from .config import CaptionSynthesisConfig
from .files import check_out, write_files
from .result import CaptionedRow, CaptionSynthesisResult, Proposal

__all__ = ["caption_synthesis"]

_SAME = 0.95  # ROUGE-L of (question, caption) above which two rows of a picture are one


def _rows(config: CaptionSynthesisConfig) -> Mapping[str, CaptionRow]:
    """The rows by id, checked; `BadInput` too where `out` is in use for something else."""
    rows = read_caption_rows(Path(config.rows), needs=("question", "answers", "captions"))[: config.limit]
    for row in rows:
        if row.image is not None and not Path(row.image).is_file():
            raise BadInput(f"{config.rows!r}, row {row.id!r}: the picture {row.image!r} is not there.")
    check_out(config)
    return {row.id: row for row in rows}


class Synthesis:
    """What the rows of a run share: who writes, reads and judges, and how rare words are."""

    def __init__(self, config: CaptionSynthesisConfig, session: Session) -> None:
        self.config, self.session = config, session
        shots = {} if config.shots is None else {"shots": config.shots}
        self.writer = CaptionWriter(session.open("writer", open_chat, config.llm), **shots)
        self.reader: CaptionReader | None = None
        self.judge: CaptionJudge | None = None
        if config.filter != "none":
            self.reader = CaptionReader(session.open("reader", open_chat, config.reader or config.llm))
            if config.judge != "none":
                self.judge = CaptionJudge(session.open("judge", open_chat, config.judge or config.llm))
        rows = _rows(config).values()
        self.cider = Cider(list({row.image or row.id: row.captions for row in rows}.values()))  # a picture counts once

    async def caption(self, id: str, row: CaptionRow) -> CaptionedRow | None:
        """The caption of a row, or why it has none; None where the budget has no room for it."""
        config = self.config
        if self.session.budget.exhausted():
            return None
        [written] = await self.writer.write([row], n=config.samples, seed=config.seed)
        if written.failed:
            return CaptionedRow(id=id, row=row, outcome="failed", reason=written.failed)
        proposals = self._proposals(row, written.captions)
        if self.reader is None:
            return _taken(id, row, proposals, 0) if proposals else _refused(id, row, proposals)
        return await self._chosen(id, row, await self._read(row, proposals, self.reader))

    def _proposals(self, row: CaptionRow, captions: Sequence[str]) -> list[Proposal]:
        """What was written, each once, and why some of it is out already."""
        proposals: dict[str, Proposal] = {}
        for caption in captions:
            why = ""
            if self.reader is not None and restates(caption, row.question or "", row.answers, row.captions):
                why = "it only restates the question and its answer"
            elif self.reader is not None and off_topic(caption, row.captions):
                why = "it speaks of the question instead of the picture"
            proposals.setdefault(normal(caption), Proposal(caption=caption, why=why))
        return list(proposals.values())

    async def _read(self, row: CaptionRow, proposals: list[Proposal], reader: CaptionReader) -> list[Proposal]:
        """The proposals with their scores; those that are out already are not read."""
        places = [place for place, proposal in enumerate(proposals) if not proposal.why]
        answers = await reader.answer([(proposals[place].caption, row.question or "") for place in places])
        scored = [*proposals]
        for place, read in zip(places, answers, strict=True):
            scores: dict[str, Any] = {
                "read": read,
                "cider": round(self.cider.score(proposals[place].caption, row.captions), 4),
            }
            if read is None:
                scores["why"] = "the reader failed on it"
            else:
                scores["soft"] = round(soft_accuracy(read, row.answers), 4)
                scores["hard"] = round(hard_accuracy(read, row.answers), 4)
            scored[place] = proposals[place].model_copy(update=scores)
        return scored

    async def _chosen(self, id: str, row: CaptionRow, proposals: list[Proposal]) -> CaptionedRow:
        """The best proposal that does not give its answer away."""
        soft, least = self.config.filter == "soft", self.config.least

        def score(proposal: Proposal) -> float:
            return (proposal.soft if soft else proposal.hard) or 0.0

        judged = [*proposals]
        order = [place for place, proposal in enumerate(judged) if not proposal.why]
        order.sort(key=lambda place: (-score(judged[place]), -(judged[place].cider or 0.0), place))
        for place in order:
            proposal = judged[place]
            right = score(proposal) >= least if soft else score(proposal) > 0
            why = await self._planted(row, proposal) if right else "the reader does not answer right from it"
            if not why:
                return _taken(id, row, judged, place)
            judged[place] = proposal.model_copy(update={"why": why})
        return _refused(id, row, judged)

    async def _planted(self, row: CaptionRow, proposal: Proposal) -> str:
        """Why a caption gives its answer away; empty where it does not, or where the judge finds that it can be seen."""
        if not planted(proposal.caption, row.answers, row.captions):
            return ""
        word = next((each for each in row.answers if planted(proposal.caption, [each], ())), row.answers[0])
        seen = (await self.judge.seen([(proposal.caption, word)]))[0] if self.judge else False
        if seen is None:
            return "the judge's verdict cannot be read"
        return "" if seen else "it plants an answer that cannot be seen"


def _taken(id: str, row: CaptionRow, proposals: Sequence[Proposal], place: int) -> CaptionedRow:
    scores = proposals[place].model_dump(include={"caption", "soft", "hard", "cider"})
    return CaptionedRow(id=id, row=row, outcome="accepted", proposals=tuple(proposals), **scores)


def _refused(id: str, row: CaptionRow, proposals: Sequence[Proposal]) -> CaptionedRow:
    reasons = dict.fromkeys(proposal.why for proposal in proposals if proposal.why)
    reason = "; ".join(reasons) or "no caption"
    return CaptionedRow(id=id, row=row, outcome="refused", reason=reason, proposals=tuple(proposals))


async def _summary(synthesis: Synthesis, mapped: Mapped[CaptionedRow]) -> Mapping[str, Any]:
    """The rows, each new one once, written to files."""
    session, known = synthesis.session, dict[str, KnownTexts]()
    tasks = tuple([await _once(task, known) for task in mapped.results.values()])
    left = len(mapped.left_out)
    stopped = session.budget.exhausted() if left else None
    files = write_files(tasks, synthesis.config, session.models(), left=left, stopped=stopped)
    return {"tasks": tasks, "left": left, "files": tuple(map(str, files))}


async def _once(task: CaptionedRow, known: dict[str, KnownTexts]) -> CaptionedRow:
    """The task, refused where its picture has a row of nearly the same question and caption."""
    if task.outcome != "accepted":
        return task
    text = f"{task.row.question} {task.caption}"
    texts = known.setdefault(task.row.image or task.row.id, KnownTexts(rouge=_SAME))
    match = (await texts.nearest([text]))[0]
    if match is not None:
        return task.model_copy(update={"outcome": "refused", "caption": None, "reason": str(match)})
    await texts.add("a row of the same picture", [text])
    return task


caption_synthesis = Loop(
    name="caption_synthesis",
    config=CaptionSynthesisConfig,
    result=CaptionSynthesisResult,
    inputs=_rows,
    open=Synthesis,
    work=Synthesis.caption,
    summary=_summary,
    brings={"models": "by role (writer, reader, judge), a `Chat` of `runtime.protocols`"},
    checkpoints=False,
    brief="a caption for each question, written by a language model; those that help are kept",
)
