"""The pages of answers and of evaluations, and how their results show themselves."""

import random

import chromium
import pytest
from pages import looked_at
from PIL import Image

from inloop.app.promptcap.report import render, render_eval
from inloop.evaluators.stats import compare, estimate
from inloop.evaluators.vqa import rules_of
from inloop.graphs.promptcap.result import Caption, Evidence, Method, VQAResult, VQATask
from inloop.graphs.trace import Decision, Seen
from inloop.graphs.vqa_eval import VQAEvalResult
from inloop.graphs.vqa_eval.ablations import BASELINES
from inloop.graphs.vqa_eval.result import MethodReport, Pair
from inloop.runtime.store import BlobStore, StoreLocation

SKILL = {"ours": 0.55, "direct": 0.75, "oracle caption": 0.9}
RUN = {
    "created": "2026-01-01T09:30:00+00:00",
    "seconds": 74.2,
    "models": {"llm": {"id": "mini-writer", "revision": "9f2c"}, "vqa": {"id": "mini-vqa", "revision": "77aa"}},
    "calls": {"llm": {"paid": 24, "reused": 3}},
}


def evaluation(skill=SKILL):
    names = ["blind", *BASELINES[2:8], "ours", *BASELINES[8:]]
    right = {
        name: [float(random.Random(f"{name}{place}").random() < skill.get(name, 0.3)) for place in range(120)]
        for name in names
    }
    scored = {name: {str(place): value for place, value in enumerate(values)} for name, values in right.items()}
    kinds = ("plants and animals", "vehicles and transportation", "weather and climate", "unknown")
    return VQAEvalResult(
        run_id="vqa_eval-20260101-093000-ab12",
        loop="vqa_eval",
        config={"data": "okvqa", "questions": "/data/okvqa/questions.json", "llm": "mini-writer", "way": {"votes": 5}},
        headline="official_leave_one_out",
        questions=120,
        ways=tuple(
            MethodReport(
                way=Method(name=name, caption="oracle" if name == "oracle caption" else "aware"),
                rules={rule: estimate(right[name]) for rule in rules_of("okvqa")},
                slices={kind: estimate(right[name][place::4]) for place, kind in enumerate(kinds)},
            )
            for name in names
        ),
        pairs=tuple(
            Pair(before=name, after="ours", comparison=compare(scored[name], scored["ours"]))
            for name in names
            if name != "ours"
        ),
        causes={"right": 60, "normalisation": 4, "caption and knowledge": 30, "unknown": 26},
        worst=tuple(
            {
                "question_id": f"{place}00123", "question": "Which unknown thing of yours stands behind the horse-drawn carriage?",
                "answer": "hippopotamus", "people": "four of ours", "captions": ["a caption that goes on for a while"],
                "tags": "carriage, horse", "text": "沙发", "cause": "caption and knowledge",
            }
            for place in range(4)
        ),
        **RUN,
    )  # fmt: skip


@pytest.fixture
def answers(tmp_path):
    picture = BlobStore(tmp_path / "blobs").put_image(Image.new("RGB", (40, 40), "navy"))
    evidence = Evidence(
        captions=(Caption(kind="aware", text="a cow beside its calf"),),
        tags="cow, grass",
        looked=(("Is it small?", "yes"),),
        passages=(Seen(id="p1", document="d", similarity=0.8, excerpt="The young of a cow is a calf."),),
    )
    decisions = (Decision(step="caption", by="mini-promptcap", said="a cow beside its calf"),)
    kept = {"image": picture, "evidence": evidence, "decisions": decisions}
    tasks = (
        VQATask(id="q1", question="What is its young called?", answer="calf", told=True, supported=True, **kept),
        VQATask(
            id="q2", question="谁在沙发上？", answer="猫", told=False, reason="unsupported", supported=False, **kept
        ),
        VQATask(id="q3", question="What does it eat?", answer="grass", told=True, **kept),
    )
    failed = {"q4": "CallFailed: no tokens"}
    config = {"asked": [], "llm": "mini-writer"}
    return VQAResult(run_id="promptcap-1", loop="promptcap", config=config, tasks=tasks, failed=failed, **RUN)


def test_the_headline_has_the_strongest_rival_and_no_bound():
    result = evaluation()
    scores = {row["method"]: row["accuracy"] for row in result.rows()}
    assert scores["oracle caption"] > scores["direct"] > scores["ours"]
    assert result.finding() == f"Ours {scores['ours']:.1f} percent of 120 questions, direct {scores['direct']:.1f}"
    page = render_eval(result)
    assert f"<h1>{result.finding()}</h1>" in page
    assert '<p class="verdict bad">' in page and "ours against direct: -" in page


def test_a_difference_that_may_be_chance_is_no_gain():
    page = render_eval(evaluation({"ours": 0.31}))
    assert "The difference may be chance." in page and 'class="verdict good"' not in page
    assert 'class="verdict good"' in render_eval(evaluation({"ours": 0.9}))


def test_every_rule_and_method_is_on_the_page():
    page = render_eval(evaluation())
    assert all(rule.replace("_", " ") in page for rule in rules_of("okvqa"))
    assert "hippopotamus" in page and "caption and knowledge both lacked something" in page
    assert page.count("<dt>llm</dt>") == 1 and "<dt>way: votes</dt><dd>5</dd>" in page


def test_an_evaluation_shows_itself():
    result = evaluation()
    frame = result.to_pandas().set_index("method")
    assert frame.loc["ours", "low"] < frame.loc["ours", "accuracy"] < frame.loc["ours", "high"]
    accuracy, gains = result.plot().axes
    assert [label.get_text() for label in accuracy.get_yticklabels()][7] == "ours"
    assert len(gains.get_yticklabels()) == 11
    assert "over direct" in result._repr_html_()


def test_answers_show_themselves(answers, tmp_path):
    assert answers.finding() == "2 of 4 questions answered, 1 borne out"
    assert list(answers.to_pandas()["check"]) == ["borne out", "no answer", "not checked"]
    [axes] = answers.plot().axes
    assert sum(bar.get_width() for bar in axes.patches) == 4
    assert answers.kept_in(StoreLocation.of(tmp_path))._repr_html_().count("data:image/png") == 3
    one = answers.model_copy(update={"tasks": answers.tasks[:1], "failed": {}})
    assert one.finding() == "What is its young called? calf (borne out)"


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_in_a_browser(answers, tmp_path):
    looked_at(render_eval(evaluation()), tmp_path / "vqa_eval.html")
    looked_at(render(answers, BlobStore(tmp_path / "blobs")), tmp_path / "vqa.html", images=3)
