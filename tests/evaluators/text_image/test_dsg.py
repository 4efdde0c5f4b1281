"""DSG: both rules, missing answers, failing calls."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.scene.questioner import Question, SceneGraph
from inloop.evaluators.text_image.dsg import DSG, Rule, certainty, dsg_parts, verdict
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedVQA
from inloop.runtime.records import Answer, BlobRef, Sample, Score

IMAGE = BlobRef(sha256="a" * 64, media_type="image/png", bytes=1)
OTHER = BlobRef(sha256="b" * 64, media_type="image/png", bytes=1)
# disc <- red <- dark; box
NODES = (
    Question(id=1, tuple="entity - whole (disc)", question="Is there a disc?"),
    Question(id=2, tuple="attribute - color (disc, red)", question="Is the disc red?", parents=(1,)),
    Question(id=3, tuple="attribute - shade (red, dark)", question="Is the red dark?", parents=(2,)),
    Question(id=4, tuple="entity - whole (box)", question="Is there a box?"),
)
GRAPH = SceneGraph(text="a dark red disc and a box", nodes=NODES, questioner="test")


def parts(answers: Sequence[str | None], rule: Rule) -> list[float | None]:
    given = [None if answer is None else Answer(text=answer) for answer in answers]
    return [part.value for part in dsg_parts([(n.question, n.parents) for n in NODES], given, rule=rule)]


@pytest.mark.parametrize(
    ("answers", "strict", "released"),
    [
        (["yes", "yes", "yes", "yes"], [1, 1, 1, 1], [1, 1, 1, 1]),
        (["no", "yes", "yes", "yes"], [0, 0, 0, 1], [0, 0, 1, 1]),  # the grandchild tells the rules apart
        (["yes", "no", "yes", "yes"], [1, 0, 0, 1], [1, 0, 0, 1]),
        (["yes", "yes", "no", "no"], [1, 1, 0, 0], [1, 1, 0, 0]),
        (["Yes.", "yes, it is", "YES", "yes"], [1, 1, 1, 1], [0, 0, 0, 1]),
        ([None, "yes", "yes", "yes"], [None, None, None, 1], [None, None, 1, 1]),
        (["no", None, None, "yes"], [0, 0, 0, 1], [0, 0, None, 1]),
        (["yes", None, "no", "yes"], [1, None, 0, 1], [1, None, 0, 1]),
    ],
)
def test_the_two_rules(answers: list[str | None], strict: list[float | None], released: list[float | None]) -> None:
    assert parts(answers, "strict") == strict
    assert parts(answers, "released") == released


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (Answer(text="yes"), True),
        (Answer(text=" No, it is blue"), False),
        (Answer(text="yes 1000000000000000"), True),
        (Answer(text="1000000000000000"), None),
        (Answer(text="red", p_yes=0.7), True),
        (Answer(text="red", p_yes=0.2), False),
        (Answer(text="yes", p_yes=0.2), True),
        (Answer(text="notice"), None),
        (None, None),
    ],
)
def test_what_an_answer_means(answer: Answer | None, means: bool | None) -> None:
    assert verdict(answer) is means


async def test_a_score_has_its_reasons() -> None:
    vqa = ScriptedVQA(
        {"Is there a disc?": 0.9, "Is the disc red?": 0.25, "Is the red dark?": 0.6, "Is there a box?": 1.0}
    )
    (score,) = await DSG(vqa, GRAPH).score([Sample(id="s", text="", image=IMAGE)])
    assert score.value == 0.5 and score.cost.answers == 4
    assert score.explanation == "2 of 4 questions answered rightly; not: Is the disc red? Is the red dark?"
    assert [part.value for part in score.parts] == [1, 0, 0, 1]
    assert [part.name for part in score.parts] == [node.question for node in NODES]
    assert score.parts[2].detail == "answer='yes' p_yes=0.600000 0 because question 2 failed"
    assert [part.p_yes for part in score.parts] == [0.9, 0.25, 0.6, 1.0]
    assert certainty(score) == pytest.approx((0.9 + 0.25 + 0.6 + 1.0) / 4)


def test_certainty_is_read_from_its_field_and_not_from_words() -> None:
    parts = dsg_parts([("Is there a sign?", ())], [Answer(text="p_yes=0.9")])
    assert certainty(Score(value=None, parts=tuple(parts))) is None
    written_earlier = '{"value": 1.0, "parts": [{"name": "Is there a disc?", "value": 1.0, "detail": "p_yes=0.9"}]}'
    assert certainty(Score.model_validate_json(written_earlier)) is None


async def test_samples_keep_their_order_and_a_picture_is_asked_about_once() -> None:
    vqa = ScriptedVQA(lambda image, question: "yes" if image == IMAGE else "no")
    samples = [Sample(id=str(i), text="", image=image) for i, image in enumerate((OTHER, IMAGE, OTHER, IMAGE))]
    scores = await DSG(vqa, GRAPH).score([*samples, Sample(id="bare", text="")])
    assert [score.value for score in scores] == [0, 1, 0, 1, None]
    assert "'bare' has no picture" in scores[4].explanation
    assert len(vqa.asked) == 2 * len(NODES)
    assert await DSG(vqa, GRAPH).score([]) == []


class Failing(ScriptedVQA):
    """Fails at one question about one picture, as a model call that went wrong does."""

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        if (IMAGE, "Is there a box?") in asked:
            raise CallFailed("the server hung up")
        return await super().answer(asked)


async def test_a_failed_call_is_none_and_never_0() -> None:
    samples = [Sample(id="a", text="", image=IMAGE), Sample(id="b", text="", image=OTHER)]
    broken, whole = await DSG(Failing(lambda image, question: "yes"), GRAPH).score(samples)
    assert broken.value is None and [part.value for part in broken.parts] == [1, 1, 1, None]
    assert broken.explanation == "1 of 4 questions could not be answered: the server hung up"
    assert whole.value == 1


def test_bad_graphs_and_rules_are_refused() -> None:
    with pytest.raises(BadInput, match="'lenient'"):
        DSG(ScriptedVQA({}), GRAPH, rule="lenient")  # type: ignore[arg-type]
    circle = NODES[0].model_copy(update={"parents": (2,)})
    with pytest.raises(CallFailed, match="circle"):
        DSG(ScriptedVQA({}), GRAPH.model_copy(update={"nodes": (circle, *NODES[1:])}))


answers = st.lists(st.sampled_from(["yes", "no", None]), min_size=4, max_size=4)


@given(answers)
def test_strict_is_never_kinder_than_released(given_answers: list[str | None]) -> None:
    for one, other in zip(parts(given_answers, "strict"), parts(given_answers, "released"), strict=True):
        assert one is None or other is None or one <= other


@given(answers, st.sampled_from(["strict", "released"]))
def test_a_missing_answer_leaves_what_either_answer_would_give(given_answers: list[str | None], rule: Rule) -> None:
    """None stands for "yes" or "no": a part that is known must be the same for both."""
    known = parts(given_answers, rule)
    for answer in ("yes", "no"):
        filled = parts([given or answer for given in given_answers], rule)
        for before, after in zip(known, filled, strict=True):
            assert before is None or before == after
