"""Writes `inloop/__init__.pyi`: every loop's signature, from the fields of its config. `python -m inloop._stub` (`make stubs`).

A checker or an editor then knows each option with its type, and a misspelt one is an error before anything runs; the options
themselves are told once, in the configs.
"""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from typing import Any

from . import __name__ as package

__all__ = ["stub"]

_SUBJECTS = {
    "ask": "*questions: str",
    "bias": "*models: str",
    "capacity": "rows: str | Path",
    "caption_synthesis": "rows: str | Path",
    "caption_training": "rows: str | Path",
    "curate": "folder: str | Path",
    "encoders": "*encoders: str",
    "index": "folder: str | Path",
    "label": "folder: str | Path",
    "llm2llm": "train: Any",
    "opt2i": "*prompts: str",
    "retrieval_eval": "",  # named options alone
    "score": "pictures: str | Path, prompts: str | Path = ...",
    "search": "*texts: str",
    "steer_vlm": "*texts: str",
    "vqa": "image: str | Path | None, question: str",
    "vqa_eval": "data: SetName",
}
_HEAD = '''"""Written by `python -m inloop._stub` from the configs of the loops: change those, then `make stubs`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

'''
_ROWS = {"llm2llm": ("test", "dev")}
"""Options that take rows from memory as well as the path of a file."""
_SHARED = {
    "settings": "Settings | None",
    "on_event": "Callable[[Event], None]",
}
_TYPING = {"Callable", "Mapping", "Path", "Any", "Literal", "Protocol"}


def stub() -> str:
    """The text of the stub."""
    imports: dict[str, set[str]] = {}
    classes, names = [], []
    places: dict[str, str] = vars(sys.modules[package])["_PLACES"]
    for name, place in places.items():
        part = getattr(importlib.import_module(f"inloop.{place}"), name)
        if hasattr(part, "config"):
            classes.append(_protocol(name, part, imports))
            names.append(f"{name}: _{name.title().replace('_', '')}")
        else:
            imports.setdefault(place, set()).add(name)
    imports.setdefault("", set()).update({"protocols", "records", "testing"})
    lines = [
        f"from .{place} import " + ", ".join(f"{name} as {name}" for name in sorted(found))
        for place, found in sorted(imports.items())
    ]
    return "\n".join([_HEAD + "\n".join(lines), "", "__version__: str", "", *classes, *names, ""])


def _protocol(name: str, loop: Any, imports: dict[str, set[str]]) -> str:
    config, result = loop.config, loop.result
    _import(result.__name__, result.__module__, imports)
    subjects = _SUBJECTS[name]
    positional = {part.split(":")[0].strip("* ") for part in subjects.split(",")}
    if subjects:
        _names_of(subjects, config, imports)
    options = []
    for option, field in config.model_fields.items():
        if option in positional or option == config.SUBJECT:
            continue
        annotation = next(
            _plain(kind.__annotations__[option])
            for kind in config.__mro__
            if option in vars(kind).get("__annotations__", {})
        )
        _names_of(annotation, config, imports)
        if option in _ROWS.get(name, ()):
            annotation = "Any"
        if option in loop.brings:
            annotation += " | Callable[..., Any]"
        required = "" if field.is_required() else " = ..."
        options.append(f"{option}: {annotation}{required}")
    brought = [
        f"{part}: {'Mapping[str, Any]' if part in ('models', 'evaluators', 'agents') else 'Any'} = ..."
        for part in loop.brings
        if part not in config.model_fields
    ]
    shared = [f"{part}: {annotation} = ..." for part, annotation in _SHARED.items()]
    star = [] if subjects.startswith("*") else ["*"]
    arguments = ",\n        ".join(["self", *[subjects] * bool(subjects), *star, *options, *brought, *shared])
    resumed = ", ".join(["self", "folder: str | Path", "*", *shared, *brought])
    called = result.__name__
    doc = f'"""{loop.brief[0].upper()}{loop.brief[1:]}."""'
    return (
        f"class _{name.title().replace('_', '')}(Protocol):\n    {doc}\n\n"
        f"    def __call__(\n        {arguments},\n    ) -> {called}: ...\n"
        f"    async def run(\n        {arguments},\n    ) -> {called}: ...\n"
        f"    def resume({resumed}) -> {called}: ...\n"
    )


def _plain(annotation: str) -> str:
    """A type without what is annotated to it."""
    tree = ast.parse(annotation, mode="eval").body
    match tree:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[plain, *_])):
            return ast.unparse(plain)
    return annotation


def _names_of(annotation: str, config: Any, imports: dict[str, set[str]]) -> None:
    """Import what an annotation names, from where the config's module has it."""
    expression = annotation if ":" not in annotation else annotation.split(":", 1)[1].split("=")[0]
    for part in expression.split(","):
        try:
            tree = ast.parse(part.split(":")[-1].split("=")[0].strip(), mode="eval")
        except SyntaxError:
            tree = ast.parse(annotation, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in _TYPING and node.id not in dir(__builtins__):
                for kind in config.__mro__:
                    module = sys.modules[kind.__module__]
                    if kind.__module__.startswith("inloop.") and hasattr(module, node.id):
                        _import(node.id, _home(node.id, getattr(module, node.id)), imports)
                        break


def _home(name: str, value: object) -> str:
    """The module that gives a name away: of those that list it, the one that lies deepest."""
    listing = [
        module.__name__
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("inloop.")
        and name in getattr(module, "__all__", ())
        and vars(module).get(name) is value
    ]
    return max(listing, key=lambda module: module.count("."))


def _import(name: str, module: str, imports: dict[str, set[str]]) -> None:
    imports.setdefault(module.removeprefix("inloop."), set()).add(name)


if __name__ == "__main__":
    target = Path(__file__).resolve().with_name("__init__.pyi")
    target.write_text(stub(), encoding="utf-8")
    print(target)
