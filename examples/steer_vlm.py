"""The question that steers a vision model by shape or by texture, with and without an accuracy floor.

On a picture whose outline says one thing and whose filling says another, the model is asked for either, and for a third thing that is not
there: what it is surest of is what it names. The share of shapes among the shapes and textures named (shape bias, Geirhos et al. 2019) is
what is searched; `python steer_vlm.py texture` searches the other way. Accuracy: the share of pictures of which it names one of the two.
"""

import random
import sys

import inloop
from inloop.mini.world.data import SETS
from inloop.tools.vision import open_vqa

THINGS = 8  # pictures of one instance
WORDS = "is are there a the thing can you see does it look like made of picture shape outline has in drawn not small large two".split()


class Steering(inloop.SearchTask):
    scores = ("bias", "accuracy")

    def __init__(self, store, settings, cue="shape"):
        self.blobs, self.vqa, self.cue = store.blobs, open_vqa(settings.vqa, store, settings), cue

    def propose(self, text, history, *, n, seed):
        """The best questions with one or two words changed, added or left out."""
        draw = random.Random(seed)
        return [self.changed(draw.choice(history).text, draw) for _ in range(n)]

    @staticmethod
    def changed(question, draw):
        words = question.removesuffix(" {}?").lower().split()
        for _ in range(draw.choice((1, 2))):
            place, how = draw.randrange(len(words)), draw.choice(("change", "add", "leave"))
            words[place : place + (how != "add")] = [] if how == "leave" and len(words) > 1 else [draw.choice(WORDS)]
        return " ".join(words).capitalize() + " {}?"

    async def realise(self, texts, seeds):
        """For each question and each seed's pictures: the probability of yes to the shape, the texture and a third thing."""
        groups = {seed: self.pictures(seed) for seed in seeds}
        asked = [
            (image, text.format(thing))
            for text in texts
            for seed in seeds
            for image, names in groups[seed]
            for thing in names
        ]
        answers = iter(await self.vqa.answer(asked))
        return [
            [[[next(answers).p_yes for _ in names] for _, names in groups[seed]] for seed in seeds] for text in texts
        ]

    def pictures(self, seed):
        """New ones for every seed, so that none is both optimised on and held out."""
        drawn = [each for each in SETS["cue-conflict"].plan(4 * THINGS // 3, seed) if each.split == "test"]
        things = [each for each in drawn if each.columns["family"] == "thing"]
        pairs = [(each.columns["shape"], each.columns["texture"]) for each in things]
        others = [
            next(name for name, _ in pairs[place:] + pairs if name not in pair) for place, pair in enumerate(pairs)
        ]
        images = [self.blobs.put(each.image(), "image/png") for each in things]
        return [(image, (*pair, other)) for image, pair, other in zip(images, pairs, others, strict=True)]

    def score(self, text, made):
        named = [max(range(3), key=row.__getitem__) for row in made if None not in row and max(row) > 0.5]
        shapes, textures = named.count(0), named.count(1)
        of_cue = shapes if self.cue == "shape" else textures
        return {
            "bias": of_cue / (shapes + textures) if shapes + textures else None,
            "accuracy": (shapes + textures) / len(made),
        }


class Texture(Steering):
    def __init__(self, store, settings):
        super().__init__(store, settings, cue="texture")


task = Texture if sys.argv[1:] == ["texture"] else Steering

if __name__ == "__main__":
    for floor in ((), ("accuracy=0.4",)):
        result = inloop.search("Is there a {}?", task=task, floor=floor, iterations=8, candidates=6, heldout_seeds=16)
        [found] = result.tasks
        print(f"\nfloor: {', '.join(floor) or 'none'}")
        for held in found.heldout.values():
            scores = ", ".join(f"{name} {100 * (value or 0):.0f}" for name, value in held.scores.items())
            print(f"  {held.text!r}: {scores} on unseen pictures")
        print(f"  {result.finding()}")
