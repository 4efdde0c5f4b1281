"""How a result shows itself: a table with pictures and intervals in a notebook, a data frame, a plot."""

import base64
import io
import sys
import warnings

import pytest
from PIL import Image

from inloop.runtime.display import Forest, Interval, Pictures, cells_of, draw, environment
from inloop.runtime.display.plots import drawable
from inloop.runtime.display.templates import soft
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.folder import RunFolder, RunResult, Task
from inloop.runtime.records import BlobRef, Score
from inloop.runtime.store import BlobStore, StoreLocation


class Painted(Task):
    """A task with what a table can hold."""

    text: str
    picture: BlobRef | None = None
    score: Score = Score(value=None)
    words: tuple[str, ...] = ()


class Compared(RunResult[Painted]):
    """A result with estimates."""

    def finding(self):
        return "+11.6, random rows +12.3"

    def forests(self):
        rows = (
            Interval("ours", 11.6, 3.2, 20.0, True),
            Interval("random rows", 12.3, 5.0, 19.6),
            Interval("none", None),
        )
        return (Forest(title="Gain, points", rows=rows),)


def result(kind=RunResult[Painted], tasks=(), **values):
    return kind(
        run_id="paint-1", loop="paint", created="2026-01-01T09:30:00+00:00", seconds=1.0, config={}, tasks=tuple(tasks), **values
    )  # fmt: skip


@pytest.fixture
def painted(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    pictures = [blobs.put_image(Image.new("RGB", (8, 8), color)) for color in ("red", "blue")]
    return [
        Painted(id="t1", text="<b>a dot</b>", picture=pictures[0], score=Score(value=0.25), words=("one", "two")),
        Painted(id="t2", text="一只猫", picture=pictures[1]),
    ]


def test_a_data_frame_has_a_row_a_task(painted):
    frame = result(tasks=painted).to_pandas()
    assert list(frame.columns) == ["id", "text", "picture", "score", "words"]
    assert frame["score"][0] == 0.25 and frame["picture"][0] == painted[0].picture.sha256
    assert frame["score"].isna()[1], "what was not scored is not 0"


@pytest.mark.parametrize(("name", "ask"), [("pandas", "to_pandas"), ("matplotlib.figure", "plot")])
def test_what_is_not_installed_is_named(name, ask, painted, monkeypatch):
    monkeypatch.delitem(sys.modules, "inloop.runtime.display.notebook_figure", raising=False)  # it has it already
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PrerequisiteError, match=r"pip install 'inloop\[(notebook|plot)\]'"):
        getattr(result(tasks=painted), ask)()


def test_a_notebook_shows_the_table_and_escapes_text(painted):
    html = result(tasks=painted)._repr_html_()
    assert "2 tasks" in html and "&lt;b&gt;a dot" in html and "<b>a dot" not in html and "<script" not in html
    assert "data:image" not in html and "not embedded" in html, "its store is not known"


def test_a_result_knows_the_store_of_its_run(painted, tmp_path):
    html = result(tasks=painted).kept_in(StoreLocation.of(tmp_path))._repr_html_()
    assert html.count("data:image/png") == 2


def test_a_result_that_is_read_from_its_folder_knows_the_store(painted, tmp_path):
    store = tmp_path / "runs" / ".store"
    picture = BlobStore(store / "blobs").put_image(Image.new("RGB", (8, 8), "green"))
    folder = RunFolder.create(tmp_path / "runs", "paint", {})
    folder.write_result(result(tasks=[painted[0].model_copy(update={"picture": picture})]))
    again = folder.result_as(RunResult[Painted])
    assert "data:image/png" in again._repr_html_()
    assert again == folder.result_as(RunResult[Painted])


def test_many_rows_are_counted_not_shown(painted):
    many = [painted[1].model_copy(update={"id": f"t{place}"}) for place in range(50)]
    html = result(tasks=many)._repr_html_()
    assert "t19" in html and "t20" not in html and "30 more rows" in html
    assert len(html) < 40_000


def test_intervals_are_drawn_and_said():
    html = result(Compared)._repr_html_()
    assert "+11.6, random rows +12.3" in html
    assert "+11.6 (+3.2 to +20.0)" in html and "not scored" in html and 'class="zero"' in html


def test_a_forest_has_its_values_in_their_places():
    forest = Forest(title="", rows=(Interval("a", 10.0, 5.0, 15.0),))
    [line] = forest.lines
    assert 0 < forest.zero < line.start < line.place < line.start + line.width < 100
    assert [number for _, number in forest.ticks] == ["0", "5", "10", "15"]
    shares = Forest(title="", rows=(Interval("a", 0.5, 0.4, 0.6),), gains=False, digits=3)
    assert shares.zero is None and shares.lines[0].words == "0.500 (0.400 to 0.600)"
    assert Forest(title="", rows=(Interval("a", None),)).lines[0].place is None


def test_a_notebook_shows_a_plot():
    """Without pyplot, as IPython asks for it."""
    formatters = pytest.importorskip("IPython.core.formatters", reason="IPython: pip install 'inloop[notebook]'")
    data, _ = formatters.DisplayFormatter().format(result(Compared).plot())
    assert data["image/png"].startswith(b"\x89PNG")


def test_a_plot_has_the_intervals():
    figure = result(Compared).plot()
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ours", "random rows", "none"]
    assert [list(line.get_xdata()) for line in axes.lines[:2]] == [[3.2, 20.0], [11.6]]
    assert [text.get_text() for text in axes.texts] == ["not scored"]


def test_without_estimates_a_plot_has_the_numbers_of_the_tasks(painted):
    [axes] = result(tasks=painted).plot().axes
    assert [bar.get_width() for bar in axes.patches] == [0.25]
    with pytest.raises(BadInput, match="no numbers"):
        result().plot()


def test_letters_that_no_font_has_are_no_boxes(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure = result(tasks=[Painted(id="\U000e0100\u2fdf", text="", score=Score(value=1.0))]).plot()
        figure.savefig(tmp_path / "plot.png")
    assert not [str(each.message) for each in caught if "Glyph" in str(each.message)]
    with pytest.warns(UserWarning, match="fonts-noto-cjk"):
        assert drawable("a\U000e0100b") == "a·b"


def test_what_is_longer_than_a_word_can_be_broken():
    assert str(soft("one two")) == "one two"
    assert str(soft("a" * 50)) == "<wbr>".join(["a" * 20, "a" * 20, "a" * 10])
    assert str(soft("https://example.org/a/long/path?q=1")).count("<wbr>") >= 4
    assert "<i>" not in str(soft("<i>" * 20))


def test_records_within_a_record_are_columns():
    assert cells_of(Painted(id="a", text="b"))["score"] is None
    nested = cells_of(result(tasks=[]))
    assert nested["cost.calls"] == 0 and nested["tasks"] == ()


def test_a_template_of_another_package(tmp_path, monkeypatch):
    package = tmp_path / "own_loop"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "page.html.j2").write_text("{% import 'display/parts.html.j2' as parts %}{{ x }}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert draw("own_loop:page.html.j2", x="<") == "&lt;"
    with pytest.raises(PrerequisiteError, match="no_such_package"):
        environment("inloop.app").get_template("no_such_package:page.html.j2")


def test_a_very_tall_picture_is_as_large_as_others_on_a_page(tmp_path):
    blobs = BlobStore(tmp_path)
    for size in ((20, 20_000), (20_000, 20), (300, 200)):
        ref = blobs.put_image(Image.new("RGB", size, "red"))
        pictures = Pictures(blobs)
        pictures.embed([ref])
        _, _, encoded = (pictures.uri(ref) or "").partition("base64,")
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as shown:
            assert max(shown.size) == (256 if max(size) > 1000 else 300)
    other = blobs.put(b"no picture that Pillow knows", "image/avif")
    pictures.embed([other])
    assert (pictures.uri(other) or "").startswith("data:image/avif")
