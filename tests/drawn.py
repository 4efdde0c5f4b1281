"""An `Opt2iResult` as a run leaves it, with real pictures in a real blob store, to test the report and the commands on.

The pictures are drawn with Pillow and the numbers follow from a seed, so that both are the same everywhere.
"""

import random

from PIL import Image, ImageDraw

from inloop.graphs.opt2i.result import HeldOut, Opt2iResult, Opt2iTask, Question, Trial, TrialImage
from inloop.graphs.opt2i.ways import Comparison
from inloop.runtime.records import Cost, Part, Score
from inloop.runtime.store.blobs import BlobStore

QUESTIONS = (
    Question(id=1, tuple="entity - whole (disc)", question="Is there a disc?"),
    Question(id=2, tuple="entity - whole (box)", question="Is there a box?"),
    Question(id=3, tuple="attribute - color (disc, crimson)", question="Is the disc crimson?", parents=(1,)),
    Question(id=4, tuple="attribute - color (box, azure)", question="Is the box azure?", parents=(2,)),
    Question(
        id=5, tuple="relation - spatial (disc, box, left of)", question="Is the disc left of the box?", parents=(1, 2)
    ),
)
PHRASES = ("a crimson disc", "an azure box")
WORDS = [
    "a red circle to the left of a blue square",
    "a large red circle on the left and a blue square on the right",
    "one red disc beside a blue box",
    "a blue square, left of it a red circle",
    "a crimson circle next to an azure square on white",
    "a red circle left of a blue square, on a white background",
]


def picture(blobs, seed, skill):
    rng = random.Random(seed)
    image = Image.new("RGB", (64, 64), rng.choice(["#fbfaf5", "#eef3f7", "#f3efe6"]))
    draw = ImageDraw.Draw(image)
    left, right = ((6, 22), (36, 24)) if rng.random() < skill else ((36, 20), (5, 25))
    draw.ellipse((*left, left[0] + 21, left[1] + 21), fill="#c8202f" if rng.random() < skill else "#d79a2b")
    draw.rectangle((*right, right[0] + 20, right[1] + 20), fill="#2a66d9" if rng.random() < skill else "#3aa05a")
    for _ in range(60):
        x, y = rng.randrange(64), rng.randrange(64)
        r, g, b = image.getpixel((x, y))
        draw.point((x, y), (max(r - 14, 0), max(g - 14, 0), max(b - 14, 0)))
    return blobs.put_image(image)


def shots(blobs, seeds, skill, salt):
    """Images with a DSG and a dCS score each."""
    images = []
    for seed in seeds:
        rng = random.Random(f"{salt}-{seed}")
        answers = [rng.random() < skill for _ in QUESTIONS]
        for question in QUESTIONS:
            if not all(answers[p - 1] for p in question.parents):
                answers[question.id - 1] = False
        parts = tuple(
            Part(name=q.question, value=float(a), detail=f"p_yes {rng.random():.2f}")
            for q, a in zip(QUESTIONS, answers, strict=True)
        )
        cosines = tuple(Part(name=p, value=round(0.15 + 0.2 * skill + rng.random() * 0.05, 4)) for p in PHRASES)
        images.append(
            TrialImage(
                seed=seed,
                image=picture(blobs, f"{salt}-{seed}", skill),
                scores={
                    "dsg": Score(value=sum(answers) / len(answers), parts=parts),
                    "dcs": Score(value=sum(c.value for c in cosines) / len(cosines), parts=cosines),
                },
            )
        )
    return tuple(images)


def mean(images, name):
    return sum(i.scores[name].value for i in images) / len(images)


def trial(blobs, id, iteration, text, parent, skill):
    images = shots(blobs, range(4), skill, f"{id}-{text}")
    parts = {}
    for name in ("dsg", "dcs"):
        names = [p.name for p in images[0].scores[name].parts]
        parts[name] = tuple(
            Part(name=n, value=sum(i.scores[name].parts[k].value for i in images) / len(images))
            for k, n in enumerate(names)
        )
    scores = {"dsg": mean(images, "dsg"), "dcs": mean(images, "dcs")}
    return Trial(
        id=id,
        iteration=iteration,
        text=text,
        parent=parent,
        objective=scores["dsg"],
        scores=scores,
        parts=parts,
        images=images,
    )


def task(blobs, number, text, iterations, candidates):
    rng = random.Random(number)
    trials = [trial(blobs, f"p{number}.0.0", 0, text, None, 0.45)]
    for iteration in range(1, iterations + 1):
        best = max(trials, key=lambda t: t.objective or 0.0)
        for k in range(candidates):
            words = rng.choice(WORDS) + rng.choice(["", ", flat colours", ", seen from the front", ", centred"])
            skill = min(0.95, 0.45 + 0.5 * iteration / iterations + rng.uniform(-0.2, 0.1))
            trials.append(trial(blobs, f"p{number}.{iteration}.{k}", iteration, words, best.id, skill))
    trials.append(
        Trial(
            id=f"p{number}.{iterations}.{candidates}",
            iteration=iterations,
            text="a red circle and and and",
            parent=f"p{number}.0.0",
            scores={"dsg": None, "dcs": None},
            note="2 of 4 images have no answer: CallFailed: the model gave no tokens",
        )
    )
    best = max(trials, key=lambda t: -1.0 if t.objective is None else t.objective)
    seeds = tuple(range(1000, 1008))

    def held(words, skill):
        images = shots(blobs, seeds, skill, f"{number}-{words}")
        return HeldOut(text=words, scores={"dsg": mean(images, "dsg"), "dcs": mean(images, "dcs")}, images=images)

    return Opt2iTask(
        id=f"p{number}",
        text=text,
        stop="iterations" if number % 2 else "perfect",
        iterations=iterations,
        questions=QUESTIONS,
        questioner="mini-writer",
        phrases=PHRASES,
        trials=tuple(trials),
        best=best.id,
        accepted=True,
        heldout_seeds=seeds,
        heldout={
            "user": held(text, 0.45),
            "best": held(best.text, 0.93),
        },
        warnings=("the prompt has 2 words that the painter does not know: crimson, azure",) if number == 1 else (),
    )


def compared(tasks, way, name, images, part):
    gains = [100 * (t.heldout["best"].scores[name] - t.heldout["user"].scores[name]) for t in tasks]
    gain = part * sum(gains) / len(gains)
    wide = 14.0 / len(tasks) ** 0.5 if name == "dsg" else 1.5
    return Comparison(
        way=way, evaluator=name, gain=gain, ci=(gain - wide, gain + wide), n=8 * len(tasks), images=images
    )


def make_outcome(blobs: BlobStore, *, prompts=1, iterations=4, candidates=5) -> Opt2iResult:
    texts = ["a crimson disc to the left of an azure box"] + [
        f"a scarlet ball beside a navy cube, version {n}" for n in range(2, prompts + 1)
    ]
    tasks = tuple(task(blobs, n, text, iterations, candidates) for n, text in enumerate(texts, 1))
    spent = prompts * iterations * candidates * 4
    return Opt2iResult(
        run_id="opt2i-20260101-093000-ab12",
        loop="opt2i",
        created="2026-01-01T09:30:00+00:00",
        seconds=74.2,
        config={
            "prompts": texts,
            "llm": "mini-writer",
            "images": "mini",
            "objective": "dsg",
            "iterations": iterations,
            "candidates": candidates,
            "images_per_prompt": 4,
            "seed": 0,
            "budget": "",
        },
        models={
            "llm": {"id": "mini-writer", "revision": "9f2c41d07a5b"},
            "images": {"id": "mini-diffusion", "revision": "1b7e0c55aa90"},
            "vqa": {"id": "mini-vqa", "revision": "77aa01c2d3e4"},
            "clip": {"id": "mini-clip", "revision": "c0ffee123456"},
        },
        tasks=tasks,
        comparisons=(
            compared(tasks, "inloop", "dsg", spent, 1.0),
            compared(tasks, "blind paraphrases", "dsg", spent, 0.2),
            compared(tasks, "more seeds", "dsg", spent, 0.02),
            compared(tasks, "inloop", "dcs", spent, 1.0),
            compared(tasks, "blind paraphrases", "dcs", spent, 0.2),
            Comparison(way="more seeds", evaluator="dcs", gain=None, images=spent, note="no image could be scored"),
        ),
        cost=Cost(calls=240, input_tokens=18_200, output_tokens=6_421, images=spent, answers=spent * 5, seconds=61.0),
        calls={
            "llm": {"paid": 24, "reused": 3},
            "image": {"paid": spent, "reused": 12},
            "vqa": {"paid": spent * 5, "reused": 0},
            "embedding": {"paid": spent + 2, "reused": 0},
        },
    )
