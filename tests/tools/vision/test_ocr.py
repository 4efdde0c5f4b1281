"""Text in pictures by the real reader, tags by the real detector: drawn signs, odd shapes, and what is not installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io

import pytest
from PIL import Image, ImageDraw, ImageFont

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.fakes import ScriptedDetector
from inloop.runtime.records import Detection
from inloop.runtime.store.open import Store
from inloop.tools.documents import pictures_of_pages, unread_pages
from inloop.tools.vision.ocr import TextLine, open_ocr, text_of
from inloop.tools.vision.tags import DetectorTags, is_detector, open_tagger


@pytest.fixture
def store(settings):
    with Store.open(settings) as opened:
        yield opened


@pytest.fixture
def reader(store, settings):
    for package in ("rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install 'inloop[ocr]'")
    return open_ocr("rapidocr", store, settings.model_copy(update={"threads": 1}))


def sign(*lines, size=(320, 200)):
    picture = Image.new("RGB", size, (90, 140, 200))
    pen = ImageDraw.Draw(picture)
    for place, words in enumerate(lines):
        pen.rectangle((30, 20 + 80 * place, size[0] - 30, 80 + 80 * place), fill="white")
        pen.text((45, 30 + 80 * place), words, fill="black", font=ImageFont.load_default(34))
    return picture


async def test_a_sign_is_read_once_and_alone_as_in_company(reader, store):
    signs = [sign("SLOW DOWN", "Main Street"), sign("STOP"), sign()]
    images = [store.blobs.put_image(picture) for picture in signs]
    assert await reader.read(images) == ["SLOW DOWN, Main Street", "STOP", ""]
    assert store.ledger.counts()["ocr"] == {"paid": 3, "reused": 0}
    lines = await reader.lines(images)
    assert all(0.5 <= line.score <= 1 for line in lines[0]) and lines[2] == ()
    assert store.ledger.counts()["ocr"]["paid"] == 3
    await reader.aclose()
    assert reader.model == "rapidocr" and reader.revision.startswith(importlib.metadata.version("rapidocr"))


async def test_a_picture_of_any_shape_is_read(reader, store):
    shapes = [(1, 1), (3, 400), (700, 2)]
    blank = [store.blobs.put_image(Image.new("RGB", shape, "white")) for shape in shapes]
    slim = Image.new("RGB", (900, 60), "white")
    ImageDraw.Draw(slim).text((400, 12), "EXIT", fill="black", font=ImageFont.load_default(34))
    assert await reader.read([*blank, store.blobs.put_image(slim)]) == ["", "", "", "EXIT"]
    lost = store.blobs.put_image(Image.new("RGB", (9, 9)))
    store.blobs.path(lost).unlink()
    with pytest.raises(PrerequisiteError, match="not in the store"):
        await reader.read([lost])
    await reader.aclose()


def test_a_page_of_text_is_cut_at_a_word():
    lines = [TextLine(text=f"line {number}", score=1.0) for number in range(200)]
    whole = text_of(lines)
    assert len(whole) < 360 and whole.startswith("line 0, line 1") and whole.endswith(" ...")
    assert text_of([TextLine(text=" two\nwords ", score=1.0)]) == "two words" and text_of([]) == ""


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_without_the_extra_it_says_what_to_install(package, store, settings, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr("inloop.tools.vision.ocr.find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(PrerequisiteError, match=package) as error:
        open_ocr("rapidocr", store, settings)
    assert error.value.remedy == "pip install 'inloop[ocr]'"


def test_another_reader_and_options_are_refused(store, settings):
    with pytest.raises(BadInput, match="give rapidocr"):
        open_ocr("tesseract", store, settings)
    with pytest.raises(BadInput, match="no options"):
        open_ocr("rapidocr?batch=2", store, settings)


async def test_tags_are_the_names_of_what_the_detector_is_sure_of(store, settings):
    found = {"cat": (0.9, 0.6), "dog": (0.7,), "cup": (0.4,)}
    seen = [Detection(label=name, score=s, box=(0, 0, 1, 1)) for name, scores in found.items() for s in scores]
    detector = ScriptedDetector(lambda image: seen, labels=("dog", "cat", "cup"))
    image = store.blobs.put_image(Image.new("RGB", (9, 9)))
    assert await DetectorTags(detector).tags([image]) == ["cat, dog"]
    assert await DetectorTags(detector, threshold=0.4).tags([image]) == ["cat, dog, cup"]
    assert await DetectorTags(detector, threshold=0.95).tags([image]) == [""]
    many = [Detection(label=f"thing {n}", score=0.9 - n / 100, box=(0, 0, 1, 1)) for n in range(15)]
    detector = ScriptedDetector(lambda image: many, labels=tuple(d.label for d in many))
    [told] = await DetectorTags(detector).tags([image])
    assert told.split(", ") == [f"thing {n}" for n in range(10)]
    for spec in ("ssd?threshold=often", "ssd?threshold=2", "ssd?wish=1"):
        with pytest.raises(BadInput, match="takes threshold"):
            open_tagger(spec, store, settings)


def test_a_detector_is_told_from_words(tmp_path):
    for spec in ("ssd", "SSD", "ssd?threshold=0.3", "hustvl/yolos-tiny", "facebook/detr-resnet-50@abc", str(tmp_path)):
        assert is_detector(spec), spec
    for words in ("cow", "cow, grass", "a cup / a saucer", "cat/dog, cup", "", "text:ssd", "./nothing/there"):
        assert not is_detector(words), words


async def test_the_real_detector_tags_a_photograph(store, settings):
    """Of the photographs that scikit-image ships."""
    from pathlib import Path

    from inloop.runtime import models
    from inloop.runtime.settings import Settings
    from inloop.tools.data.pictures import read_picture

    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'inloop[detect]'")
    cache = Settings.load().cache_dir
    if models.find("ssd", cache) is None:
        pytest.skip("the detector is not fetched: inloop models --fetch ssd")
    skimage = importlib.util.find_spec("skimage")
    if skimage is None:
        pytest.skip("the photographs of scikit-image are not installed: pip install scikit-image")
    folder = Path(str(skimage.origin)).parent / "data"
    tagger = open_tagger("ssd", store, settings.model_copy(update={"cache_dir": cache, "threads": 1}))
    images = [read_picture(folder / f"{name}.png", store.blobs).blob for name in ("chelsea", "coffee")]
    cat, cup = await tagger.tags(images)
    assert cat.startswith("cat") and cup.startswith("cup")
    assert store.ledger.counts()["detection"]["paid"] == 2
    await tagger.aclose()


async def test_a_scanned_page_of_a_pdf(reader, store):
    pytest.importorskip("pypdfium2", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    page = Image.new("RGB", (1240, 700), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(40)
    draw.text((100, 100), "The harbour of Brunmoor", "black", font=font)
    draw.text((100, 200), "was dredged in 1902.", "black", font=font)
    out = io.BytesIO()
    page.save(out, "PDF", resolution=150)
    assert unread_pages(out.getvalue(), "scan.pdf") == [1]
    [(number, picture)] = pictures_of_pages(out.getvalue(), "scan.pdf", [1])
    [text] = await reader.pages([store.blobs.put_image(picture)])
    assert number == 1 and text.split("\n") == ["The harbour of Brunmoor", "was dredged in 1902."]
