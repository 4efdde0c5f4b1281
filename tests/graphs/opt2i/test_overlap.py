"""What is begun before its turn: asserted by who waits for whom, never by the clock. Whoever waits in vain runs into a time-out."""

from __future__ import annotations

import asyncio

import pytest
import stand_ins
from search_parts import WordCount, Writer
from stand_ins import StandInChat, StandInImages

from inloop.agents.opt2i import Rewriter
from inloop.graphs.opt2i.ahead import Ahead
from inloop.graphs.opt2i.config import Opt2iConfig
from inloop.graphs.opt2i.graph import build, chapters
from inloop.graphs.opt2i.loop import opt2i
from inloop.graphs.opt2i.overlap import as_written
from inloop.graphs.opt2i.parts import PromptProposer
from inloop.graphs.opt2i.search import SearchContext, first_state
from inloop.graphs.opt2i.stops import usual
from inloop.runtime.errors import CallFailed
from inloop.runtime.folder import RunFolder
from inloop.runtime.machine import Runner
from inloop.runtime.machine.checkpoints import Checkpoints
from inloop.runtime.run import carry
from inloop.runtime.settings import Settings
from inloop.runtime.store import BlobStore
from inloop.testing import ScriptedChat

ONE, TWO, THREE = ("two cats one", "two cats one more", "two cats and one more")


class Slow(Writer):
    """A realiser that can be made to wait for something before a text."""

    def __init__(self, blobs, waits=None):
        super().__init__(blobs)
        self.waits, self.begun = waits or {}, {}

    async def realise(self, texts, seeds):
        for text in texts:
            self.begun.setdefault(text, asyncio.Event()).set()
            if text in self.waits:
                await self.waits[text].wait()
        return await super().realise(texts, seeds)


class Looking(WordCount):
    """An evaluator that tells what it has begun to judge."""

    def __init__(self, blobs):
        super().__init__(blobs)
        self.begun: dict[str, asyncio.Event] = {}
        self.calls = []

    async def score(self, samples):
        self.calls.append([(sample.text, sample.id) for sample in samples])
        for sample in samples:
            self.begun.setdefault(sample.text, asyncio.Event()).set()
        return await super().score(samples)


class Writing(ScriptedChat):
    """A language model that goes on with its reply only when its first text is being painted."""

    def __init__(self, painting):
        super().__init__(["", ""])
        self.painting, self.written = painting, []

    async def complete(self, messages, *, on_text=None, **options):
        reply = f"1. <PROMPT>{ONE}</PROMPT>\n2. <PROMPT>{TWO}</PROMPT>\n3. <PROMPT>{THREE}</PROMPT>"
        if on_text is not None:
            cut = reply.index("T>\n2. <PROMPT>two") + 9
            for piece in (reply[:9], reply[9:cut]):
                on_text(piece)
            await self.painting.setdefault(ONE, asyncio.Event()).wait()
            assert TWO not in self.painting and THREE not in self.painting
            on_text(reply[cut:])
        made = await super().complete(messages, **options)
        return made.model_copy(update={"texts": (reply,)})


def test_what_is_written_waits_for_a_whole_batch(tmp_path):
    """A realiser that fills a batch up is not given one text after the other: each would cost a batch."""
    blobs = BlobStore(tmp_path / "blobs")

    async def begun(batch: int) -> list[int]:
        realiser = Slow(blobs)
        realiser.batch = batch
        async with Ahead() as ahead:
            search = SearchContext(
                proposer=None, realiser=realiser, evaluators={"length": WordCount(blobs)}, objective=lambda scores: scores["length"],
                stop=usual(iterations=1), seeds=(1, 2), heldout_seeds=(), blobs=blobs, ahead=ahead,
            )  # fmt: skip
            written, counts = as_written(search, search.seeds), []
            for text in (ONE, TWO, THREE):
                written(text)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                counts.append(len(realiser.begun))
            return counts

    assert asyncio.run(begun(1)) == [1, 2, 3]
    assert asyncio.run(begun(2)) == [1, 2, 3]
    assert asyncio.run(begun(4)) == [0, 2, 2]


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def search(blobs, realiser, evaluator, proposer, ahead) -> SearchContext:
    return SearchContext(
        proposer=proposer,
        realiser=realiser,
        evaluators={"length": evaluator},
        objective=lambda scores: scores["length"],
        stop=usual(iterations=1),
        seeds=(1, 2),
        heldout_seeds=(),
        blobs=blobs,
        candidates=3,
        top=4,
        ahead=ahead,
    )


def proposer_of(chat) -> PromptProposer:
    return PromptProposer(Rewriter(chat), "length", pytest.fail)


async def run(context, checkpoints=None, thread="t"):
    runner = Runner(build(), context=context, checkpoints=checkpoints, thread_id=thread, max_steps=60)
    async with asyncio.timeout(60):
        finish = (
            await runner.start_or_resume(dict(first_state("t", "two cats")))
            if checkpoints
            else await runner.start(dict(first_state("t", "two cats")))
        )
    assert finish.finished
    return finish.state


async def test_a_candidate_is_painted_while_the_reply_is_being_written(blobs):
    realiser = Slow(blobs)
    async with Ahead() as ahead:
        state = await run(search(blobs, realiser, Looking(blobs), proposer_of(Writing(realiser.begun)), ahead))
    assert [texts for texts, _ in realiser.asked] == [["two cats"], [ONE], [TWO], [THREE]]  # each once
    plain = search(blobs, Writer(blobs), Looking(blobs), proposer_of(Writing({})), None)
    assert await run(plain) == state  # and nothing else came of it
    assert plain.realiser.asked[1] == ([ONE, TWO, THREE], [1, 2])


async def test_one_is_judged_while_the_next_is_painted(blobs):
    evaluator = Looking(blobs)
    # the second waits until the first is being judged, the third until the second is
    waits = {
        TWO: evaluator.begun.setdefault(ONE, asyncio.Event()),
        THREE: evaluator.begun.setdefault(TWO, asyncio.Event()),
    }
    realiser = Slow(blobs, waits)
    async with Ahead() as ahead:
        state = await run(search(blobs, realiser, evaluator, proposer_of(ScriptedChat([_reply()])), ahead))
    assert [{text for text, _ in call} for call in evaluator.calls] == [{"two cats"}, {ONE}, {TWO}, {THREE}]
    assert len(chapters(blobs, state["chapter"])) == 4


async def test_what_was_begun_when_a_run_ended_is_done_again_by_the_next_and_comes_to_the_same(blobs, tmp_path):
    class Ends(Exception):
        pass

    class Ending(Looking):
        async def score(self, samples):
            if samples[0].text == TWO:
                raise Ends
            return await super().score(samples)

    whole = await run(search(blobs, Writer(blobs), Looking(blobs), proposer_of(ScriptedChat([_reply()])), None))
    async with Checkpoints(tmp_path / "checkpoints.sqlite") as checkpoints:
        with pytest.raises(Ends):
            async with Ahead() as ahead:
                first = search(blobs, Slow(blobs), Ending(blobs), proposer_of(ScriptedChat([_reply()])), ahead)
                await run(first, checkpoints)
        realiser = Slow(blobs)
        async with Ahead() as ahead:
            again = search(blobs, realiser, Looking(blobs), proposer_of(ScriptedChat([])), ahead)
            assert await run(again, checkpoints) == whole
        assert (
            realiser.asked == []
        )  # the pictures were in the checkpoint: judged together, and nothing is painted again


async def test_what_nobody_takes_up_is_cancelled_and_a_failure_can_be_tried_again():
    never, tries = asyncio.Event(), []

    async def work():
        tries.append(1)
        if len(tries) == 1:
            raise CallFailed("once")
        return "made"

    async with asyncio.timeout(60):
        async with Ahead() as ahead:
            left = ahead.begin("left", never.wait)
            with pytest.raises(CallFailed):
                await ahead.take("work", work)
            assert await ahead.take("work", work) == "made" and not ahead.has("work")
        assert left.cancelled()


def test_the_first_pictures_are_painted_while_the_questions_are_written(tmp_path, monkeypatch):
    """Of the second prompt: before the language model has answered once, nothing is paid for that may be of no use."""
    import inloop.graphs.opt2i.context as context

    first, second = "a crimson disc to the left of an azure box", "a trio of golden pentagrams"
    painting, answered = asyncio.Event(), []

    class Painting(StandInImages):
        async def generate(self, requests):
            if any(request.prompt == second for request in requests):
                painting.set()
            assert answered
            return await super().generate(requests)

    class Asking(StandInChat):
        async def complete(self, messages, **options):
            if messages[-1].content == f"Tuples: {second}":
                async with asyncio.timeout(60):
                    await painting.wait()
            answered.append(await super().complete(messages, **options))
            return answered[-1]

    config = Opt2iConfig(
        prompts=(first, second),
        iterations=1,
        images_per_prompt=2,
        heldout_seeds=2,
        baselines=False,
        questioner="mini-writer",
        in_flight=1,
    )
    results = []
    for with_ in ({"images": Painting, "chat": Asking}, {}):
        opened = stand_ins.install(lambda name, value: monkeypatch.setattr(context, name, value), **with_)
        folder = RunFolder.create(tmp_path / "runs", "opt2i", config)
        results.append(asyncio.run(carry(opt2i, config, folder=folder, settings=Settings(runs_dir=tmp_path / "runs"))))
    assert results[0].calls["image"]["paid"] > 0 == opened["images"][0].paid
    one, other = ([task.trials for task in result.tasks] for result in results)
    assert one == other


def _reply() -> str:
    return "\n".join(f"<PROMPT>{text}</PROMPT>" for text in (ONE, TWO, THREE))


async def test_only_texts_that_will_be_kept_are_told_of():
    told: list[str] = []
    reply = f"<PROMPT>two cats</PROMPT><PROMPT>{ONE}</PROMPT>[PROMPT]{ONE.upper()}[/PROMPT]<PROMPT>{TWO}</PROMPT><PROMPT>{THREE}</PROMPT>"

    class Pieces(ScriptedChat):
        async def complete(self, messages, *, on_text=None, **options):
            for place in range(len(reply)):
                on_text(reply[place])
            return await super().complete(messages, **options)

    made = await Rewriter(Pieces([reply])).propose(text="two cats", history=[], n=2, seed=0, on_text=told.append)
    assert list(made.texts) == told == [ONE, TWO]
