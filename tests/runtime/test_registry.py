"""Parts by name: inloop's own, those of installed packages, and `module:object`; and what is said where there is none."""

import sys

import pytest
from packages import install

from inloop.runtime import registry
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.registry import Registry, is_object


@pytest.fixture
def colors():
    return Registry("color", "inloop.colors", {"red": 1, "blue": "colorsys:ONE_THIRD"})


@pytest.fixture
def package(tmp_path, monkeypatch):
    def put(name, entry_points, **modules):
        install(tmp_path / "site", monkeypatch, name, entry_points, **modules)

    yield put
    registry.plugins.cache_clear()


def test_own_parts_are_imported_when_they_are_asked_for(colors):
    assert list(colors) == ["red", "blue"] and "red" in colors and "green" not in colors
    assert colors.find("red") == 1 and colors.find("blue") == pytest.approx(1 / 3)


def test_a_package_is_listed_without_being_imported(colors, package):
    package("paint-box", {"inloop.colors": {"green": "paint_box:GREEN"}}, paint_box="GREEN = 7")
    assert list(colors) == ["red", "blue", "green"] and colors.packages == {"green": "paint-box 1.0"}
    assert "paint_box" not in sys.modules
    assert colors.find("green") == 7


def test_an_own_name_cannot_be_taken(colors, package):
    package("paint-box", {"inloop.colors": {"red": "paint_box:RED"}}, paint_box="RED = 7")
    assert colors.find("red") == 1 and colors.packages == {}


def test_what_is_accepted_is_made_once(package):
    made = []

    def accept(name, given):
        made.append(name)
        return (name, given)

    colors = Registry("color", "inloop.colors", {}, accept=accept)
    package("paint-box", {"inloop.colors": {"green": "paint_box:GREEN"}}, paint_box="GREEN = 7")
    assert colors.find("green") == colors.find("green") == ("green", 7)
    assert colors.find("paint_box:GREEN") == ("paint_box:GREEN", 7) and made == ["green", "paint_box:GREEN"]


def test_an_unknown_name_is_told_with_what_is_near_and_what_there_is(colors):
    with pytest.raises(
        BadInput, match=r"no color 'bleu': did you mean blue\? There are red, blue, and your own as module"
    ):
        colors.find("bleu")


def test_a_broken_package_is_named_with_the_reason(colors, package):
    package(
        "paint-box", {"inloop.colors": {"green": "paint_box:GREEN"}}, paint_box="raise RuntimeError('no paint left')"
    )
    with pytest.raises(PrerequisiteError) as caught:
        colors.find("green")
    for words in ("paint-box 1.0", "'paint_box:GREEN'", "RuntimeError: no paint left", "pip uninstall paint-box"):
        assert words in str(caught.value)


def test_two_packages_with_one_name(colors, package):
    package("paint-box", {"inloop.colors": {"green": "paint_box:GREEN"}}, paint_box="GREEN = 7")
    package("inkwell", {"inloop.colors": {"green": "inkwell:GREEN"}}, inkwell="GREEN = 8")
    assert list(colors).count("green") == 1
    with pytest.raises(PrerequisiteError) as caught:
        colors.find("green")
    for words in ("paint-box 1.0", "inkwell 1.0", "paint_box:GREEN", "inkwell:GREEN"):
        assert words in str(caught.value)
    assert colors.find("inkwell:GREEN") == 8


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere:GREEN", "'nowhere:GREEN' names no color: there is no module 'nowhere'."),
        ("tint:GREEN", "'tint' has no 'GREEN', but 'GREN'."),
        ("tint:Box.lid", "'tint' has no 'lid'."),
        ("needy:GREEN", "'needy' needs 'no_such_library', which is not installed."),
        ("torn:GREEN", "cannot be imported (ZeroDivisionError: division by zero ("),
    ],
)
def test_an_object_that_cannot_be_had(colors, tmp_path, monkeypatch, spec, words):
    (tmp_path / "tint.py").write_text("GREN = 3\nclass Box: hue = 4\n", encoding="utf-8")
    (tmp_path / "needy.py").write_text("import no_such_library\n", encoding="utf-8")
    (tmp_path / "torn.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(BadInput) as caught:
        colors.find(spec)
    assert words in str(caught.value)
    assert colors.find("tint:Box.hue") == 4, "modules of the working folder are found"
    sys.modules.pop("tint")


def test_a_part_is_added_for_this_process(colors):
    colors.add("green", 7)
    assert colors.find("green") == 7 and "green" in list(colors)
    with pytest.raises(BadInput, match="there is a color 'red' already"):
        colors.add("red", 2)


@pytest.mark.parametrize("spec", ["a:b", "pkg.paint:painter", "pkg.paint:Box.painter", "über.farbe:grün"])
def test_the_form_of_an_object(spec):
    assert is_object(spec)


@pytest.mark.parametrize(
    "spec",
    ["memory:", "http://host:8000/v1", "owner/name", "gguf:./model.gguf", "openai:gpt-4", "mini", "", "a:b:c", "1a:b"],
)
def test_what_is_no_object(spec):
    assert not is_object(spec)
