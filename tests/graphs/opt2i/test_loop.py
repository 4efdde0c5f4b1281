"""The one state machine, with small ports: what it keeps, when it stops, what it refuses to believe."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_parts import WordCount, Writer

from inloop.graphs.opt2i.events import HeldOutDone
from inloop.graphs.opt2i.graph import build, chapters, ranked
from inloop.graphs.opt2i.result import HeldOut
from inloop.graphs.opt2i.search import Kept, SearchContext, first_state
from inloop.graphs.opt2i.stops import AnyOf, FileThere, Idle, NoImprovement, Target, usual
from inloop.runtime.budget import Budget
from inloop.runtime.errors import BadInput
from inloop.runtime.machine.guards import MAX_STATE_BYTES
from inloop.runtime.machine.runner import Runner
from inloop.runtime.records import Cost, Part, Score
from inloop.runtime.store.blobs import BlobStore


class Longer:
    """A proposer that adds words to the best text so far."""

    def __init__(self, propose=None):
        self.shown, self.seeds, self.own = [], [], propose

    async def propose(self, text, history, *, n, seed):
        self.shown.append([trial.text for trial in history])
        self.seeds.append(seed)
        if self.own:
            return self.own(text, history, n, seed)
        return [f"{history[-1].text} {seed}.{i}" for i in range(n)]


@pytest.fixture
def ports(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    return SearchContext(
        proposer=Longer(),
        realiser=Writer(blobs),
        evaluators={"length": WordCount(blobs)},
        objective=lambda scores: scores["length"],
        stop=usual(iterations=30),
        seeds=(1, 2),
        heldout_seeds=(7, 8, 9, 10, 11, 12),
        blobs=blobs,
        candidates=3,
        top=4,
    )


async def run(ports, text="one two", checkpoints=None, steps=400):
    runner = Runner(build(), context=ports, checkpoints=checkpoints, thread_id="t", max_steps=steps)
    finish = await runner.start(dict(first_state("t", text)))
    assert finish.finished
    return finish.state


async def test_a_loop_over_texts_needs_nothing_but_ports(ports):
    told = []
    state = await run(replace(ports, emit=told.append))
    assert (state["stop"], state["iteration"], state["accepted"]) == ("perfect", 8, True)
    trials = chapters(ports.blobs, state["chapter"])
    assert len(trials) == 1 + 8 * 3 and trials[0].text == "one two" and trials[0].objective == 0.2
    assert len(state["best"].split()) == 10 and state["history"][-1]["id"] == "t.8.0"
    # every trial says where it comes from, and that one scored less here
    found = {trial.id: trial for trial in trials}
    assert all(found[trial.parent].objective < trial.objective for trial in trials[1:])
    assert trials[-1].parts == {"length": (Part(name="words", value=1.0),)} and len(trials[-1].images) == 2
    assert [event.event for event in told[:4]] == ["trial", "iteration", "trial", "trial"]
    assert told[-1] == HeldOutDone(task="t", user=told[-1].user, best=1.0, accepted=True, verdict="gain")
    assert told[-1].user == pytest.approx(0.2)
    held = {
        name: HeldOut.model_validate(value) for name, value in json.loads(ports.blobs.get(state["heldout"])).items()
    }
    assert held["user"].text == "one two" and [image.seed for image in held["best"].images] == [7, 8, 9, 10, 11, 12]


async def test_the_proposer_sees_the_best_trials_in_ascending_order_and_a_seed_of_its_own(ports):
    await run(ports)
    assert ports.proposer.shown[0] == ["one two"]
    assert all(len(shown) == 4 for shown in ports.proposer.shown[2:])
    lengths = [[len(text.split()) for text in shown] for shown in ports.proposer.shown]
    assert all(row == sorted(row) for row in lengths)
    assert len(set(ports.proposer.seeds)) == len(ports.proposer.seeds)


async def test_the_optimised_seeds_and_the_unseen_ones_never_mix(ports):
    await run(ports)
    *rounds, last = ports.realiser.asked
    assert all(seeds == [1, 2] for _, seeds in rounds) and last[1] == [7, 8, 9, 10, 11, 12]
    assert last[0][0] == "one two" and len(last[0]) == 2


async def test_the_state_is_small_with_150_trials_and_long_texts(ports, tmp_path):
    from inloop.runtime.machine.runner import Checkpoints

    words = " ".join(["word"] * 190)
    ports = replace(
        ports,
        proposer=Longer(lambda text, history, n, seed: [f"{words} {seed} {i}"[-1000:] for i in range(n)]),
        evaluators={"length": WordCount(ports.blobs, lambda text, seed, value: 0.5)},
        candidates=5,
        top=20,
    )
    async with Checkpoints(tmp_path / "c.sqlite") as checkpoints:
        state = await run(ports, words[:1000], checkpoints)
        sizes = [
            len(json.dumps(point.checkpoint["channel_values"], default=str))
            async for point in checkpoints.saver.alist({"configurable": {"thread_id": "t"}})
        ]
    assert state["iteration"] == 30 and len(chapters(ports.blobs, state["chapter"])) == 151
    assert len(sizes) > 150 and max(sizes) < MAX_STATE_BYTES / 2, max(sizes)


async def test_many_candidates_on_many_seeds_fit_too(ports):
    ports = replace(ports, candidates=40, seeds=tuple(range(200, 212)), stop=usual(iterations=1))
    assert (await run(ports))["stop"] == "iterations"


async def test_unscored_trials_are_kept_apart_and_never_win(ports):
    def odd(text, history, n, seed):
        return [f"??? {seed} a very long text with so many words", f"{text} {seed}"]

    state = await run(replace(ports, proposer=Longer(odd), stop=usual(iterations=4), top=5))
    objectives = [kept["objective"] for kept in state["history"]]
    assert objectives == [0.2, 0.3, 0.3, 0.3, 0.3] and "???" not in state["best"]
    unscored = [trial for trial in chapters(ports.blobs, state["chapter"]) if "???" in trial.text]
    assert len(unscored) == 4 and all(trial.scores == {"length": None} for trial in unscored)


async def test_nothing_scored_is_no_gain(ports):
    state = await run(replace(ports, stop=usual(iterations=2)), "??? what")
    assert state["history"][-1]["objective"] is None and not state["accepted"] and state["best"] == "??? what"


async def test_equal_trials_leave_the_older_one_in_place(ports):
    same = Longer(lambda text, history, n, seed: [f"{seed} {i}" for i in range(n)])
    ports = replace(ports, proposer=same, heldout_seeds=(), stop=usual(iterations=3))
    state = await run(ports)
    assert state["best"] == "one two" and not state["accepted"]


async def test_the_more_certain_of_equal_trials_wins(ports):
    same = Longer(lambda text, history, n, seed: [f"{seed} {i}" for i in range(n)])
    evaluators = {"length": WordCount(ports.blobs, lambda text, seed, value: 0.5), "sure": Sure(ports.blobs)}
    state = await run(
        replace(
            ports,
            proposer=same,
            evaluators=evaluators,
            certainty=lambda name, score: score.value if name == "sure" else None,
            stop=usual(iterations=1),
        )
    )
    assert state["best"] == "1 2" and [kept["certainty"] for kept in state["history"]] == [0.0, 0.0, 0.1, 0.2]


class Sure(WordCount):
    name = "sure"

    def _one(self, file):
        text = file.partition(" #")[0]
        return Score(value=int(text.split()[-1]) / 10 if text != "one two" else 0.0)


@pytest.mark.parametrize(
    ("change", "reason", "iterations"),
    [
        ({"stop": usual(iterations=2)}, "iterations", 2),
        ({"stop": usual(iterations=9, target=0.4)}, "target: 40 points", 2),
        (
            {
                "proposer": Longer(lambda text, history, n, seed: [f"a{seed}"]),
                "stop": AnyOf(NoImprovement(2), usual(iterations=9)),
            },
            "no improvement in 2 rounds",
            2,
        ),
        ({"proposer": Longer(lambda *asked: [])}, "nothing new was proposed", 3),
        ({"proposer": Longer(lambda text, *asked: [text, text.upper()])}, "nothing new was proposed", 3),
        (
            {"proposer": Longer(lambda *asked: []), "stop": AnyOf(Idle(1), usual(iterations=9))},
            "nothing new was proposed",
            1,
        ),
    ],
)
async def test_when_it_stops(ports, change, reason, iterations):
    state = await run(replace(ports, **change))
    assert (state["stop"], state["iteration"]) == (reason, iterations)


async def test_a_file_that_somebody_makes_ends_the_search_with_a_result(ports, tmp_path):
    enough = tmp_path / "enough"

    def until_there(text, history, n, seed):
        if seed == 3:
            enough.touch()
        return [f"{history[-1].text} {seed}"]

    stop = AnyOf(FileThere(enough), usual(iterations=9))
    state = await run(replace(ports, proposer=Longer(until_there), stop=stop))
    assert state["stop"] == "the file enough is there" and state["iteration"] == 3 and state["heldout"]


def test_the_first_rule_with_a_reason_is_the_reason():
    best = Kept(id="t.1.0", objective=0.95, certainty=0.0, iteration=1)
    asked = {"best": best, "iteration": 4, "idle": 0, "spent": None}
    assert usual(iterations=4)(**asked) == "iterations" and usual(iterations=9)(**asked) is None
    assert AnyOf(Target(0.9), usual(iterations=4))(**asked) == "target: 90 points"
    assert usual(iterations=9, patience=3)(**asked) == "no improvement in 3 rounds"
    assert usual(iterations=9, patience=4)(**asked) is None
    earlier = {**asked, "best": {"id": "t.1.0", "objective": 0.95, "certainty": 0.0}}
    assert NoImprovement(1)(**earlier) is None, "a search of an earlier version does not say how old its best is"
    for wrong in (lambda: Target(0), lambda: Target(1.5), lambda: NoImprovement(0)):
        with pytest.raises(BadInput):
            wrong()


async def test_an_idle_round_is_forgotten_once_something_new_comes(ports):
    now_and_then = Longer(lambda text, history, n, seed: [f"{text} {seed}"] if seed % 3 == 0 else [])
    state = await run(replace(ports, proposer=now_and_then, stop=usual(iterations=10)))
    assert state["stop"] == "iterations" and len(chapters(ports.blobs, state["chapter"])) == 4


async def test_a_spent_budget_ends_the_loop_with_a_result(ports):
    budget = Budget.parse("images=7")

    class Paid(Writer):
        async def realise(self, texts, seeds):
            budget.charge(Cost(images=len(texts) * len(seeds)))
            return await super().realise(texts, seeds)

    state = await run(replace(ports, realiser=Paid(ports.blobs), budget=budget))
    assert state["stop"] == "budget: the budget of 7 images is spent (8 images used)" and state["iteration"] == 1
    assert state["heldout"] and state["accepted"]


async def test_a_text_that_is_only_better_on_the_seeds_it_was_chosen_on_is_refused(ports):
    def lucky(text, seed, value):
        return 0.5 if text == "one two" else (0.9 if seed in (1, 2) else 0.5)

    told = []
    evaluators = {"length": WordCount(ports.blobs, lucky)}
    ports = replace(ports, evaluators=evaluators, emit=told.append, stop=usual(iterations=3))
    state = await run(ports)
    assert state["history"][-1]["objective"] == 0.9 and state["best"] != "one two"
    assert not state["accepted"] and told[-1].best == told[-1].user == 0.5


async def test_without_unseen_seeds_nothing_is_confirmed(ports):
    state = await run(replace(ports, heldout_seeds=()))
    assert not state["accepted"] and state["heldout"] == ""
    assert all(seeds == [1, 2] for _, seeds in ports.realiser.asked)


async def test_a_perfect_text_is_left_alone(ports):
    state = await run(ports, " ".join("abcdefghij"))
    assert (state["stop"], state["iteration"], state["accepted"]) == ("perfect", 0, False)
    assert ports.proposer.shown == []


async def test_chapters_are_the_same_for_the_same_run_and_can_be_read_alone(ports, tmp_path):
    first = await run(ports)
    again = await run(replace(ports, proposer=Longer()))
    assert first["chapter"] == again["chapter"]
    newest = chapters(ports.blobs, first["chapter"], last=True)
    assert [trial.iteration for trial in newest] == [8, 8, 8]
    assert chapters(ports.blobs, "") == []
    # a chapter holds its own trials only: the chain shares everything before it
    sizes = [path.stat().st_size for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert max(sizes) < 8_000


async def test_it_goes_on_where_it_was(ports, tmp_path):
    """Stopped after every superstep and resumed by a new runner, it comes to the same end."""
    whole = await run(ports)
    runners: list[Runner] = []
    stopping = replace(ports, proposer=Longer(), emit=lambda event: runners[-1].stop("enough"))
    while len(runners) < 100:
        checkpoints = tmp_path / "c.sqlite"
        runners.append(Runner(build(), context=stopping, checkpoints=checkpoints, thread_id="t", max_steps=400))
        finish = await runners[-1].start_or_resume(dict(first_state("t", "one two")))
        if finish.finished:
            break
    assert finish.state == whole and len(runners) > 10


def test_the_graph_loads_for_langgraph_and_names_its_nodes():
    graph = build().compile()
    assert set(graph.nodes) == {
        "__start__",
        "propose",
        "realise",
        "score",
        "select",
        "prove",
        "reflect",
        "review",
        "confirm",
    }


OBJECTIVES = st.one_of(st.none(), st.floats(-1, 1, width=16))
TRIALS = st.lists(st.tuples(OBJECTIVES, st.sampled_from([0.0, 0.25, 0.5])), min_size=1, max_size=24)


def kept_of(values):
    return [Kept(id=str(i), objective=o, certainty=c) for i, (o, c) in enumerate(values)]


def better(a: Kept, b: Kept) -> bool:
    """Whether trial `a` should rank above `b`, said the long way; ids are ages."""
    if (a["objective"] is None) != (b["objective"] is None):
        return b["objective"] is None
    if a["objective"] != b["objective"]:
        return a["objective"] > b["objective"]
    if a["certainty"] != b["certainty"]:
        return a["certainty"] > b["certainty"]
    return int(a["id"]) < int(b["id"])


@given(TRIALS)
def test_ranking_is_a_total_order_and_loses_nothing(values):
    trials = kept_of(values)
    order = ranked(trials)
    assert sorted(int(kept["id"]) for kept in order) == list(range(len(trials)))
    assert all(better(b, a) for a, b in itertools.pairwise(order))


@given(TRIALS)
def test_an_unscored_trial_is_last_unless_all_are(values):
    trials = kept_of(values)
    best = ranked(trials)[-1]
    assert (best["objective"] is None) == all(kept["objective"] is None for kept in trials)


class NotThis:
    """An evaluator that cannot score any sample of this search."""

    name = "second"

    async def score(self, samples):
        raise BadInput("the phrase 'one two ...' is longer than CLIP reads")


async def test_a_second_scorer_that_cannot_score_is_not_scored_because(ports):
    state = await run(replace(ports, evaluators={**ports.evaluators, "second": NotThis()}))
    trials = chapters(ports.blobs, state["chapter"])
    assert state["stop"] == "perfect" and state["accepted"]
    assert all(trial.scores["second"] is None and trial.objective is not None for trial in trials)
    assert "longer than CLIP reads" in trials[0].images[0].scores["second"].explanation


async def test_a_search_that_can_score_nothing_stops_before_it_paints_on(ports):
    state = await run(replace(ports, evaluators={"length": NotThis()}))
    assert (state["stop"], state["iteration"], state["accepted"]) == ("nothing could be scored", 1, False)


@pytest.mark.parametrize(("unseen", "verdict"), [(4, "too few"), (5, "too few"), (6, "gain")])
async def test_a_gain_on_few_unseen_seeds_is_no_gain(ports, unseen, verdict):
    told = []
    state = await run(replace(ports, heldout_seeds=tuple(range(7, 7 + unseen)), emit=told.append))
    assert state["accepted"] == (verdict == "gain") and told[-1].verdict == verdict
    assert told[-1].best > told[-1].user


async def test_after_some_rounds_without_a_better_one_it_starts_from_the_users_text(ports):
    never = Longer(lambda text, history, n, seed: [f"x{seed}"])
    await run(replace(ports, proposer=never, restart=2, stop=usual(iterations=6), heldout_seeds=()))
    assert [shown == ["one two"] for shown in never.shown] == [True, False, True, False, True, False]
