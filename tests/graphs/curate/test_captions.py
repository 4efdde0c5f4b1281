"""Captions: where right ones are parted from wrong ones, what a filter that cannot tell does, borderline ones, and image-text matching."""

import numpy as np
import pytest
from curated import ColorClip
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inloop.graphs.curate import curate, read_rows
from inloop.graphs.curate.captions import cut, wrong_pairs
from inloop.graphs.curate.decisions import copies_of
from inloop.runtime.records import Answer
from inloop.runtime.settings import Settings
from inloop.tools.curation import Pairs

NAMES = ["red", "green", "blue"]
WRONG = {f"{number:02}.png" for number in range(12)}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0.0, 0.05, 0.2, 0.5]), st.floats(2, 4), st.integers(0, 50))
def test_the_share_of_wrong_ones_is_had_from_planted_ones(share, apart, seed):
    rng = np.random.default_rng(seed)
    wrong = rng.random(600) < share
    own = rng.standard_normal(600) + np.where(wrong, 0, apart)
    found = cut(own.tolist(), rng.standard_normal(600).tolist())
    assert abs(found.wrong - wrong.mean()) < 0.25 and not found.doubt
    mistakes = np.mean((own < found.threshold) != wrong)
    fewest = min(np.mean((own < border) != wrong) for border in [*own, own.max() + 1])
    assert mistakes < fewest + 0.15  # of 4,800 draws the worst was .085
    if not share:
        assert np.mean(own < found.threshold) < 0.08


def test_scores_that_tell_nothing_are_not_followed():
    rng = np.random.default_rng(0)
    assert cut(rng.random(300).tolist(), rng.random(300).tolist()).doubt
    assert cut([0.5] * 20, [0.5] * 20).doubt
    assert not cut([0.9] * 20, [0.1] * 20).doubt and cut([0.9] * 20, [0.1] * 20).wrong == 0


def test_planted_captions_say_something_else():
    texts = ["a", "a", "b", "c", "b", "a"] * 5
    assert all(texts[int(other)] != own for own, other in zip(texts, wrong_pairs(texts, 3), strict=True))


@pytest.fixture
def colors(tmp_path):
    """78 pictures of a color each; the captions of twelve name another one."""
    folder = tmp_path / "colors"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["image,caption"]
    for number in range(78):
        color = NAMES[number % 3]
        image = Image.new("RGB", (64, 64), {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}[color])
        image.paste(Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)), (number % 40, number % 11))
        image.save(folder / f"{number:02}.png")
        lines.append(f"{number:02}.png,a {NAMES[(number + 1) % 3] if number < 12 else color} thing")
    (tmp_path / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


class Captioner:
    model, revision = "teller", "1"

    async def caption(self, asked):
        return ["a red thing"] * (len(asked) - 1) + ["too long for it"]


class Eyes:
    """Answers whether a picture is of the color that a question names."""

    model, revision = "eyes", "1"

    def __init__(self, store):
        self._store, self.asked = store, 0

    async def answer(self, asked):
        self.asked += len(asked)
        found = []
        for image, question in asked:
            pixel = self._store.blobs.get_image(image).getpixel((60, 60))
            color = NAMES[int(np.argmax(pixel))]
            named = [name for name in NAMES if name in question]
            found.append(Answer(text="yes" if not named or named == [color] else "no"))
        return found


class NoClip(ColorClip):
    """Finds all pictures alike."""

    model = "blind"

    async def images(self, images):
        return [[1.0] + [0.0] * 107] * len(images)


def cleaned(folder, tmp_path, **options):
    models = {"clip": ColorClip, **options.pop("models", {})}
    options = {"captions": tmp_path / "captions.csv", "copies": "exact", **options}
    result = curate(folder, settings=Settings(runs_dir=tmp_path / "runs"), models=models, **options)
    return {row.id: row for row in read_rows(result.blobs(), result.tasks[0])}, result.tasks[0]


def test_captions_that_do_not_fit_go_or_are_written_anew(colors, tmp_path):
    rows, task = cleaned(colors, tmp_path)
    gone = {id for id, row in rows.items() if row.reason == "caption"}
    assert gone <= WRONG and len(gone) >= 10  # where few are planted, one may lie just above the threshold
    assert task.captions.auroc > 0.9 and task.captions.wrong == pytest.approx(12 / 78, abs=0.1)
    assert "a score of" in rows["00.png"].why and not task.captions.doubt
    assert [count for _, count in task.captions.repeated] == [26, 26, 26] and task.captions.repeated[0][0] in {
        f"a {name} thing" for name in NAMES
    }
    rows, task = cleaned(colors, tmp_path, captioner="x", models={"captioner": Captioner()})
    assert rows["00.png"].kept and rows["00.png"].written == "a red thing"  # a red one that was called green
    assert rows["01.png"].reason == "caption" and task.captions.written == 4
    assert rows["11.png"].reason == "caption"  # a caption that the encoder refuses is none that fits


def test_questions_decide_about_borderline_captions(colors, tmp_path):
    opened = []

    def eyes(store):
        opened.append(Eyes(store))
        return opened[0]

    rows, task = cleaned(colors, tmp_path, vqa="x", models={"vqa": eyes})
    gone = {id for id, row in rows.items() if row.reason == "caption"}
    assert gone == WRONG and opened[0].asked > 0
    assert any("questions" in note or task.captions.asked >= 8 for note in [*task.notes, ""])


def test_a_filter_that_cannot_tell_lets_no_caption_go(colors, tmp_path):
    rows, task = cleaned(colors, tmp_path, models={"clip": NoClip})
    assert all(row.kept for row in rows.values()) and task.captions.unfit == 0
    assert "captions score as those of other pictures do" in task.captions.doubt
    assert any("no caption went for not fitting its picture" in note for note in task.notes)


def test_image_text_matching_is_another_filter(colors, tmp_path):
    class Matching:
        model, revision = "matching", "1"

        def __init__(self, store):
            self._store = store

        async def rewards(self, asked):
            pixels = [self._store.blobs.get_image(image).getpixel((60, 60)) for image, _ in asked]
            return [float(NAMES[int(np.argmax(pixel))] in text) for pixel, (_, text) in zip(pixels, asked, strict=True)]

    rows, task = cleaned(colors, tmp_path, filter="itm", models={"itm": Matching})
    assert {id for id, row in rows.items() if row.reason == "caption"} == WRONG
    assert rows["12.png"].caption_score == 1.0 and task.captions.auroc > 0.9


def test_captions_that_nearly_all_say_the_same_are_not_judged(colors, tmp_path):
    lines = [f"{number:02}.png,a {'red' if number else 'blue'} thing" for number in range(78)]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "\n".join(lines), encoding="utf-8")
    rows, task = cleaned(colors, tmp_path)
    assert all(row.kept for row in rows.values()) and (task.captions is None or task.captions.unfit == 0)


class CountingCaptioner(Captioner):
    def __init__(self):
        self.asked = 0

    async def caption(self, asked):
        self.asked += len(asked)
        return ["a red thing"] * len(asked)


def test_no_caption_is_written_anew_for_a_picture_that_goes_as_a_copy(colors, tmp_path):
    lines = (tmp_path / "captions.csv").read_text(encoding="utf-8").splitlines()
    for name, source, caption in (
        ("a", "00", "a blue thing"),  # neither its caption nor that of 00.png fits: one of the two is written anew
        ("b", "01", "a green thing"),  # 01.png is green and called blue: its copy will do
        ("c", "30", "a blue thing"),  # 30.png is red and called red
    ):
        (colors / f"{name}.png").write_bytes((colors / f"{source}.png").read_bytes())
        lines.append(f"{name}.png,{caption}")
    (tmp_path / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    captioner = CountingCaptioner()
    rows, _ = cleaned(colors, tmp_path, captioner="x", models={"captioner": captioner})
    refused = {id for id, row in rows.items() if row.reason == "caption" or row.written}
    assert {"00.png", "a.png", "01.png", "c.png"} <= refused and captioner.asked <= 11
    assert sorted((rows["00.png"].kept, rows["a.png"].kept)) == [False, True]
    assert rows["b.png"].kept and rows["30.png"].kept


def test_copies_are_those_of_the_same_pixels_and_of_pairs_above_the_threshold():
    class Seen:
        def __init__(self, pixels):
            self.pixels = pixels

    looks = [Seen("a"), Seen("a"), Seen("b"), Seen("c")]
    pairs = Pairs(np.array([[0, 2], [2, 3], [3, 4]]), np.array([0.9, 0.4, 0.95]))
    assert copies_of(looks, pairs, 0.5) == {0: {1, 2}, 1: {0, 2}, 2: {0, 1}, 3: set()}
    assert copies_of(looks, pairs, None) == {0: {1}, 1: {0}, 2: set(), 3: set()}
