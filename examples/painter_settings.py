"""Guidance and negative prompt of a painter, searched by what its pictures show: settings for all prompts, not words for one.

The text that is searched is the end of the painter's spec, as in `guidance=2&negative=a blurred picture`; each instance is a prompt with a
seed, and its score the DSG of the picture.
"""

import random
import sys

import inloop
from inloop.agents.scene import SceneWriter
from inloop.evaluators.text_image import DSG
from inloop.records import ImageRequest, Sample
from inloop.tools.images import open_images
from inloop.tools.vision import open_vqa

PROMPTS = [
    f"a {color} {thing} {where} a {other}"
    for color, thing in (("red", "star"), ("blue", "ring"), ("green", "heart"), ("pink", "diamond"))
    for where, other in (
        ("above", "cow"),
        ("below", "ghost"),
        ("to the left of", "rabbit"),
        ("to the right of", "cake"),
    )
]
GUIDANCE = (1, 1.5, 2, 2.5, 3, 4, 6, 8)
NEGATIVE = ("", "a cat", "two shapes", "a gray picture", "a small thing", "nothing")


class Settings(inloop.SearchTask):
    scores = ("dsg",)
    size = len(PROMPTS) * 8  # each prompt with eight seeds

    def __init__(self, store, settings):
        self.store, self.settings, self.painters = store, settings, {}
        self.vqa, self.scenes = open_vqa(settings.vqa, store, settings), SceneWriter(None)

    def propose(self, text, history, *, n, seed):
        """One of the best settings with a neighbouring guidance, or another negative prompt."""
        draw, texts = random.Random(seed), []
        for _ in range(n):
            guidance, _, negative = draw.choice(history).text.removeprefix("guidance=").partition("&negative=")
            if draw.random() < 0.5:
                guidance = draw.choice(GUIDANCE)
            else:
                negative = draw.choice(NEGATIVE)
            texts.append(
                f"guidance={float(guidance):g}" + (f"&negative={negative}" if negative and float(guidance) > 1 else "")
            )
        return list(dict.fromkeys(texts))

    async def realise(self, texts, seeds):
        requests = [ImageRequest(prompt=PROMPTS[seed % len(PROMPTS)], seed=seed) for seed in seeds]
        rows = []
        for text in texts:
            spec = f"{self.settings.images}?steps=2&{text}"  # few steps: where the settings tell
            if spec not in self.painters:
                self.painters[spec] = open_images(spec, self.store, self.settings)
            pictures = await self.painters[spec].generate(requests)
            rows.append(
                [{"prompt": r.prompt, "picture": p.model_dump()} for r, p in zip(requests, pictures, strict=True)]
            )
        return rows

    async def score(self, text, made):
        judge = DSG(self.vqa, await self.scenes.scene_graph(made["prompt"]))
        [score] = await judge.score([Sample(id="0", text=made["prompt"], image=made["picture"])])
        return {"dsg": score.value}

    async def aclose(self):
        for part in (self.vqa, *self.painters.values()):
            await part.aclose()


if __name__ == "__main__":
    start = sys.argv[1] if sys.argv[1:] else "guidance=1"
    result = inloop.search(start, task=Settings, iterations=4, candidates=4, instances=24, heldout_seeds=48)
    for trial in sorted(result.tasks[0].trials, key=lambda trial: trial.objective or 0, reverse=True):
        print(f"{100 * (trial.objective or 0):5.1f}  {trial.text}")
    print(result.finding())
