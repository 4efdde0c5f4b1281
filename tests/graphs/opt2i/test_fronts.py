"""What is kept beside the best: whoever does best at something, and nobody who is beaten in everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.text_image import TextSimilarity
from inloop.graphs.opt2i.fronts import best, front, undominated
from inloop.graphs.opt2i.graph import ranked
from inloop.graphs.opt2i.result import Trial
from inloop.graphs.opt2i.search import Kept
from inloop.runtime.errors import CallFailed
from inloop.runtime.records import Part, Sample


def trial(place, parts, text="a few words"):
    value = sum(parts) / len(parts)
    return Trial(
        id=str(place),
        iteration=place,
        text=text,
        objective=value,
        scores={"dsg": value},
        parts={"dsg": tuple(Part(name=f"q{i}", value=part) for i, part in enumerate(parts))},
    )


def ordered(trials):
    kept = [Kept(id=each.id, objective=each.objective, certainty=0.0) for each in trials]
    return [next(each for each in trials if each.id == one["id"]) for one in ranked(kept)]


# three questions of five grades each, in one number
TRIALS = st.lists(st.integers(0, 124), min_size=1, max_size=12).map(
    lambda codes: ordered([trial(i, [code // 5**q % 5 / 4 for q in range(3)]) for i, code in enumerate(codes)])
)


@given(TRIALS, st.integers(1, 6))
def test_the_front_holds_the_best_and_covers_more(trials, top):
    kept = front(trials, top)
    assert kept[-1] == trials[-1] == best(trials, top)[-1]
    assert len(kept) == min(top, len(trials)) == len({each.id for each in kept})
    assert [trials.index(each) for each in kept] == sorted(trials.index(each) for each in kept)
    if top >= 4:  # room for the best one and one for each question
        highest = [max(each.parts["dsg"][q].value for each in trials) for q in range(3)]
        assert [max(each.parts["dsg"][q].value for each in kept) for q in range(3)] == highest


def test_who_does_best_where_the_best_one_fails_is_kept_before_the_second_best():
    specialist, second, first = trial(0, [0.0, 0.0, 1.0]), trial(1, [1.0, 0.75, 0.0]), trial(2, [1.0, 1.0, 0.0])
    assert front(ordered([specialist, second, first]), 2) == [specialist, first]
    assert best(ordered([specialist, second, first]), 2) == [second, first]


def test_unscored_trials_are_kept_only_where_nothing_is_scored():
    nothing = Trial(id="0", iteration=0, text="x")
    assert front([nothing], 3) == [nothing] and front([nothing, trial(1, [0.5] * 3)], 3)[-1].id == "1"


@given(TRIALS)
def test_nobody_on_the_front_is_beaten_and_everybody_else_is(trials):
    left = undominated(trials)
    assert trials[-1].objective in {each.objective for each in left}
    assert {each.objective for each in left} == {max(each.objective for each in trials)}


def test_a_shorter_prompt_with_less_is_a_choice():
    short, long, idle = (
        trial(0, [0.5] * 3, "two words"),
        trial(1, [1.0] * 3),
        trial(2, [0.5] * 3, "many words for nothing more"),
    )
    assert undominated([short, long, idle]) == [short, long]


def test_the_similarity_to_the_users_prompt_is_an_objective_of_the_front():
    def near(place, value, similarity):
        return trial(place, [value]).model_copy(update={"scores": {"dsg": value, "similarity": similarity}})

    far = [near(i, 0.5 + i / 20, 0.3) for i in range(1, 5)]
    own = near(0, 0.5, 1.0)
    assert [each.id for each in front(ordered([own, *far]), 2)] == ["0", "4"], "what moved least stays beside the best"
    alike = [each.model_copy(update={"scores": {"dsg": each.scores["dsg"]}}) for each in (own, *far)]
    assert [each.id for each in front(ordered(alike), 2)] == ["3", "4"]
    assert own in undominated([own, *far])


async def test_similarity_looks_at_the_texts_alone():
    class Clip:
        model = "clip"

        async def texts(self, texts):
            return [{"a cat": [1.0, 0.0], "a kitty": [0.8, 0.6], "not a cat": [-1.0, 0.0]}[text] for text in texts]

    samples = [Sample(id=text, text=text) for text in ("a kitty", "a cat", "not a cat")]
    assert [score.value for score in await TextSimilarity(Clip(), "a cat").score(samples)] == [0.8, 1.0, 0.0]


async def test_a_text_that_cannot_be_embedded_has_no_similarity():
    class Clip:
        async def texts(self, texts):
            raise CallFailed("too long")

    [score] = await TextSimilarity(Clip(), "a cat").score([Sample(id="1", text="a kitty")])
    assert score.value is None and score.explanation == "too long"
