"""`mini-promptcap`: `mini-vqa` taught to write a caption for the question instead of an answer.

It begins with the weights of `mini-vqa`, with the words it lacks added to its vocabulary, or goes on from its own. A quarter of the rows ask
for no question's caption. What is asked for is told by what is seen ("the thing above the red ring"), so that the words around it matter
little: some of them are made up of letters, for the questions of users will hold words that no training has seen.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertTokenizer, BlipForQuestionAnswering, BlipImageProcessor, BlipProcessor

from ...tools.captioning import mask_padding
from ...tools.vision import promptcap_prompt
from ..world import (
    COLORS,
    KINDS,
    SIZE,
    TEMPLATES,
    Placed,
    Scene,
    article,
    ask,
    many_things,
    pairs,
    pixels,
    plain,
    plural,
    scenes,
    summary,
    views,
)
from .loop import fit, keep_curves, write_sums
from .patch_pretraining import PatchHead, WordHead, image_processor_settings, worn

__all__ = ["PHRASINGS", "Line", "lines", "number_line", "train_promptcap", "with_words"]

IMAGES, EACH, WIDTH = 16, 4, 128
_ALL_COLORS = [None, *COLORS]
_NUMBERS = ("no", "one", "two", "three", "four")

# questions that need no knowledge: their phrasings in the training, and those that it never holds
PHRASINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "color": (
        ("what color is the {x}?", "which color is the {x}?", "what is the color of the {x}?", "the {x} is of what color?"),
        ("which color does the {x} have?", "can you tell me the color of the {x}?"),
    ),
    "count": (
        ("how many {x} are there?", "what is the number of {x}?", "how many {x} do you see?"),
        ("how many {x} can be counted?", "can you count the {x}?"),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """A training row: the question (None for a generic caption), the caption, and the thing that is meant where it is one."""

    question: str | None
    caption: str
    meant: Placed | None = None


def lines(scene: Scene, rng: np.random.Generator, count: int, *, noise: float = 0.25) -> list[Line]:
    """`count` rows about a scene of many things, the first of them for no question; all right by the world's own truth."""
    made = [Line(question=None, caption=summary(scene))]
    seen = views(scene, rng)
    ways = sorted({view.kind for view in seen})
    closed = set(pairs("test"))
    while len(made) < count:
        if rng.random() < 0.35:
            made.append(_plain_line(scene, rng, noise))
            continue
        # relations are the hardest to learn and many: half of what is asked for
        way = "relation" if "relation" in ways and rng.random() < 0.4 else str(rng.choice(ways))
        fitting = [view for view in seen if view.kind == way]
        view = fitting[int(rng.integers(len(fitting)))]
        roll = rng.random()
        relation = str(rng.choice(list(TEMPLATES)))
        if roll < noise:
            question = f"{_noise(rng)} {view.phrase} {_noise(rng)}".strip()
        elif roll < 0.6 and (view.thing.kind, relation) not in closed:
            question = str(rng.choice(TEMPLATES[relation][0])).format(x=view.phrase)
        else:
            question = f"what is {view.phrase}?"
        made.append(Line(question=question, caption=view.caption, meant=view.thing))
    return made


def _plain_line(scene: Scene, rng: np.random.Generator, noise: float) -> Line:
    """A question that needs no knowledge: a colour, a place, a number, the background, or whether something is there."""
    thing = scene.objects[int(rng.integers(len(scene.objects)))]
    name = f"{thing.color} {thing.kind}" if thing.color else thing.kind
    there = f"there is {article(name)} {name}"
    roll = rng.random()
    if roll < 0.45:
        asked = _phrasing("color", rng, noise).format(x=thing.kind)
        return Line(question=asked if thing.color else f"is there {article(name)} {name}?", caption=there, meant=thing)
    if roll < 0.6:
        absent = [kind for kind in KINDS if all(kind != other.kind for other in scene.objects)]
        kind = str(rng.choice(absent))
        return Line(question=f"is there {article(kind)} {kind}?", caption=f"there is no {kind}")
    if roll < 0.85:
        return number_line(scene, _phrasing("count", rng, noise))
    return Line(
        question="what is the background?",
        caption=f"there is {article(scene.background)} {scene.background} background",
    )


def _phrasing(about: str, rng: np.random.Generator, noise: float) -> str:
    """A phrasing of the training; by the chance `noise` the words that matter, a plural for a number, among words of letters by chance."""
    if rng.random() >= noise:
        return str(rng.choice(PHRASINGS[about][0]))
    told = ("color", "{x}") if about == "color" else ("{x}",)
    words = [part for word in told for part in (_noise(rng), word)]
    return " ".join(filter(None, [*words, _noise(rng)])) + "?"


def number_line(scene: Scene, phrasing: str) -> Line:
    """How many there are of the one kind of a scene; of several kinds, how many things."""
    kinds = {thing.kind for thing in scene.objects}
    alike = len(kinds) == 1 and len(scene.objects) > 1
    noun = plural(next(iter(kinds))) if alike else "things"
    return Line(question=phrasing.format(x=noun), caption=f"there are {_NUMBERS[len(scene.objects)]} {noun}")


def _noise(rng: np.random.Generator) -> str:
    """A few words of letters by chance."""
    words = []
    for _ in range(int(rng.integers(0, 4))):
        words.append("".join(rng.choice(list(string.ascii_lowercase)) for _ in range(int(rng.integers(1, 6)))))
    return " ".join(words)


def _vocabulary() -> list[str]:
    """Every word of the prompts, the phrasings of the training questions and the captions."""
    rng = np.random.default_rng(41)
    texts = [promptcap_prompt(""), promptcap_prompt(None), *(t for train, _ in TEMPLATES.values() for t in train)]
    texts += [t.format(x="") for train, _ in PHRASINGS.values() for t in train] + [plural(kind) for kind in KINDS]
    for _ in range(300):
        texts += [
            f"{line.question or ''} {line.caption}" for line in lines(many_things(rng, split="train"), rng, 6, noise=0)
        ]
    words = {word for text in texts for word in text.replace("?", " ").replace(":", " ").replace(",", " ").split()}
    return sorted(word for word in words if word.isalpha())


def with_words(start: Path, words: list[str]) -> tuple[BlipForQuestionAnswering, BertTokenizer]:
    """A `BlipForQuestionAnswering` with more words: the new rows of its embeddings begin as those of their pieces, averaged."""
    old = BertTokenizer.from_pretrained(start)
    new = [word for word in words if word not in old.get_vocab()]
    names = sorted(old.get_vocab(), key=old.get_vocab().__getitem__)
    tokenizer = BertTokenizer(vocab={name: place for place, name in enumerate([*names, *new])})
    model = BlipForQuestionAnswering.from_pretrained(start, dtype=torch.float32)
    config = model.config
    config.text_config.vocab_size = len(tokenizer)
    larger = BlipForQuestionAnswering(config)
    pieces = [old(word, add_special_tokens=False).input_ids for word in new]
    state, count = {}, len(names)
    for name, value in model.state_dict().items():
        if new and value.ndim and value.shape[0] == count:
            value = torch.cat([value, torch.stack([value[ids].mean(0) for ids in pieces])])
        state[name] = value
    larger.load_state_dict(state)
    return larger, tokenizer


class Learner(nn.Module):
    """The model with the heads that are thrown away: `meant` tells from the first word which thing is asked for, and where it is."""

    def __init__(self, model: BlipForQuestionAnswering, tokenizer: BertTokenizer) -> None:
        super().__init__()
        self.model, self.patches = model, PatchHead(WIDTH)
        self.words = WordHead(WIDTH, tokenizer.get_vocab().get, len(tokenizer))
        self.meant = nn.Linear(WIDTH, len(KINDS) + len(_ALL_COLORS) + 2)

    def which(self, states: Tensor, things: list[Placed | None]) -> Tensor:
        """Cross entropy of kind and colour and the squared error of the place, over the rows that mean one thing."""
        rows = [place for place, thing in enumerate(things) if thing is not None]
        if not rows:
            return states.new_zeros(())
        shown = [thing for thing in things if thing is not None]
        kind, color, place = self.meant(states[rows, 0]).float().split([len(KINDS), len(_ALL_COLORS), 2], dim=-1)
        kinds = torch.tensor([list(KINDS).index(thing.kind) for thing in shown], device=states.device)
        colors = torch.tensor([_ALL_COLORS.index(thing.color) for thing in shown], device=states.device)
        middles = torch.tensor([[(t.x + t.side / 2) * 2 / SIZE - 1, (t.y + t.side / 2) * 2 / SIZE - 1] for t in shown])
        near = F.mse_loss(place, middles.to(states.device))
        return F.cross_entropy(kind, kinds) + 0.3 * F.cross_entropy(color, colors) + 2 * near


def _batch(step: int) -> tuple[list[Scene], list[Line]]:
    rng = np.random.default_rng([step, 43])
    stream = scenes(6_000_000 + step, flat=0.7)
    batch, asked = [], []
    for number in range(IMAGES):
        if number % 4 == 3:
            scene = next(stream)
            told = plain(scene.spec).text
            made = [Line(question=None, caption=told)]
            if len(scene.objects) > 1:
                made.append(number_line(scene, _phrasing("count", rng, 0.25)))
            while len(made) < EACH:
                made.append(Line(question=ask(scene, rng).question.lower(), caption=told))
        else:
            scene = many_things(rng, split="train", flat=0.7)
            made = lines(scene, rng, EACH)
        batch.append(scene)
        asked += made
    return batch, asked


def train_promptcap(
    work: Path,
    out: Path,
    *,
    steps: int,
    device: str,
    start: Path,
    report: Callable[[str], None] = print,
) -> None:
    """Train from the weights of `mini-vqa`, or of a captioner, in the folder `start` and write the model folder in fp16."""
    torch.manual_seed(5)
    model, tokenizer = with_words(start, _vocabulary())
    mask_padding(model)
    learner = Learner(model, tokenizer).to(device)

    def loss_of(step: int) -> Tensor:
        batch, asked = _batch(step)
        image = worn(pixels(batch), np.random.default_rng([step, 44])).to(device)
        states = model.vision_model(pixel_values=image).last_hidden_state
        prompts = [promptcap_prompt(line.question) for line in asked]
        words = tokenizer(prompts, padding=True, truncation=True, max_length=64, return_tensors="pt").to(device)
        said = tokenizer([line.caption for line in asked], padding=True, return_tensors="pt").to(device)
        read = model.text_encoder(
            input_ids=words.input_ids,
            attention_mask=words.attention_mask,
            encoder_hidden_states=states.repeat_interleave(EACH, 0),
        )[0]
        logits = model.text_decoder(
            input_ids=said.input_ids[:, :-1],
            attention_mask=said.attention_mask[:, :-1],
            encoder_hidden_states=read,
            encoder_attention_mask=words.attention_mask,
        ).logits.float()
        target = said.input_ids[:, 1:].masked_fill(said.attention_mask[:, 1:] == 0, -100)
        written = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100)
        aside = 1.0 if step < steps // 2 else 0.4
        dense = learner.patches(states, batch) * 0.2
        met = learner.words(read, words.input_ids, batch) * 0.3
        total: Tensor = 2 * written + aside * (dense + met + learner.which(read, [line.meant for line in asked]))
        return total

    fit(
        learner,
        loss_of,
        name="promptcap",
        steps=steps,
        rate=7e-4,
        checkpoint=work / "promptcap.pt",
        weight_decay=0.02,
        report=report,
    )
    model.to("cpu", torch.float16).save_pretrained(out, safe_serialization=True)
    BlipProcessor(BlipImageProcessor(**image_processor_settings()), tokenizer).save_pretrained(out)
    keep_curves(out, work, "promptcap")
    write_sums(out)
