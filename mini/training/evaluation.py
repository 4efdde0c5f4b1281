"""Measures the small models on held-out captions, against the exact reader and the world's own truth, and writes their cards."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ...runtime.records import ImageRequest
from ...runtime.roles import close
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..world import KINDS, Scene, Spec, Wording, ask, check, draw, plain, scenes, specs, word
from .painter_evaluation import rate

__all__ = ["evaluate", "graph_right"]

Figures = dict[str, dict[str, float]]
MODELS = ("painter", "vqa", "clip", "writer", "answerer", "promptcap", "verifier")  # what is bundled


def evaluate(
    models: Sequence[str], *, weights: Path, count: int = 400, cards: bool = False, work: Path = Path("runs/mini")
) -> Figures:
    """Measure `models` (default: all), print the figures and, with `cards`, write them into `weights/*/figures.json` and the cards."""
    found: Figures = {}
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        bench = _Bench(weights, store, count, work)
        for name in models or MODELS:
            found[name] = asyncio.run(getattr(bench, name)())
            print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in found[name].items()), flush=True)
    if cards:
        from .cards import write_card

        for name, figures in found.items():
            (weights / name / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            write_card(name, figures, weights / name)
    return found


class _Bench:
    def __init__(self, weights: Path, store: Store, count: int, work: Path) -> None:
        self.weights, self.store, self.count, self.work = weights, store, count, work
        self.settings = Settings.load()

    async def _paint(self, texts: list[str]) -> list[Image.Image]:
        from ...tools.images import open_images

        painter = open_images(str(self.weights / "painter"), self.store, self.settings)
        made = await painter.generate([ImageRequest(prompt=text, seed=i) for i, text in enumerate(texts)])
        await close(painter)
        return [Image.open(io.BytesIO(self.store.blobs.get(ref))).convert("RGB") for ref in made]

    def _specs(self) -> list[Spec]:
        return list(itertools.islice(specs(900, held_out=True), self.count))

    async def painter(self) -> dict[str, float]:
        """Each thing by itself, and held-out captions in plain and in varied wording; the contact sheet is kept beside the weights."""
        from .painter_evaluation import contact_sheet, measure_painter

        sheet = await contact_sheet(self._paint)
        sheet.save(self.weights / "painter" / "contact_sheet.jpg", quality=85)
        return await measure_painter(self._paint, self._specs())

    async def vqa(self) -> dict[str, float]:
        """Balanced yes/no on drawn scenes in every domain; then agreement with the reader on painted pictures."""
        from ...tools.vision import open_vqa

        model = open_vqa(str(self.weights / "vqa"), self.store, self.settings)
        rng = np.random.default_rng(902)
        out: dict[str, float] = {}
        for name, flat, held in (
            ("drawn", 1.0, False),
            ("drawn, unseen words", 1.0, True),
            ("sketched or noisy", 0.0, False),
        ):
            drawn = list(itertools.islice(scenes(903, flat=flat, held_out=True), self.count))
            asked = [ask(scene, rng, looseness=0.6, held_out=held, open_share=0.0) for scene in drawn for _ in range(4)]
            refs = [self.store.blobs.put_image(draw(scene)) for scene in drawn for _ in range(4)]
            answers = await model.answer([(ref, qa.question) for ref, qa in zip(refs, asked, strict=True)])
            right = [answer.text == qa.answer for answer, qa in zip(answers, asked, strict=True)]
            out[name] = rate(right)
            for skill in ("existence", "color", "relation", "count") if name == "drawn" else ():
                out[f"drawn, {skill}"] = rate([ok for ok, qa in zip(right, asked, strict=True) if qa.skill == skill])
        wanted = self._specs()
        pictures = await self._paint([plain(spec).text for spec in wanted])
        agree = []
        for spec, picture in zip(wanted, pictures, strict=True):
            said = plain(spec)
            truth = _answers_of_reader(picture, spec, said)
            ref = self.store.blobs.put_image(picture)
            questions = [node.question for node in said.scene_graph()]
            answers = await model.answer([(ref, question) for question in questions])
            agree += [
                (answer.text == "yes") == wanted_yes
                for answer, wanted_yes in zip(answers, truth, strict=True)
                if wanted_yes is not None
            ]
        out["agreement on painted"] = rate(agree)
        await close(model)
        return out

    async def clip(self) -> dict[str, float]:
        """In-batch (64) recall@1, picture to caption and back, over held-out captions."""
        from ...tools.encoders import open_clip

        model = open_clip(str(self.weights / "clip"), self.store, self.settings)
        rng, found, back = np.random.default_rng(904), [], []
        drawn = scenes(905, held_out=True)
        for _ in range(max(4, self.count // 64)):
            batch: dict[Spec, Scene] = {}
            while len(batch) < 64:
                scene = next(drawn)
                batch.setdefault(scene.spec, scene)
            texts = [word(spec, rng, looseness=0.5).text for spec in batch]
            a = np.array(await model.images([self.store.blobs.put_image(draw(scene)) for scene in batch.values()]))
            b = np.array(await model.texts(texts))
            cosines = a @ b.T
            found += list(cosines.argmax(1) == np.arange(64))
            back += list(cosines.argmax(0) == np.arange(64))
        await close(model)
        return {"picture to caption": rate(found), "caption to picture": rate(back)}

    async def promptcap(self) -> dict[str, float]:
        """On unseen sets of things: whether the caption names what is meant, by a phrasing of the training, another, and none."""
        from ...tools.vision import open_captioner
        from ..world import items

        model = open_captioner(str(self.weights / "promptcap"), self.store, self.settings)
        asked = list(items("test", self.count, seed=908))
        refs = [self.store.blobs.put_image(draw(item.scene)) for item in asked]
        things = [item.view.thing for item in asked]
        wordings: dict[str, Callable[[str], str]] = {
            "asked as in training": lambda phrase: f"what is {phrase}?",
            "asked in other words": lambda phrase: f"can you name {phrase}?",
        }
        questions: dict[str, list[str | None]] = {
            name: [say(item.view.phrase) for item in asked] for name, say in wordings.items()
        }
        questions |= {
            "asked for knowledge, unseen phrasing": [item.question for item in asked],
            "not asked": [None] * len(asked),
        }
        out: dict[str, float] = {}
        for name, wanted in questions.items():
            said = await model.caption(list(zip(refs, wanted, strict=True)))
            named = [_words(thing.kind, text) for thing, text in zip(things, said, strict=True)]
            out[f"names it, {name}"] = rate(named)
            if name == "asked in other words":
                for kind in ("relation", "corner", "color", "size"):
                    out[f"names it, by {kind}"] = rate(
                        [ok for ok, item in zip(named, asked, strict=True) if item.view.kind == kind]
                    )
            if name == "not asked":
                out["not asked: all that it names is there"] = rate(
                    [_true(text, item.scene) for text, item in zip(said, asked, strict=True)]
                )
        await close(model)
        return out

    async def answerer(self) -> dict[str, float]:
        """Answers of the answerer and of its base to questions that were not taught."""
        from ...runtime.llm import open_chat
        from ...runtime.serving import serve
        from .answerer_evaluation import measure_answerer

        out: dict[str, float] = {}
        count = min(self.count, 100)
        adapter = f"mini-answerer={self.weights / 'answerer'}"
        for prefix, loras in (("", [adapter]), ("base: ", [])):
            with serve("smollm2", loras=loras, engine="embedded", settings=self.settings) as server:
                chat = open_chat(server.served.llm, self.store, self.settings)
                out |= {prefix + key: value for key, value in (await measure_answerer(chat, count=count)).items()}
                await close(chat)
        return out | {"questions": float(count)}

    async def writer(self) -> dict[str, float]:
        """Scene graphs of held-out prompts, by the writer and by rules, that are right and complete; rewrites true to them."""
        from ...agents.opt2i import Rewriter
        from ...agents.scene import Questioner, SceneGraph, simple_scene_graph
        from ...runtime.errors import CallFailed
        from ...runtime.llm import open_chat

        chat = open_chat("mini-writer", self.store, self.settings)
        rng, right, ruled, kept = np.random.default_rng(906), [], [], []

        def rows(graph: SceneGraph) -> list[tuple[str, str, Sequence[int]]]:
            return [(node.tuple, node.question, node.parents) for node in graph.nodes]

        count = min(self.count, 100)
        for number, spec in enumerate(itertools.islice(specs(907, held_out=True), count)):
            said = word(spec, rng, looseness=0.7, held_out=True)
            try:
                graph = await Questioner(chat, "mini").questions(said.text)
                right.append(graph_right(rows(graph), said))
            except CallFailed:
                right.append(False)
            try:
                ruled.append(graph_right(rows(simple_scene_graph(said.text)), said))
            except CallFailed:
                ruled.append(False)
            texts = (await Rewriter(chat, "mini").propose(text=said.text, history=[], n=5, seed=number)).texts
            kept += [_same_meaning(text, spec) for text in texts]
        await close(chat)
        return {
            "scene graphs right and complete": rate(right),
            "scene graphs by the rules for simple English": rate(ruled),
            "rewrites that keep the meaning": rate(kept),
            "prompts": float(count),
        }

    async def verifier(self) -> dict[str, float]:
        """On statements about documents, and on claims, that it was not trained on."""
        from ...tools.entailment import open_nli
        from .verifier import measure_verifier

        judge = open_nli("mini", self.store, self.settings)
        self.work.mkdir(parents=True, exist_ok=True)
        figures = await measure_verifier(judge, self.work, count=self.count)
        await close(judge)
        return figures


def _words(kind: str, text: str) -> bool:
    return kind in text.replace(",", " ").split()


def _true(text: str, scene: Scene) -> bool:
    """Whether every kind that a text names is in the scene."""
    return all(any(thing.kind == kind for thing in scene.objects) for kind in KINDS if _words(kind, text))


def graph_right(nodes: Sequence[tuple[str, str, Sequence[int]]], said: Wording) -> bool:
    """Whether (tuple, question, parents) rows are exactly the scene graph of a wording, in any order."""

    def named(rows: Sequence[tuple[str, str, Sequence[int]]]) -> set[tuple[str, str, frozenset[str]]]:
        facts = {place: fact for place, (fact, _, _) in enumerate(rows, start=1)}
        return {
            (fact, question, frozenset(facts.get(p, "?") for p in parents if p)) for fact, question, parents in rows
        }

    # the rules also ask what the writer was not taught: whether two things are next to each other
    asked = [row for row in nodes if not row[0].endswith(", next to)")]
    return named(asked) == named([(n.fact, n.question, n.parents) for n in said.scene_graph()])


def _same_meaning(text: str, spec: Spec) -> bool:
    """Whether a rewrite means `spec`: its words, read by rule, are words for the same kinds, colours, counts and relation."""
    from ..world import spec_of

    return spec_of(text) == spec


def _answers_of_reader(picture: Image.Image, spec: Spec, said: Wording) -> list[bool | None]:
    """What the reader answers to each question of a plain scene graph; None where it does not say."""
    verdict = check(picture, spec)
    bound = iter(verdict.bound)
    shown = dict(zip(range(len(spec.groups)), verdict.present, strict=True))
    out: list[bool | None] = []
    entity = 0
    distinct = len({group.kind for group in spec.groups}) == len(spec.groups)
    for node in said.scene_graph():
        kind = node.fact.split(" (")[0]
        if kind == "entity - whole":
            out.append(shown[entity] if distinct else None)
            entity += 1
        elif kind == "attribute - color":
            seen = next(bound, None)
            # a question about the colour of what is not there has no true answer
            out.append(seen if all(verdict.present) else None)
        elif kind == "relation - spatial":
            out.append(verdict.relation if all(verdict.present) and all(verdict.bound) else None)
        elif kind == "other - count":
            out.append(verdict.count if all(verdict.present) and all(verdict.bound) else None)
        elif kind == "global - background":
            out.append(verdict.background)
        else:
            out.append(None)
    return out
