"""Every record and every error goes through pickle, so that a run can be called from a pool of processes."""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import pickle
import pkgutil
import types
import typing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pooled import ERRORS, raised, run, same
from pydantic import BaseModel

import inloop
from inloop.runtime.errors import InloopError, PrerequisiteError
from inloop.runtime.records import Record, Row, Score

PLAIN = {str: "ü", int: 3, float: 0.5, bool: True, bytes: b"x", Path: Path("a/b"), Any: 1, object: 1}


def every(kind: type) -> list[type]:
    """The class and its sub-classes that are inloop's own, from all modules that can be imported here."""
    for module in pkgutil.walk_packages(inloop.__path__, "inloop."):
        if not module.name.endswith(("__main__", "langchain")):
            importlib.import_module(module.name)

    def below(kind: type) -> Iterator[type]:
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    # a parametrised generic is made at run time, and no name leads to it
    found = {sub for sub in below(kind) if sub.__module__.startswith("inloop.") and "[" not in sub.__name__}
    return sorted(found, key=lambda sub: f"{sub.__module__}.{sub.__qualname__}")


def example(annotation: Any) -> Any:
    """A value of a type, with something in it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in PLAIN:
        return PLAIN[annotation]
    if annotation is None or annotation is type(None):
        return None
    if isinstance(annotation, typing.TypeVar):
        return example(annotation.__bound__ or str)
    if origin is Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return example(arguments[0])
    if origin is tuple:
        return tuple(example(argument) for argument in arguments if argument is not Ellipsis)
    if origin is not None and issubclass(origin, typing.Mapping):
        return {example(arguments[0]): example(arguments[1])}
    if origin is not None:
        return [example(arguments[0])]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return next(iter(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return built(annotation)
    return annotation() if isinstance(annotation, type) else None


def built(kind: type[BaseModel]) -> BaseModel:
    """A record with every field filled; its validators are not asked, for pickle must not ask them either."""
    kind = next((sub for sub in [kind, *kind.__subclasses__()] if not inspect.isabstract(sub)), kind)
    return kind.model_construct(**{name: example(field.annotation) for name, field in kind.model_fields.items()})


def test_every_record_comes_back_equal():
    kinds = every(Record)
    assert len(kinds) > 100
    for kind in filter(lambda kind: not inspect.isabstract(kind), kinds):
        record = built(kind)
        again = pickle.loads(pickle.dumps(record))
        assert type(again) is kind and again == record, kind


def test_every_error_comes_back_with_its_words_and_fields():
    kinds = every(InloopError)
    assert {type(error) for error in ERRORS} <= set(kinds)
    inner = [kind.__new__(kind, "400", "a body") for kind in kinds if kind not in map(type, ERRORS)]
    for error in (*ERRORS, *inner):
        error.add_note("of the caller")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)


def _pool(kind: str) -> Executor:
    if kind == "threads":
        return ThreadPoolExecutor(2)
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(kind))


@pytest.mark.parametrize("kind", ["threads", "fork", "spawn"])
def test_runs_records_and_errors_cross_a_pool(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("INLOOP_RUNS_DIR", str(tmp_path / "runs"))
    run("here")  # what a process did before it forks must not be in the way of its children
    with _pool(kind) as pool:
        runs = [pool.submit(run, word) for word in ("one", "three", "three")]
        assert [done.result(timeout=120).tasks[0].id for done in runs] == ["0-3", "0-5", "0-5"]
        with pytest.raises(PrerequisiteError) as down:
            pool.submit(run, "down").result(timeout=120)
        assert down.value.remedy == "start it"
        for place, error in enumerate(ERRORS):
            with pytest.raises(type(error)) as failure:
                pool.submit(raised, place).result(timeout=120)
            assert str(failure.value) == str(error)
        records = (Row(id="1", text="ü", label="x", meta={"a": [1]}), Score(value=None, explanation="why"))
        assert pool.submit(same, records).result(timeout=120) == records
    assert len(list((tmp_path / "runs").glob("words-*"))) == 4
