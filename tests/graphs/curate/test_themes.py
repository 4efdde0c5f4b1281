"""Themes named from captions, names and gaps that are checked before they are told, and groups that a person confirms."""

import json

import numpy as np
import pytest
from curated import ColorClip
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inloop.graphs.curate import curate, read_rows
from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.settings import Settings
from inloop.tools.curation import distinctive_words, tells, theme_count

RGB = {"red": (225, 25, 25), "green": (25, 225, 25), "blue": (25, 25, 225)}


@pytest.fixture
def colors(tmp_path):
    """Ninety pictures of three colors, and the table of their captions."""
    folder = tmp_path / "colors"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["image,caption"]
    for number in range(90):
        color = list(RGB)[number % 3]
        image = Image.new("RGB", (64, 64), RGB[color])
        image.paste(Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)), (number % 40, number % 7))
        image.save(folder / f"{number:02}.png")
        lines.append(f"{number:02}.png,a {color} {['cup', 'box'][number % 2]}")
    (tmp_path / "captions.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def reply(messages):
    """What a language model might say, some of it wrong."""
    text = messages[-1].content
    if "Themes of the data set" in text:
        gaps = [("white ones", "a white cup"), ("red ones", "a red cup")]
        return json.dumps(
            {"gaps": [{"missing": what, "why": "There are other colors.", "query": query} for what, query in gaps]}
        )
    if "attributes that part" in text:
        return json.dumps(
            {"attributes": [{"attribute": "color", "groups": ["a red cup", "a green cup", "a blue cup"]}]}
        )
    mine = text.partition("Captions of pictures of other groups")[0]
    color = next(color for color in RGB if color in mine)
    return {"red": "blue cars", "green": "green cups and boxes", "blue": ""}[color]


def cleaned(folder, tmp_path, **options):
    models = {"clip": ColorClip, "llm": ScriptedChat(reply)}
    options = {"captions": tmp_path / "captions.csv", "copies": "exact", **options}
    result = curate(folder, settings=Settings(runs_dir=tmp_path / "runs"), models=models, **options)
    return {row.id: row for row in read_rows(result.blobs(), result.tasks[0])}, result


def test_themes_are_named_by_the_words_of_their_captions(colors, tmp_path):
    rows, result = cleaned(colors, tmp_path)
    themes = result.tasks[0].themes
    assert sum(theme.before for theme in themes) == 90 and all(
        theme.by == "the words of its captions" for theme in themes
    )
    assert {theme.name.split()[0] for theme in themes} <= set(RGB) and min(theme.tells for theme in themes) > 0.6
    assert {row.theme for row in rows.values()} == {theme.name for theme in themes}
    assert all(theme.shown for theme in themes) and result.tasks[0].gaps == ()
    named_by_number = curate(colors, settings=Settings(runs_dir=tmp_path / "runs"), models={"clip": ColorClip})
    assert named_by_number.tasks[0].themes[0].name == "theme 1"


def test_a_model_s_name_counts_where_it_tells_and_a_gap_where_nothing_fills_it(colors, tmp_path):
    _, result = cleaned(colors, tmp_path, llm="x")
    task = result.tasks[0]
    by = {theme.name: theme.by for theme in task.themes}
    assert by["green cups and boxes"] == "fake-chat" and "blue cars" not in by
    assert {who for name, who in by.items() if not name.startswith("green cups")} == {"the words of its captions"}
    assert [(gap.what, gap.query) for gap in task.gaps] == [("white ones", "a white cup")]
    assert any("said that these are missing, and" in note and "'a red cup' (" in note for note in task.notes)


def test_groups_count_when_a_person_has_confirmed_them(colors, tmp_path):
    asked = []

    async def reviewer(question):
        asked.append(question)
        return [{"groups": "7"}, {"keep": ["00.png"]}, {"groups": "1"}, {}][len(asked) - 1]

    models = {"clip": ColorClip, "llm": ScriptedChat(reply)}
    result = curate(
        colors, settings=Settings(runs_dir=tmp_path / "runs"), models=models, reviewer=reviewer, review=True, llm="x", groups="propose",
        captions=tmp_path / "captions.csv", threshold=0.99,
    )  # fmt: skip
    [offered] = asked[0]["groups"]
    assert asked[0]["cleaned"] is None and "there are the proposals 1 to 1" in asked[1]["wrong"]
    assert "groups are asked for here" in asked[2]["wrong"]
    assert [(group["captions"], group["tells"]) for group in offered["groups"]] == [(30, 1.0)] * 3
    task = result.tasks[0]
    assert task.groups == ("a red cup", "a green cup", "a blue cup") and asked[3]["cleaned"]["groups"] == list(
        task.groups
    )
    assert [each.share for each in task.audit.shares if each.way == "before"] == [pytest.approx(1 / 3)] * 3


def test_groups_that_the_encoder_does_not_tell_are_doubted(colors, tmp_path):
    _, result = cleaned(colors, tmp_path, copies="pixels", threshold=0.99, groups="a cup; a box")
    assert sum("the encoder hardly tells 'a" in note for note in result.notes) == 2  # it knows colors alone
    _, result = cleaned(colors, tmp_path, copies="pixels", threshold=0.99, groups="a red thing; a blue thing")
    assert not any("hardly tells" in note for note in result.notes)


def test_a_person_may_want_no_groups_or_stop(colors, tmp_path):
    def answered(answer):
        async def reviewer(question):
            return answer if question["groups"] else {}

        models = {"clip": ColorClip, "llm": ScriptedChat(reply)}
        return curate(
            colors, settings=Settings(runs_dir=tmp_path / "runs"), models=models, reviewer=reviewer, review=True, llm="x", groups="propose",
            captions=tmp_path / "captions.csv", threshold=0.99,
        )  # fmt: skip

    assert answered({}).tasks[0].groups == ()
    with pytest.raises(BadInput, match="a person stopped it"):
        answered({"stop": True})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"llm": "x", "captions": ""}, "give --captions, or --captioner"),
        ({"groups": "propose", "llm": "x"}, "give --llm, --captions and --review"),
    ],
)
def test_bad_input(colors, tmp_path, options, message):
    with pytest.raises(BadInput, match=message):
        cleaned(colors, tmp_path, **options)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**7))
def test_there_are_more_pictures_than_themes(rows):
    assert 1 <= theme_count(rows) <= max(1, min(24, rows // 12))


def test_words_that_mark_a_group_and_how_well_a_vector_tells_it():
    words = distinctive_words([["a red cup", "a red box"], ["a blue cup", "a blue box"], []], most=1, without=["a"])
    assert words == [("red",), ("blue",), ()]
    vectors, members = np.eye(4), np.array([True, False, False, False])
    assert tells(vectors[0], vectors, members) == 1 and tells(vectors[1], vectors, members) < 0.5
    assert tells(vectors[0], vectors, ~np.zeros(4, dtype=bool)) == 0.5
