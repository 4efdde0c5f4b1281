"""Several judges as one, and the weights that labelled answers are worth."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import inloop
from inloop.app.cli import main as cli
from inloop.evaluators.run.judges import Label, certify_judges, fitted_weights, read_labels
from inloop.evaluators.stats import kappa
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedChat, ScriptedEmbedder, ScriptedVQA
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.vision import EnsembleVQA, foreign_note, open_vqa

JUDGES = '''
"""Judges for the tests: two that look, one less closely, and two that err."""
import hashlib


def truth(image, question):
    red, _, blue = image.convert("RGB").getpixel((0, 0))
    asked = [red > blue] * ("red" in question) + [blue > red] * ("blue" in question)
    return float(all(asked))


def luck(image, question, salt):
    return hashlib.sha256(salt + image.tobytes() + question.encode()).digest()[0] / 255


def looks(image, question):
    return 0.8 * truth(image, question) + 0.2 * luck(image, question, b"a")


def squints(image, question):
    return 0.52 * truth(image, question) + 0.48 * luck(image, question, b"b")


def seldom_errs(image, question):
    return 0.9 if (truth(image, question) == 1) != (luck(image, question, b"a") < 0.1) else 0.1


def often_errs(image, question):
    return 0.9 if (truth(image, question) == 1) != (luck(image, question, b"b") < 0.4) else 0.1


seldom_errs.model, seldom_errs.revision = "me/seldom", "1"
often_errs.model, often_errs.revision = "me/often", "1"
looks.model, looks.revision = "me/looks", "1"
squints.model, squints.revision = "me/squints", "1"
'''


def blob(number: int) -> BlobRef:
    return BlobRef(sha256=f"{number:064d}", media_type="image/png", bytes=1)


async def test_the_probability_is_the_weighted_mean() -> None:
    one, two = ScriptedVQA({"Is it red?": 0.9}, model="one"), ScriptedVQA({"Is it red?": 0.1}, model="two")
    [equal] = await EnsembleVQA([one, two]).answer([(blob(0), "Is it red?")])
    [leaning] = await EnsembleVQA([one, two], [1, 3]).answer([(blob(0), "Is it red?")])
    assert (equal.p_yes, leaning.p_yes, leaning.text) == (pytest.approx(0.5), pytest.approx(0.3), "no")


async def test_a_judge_without_a_probability_counts_by_its_word() -> None:
    judges = [ScriptedVQA({"Is it red?": 0.6}, model="sure"), ScriptedVQA({"Is it red?": "No, blue."}, model="wordy")]
    [answer] = await EnsembleVQA(judges).answer([(blob(0), "Is it red?")])
    assert answer.p_yes == pytest.approx(0.3) and answer.text == "no"
    judges.append(ScriptedVQA({"Is it red?": "maybe"}, model="vague"))
    with pytest.raises(CallFailed, match=r"vague answered 'maybe' to 'Is it red.', neither yes nor no"):
        await EnsembleVQA(judges).answer([(blob(0), "Is it red?")])


async def test_an_open_question_is_answered_by_the_most_weight() -> None:
    said = {"one": "Red", "two": "blue", "three": "red"}
    judges = [ScriptedVQA({"What color is it?": text}, model=name) for name, text in said.items()]
    asked = [(blob(0), "What color is it?")]
    assert [answer.text for answer in await EnsembleVQA(judges).answer(asked)] == ["Red"]
    assert [answer.text for answer in await EnsembleVQA(judges, [1, 3, 1]).answer(asked)] == ["blue"]
    assert [answer.text for answer in await EnsembleVQA(judges[:2]).answer(asked)] == ["Red"]  # of equals the first


def test_weights_must_fit() -> None:
    one, two = ScriptedVQA({}, model="one"), ScriptedVQA({}, model="two")
    for weights in ([1.0], [0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(BadInput, match="do not fit the 2 models"):
            EnsembleVQA([one, two], weights)
    with pytest.raises(BadInput, match="two or more different models"):
        EnsembleVQA([one, one])
    assert EnsembleVQA([one, two]).revision != EnsembleVQA([one, two], [1, 2]).revision
    assert EnsembleVQA([one, two]).weights == (0.5, 0.5)


def test_the_members_of_an_ensemble_are_looked_at_for_the_drawn_world() -> None:
    judge = EnsembleVQA([ScriptedVQA({}, model="mini-vqa"), ScriptedVQA({}, model="two")])
    assert foreign_note({"--vqa": judge}, [Image.new("RGB", (512, 512))]).startswith("mini-vqa knows nothing but")


# --- weights ---


@given(st.integers(2, 4), st.integers(8, 40), st.integers(0, 10_000))
def test_weights_are_of_the_least_brier_score(judges: int, questions: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, questions).astype(float)
    table = rng.random((questions, judges))
    weights = fitted_weights(table, truth)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)

    def brier(tried: np.ndarray) -> float:
        return float(((table @ tried - truth) ** 2).mean())

    for other in (*np.eye(judges), np.full(judges, 1 / judges), *rng.dirichlet(np.ones(judges), 20)):
        assert brier(weights) <= brier(other) + 1e-7


def labels_of(truth: Sequence[bool], per_picture: int = 2) -> list[Label]:
    return [
        Label(image=blob(place // per_picture), question=f"Is it {place}?", answer=answer)
        for place, answer in enumerate(truth)
    ]


def judge_of(name: str, table: Sequence[float]) -> ScriptedVQA:
    return ScriptedVQA({f"Is it {place}?": float(p_yes) for place, p_yes in enumerate(table)}, model=name)


async def test_weights_are_certified_where_they_help_on_other_pictures() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 60).astype(bool)
    judges = {"good": judge_of("good", np.where(truth, 0.95, 0.05)), "noise": judge_of("noise", rng.random(60))}
    certificate = await certify_judges(judges, labels_of(truth), data="labels.csv")
    good, noise = certificate.members
    assert certificate.certified and good.weight > 0.9 > 0.1 > noise.weight
    assert good.figures.accuracy == 1 and good.figures.kappa == 1 and good.figures.brier == pytest.approx(0.0025)
    said = [p_yes >= 0.5 for p_yes in (judges["noise"]._answers[f"Is it {place}?"] for place in range(60))]  # type: ignore[index]
    assert noise.figures.kappa == pytest.approx(kappa(said, truth.tolist()))
    assert certificate.equal is not None and certificate.weighted is not None
    assert (certificate.weighted.brier or 1) < (certificate.equal.brier or 0)
    assert (certificate.questions, certificate.pictures) == (60, 30)


async def test_judges_that_are_as_good_get_equal_weights() -> None:
    """Fitted weights always look better on what they were fitted on; of 60 draws at most a few pass on other pictures."""
    certified = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 40).astype(bool)
        judges = {
            name: judge_of(name, np.clip(np.where(truth, 0.7, 0.3) + rng.normal(0, 0.25, 40), 0, 1))
            for name in ("one", "two")
        }
        certificate = await certify_judges(judges, labels_of(truth), data="labels.csv")
        certified += certificate.certified
        if not certificate.certified:
            assert [member.weight for member in certificate.members] == [0.5, 0.5]
    assert certified <= 6


async def test_few_pictures_certify_nothing() -> None:
    truth = [True, False] * 5
    judges = {"good": judge_of("good", [0.9, 0.1] * 5), "bad": judge_of("bad", [0.1, 0.9] * 5)}
    certificate = await certify_judges(judges, labels_of(truth), data="labels.csv")
    assert not certificate.certified and "fewer than 6 pictures" in certificate.why
    alone = await certify_judges({"good": judges["good"]}, labels_of(truth), data="labels.csv")
    assert alone.members[0].weight == 1 and alone.equal is None and alone.members[0].figures.accuracy == 1


async def test_what_a_judge_cannot_answer_counts_as_wrong() -> None:
    truth = [True, False] * 10
    answers = {f"Is it {place}?": ("maybe" if place < 4 else 0.9 if yes else 0.1) for place, yes in enumerate(truth)}
    certificate = await certify_judges({"shy": ScriptedVQA(answers, model="shy")}, labels_of(truth), data="labels.csv")
    [shy] = certificate.members
    assert shy.figures.answered == 16 and shy.figures.accuracy == pytest.approx(0.8)


# --- from the command line ---


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with labelled pictures and two judges."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INLOOP_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "own_judges.py").write_text(JUDGES, encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    lines = ["image,question,answer"]
    for number in range(48):
        red = number % 3 != 0
        colour = (255 - number, 10, 10) if red else (10, 10, 255 - number)
        Image.new("RGB", (8, 8), colour).save(tmp_path / "pictures" / f"{number}.png")
        lines += [f"pictures/{number}.png,Is it red?,{'yes' if red else 'no'}"]
        lines += [f"pictures/{number}.png,Is it blue?,{'no' if red else 'yes'}"]
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


BOTH = "own_judges:looks + own_judges:squints"
ERRING = "own_judges:seldom_errs + own_judges:often_errs"


def certify(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = cli.main(["certify", "judges", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_certificate_is_written_and_opened(
    home: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = certify(capsys, "labels.csv", "--vqa", ERRING, "--to", "judges.json")
    assert code == 0 and "96 questions on 48 pictures of labels.csv" in out and "88.5%" in out and "55.2%" in out
    assert "weights that were fitted did better than equal ones" in out and "--vqa judges.json" in out
    code, out, _ = certify(capsys, "labels.csv", "--vqa", ERRING, "--json")
    told = json.loads(out)
    assert told == json.loads((home / "judges.json").read_text("utf-8")) and told["certified"]
    with Store.open(settings) as store:
        judge = open_vqa("judges.json", store, settings)
        assert isinstance(judge, EnsembleVQA) and judge.weights[0] > judge.weights[1] > 0
        assert "certified" not in judge.notes[0] and told["sha256"][:12] in judge.notes[0]
        assert "me/seldom" in judge.notes[0] and "labels.csv" in judge.notes[0]
    changed = json.loads((home / "judges.json").read_text("utf-8"))
    changed["members"][0]["revision"] = "0"
    (home / "judges.json").write_text(json.dumps(changed), encoding="utf-8")
    with Store.open(settings) as store, pytest.raises(BadInput, match="is me/seldom at 1 now: certify it again"):
        open_vqa("judges.json", store, settings)


def test_an_ensemble_judges_a_search_and_the_report_names_it(
    home: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    def paint(prompt: str, seed: int) -> Image.Image:
        return Image.new("RGB", (8, 8), (200 + seed % 8, 0, 0) if "scarlet" in prompt else (0, 0, 200 + seed % 8))

    result = inloop.opt2i(
        "a red disc", vqa=BOTH, questioner="simple-english", iterations=1, candidates=2, images_per_prompt=2, heldout_seeds=6,
        baselines=False, settings=settings,
        models={"llm": ScriptedChat(lambda messages: "1. a scarlet disc\n2. a blue disc"), "images": paint, "clip": ScriptedEmbedder()},
    )  # fmt: skip
    assert result.tasks[0].chosen == "a scarlet disc"
    assert result.models["vqa"]["id"] == "me/looks + me/squints"
    assert [result.models[f"vqa {place}"]["id"] for place in (1, 2)] == ["me/looks", "me/squints"]
    assert any("by weight: me/looks 0.50, me/squints 0.50; no certificate was given" in note for note in result.notes)
    assert any(note.startswith("the judges agree on ") and "questions" in note for note in result.notes)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("pictures/0.png,Is it red?,maybe", "row 97: the answer 'maybe' is neither yes nor no"),
        ("pictures/0.png,What is it?,yes", "does not ask for yes or no"),
        ("pictures/0.png,,yes", "row 97: it has no 'question'"),
        ("pictures/gone.png,Is it red?,yes", "gone.png' cannot be read"),
        ("pictures/0.png,Is it red?,yes", "answered with yes and with no for one picture"),
    ],
)
def test_labels_that_cannot_be_used_are_named(
    row: str, why: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (home / "labels.csv").open("a", encoding="utf-8") as labels:
        labels.write(f"{row}\n")
    code, _, err = certify(capsys, "labels.csv", "--vqa", BOTH)
    assert code == 2 and why in err


def test_what_is_no_certificate_is_said(home: Path, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "other.json").write_text('{"kind": "something"}', encoding="utf-8")
    with Store.open(settings) as store:
        with pytest.raises(BadInput, match=r"'other.json' is no certificate of judges"):
            open_vqa("other.json", store, settings)
        assert len(read_labels(home / "labels.csv", store.blobs)) == 96
    assert certify(capsys, "labels.csv", "--vqa", "own_judges:looks + own_judges:looks")[0] == 2
    assert certify(capsys, "labels.csv", "--vqa", BOTH, "--to", "judges.txt")[0] == 2
