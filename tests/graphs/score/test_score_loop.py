"""Pictures scored from Python: evaluators of one's own, a budget, a killed process, and what cannot be scored."""

import asyncio

import pytest
from PIL import Image

from inloop.graphs.score import PicturesScored, ScoreConfig, ScoreResult, score
from inloop.graphs.score import loop as module
from inloop.runtime.errors import BadInput
from inloop.runtime.records import Score
from inloop.runtime.run import carry
from inloop.runtime.settings import Settings
from inloop.testing import ScriptedVQA


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pics"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (8, 8), (50 * number, 0, 0)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"shade {number % 3}", encoding="utf-8")
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs")


def redness(image, text):
    return image.getpixel((0, 0))[0] / 255


def test_an_evaluator_of_ones_own(pictures, settings, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    events = []
    result = score(pictures, metric="", evaluators={"red": redness}, settings=settings, on_event=events.append)
    assert isinstance(result, ScoreResult) and (result.items, result.prompts) == (5, 3)
    assert [metric.metric for metric in result.metrics] == ["red"]
    assert result.metrics[0].worst[0].id == "0.png" and result.stopped is None
    assert [(event.pictures, event.of) for event in events if isinstance(event, PicturesScored)] == [
        (2, 5),
        (2, 5),
        (1, 5),
    ]
    folder = settings.runs_dir / result.run_id
    assert len((folder / "scores.csv").read_text("utf-8").splitlines()) == 6
    assert ScoreConfig(**result.config).pictures == str(pictures)


def test_a_model_of_ones_own(pictures, settings):
    vqa = ScriptedVQA(lambda image, question: 0.75)
    result = score(pictures, metric="vqascore", models={"vqa": vqa}, settings=settings)
    assert result.metrics[0].overall.value == 0.75 and vqa.asked
    assert result.models["vqa mini"]["id"] == vqa.model
    with pytest.raises(BadInput, match="no role 'judge' in this loop: the roles are vqa, clip"):
        score(pictures, metric="vqascore", models={"judge": vqa}, settings=settings)


def test_a_spent_budget_stops_with_what_was_scored(pictures, settings, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    slow = []

    def late(image, text):
        slow.append(text)
        return redness(image, text)

    result = score(pictures, metric="", evaluators={"red": late}, settings=settings, budget="seconds=0.000001")
    assert result.items == 0 and "seconds" in result.stopped and not slow
    assert result.metrics[0].overall.value is None


def test_a_run_goes_on_with_the_same_evaluator(pictures, settings, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)

    def dies(image, text):
        if image.getpixel((0, 0))[0] > 100:
            raise KeyboardInterrupt
        return redness(image, text)

    with pytest.raises(KeyboardInterrupt):
        score(pictures, metric="", evaluators={"red": dies}, settings=settings)
    [folder] = settings.runs_dir.glob("score-*")
    assert not (folder / "items.jsonl").exists()
    result = score.resume(folder, settings=settings, evaluators={"red": redness})
    assert result.items == 5 and len((folder / "items.jsonl").read_text("utf-8").splitlines()) == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "beauty"}, "beauty"),
        ({"metric": ""}, "no metric"),
        ({"metrics": "dsg"}, "did you mean 'metric'"),
        ({"metric": "dsg", "limit": 0}, "limit"),
        ({"metric": "dsg", "against": "score-never"}, "no run"),
    ],
)
def test_what_cannot_be_scored_leaves_no_folder(pictures, settings, options, words):
    with pytest.raises(BadInput, match=words):
        score(pictures, settings=settings, **options)
    assert not list(settings.runs_dir.glob("score-*"))


def test_a_callers_evaluator_is_the_callers_to_close(pictures, settings):
    class Constant:
        name, closed = "constant", False

        async def score(self, samples):
            return [Score(value=0.5) for _ in samples]

        async def aclose(self):
            self.closed = True

    mine = Constant()
    result = score(pictures, metric="", evaluators={"constant": mine}, settings=settings)
    assert result.metrics[0].overall.value == 0.5 and not mine.closed


def test_a_row_gets_its_own_score_whatever_the_ids_are(tmp_path, settings):
    folder = tmp_path / "clash"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (100 * number, 0, 0)).save(folder / f"{number}.png")
    rows = "x,0.png,one\nx#3,1.png,two\nx,2.png,three\n"
    (folder / "t.csv").write_text(f"id,image,prompt\n{rows}", encoding="utf-8")
    result = score(folder / "t.csv", metric="", evaluators={"red": redness}, settings=settings)
    lines = (settings.runs_dir / result.run_id / "scores.csv").read_text("utf-8").splitlines()[1:]
    assert [float(line.split(",")[-1]) for line in lines] == [0.0, 100 / 255, 200 / 255]
    assert len({line.split(",")[0] for line in lines}) == 3


class Picky:
    """An evaluator that refuses a whole batch for one text."""

    name = "picky"

    async def score(self, samples):
        for sample in samples:
            if sample.text == "shade 1":
                raise BadInput("'shade 1' is longer than the model reads")
        return [Score(value=0.5) for _ in samples]


def test_one_text_that_cannot_be_scored_takes_no_other_with_it(pictures, settings):
    result = score(pictures, metric="", evaluators={"picky": Picky(), "red": redness}, settings=settings)
    picky, red = result.metrics
    assert (picky.pictures, picky.unscored, red.pictures) == (3, 2, 5)
    assert picky.reasons == {"'shade 1' is longer than the model reads": 2}


def test_several_processes_score_one_set_as_one_does(pictures, settings, monkeypatch, tmp_path):
    """Judges' agreement and the items among it: each worker has the chunks that it scored, and the result has all."""
    options = {"metric": "dsg,vqascore", "vqa": "mini + fakes:Other", "llm": "mini-writer"}
    (tmp_path / "fakes.py").write_text(
        "from inloop.testing import ScriptedVQA\n\n\n"
        "def Other(spec='', store=None, settings=None):\n    return ScriptedVQA(lambda image, question: 0.25)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "CHUNK", 2)
    alone = score(pictures, settings=settings, **options)
    folder = score.begin(pictures, settings=settings, **options)
    config = folder.config_as(ScoreConfig)

    async def both():
        workers = [score.worker(config, folder, settings, name=name, of=2) for name in ("one", "other")]
        return await asyncio.gather(
            *(carry(score, config, folder=folder, settings=settings, worker=each) for each in workers)
        )

    one, other = asyncio.run(both())
    assert one == other and one.metrics == alone.metrics and one.agreement == alone.agreement
    assert one.agreement.questions > 0
    items = [(settings.runs_dir / run / "items.jsonl").read_text("utf-8") for run in (alone.run_id, one.run_id)]
    assert items[0] == items[1] and len(items[0].splitlines()) == 5
    workers = {event["worker"] for event in folder.events() if event["event"] == "task_done"}
    assert workers == {"one", "other"}
