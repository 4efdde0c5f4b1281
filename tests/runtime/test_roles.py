"""Who can take a role: objects, classes, makers and plain functions, from Python or by `module:object`; and what they lack."""

from types import SimpleNamespace

import pytest
from packages import install
from PIL import Image

from inloop.evaluators.text_image import FunctionEvaluator
from inloop.runtime import registry
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedChat, ScriptedImages
from inloop.runtime.llm import open_chat
from inloop.runtime.records import ImageRequest, Sample
from inloop.runtime.roles import close
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.encoders import open_clip, open_text_embedder
from inloop.tools.images import open_images
from inloop.tools.vision import open_captioner, open_detector, open_vqa

ASKED = [ImageRequest(prompt="a red disc", seed=1), ImageRequest(prompt="a red disc", seed=2)]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store", run_id="run-1") as opened:
        yield opened


def painter(calls, **named):
    def paint(prompt, seed):
        calls.append((prompt, seed))
        return Image.new("RGB", (4, 4), (seed, 0, 0))

    for name, value in named.items():
        setattr(paint, name, value)
    return paint


async def test_an_object_with_what_is_needed_is_taken_as_it_is(store):
    mine = ScriptedImages(store.blobs)
    assert open_images(mine, store, Settings()) is mine


async def test_a_function_paints(store):
    calls = []
    images = open_images(painter(calls), store, Settings())
    first, second = await images.generate(ASKED)
    assert store.blobs.get_image(first).getpixel((0, 0)) == (1, 0, 0) and first != second
    assert calls == [("a red disc", 1), ("a red disc", 2)] and store.ledger.counts()["image"]["paid"] == 2
    await close(images)


async def test_a_function_that_names_model_and_revision_is_paid_once_for_all_runs(store, tmp_path):
    calls = []
    paint = painter(calls, model="me/discs", revision="2")
    images = open_images(paint, store, Settings())
    assert (images.model, images.revision, images.notes) == ("me/discs", "2", ())
    await images.generate(ASKED)
    with Store(tmp_path / "store", run_id="run-2") as later:
        await open_images(paint, later, Settings()).generate(ASKED)
    assert len(calls) == 2
    paint.revision = "3"
    with Store(tmp_path / "store", run_id="run-3") as later:
        await open_images(paint, later, Settings()).generate(ASKED)
    assert len(calls) == 4


async def test_a_function_without_them_is_kept_for_the_run_alone(store, tmp_path):
    calls = []
    images = open_images(painter(calls), store, Settings())
    assert "names no model and revision" in images.notes[0]
    await images.generate(ASKED)
    with Store(tmp_path / "store", run_id="run-1") as resumed:
        await open_images(painter(calls), resumed, Settings()).generate(ASKED)
    assert len(calls) == 2, "the same run, resumed"
    with Store(tmp_path / "store", run_id="run-2") as other:
        await open_images(painter(calls), other, Settings()).generate(ASKED)
    assert len(calls) == 4, "another run"


async def test_an_async_function_and_a_failing_one(store):
    async def paint(prompt, seed):
        return Image.new("L", (4, 4), seed) if seed == 1 else "no picture"

    images = open_images(paint, store, Settings())
    assert len(await images.generate(ASKED[:1])) == 1
    with pytest.raises(CallFailed, match=r"gave str .no picture. and no PIL\.Image\.Image"):
        await images.generate(ASKED)

    def broken(prompt, seed):
        raise KeyError("colour")

    with pytest.raises(CallFailed, match="broken failed with KeyError: 'colour'"):
        await open_images(broken, store, Settings()).generate(ASKED)


async def test_functions_answer_and_caption(store):
    picture = store.blobs.put_image(Image.new("RGB", (4, 4), "red"))
    vqa = open_vqa(lambda image, question: 0.75 if image.getpixel((0, 0)) == (255, 0, 0) else "no", store, Settings())
    [answer] = await vqa.answer([(picture, "is it red?")])
    assert (answer.text, answer.p_yes) == ("yes", 0.75)
    captioner = open_captioner(lambda image, question: f"{image.size} for {question}", store, Settings())
    assert await captioner.caption([(picture, None)]) == ["(4, 4) for None"]


async def test_a_function_scores_and_what_it_cannot_tell_is_none(store):
    picture = store.blobs.put_image(Image.new("RGB", (4, 4), "red"))

    def redness(image, text):
        if text == "?":
            raise ValueError("no question")
        return None if text == "" else image.getpixel((0, 0))[0] / 255

    evaluator = FunctionEvaluator(redness, store)
    samples = [Sample(id=text, text=text, image=picture) for text in ("red", "", "?")]
    red, empty, failed, without = await evaluator.score([*samples, Sample(id="none", text="x")])
    assert red.value == 1.0 and empty.value is None and without.value is None
    assert failed.value is None and "ValueError: no question" in failed.explanation


def test_a_class_is_made_with_what_it_asks_for(store):
    class Painter:
        model, revision = "me/class", "1"

        def __init__(self, store, spec):
            self.store, self.spec = store, spec

        async def generate(self, requests):
            return []

    made = open_images(Painter, store, Settings())
    assert made.store is store and made.spec.endswith("Painter")
    assert open_images(lambda store, settings: made, store, Settings()) is made

    class Needy(Painter):
        def __init__(self, palette):
            pass

    with pytest.raises(BadInput, match="asks for palette: it can be given spec, store, settings"):
        open_images(Needy, store, Settings())


@pytest.mark.parametrize(
    ("opener", "part", "words"),
    [
        (
            open_images,
            SimpleNamespace(model="m", revision="1"),
            r"no text-to-image model: it has no generate\..*paint\(",
        ),
        (open_images, SimpleNamespace(generate=print), "no async generate, no model, no revision"),
        (open_detector, print, "is no detector: it has no detect, no labels, no model, no revision"),
        (open_clip, object(), "is no CLIP model: it has no images, no model, no revision, no texts"),
        (open_chat, object(), "is no language model: it has no complete"),
        (open_text_embedder, object(), "is no text embedder"),
    ],
)
def test_what_is_lacking_is_named(store, opener, part, words):
    with pytest.raises(BadInput, match=words):
        opener(part, store, Settings())


@pytest.fixture
def package(tmp_path, monkeypatch):
    source = """
        from PIL import Image

        def paint(prompt, seed):
            return Image.new("RGB", (2, 2))

        class Painter:
            model, revision = "box/painter", "1"

            def __init__(self, spec, store):
                self.spec, self.store = spec, store

            async def generate(self, requests):
                return []
        """
    install(
        tmp_path / "site", monkeypatch, "paint-box", {"inloop.tools": {"turbo": "paint_box:Painter"}}, paint_box=source
    )
    yield
    registry.plugins.cache_clear()


def test_a_tool_of_a_package_takes_its_options_with_its_name(store, package):
    made = open_images("turbo?steps=2", store, Settings())
    assert (made.model, made.spec) == ("box/painter", "turbo?steps=2")
    assert open_images("paint_box:Painter?steps=3", store, Settings()).spec == "paint_box:Painter?steps=3"
    assert open_images("paint_box:paint", store, Settings()).model == "paint_box:paint"
    with pytest.raises(BadInput, match="'turbo' is no language model: it has no complete"):
        open_chat("turbo", store, Settings())


def test_built_in_specs_are_no_objects(store):
    chat = open_chat(ScriptedChat(["hello"]), store, Settings())
    assert chat.model == "fake-chat"
    with pytest.raises(BadInput, match="'nowhere:paint' names no tool: there is no module 'nowhere'"):
        open_images("nowhere:paint", store, Settings())
    for spec in ("gguf:model", "hf:model", "openai:"):
        with pytest.raises(Exception) as caught:
            open_chat(spec, store, Settings())
        assert "there is no module" not in str(caught.value)
