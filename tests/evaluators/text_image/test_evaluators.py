"""The contract that every evaluator of pictures keeps, and what each of the small ones computes.

Every evaluator gets the same treatment: order and length kept, a permuted batch gives the permuted scores, a failed
call gives None with its reason, a picture that is missing gives None, values lie in their range.
"""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.agents.scene.questioner import Question, SceneGraph
from inloop.evaluators.stats.agreement import kappa, kendall, spearman, split_half
from inloop.evaluators.text_image.clip_score import ClipScore
from inloop.evaluators.text_image.dcs import DCS
from inloop.evaluators.text_image.dsg import DSG, Rule, dsg_parts
from inloop.evaluators.text_image.ensemble import Panel
from inloop.evaluators.text_image.geneval import GenEval
from inloop.evaluators.text_image.geneval_prompts import Requirements
from inloop.evaluators.text_image.per_prompt import PerPrompt
from inloop.evaluators.text_image.preference import Preference
from inloop.evaluators.text_image.tifa import TIFA, ChoiceQuestion, questions_from_graph, read_tifa_questions
from inloop.evaluators.text_image.vqa_score import VQAScore
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedDetector, ScriptedEmbedder, ScriptedRewards, ScriptedVQA
from inloop.runtime.records import Answer, BlobRef, Detection, Sample
from inloop.tools.vision import EnsembleVQA


def blob(number: int) -> BlobRef:
    return BlobRef(sha256=f"{number:064x}", media_type="image/png", bytes=1)


TEXTS = ("a disc", "a box", "two stars")
SAMPLES = [Sample(id=str(n), text=TEXTS[n % 3], image=None if n == 5 else blob(n % 4)) for n in range(9)]
NODES = (
    Question(id=1, tuple="entity - whole (disc)", question="Is there a disc?"),
    Question(id=2, tuple="attribute - color (disc, red)", question="Is the disc red?", parents=(1,)),
    Question(id=3, tuple="other - count (disc, ==2)", question="Are there two discs?", parents=(2,)),
)
GRAPH = SceneGraph(text="two red discs", nodes=NODES, questioner="test")


def unsure(image: BlobRef, question: str) -> float:
    return random.Random(image.sha256 + question).random()


class FailingVQA(ScriptedVQA):
    """Fails at every question about one picture."""

    def __init__(self) -> None:
        super().__init__(unsure)
        self.broken = True

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        if self.broken and any(image == blob(2) for image, _ in asked):
            raise CallFailed("the server hung up")
        return await super().answer(asked)


class FailingEmbedder(ScriptedEmbedder):
    """Fails at one picture; refuses texts of more than four words, as a text encoder refuses long ones."""

    broken = True

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        if self.broken and blob(2) in images:
            raise CallFailed("the server hung up")
        return await super().images(images)

    async def texts(self, texts: Sequence[str]) -> list[list[float]]:
        for text in texts:
            if len(text.split()) > 7:
                raise BadInput(f"the text {text!r} is too long")
        return await super().texts(texts)


class FailingDetector(ScriptedDetector):
    """Fails at one picture as long as `embedder` does; sees a disc in every other picture."""

    def __init__(self, embedder: FailingEmbedder) -> None:
        disc = Detection(label="disc", score=0.9, box=(0, 0, 9, 9))
        super().__init__(lambda image: [disc] if int(image.sha256, 16) % 2 else [])
        self.embedder = embedder

    async def detect(self, asked):
        if self.embedder.broken and any(image == blob(2) for image, _ in asked):
            raise CallFailed("the server hung up")
        return await super().detect(asked)


class FailingRewards(ScriptedRewards):
    """Fails at one picture as long as `embedder` does."""

    def __init__(self, embedder: FailingEmbedder) -> None:
        super().__init__()
        self.embedder = embedder

    async def rewards(self, asked):
        if self.embedder.broken and any(image == blob(2) for image, _ in asked):
            raise CallFailed("the server hung up")
        return await super().rewards(asked)


WANTED = {text: Requirements.of({"include": [{"class": "disc"}]}, "a test") for text in TEXTS}


def every(vqa, embedder):
    async def dsg(text):
        return DSG(vqa, GRAPH)

    async def dcs(text):
        return DCS(embedder, [text, "a thing"])

    return {
        "dsg": DSG(vqa, GRAPH),
        "dsg lazy": DSG(vqa, GRAPH, lazy=True),
        "ensemble": Panel(EnsembleVQA([vqa, ScriptedVQA(unsure, model="other")])).dsg(GRAPH),
        "dsg per prompt": PerPrompt("dsg", dsg),
        "dcs per prompt": PerPrompt("dcs", dcs),
        "tifa": TIFA(vqa, questions_from_graph(GRAPH)[:2]),
        "vqascore": VQAScore(vqa),
        "clipscore": ClipScore(embedder),
        "cosine": ClipScore(embedder, raw_cosine=True),
        "geneval": GenEval(FailingDetector(embedder), embedder, None, table=WANTED),
        "preference": Preference(FailingRewards(embedder)),
    }


NAMES = list(every(FailingVQA(), FailingEmbedder()))


@pytest.mark.parametrize("name", NAMES)
async def test_order_length_and_permutation(name):
    vqa, embedder = FailingVQA(), FailingEmbedder()
    vqa.broken = embedder.broken = False
    scores = await every(vqa, embedder)[name].score(SAMPLES)
    order = [7, 2, 8, 0, 5, 3, 1, 6, 4]
    permuted = await every(vqa, embedder)[name].score([SAMPLES[place] for place in order])
    assert [scores[place].value for place in order] == [score.value for score in permuted]
    assert [place for place, score in enumerate(scores) if score.value is None] == [5]
    assert "'5' has no picture" in scores[5].explanation
    low, high = {"cosine": (-1, 1), "dcs per prompt": (-1, 1), "clipscore": (0, 2.5), "preference": (-2, 2)}.get(
        name, (0, 1)
    )
    assert all(low <= score.value <= high for score in scores if score.value is not None)
    assert await every(vqa, embedder)[name].score([]) == []


@pytest.mark.parametrize("name", NAMES)
async def test_a_failed_call_is_none_with_its_reason_and_is_tried_again(name):
    vqa, embedder = FailingVQA(), FailingEmbedder()
    evaluator = every(vqa, embedder)[name]
    scores = await evaluator.score(SAMPLES)
    assert [place for place, score in enumerate(scores) if score.value is None] == [2, 5, 6]
    assert "the server hung up" in scores[2].explanation
    vqa.broken = embedder.broken = False
    assert [s.value is None for s in await evaluator.score(SAMPLES)] == [place == 5 for place in range(9)]


# --- DSG ---

answers = st.lists(st.sampled_from(["yes", "no", "maybe"]), min_size=6, max_size=6)
parents = st.lists(st.lists(st.integers(1, 6), max_size=3, unique=True), min_size=6, max_size=6)


@settings(max_examples=200)
@given(answers, parents, st.sampled_from(["strict", "released"]))
async def test_lazy_gives_the_same_scores_for_fewer_answers(said, above, rule: Rule):
    """On any graph without a circle: edges are drawn from a question to ones that stand before it in some order."""
    order = random.Random(str(above)).sample(range(1, 7), 6)
    before = {number: set(order[:place]) for place, number in enumerate(order)}
    nodes = tuple(
        Question(
            id=number,
            tuple=f"entity - whole (t{number})",
            question=f"Is there a t{number}?",
            parents=tuple(sorted(before[number].intersection(above[number - 1]))),
        )
        for number in range(1, 7)
    )
    graph = SceneGraph(text="t", nodes=nodes, questioner="test")
    script = {node.question: answer for node, answer in zip(nodes, said, strict=True)}
    whole, lazy = ScriptedVQA(script), ScriptedVQA(script)
    sample = Sample(id="s", text="", image=blob(0))
    [one] = await DSG(whole, graph, rule=rule).score([sample])
    [two] = await DSG(lazy, graph, rule=rule, lazy=True).score([sample])
    assert one.value == two.value
    assert [part.value for part in one.parts] == [part.value for part in two.parts]
    assert len(lazy.asked) <= len(whole.asked) == 6


async def test_lazy_skips_what_a_failed_parent_decides():
    vqa = ScriptedVQA({"Is there a disc?": "no"})
    [score] = await DSG(vqa, GRAPH, lazy=True).score([Sample(id="s", text="", image=blob(0))])
    assert score.value == 0 and len(vqa.asked) == 1 and score.cost.answers == 1
    vqa = ScriptedVQA({"Is there a disc?": "no", "Is the disc red?": "yes", "Are there two discs?": "yes"})
    [score] = await DSG(vqa, GRAPH, rule="released", lazy=True).score([Sample(id="s", text="", image=blob(0))])
    assert score.value == 1 / 3 and len(vqa.asked) == 3  # the grandchild is not decided by the grandparent


async def test_an_ensemble_averages_scores_and_reports_agreement():
    one = ScriptedVQA({"Is there a disc?": 0.9, "Is the disc red?": 0.9, "Are there two discs?": 0.1}, model="one")
    two = ScriptedVQA({"Is there a disc?": 0.9, "Is the disc red?": 0.1, "Are there two discs?": 0.1}, model="two")
    panel = Panel(EnsembleVQA([one, two]))
    [score] = await panel.dsg(GRAPH).score([Sample(id="s", text="", image=blob(0))])
    assert score.value == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert score.explanation == "mean of one 0.667, two 0.333" and len(one.asked) == len(two.asked) == 3
    assert [part.value for part in score.parts] == [1, 0.5, 0] and "two: answer='no'" in score.parts[1].detail
    made = panel.agreement()
    assert (made.questions, made.share) == (3, pytest.approx(2 / 3))
    assert made.kappa == pytest.approx(kappa([1, 1, 0], [1, 0, 0])) and list(made.pairs) == ["one and two"]
    await panel.dsg(GRAPH).score([Sample(id="s", text="", image=blob(0))])
    assert panel.agreement() == made, "a question is counted once"
    with pytest.raises(BadInput, match="two or more different models"):
        EnsembleVQA([one, one])


@given(st.lists(st.text(max_size=20), min_size=3, max_size=3), st.sampled_from(["strict", "released"]))
def test_whatever_is_answered_parts_are_0_or_1_or_none(texts, rule: Rule):
    made = dsg_parts([(n.question, n.parents) for n in NODES], [Answer(text=text) for text in texts], rule=rule)
    assert {part.value for part in made} <= {0.0, 1.0, None}


# --- per prompt ---


async def test_questions_of_a_prompt_are_written_once_and_a_failure_is_tried_again():
    made = []

    async def make(text):
        made.append(text)
        if text == "a box" and made.count("a box") == 1:
            raise CallFailed("no questions for 'a box'")
        return DSG(ScriptedVQA(unsure), GRAPH)

    evaluator = PerPrompt("dsg", make)
    scores = await evaluator.score(SAMPLES)
    assert [place for place, score in enumerate(scores) if score.value is None] == [1, 4, 5, 7]
    assert "no questions for 'a box'" in scores[1].explanation
    await evaluator.score(SAMPLES)
    assert sorted(made) == ["a box", "a box", "a disc", "two stars"]


# --- VQAScore, CLIPScore ---


async def test_vqascore_is_the_probability_of_yes():
    vqa = ScriptedVQA({'Does this figure show "a disc"? Please answer yes or no.': 0.73})
    [score] = await VQAScore(vqa).score([Sample(id="s", text=" a  disc", image=blob(0))])
    assert score.value == 0.73 and score.explanation == "p(yes) 0.730; the answer was 'yes'"
    [score] = await VQAScore(ScriptedVQA(lambda image, question: "a cat")).score([SAMPLES[0]])
    assert score.value is None and "no probability of yes" in score.explanation
    with pytest.raises(BadInput, match="must hold"):
        VQAScore(vqa, template="Is it good?")


async def test_clipscore_is_weighted_and_cut_at_0_and_the_raw_cosine_is_neither():
    embedder = ScriptedEmbedder()
    samples = [Sample(id=str(n), text=f"thing {n}", image=blob(n)) for n in range(20)]
    raw = [s.value or 0 for s in await ClipScore(embedder, raw_cosine=True, prefix="A photo depicts ").score(samples)]
    weighted = [s.value for s in await ClipScore(embedder).score(samples)]
    assert weighted == pytest.approx([2.5 * max(value, 0) for value in raw])
    assert min(raw) < 0 < max(raw)


async def test_long_texts_are_refused_or_windowed_never_cut():
    long = Sample(id="s", text="one two three four five six seven eight nine", image=blob(0))
    [refused] = await ClipScore(FailingEmbedder()).score([long])
    assert refused.value is None and "too long" in refused.explanation
    [windowed] = await ClipScore(FailingEmbedder(), long="window").score([long])
    assert " ".join(part.name for part in windowed.parts) == long.text and len(windowed.parts) > 1
    assert windowed.value == pytest.approx(sum(p.value or 0 for p in windowed.parts) / len(windowed.parts))
    with pytest.raises(BadInput, match="long='cut'"):
        ClipScore(FailingEmbedder(), long="cut")  # type: ignore[arg-type]


# --- TIFA ---


async def test_tifa_takes_free_answers_for_choices():
    questions = questions_from_graph(GRAPH)
    assert [q.question for q in questions] == [
        "Is there a disc?",
        "Is the disc red?",
        "What color is the disc?",
        "Are there two discs?",
        "How many discs are there?",
    ]
    assert questions[2].choices[0] == "red" and questions[4].choices == ("1", "2", "3", "4")
    said = {
        "Is there a disc?": "Yes, it is",
        "Is the disc red?": "no",
        "What color is the disc?": "Red.",
        "Are there two discs?": "yes",
        "How many discs are there?": "two",
    }
    [score] = await TIFA(ScriptedVQA(said), questions).score([Sample(id="s", text="", image=blob(0))])
    assert [part.value for part in score.parts] == [1, 0, 1, 1, 1] and score.value == 0.8
    assert score.explanation == "4 of 5 questions answered rightly; not: Is the disc red?"


async def test_tifa_takes_the_nearest_choice_where_there_is_an_embedder():
    class Synonyms(ScriptedEmbedder):
        async def texts(self, texts):
            return await super().texts(["red" if text == "crimson" else text for text in texts])

    question = ChoiceQuestion(question="What color is it?", choices=("red", "blue"), answer="red")
    sample = Sample(id="s", text="", image=blob(0))
    vqa = ScriptedVQA({"What color is it?": "crimson"})
    [without] = await TIFA(vqa, [question]).score([sample])
    [nearest] = await TIFA(vqa, [question], embedder=Synonyms()).score([sample])
    assert (without.value, nearest.value) == (0, 1)
    with pytest.raises(BadInput, match="'green' is not among"):
        TIFA(vqa, [question.model_copy(update={"answer": "green"})])


def test_tifa_question_files(tmp_path):
    path = tmp_path / "q.json"
    row = '{"caption": "a disc", "question": "disc?", "choices": ["yes", "no"], "answer": "yes"}'
    path.write_text(f"[{row}]", encoding="utf-8")
    assert read_tifa_questions(path)["a disc"][0].answer == "yes"
    path.write_text('[{"caption": "a disc"}]', encoding="utf-8")
    with pytest.raises(BadInput, match="row 0 is no TIFA question"):
        read_tifa_questions(path)


# --- agreement ---


def test_rank_correlations_with_ties():
    one, other = [1, 2, 2, 3, 5], [1, 3, 2, 2, 4]
    assert spearman(one, other) == pytest.approx(7.25 / 9.5)
    assert kendall(one, other) == pytest.approx(6 / 9)
    assert spearman(one, one) == pytest.approx(1) and kendall(one, [-v for v in one]) == pytest.approx(-1)
    assert spearman([1, 1], [1, 2]) is None and kendall([1], [1]) is None
    with pytest.raises(BadInput, match="not a finite number"):
        spearman([1, float("nan")], [1, 2])
    with pytest.raises(BadInput, match="2 and 1 values"):
        kendall([1, 2], [1])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20), st.randoms())
def test_correlations_do_not_depend_on_the_order(pairs, rng):
    mixed = rng.sample(pairs, len(pairs))
    for measure in (spearman, kendall):
        a, b = measure(*zip(*pairs, strict=True)), measure(*zip(*mixed, strict=True))
        assert a == pytest.approx(b) and (a is None or -1 - 1e-9 <= a <= 1 + 1e-9)


def test_kappa():
    assert kappa("yyyn", "yyyn") == 1
    assert kappa("yynn", "ynyn") == 0
    assert kappa("yy", "yy") is None and kappa("", "") is None


def test_the_ceiling_of_raters_who_agree_is_1():
    made = split_half([[n, n, n] for n in range(6)] + [[9]])
    assert (made.spearman, made.kendall, made.items) == (pytest.approx(1), pytest.approx(1), 6)
    rng = random.Random(0)
    assert abs(split_half([[rng.random() for _ in range(4)] for _ in range(300)]).spearman or 0) < 0.15
