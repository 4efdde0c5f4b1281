"""The house: which floor imports which, that rooms speak through their faces, and that nothing goes in circles."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
FLOORS = sorted(set(SETUPTOOLS["package-dir"].values()) - {"inloop"})
BELOW = {
    "runtime": set(),
    "prompts": set(),
    "tools": {"runtime", "prompts"},
    "mini": {"runtime", "prompts", "tools", "agents"},  # agents: to measure mini-writer in its roles
    "agents": {"runtime", "prompts", "tools"},
    "evaluators": {"runtime", "prompts", "tools", "agents"},
    # mini: a loop may have drawn pictures where it is given none (graphs.bias); nothing of mini imports evaluators or graphs
    "graphs": {"runtime", "prompts", "tools", "agents", "evaluators", "mini"},
    "app": {"runtime", "prompts", "tools", "agents", "evaluators", "graphs"},
}
LUMBER = {"utils", "util", "common", "core", "helpers", "misc", "base_utils"}


class Import(NamedTuple):
    """`source` imports `target` (dotted, from the root; a module or a package), at the top of the module or later."""

    source: str
    target: str
    line: int
    at_top: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(path): path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))}


def room_of(module: str) -> str:
    """The room of a module: a sub-package of a floor; a module that lies on the floor itself is a room of its own."""
    floor, _, rest = module.partition(".")
    room = f"{floor}.{rest.partition('.')[0]}" if rest else floor
    return room


def imports(module: str) -> Iterator[Import]:
    """Every import of a module, also inside functions and for type checkers, with names that are modules resolved."""
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, id(node) in at_top)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            target = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                inner = f"{target}.{alias.name}"
                is_face = target in FILES and alias.name in exported(target)
                yield Import(
                    module, inner if inner in FILES and not is_face else target, node.lineno, id(node) in at_top
                )


def exported(package: str) -> set[str]:
    """The names that the face of a room gives away, from its `__all__` or its stub's."""
    path = FILES[package]
    if path.name != "__init__.py":
        return set()
    stub = path.with_suffix(".pyi")
    tree = ast.parse((stub if stub.exists() else path).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


ALL = [each for module in FILES for each in imports(module)]


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_floor_has_its_place():
    assert set(FLOORS) == set(BELOW) == {module for module in FILES if "." not in module}


def test_imports_go_downwards_and_are_relative():
    wrong = []
    for each in ALL:
        floor, target = each.source.partition(".")[0], each.target.partition(".")[0]
        if target == "inloop":
            wrong.append(f"{each} by its absolute name")
        elif target in BELOW and target not in BELOW[floor] | {floor}:
            wrong.append(f"{each}, which is not below {floor}")
    assert wrong == []


def test_rooms_speak_through_their_faces():
    """What another room needs stands in a room's `__init__`; a name with an underscore stays in its room."""
    wrong = []
    for each in ALL:
        target = FILES.get(each.target)
        if target is None or target.name == "__init__.py" or room_of(each.source) == room_of(each.target):
            continue
        if each.target.count(".") > 1:
            wrong.append(str(each))
    assert wrong == []


def test_no_circle_of_files():
    graph: dict[str, set[str]] = defaultdict(set)
    for each in ALL:
        if each.target in FILES and each.target != each.source:
            graph[each.source].add(each.target)
    assert circle(graph) == []


def test_no_circle_of_rooms():
    graph: dict[str, set[str]] = defaultdict(set)
    for each in ALL:
        if each.target in FILES and room_of(each.source) != room_of(each.target):
            graph[room_of(each.source)].add(room_of(each.target))
    assert circle(graph) == []


def test_a_circle_would_be_seen():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) and not circle({"a": {"b", "c"}, "b": {"c"}})


def test_there_are_no_lumber_rooms():
    assert [module for module in FILES if LUMBER & set(module.split("."))] == []


@pytest.mark.parametrize("floor", FLOORS)
def test_every_room_says_what_it_is(floor):
    faces = [path for path in (ROOT / floor).rglob("__init__.py") if path.parent != ROOT / floor]
    mute = [name_of(path) for path in faces if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert mute == []


def test_the_packages_are_those_that_there_are():
    packages = {
        f"inloop.{name_of(path.parent / '__init__.py')}" for path in FILES.values() if path.name == "__init__.py"
    }
    assert set(SETUPTOOLS["packages"]) == {"inloop", *packages}


TEXTS = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.*"), *ROOT.glob("examples/**/*.ipynb"), *FILES.values(),
]  # fmt: skip
DOTTED = re.compile(rf"`(?:inloop\.)?((?:{'|'.join(FLOORS)})(?:\.[A-Za-z_]\w*)+)(?:\([^`]*)?`")


def is_there(dotted: str) -> bool:
    """Whether `floor.room.module.name` is a module, or a name that one has: at its top, or in a class of it."""
    parts = dotted.split(".")
    paths = [ROOT.joinpath(*parts[:count]) for count in range(len(parts), 0, -1)]
    for path in paths:
        rest = parts[len(path.relative_to(ROOT).parts) :]
        if path.is_dir() or path.with_suffix(".py").is_file():
            if not rest:
                return True
            files = [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else [*path.glob("__init__.py*")]
            return any(re.search(rf"\b{rest[0]}\b", file.read_text(encoding="utf-8")) for file in files)
    return False


def test_what_texts_name_is_there() -> None:
    """Names of modules and of what they hold, in docstrings, comments and pages; the changelog tells of the past."""
    stale = [
        f"{path.relative_to(ROOT)}: {dotted}"
        for path in TEXTS
        if path.name != "CHANGELOG.md" and path.suffix in {".py", ".md", ".ipynb"}
        for dotted in sorted(set(DOTTED.findall(path.read_text(encoding="utf-8"))))
        if not is_there(dotted)
    ]
    assert stale == []
