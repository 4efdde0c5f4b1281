"""Stand-ins for the four models of a run, for tests of what is around them. They need no weights and tell the truth.

The painter draws with the world's own sprites, but it understands plain words only and guesses the rest; the VQA and the
embedder look at its pictures with the exact reader; the chat model words the prompt anew from its meaning. Every call
goes through the real ledger and can be made slow, so that a run can be killed in the midst of it.
"""

from __future__ import annotations

import asyncio
import math
import re
import zlib
from dataclasses import replace

import numpy as np
from PIL import Image
from servers import completion

from inloop.mini.world.drawing import draw, place
from inloop.mini.world.grammar import word
from inloop.mini.world.parse import spec_of
from inloop.mini.world.questions import holds
from inloop.mini.world.reader import Seen, read
from inloop.mini.world.vocabulary import (
    BACKGROUNDS,
    COLORS,
    COUNTS,
    KINDS,
    RELATIONS,
    SHAPES,
    SIZES,
    plain_of,
    plural,
)
from inloop.runtime.records import Answer, BlobRef, Cost, Reply
from inloop.runtime.store.ledger import Call

SINGULAR = {plural(noun): noun for words in KINDS.values() for noun in words}
NUMBERS = {words[0]: count for count, words in COUNTS.items()} | {"one": 1}


class StandIn:
    """What all four share: a name, a pause, and calls through the ledger, counted in `paid`."""

    kind = "llm"

    def __init__(self, store, *, pause: float = 0.0) -> None:
        self.store, self.pause = store, pause
        self.model, self.revision = f"stand-in-{self.kind}", "1"
        self.paid = 0
        self.busy = self.busiest = 0
        self.closed = False

    async def once(self, params, inputs, make, cost=None):
        async def compute():
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            try:
                await asyncio.sleep(self.pause)
                value = make()
            finally:
                self.busy -= 1
            self.paid += 1
            return value, cost(value) if callable(cost) else cost or Cost(calls=1)

        call = Call(kind=self.kind, model=self.model, revision=self.revision, params=params, inputs=inputs)
        return (await self.store.ledger.once(call, compute))[0]

    async def aclose(self) -> None:
        self.closed = True


class StandInImages(StandIn):
    kind = "image"

    async def generate(self, requests):
        return list(await asyncio.gather(*(self._one(request) for request in requests)))

    async def _one(self, request):
        def make():
            return self.store.blobs.put_image(painted(request.prompt, request.seed)).model_dump()

        return BlobRef(**await self.once({}, request.model_dump(), make, Cost(calls=1, images=1)))

    def cut(self, prompt: str) -> str | None:
        return " ".join(prompt.split()[16:]) or None


def painted(text: str, seed: int) -> Image.Image:
    """What a painter makes of `text` that knows the plain words only."""
    spec = spec_of(text)
    if spec is None or len(spec.groups) > 2 or not 1 <= spec.groups[0].count <= 4:
        return Image.new("RGB", (64, 64), "white")
    rng = np.random.default_rng([seed, zlib.crc32(text.encode())])

    def known(plain, pool):
        return plain if plain is None or plain in text or plural(plain) in text else str(rng.choice(list(pool)))

    groups = []
    for group in spec.groups:
        kind = known(group.kind, KINDS)
        color = known(group.color, COLORS) if kind in SHAPES else None
        groups.append(replace(group, kind=kind, color=color or ("black" if kind in SHAPES else None)))
    relation = known(spec.relation, RELATIONS)
    background = known(spec.background, BACKGROUNDS)
    return draw(place(replace(spec, groups=tuple(groups), relation=relation, background=background), seed))


class StandInVQA(StandIn):
    kind = "vqa"

    async def answer(self, asked):
        return list(await asyncio.gather(*(self._one(image, question) for image, question in asked)))

    async def _one(self, image, question):
        def make():
            yes = true_of(looked_at(self.store, image), question)
            return Answer(text="yes" if yes else "no", p_yes=0.97 if yes else 0.02).model_dump()

        inputs = {"image": image.sha256, "question": question}
        return Answer(**await self.once({}, inputs, make, Cost(calls=1, answers=1)))


SEEN: dict[str, Seen] = {}


def looked_at(store, image: BlobRef) -> Seen:
    """What a picture shows; read once a process."""
    if image.sha256 not in SEEN:
        SEEN[image.sha256] = read(store.blobs.get_image(image))
    return SEEN[image.sha256]


def true_of(seen: Seen, question: str) -> bool:
    """Whether the answer to one of the world's yes/no questions is yes."""
    words = question.rstrip("?").lower()
    if found := re.match(r"is the background (.+)", words):
        return seen.background == plain_of(BACKGROUNDS, found[1])
    if found := re.match(r"are there exactly (\w+) (.+)", words):
        return len(those(seen, found[2])) == NUMBERS[found[1]]
    if found := re.match(r"(?:is there an?|are there) (.+)", words):
        return bool(those(seen, found[1]))
    _, _, rest = words.partition(" the ")
    one, beside, other = rest.partition(" next to the ")
    if beside:  # the world says it of any two things: it means no place
        return bool(those(seen, one) and those(seen, other))
    for plain, ways in RELATIONS.items():
        for way in sorted(ways, key=len, reverse=True):
            one, middle, other = rest.partition(f" {way} the ")
            if middle:
                return any(holds(plain, a, b) for a in those(seen, one) for b in those(seen, other))
    name, _, said = rest.rpartition(" ")
    if plain := plain_of(COLORS, said):
        return any(thing.color == plain for thing in those(seen, name))
    if plain := plain_of(SIZES, said):
        return any(thing.size == plain for thing in those(seen, name))
    raise AssertionError(f"the stand-in cannot read the question {question!r}")


def those(seen, name: str):
    """The objects of a picture that `name` ("red disc", "boxes") can mean."""
    first, _, rest = name.partition(" ")
    color = plain_of(COLORS, first) if rest else None
    noun = rest if color else name
    kind = plain_of(KINDS, noun) or plain_of(KINDS, SINGULAR.get(noun, ""))
    return [thing for thing in seen.objects if thing.kind == kind and color in (None, thing.color)]


class StandInEmbedder(StandIn):
    kind = "embedding"

    async def texts(self, texts):
        return [await self.once({}, text, lambda text=text: direction(text.split())) for text in texts]

    async def images(self, images):
        return [await self.once({}, image.sha256, lambda image=image: self._look(image)) for image in images]

    def _look(self, image):
        things = looked_at(self.store, image).objects
        return direction([word for thing in things for word in (thing.kind, thing.color or "")])


def direction(words) -> list[float]:
    """A unit vector with a place for each plain kind and colour."""
    places = [*KINDS, *COLORS]
    values = [0.1] * len(places)
    for said in words:
        plain = plain_of(KINDS, said) or plain_of(KINDS, SINGULAR.get(said, "")) or plain_of(COLORS, said)
        if plain:
            values[places.index(plain)] += 1
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]


class StandInChat(StandIn):
    """Speaks the compact format of mini-writer, whose name it has, and, for rewrites, that of the paper."""

    kind = "llm"
    notes: tuple[str, ...] = ()
    small, tuned_to = True, "mini"

    def __init__(self, store, *, pause: float = 0.0) -> None:
        super().__init__(store, pause=pause)
        self.model = "mini-writer"

    async def complete(self, messages, *, n=1, seed=None, temperature=1.0, max_tokens=512, **other):
        params = {"n": n, "seed": seed, "temperature": temperature, "max_tokens": max_tokens}
        asked = messages[-1].content

        def cost(value):
            return Cost(calls=1, input_tokens=len(asked.split()), output_tokens=len(value.split()))

        text = await self.once(params, [m.content for m in messages], lambda: written(asked, seed or 0), cost)
        return Reply(texts=(text,), finish_reasons=("stop",), model=self.model)


def written(asked: str, seed: int) -> str:
    """The answer to one message of the roles rewriter and questioner."""
    role, _, text = asked.splitlines()[0].partition(": ")
    if asked.startswith(("Improve", "Write")):
        role, text = "Rewrite", asked.splitlines()[1]
    if role == "Tuples":
        return "\n".join(f"{node.id} | {node.tuple}" for node in graph_of(text))
    count = int(re.search(r"Write (\d+)", asked)[1])
    spec = spec_of(text)
    rng = np.random.default_rng([seed, zlib.crc32(asked.encode())])
    if spec is None:
        return "\n".join(f"<PROMPT>{text} {rng.integers(1000)}</PROMPT>" for _ in range(count))
    return "\n".join(f"<PROMPT>{word(spec, rng, looseness=0.5).text}</PROMPT>" for _ in range(count))


def answering(handler, body):
    """What a language model behind an HTTP server says to the rewriter (see `servers`)."""
    texts = [written(body["messages"][-1]["content"], body.get("seed", 0))]
    handler.json(completion(texts * body.get("n", 1), output_tokens=9))


def graph_of(text: str):
    from inloop.agents.scene.simple_english import simple_scene_graph

    return simple_scene_graph(text).nodes


def install(put, *, pause: float = 0.0, **other) -> dict[str, list[StandIn]]:
    """Let OPT2I open stand-ins: `put(name, value)` sets an attribute of `inloop.graphs.opt2i.context`; gives what gets opened.

    `other` replaces a stand-in by another class, as in `chat=Garbled`.
    """
    kinds = {"images": StandInImages, "vqa": StandInVQA, "clip": StandInEmbedder, "chat": StandInChat} | other
    opened: dict[str, list[StandIn]] = {name: [] for name in kinds}

    def opener(name):
        def open_it(spec, store, settings):
            made = kinds[name](store, pause=pause)
            opened[name].append(made)
            return made

        return open_it

    for name in kinds:
        put(f"open_{name}", opener(name))
    return opened
