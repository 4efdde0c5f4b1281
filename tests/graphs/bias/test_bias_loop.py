"""The bias loop on planted models and bundled ones: what it tells, what it refuses, and what is paid twice."""

import json
import sys
from pathlib import Path

import pytest
from biased import conflicts, pictures
from PIL import Image

from inloop.graphs.bias import BiasConfig, bias
from inloop.graphs.bias.opening import manner_of
from inloop.graphs.bias.pictures import conflicts_of
from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings

THINGS = ("cow", "bus", "cake", "tree")
PLANTED = """
import sys
sys.path.insert(0, {tests!r})
from biased import Nearest, colors, conflicts, outline, pictures

THINGS = ("cow", "bus", "cake", "tree")
_shape = Nearest(outline, list(pictures(THINGS)))
_texture = Nearest(colors, [(shape, image) for shape, texture, image in conflicts(THINGS) if shape == texture])

def by_shape(image):
    return _shape(image)

def by_texture(image):
    return _texture(image)

def always_cow(image):
    return "cow"

def wordy(image, question):
    return "a thing of no sort"

for each in (by_shape, by_texture, always_cow, wordy):
    each.model, each.revision = "me/" + each.__name__, "1"

class Describer:
    model, revision = "me/describer", "1"
    def __init__(self, store):
        self.store = store
    async def caption(self, asked):
        return [f"a drawing of a {{_shape(self.store.blobs.get_image(image))}}" for image, _ in asked]

class Lost(Describer):
    async def caption(self, asked):
        return ["something colourful" for _ in asked]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", device="cpu", threads=1)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    text = PLANTED.format(tests=str(Path(__file__).parents[2]))
    (tmp_path / "planted_models.py").write_text(text, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "planted_models", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "planted_models"


@pytest.fixture
def named(tmp_path: Path) -> str:
    """Cue-conflict pictures in class folders, named as Geirhos et al. named theirs."""
    for number, (shape, texture, image) in enumerate(conflicts(THINGS)):
        folder = tmp_path / "stimuli" / shape
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{shape}{number}-{texture}{number + 1}.png")
    return str(tmp_path / "stimuli")


@pytest.fixture
def plain(tmp_path: Path) -> str:
    for number, (name, image) in enumerate(pictures(THINGS, copies=5)):
        folder = tmp_path / "plain" / name
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{number}.png")
    return str(tmp_path / "plain")


def test_planted_models_are_told_by_what_they_look_at(planted: str, named: str, settings: Settings) -> None:
    result = bias(f"{planted}:by_shape", f"{planted}:by_texture", f"{planted}:always_cow", on=named, settings=settings)
    shape, texture, cow = result.tasks
    assert shape.conflict.bias.value >= 0.95 and texture.conflict.bias.value <= 0.05
    assert not shape.at_chance and not texture.at_chance
    assert shape.conflict.left_out == len(THINGS) and result.conflicts == len(THINGS) ** 2
    assert cow.at_chance and cow.readings()["shape bias"] is None and "at chance" in result.finding()
    assert all(each.rho is None and "too few" in each.why for each in result.relations)
    assert any("--plain" in note and "--shifted" in note for note in result.notes)
    assert len(result.samples) and {*result.samples[0].answers} == {*(task.model for task in result.tasks)}


def test_all_measures_on_pictures_of_ones_own(planted: str, named: str, plain: str, settings: Settings) -> None:
    spec = f"{planted}:by_shape"
    result = bias(spec, on=named, plain=plain, shifted=(plain,), pictures=16, settings=settings)
    [task] = result.tasks
    assert task.plain.value > 0.9 and task.shifted.value > 0.9 and not task.plain_at_chance
    assert [each.cutoff for each in task.low_pass] == [each.cutoff for each in task.high_pass]
    assert {each.change for each in task.changes} == {"color", "size", "position", "typographic"}
    by_name = {each.change: each for each in task.changes}
    assert by_name["position"].gain.value < -0.2, "a model of outlines that does not move with them"
    assert by_name["typographic"].followed is not None and task.band is not None
    assert len({point.frequency for point in task.band_points}) == 6, "five octaves, and none"
    assert any("background" in note for note in result.notes)
    again = bias(spec, on=named, plain=plain, shifted=(plain,), pictures=16, settings=settings)
    assert again.tasks == result.tasks and again.calls["classification"]["paid"] == 0


def test_descriptions_are_mapped_and_one_that_means_nothing_is_no_guess(
    planted: str, named: str, settings: Settings
) -> None:
    told, lost, vqa = bias(
        f"{planted}:Describer", f"{planted}:Lost", f"vqa:{planted}:wordy", on=named, settings=settings
    ).tasks
    assert told.manner.startswith("description") and told.conflict.bias.value >= 0.95 and told.unmapped == 0
    for task in (lost, vqa):
        assert task.conflict.unanswered == task.conflict.accuracy.n and task.unmapped == len(THINGS) ** 2
        assert task.conflict.bias.value is None and task.at_chance


def test_the_bundled_clip_on_drawn_pictures_by_probe_and_by_name(settings: Settings) -> None:
    options = {"measures": ("conflict", "shifted"), "pictures": 16, "settings": settings}
    first = bias("mini", "probe:mini", **options)
    by_name, by_probe = first.tasks
    assert by_name.manner.startswith("zero-shot") and by_probe.manner == "linear probe"
    assert by_name.conflict.accuracy.value > 0.3 and by_probe.conflict.accuracy.n == 240
    assert first.drawn and len(first.classes) == 16 and first.shifted == 16
    again = bias("mini", "probe:mini", **options)
    assert again.tasks == first.tasks and again.calls["embedding"]["paid"] == 0
    assert first.calls["embedding"]["paid"] > 0


def test_a_classifier_of_transformers_by_its_own_labels(tmp_path: Path, named: str, settings: Settings) -> None:
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    labels = ["cow, ox", "school bus", "cake", "pine tree", "nail"]
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(labels)),
        label2id={name: place for place, name in enumerate(labels)},
    )
    ResNetForImageClassification(config).save_pretrained(tmp_path / "resnet")
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "resnet")
    spec = str(tmp_path / "resnet")
    assert manner_of(spec, settings) == ("classifier", spec)
    assert manner_of(f"probe:{spec}", settings) == ("probe", spec)
    first, again = (bias(spec, on=named, settings=settings) for _ in range(2))
    [task] = first.tasks
    assert {*task.classes} == {*THINGS} and task.unmapped == 0 and task.manner == "its own labels"
    assert first.calls["classification"]["paid"] == 16 and again.calls["classification"]["paid"] == 0
    other = tmp_path / "labels.json"
    other.write_text(json.dumps({"cow": ["nail"]}), encoding="utf-8")
    [mapped] = bias(spec, on=named, labels=str(other), settings=settings).tasks
    assert mapped.manner == task.manner


def test_sets_are_read_by_their_names_or_their_table(tmp_path: Path, named: str) -> None:
    rows = conflicts_of(Path(named))
    assert len(rows) == 16 and {(shape, texture) for _, shape, texture in rows} >= {("cow", "bus"), ("tree", "tree")}
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "b.png")
    table = tmp_path / "table.csv"
    table.write_text("file_name,shape,texture\na.png,cow,bus\nb.png,bus,cow\n", encoding="utf-8")
    assert [row[1:] for row in conflicts_of(table)] == [("cow", "bus"), ("bus", "cow")]
    table.write_text("file_name,shape\na.png,cow\nb.png,bus\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no texture"):
        conflicts_of(table)
    Image.new("RGB", (8, 8)).save(Path(named) / "cow" / "holiday.png")
    with pytest.raises(BadInput, match=r"holiday\.png.*says no shape and texture"):
        conflicts_of(Path(named))


def test_what_cannot_be_looked_at_is_refused(planted: str, named: str, settings: Settings, tmp_path: Path) -> None:
    for models, options, words in (
        (("mini", "mini"), {}, "named twice"),
        (("probe:mini",), {"on": named}, "--learn"),
        (("mini",), {"learn": named}, "--learn without"),
        (("mini",), {"on": str(tmp_path / "nowhere")}, "does not exist"),
        (("vqa:",), {}, "name the model behind the colon"),
        (("describe:mini",), {"on": named, "mapper": "llm", "llm": ""}, "--llm"),
        (("mini",), {"template": "a photo"}, "no place for the class"),
        (("mini",), {"labels": str(tmp_path / "none.json")}, "cannot be read"),
    ):
        with pytest.raises(BadInput, match=words):
            bias(*models, settings=settings, **options)
    assert not [*(tmp_path / "runs").glob("bias-*")]


def test_a_config_says_what_is_drawn() -> None:
    assert BiasConfig(models=("mini",)).drawn and not BiasConfig(models=("mini",), on="x").drawn
