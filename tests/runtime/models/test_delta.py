"""A fine-tuned model as a difference to its base: small, put together once, and as near as eight bits are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from inloop.runtime.models import DELTA, whole, write_delta
from inloop.runtime.models.delta import _OF_BASE


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, dict[str, np.ndarray]]:
    """A base with two matrices, its delta, and the weights that the delta was written of."""
    base, delta = tmp_path / "base", tmp_path / "delta"
    base.mkdir()
    delta.mkdir()
    rng = np.random.default_rng(0)
    before = {name: rng.standard_normal((6, 5), dtype=np.float32) for name in ("trained", "frozen")}
    save_file(before, base / "model.safetensors")
    for name in _OF_BASE:
        (base / name).write_text("{}", encoding="utf-8")
    tuned = {
        "trained": before["trained"] + rng.standard_normal((6, 5), dtype=np.float32) * 0.01,
        "head": rng.standard_normal((3, 5), dtype=np.float32),
        "bias": rng.standard_normal(3, dtype=np.float32),
    }
    write_delta(base, tuned, delta / DELTA)
    (delta / "config.json").write_text(json.dumps({"base_model": "base", "model_type": "bert"}), encoding="utf-8")
    monkeypatch.setattr("inloop.runtime.models.delta.bundled", lambda name: delta)
    monkeypatch.setattr("inloop.runtime.models.delta.fetch", lambda name, cache: base)
    return base, tmp_path / "cache", {**before, **tuned}


def test_the_whole_model_is_the_base_and_the_difference(folders: tuple[Path, Path, dict[str, np.ndarray]]) -> None:
    base, cache, expected = folders
    folder = whole("judge", cache)
    weights = load_file(folder / "model.safetensors")
    assert set(weights) == set(expected) and (folder / "tokenizer.json").is_file()
    assert np.array_equal(weights["frozen"], expected["frozen"])
    step = np.abs(expected["trained"] - load_file(base / "model.safetensors")["trained"]).max(1, keepdims=True) / 127
    assert (np.abs(weights["trained"] - expected["trained"]) <= step).all()  # half a step, and what floats lose
    assert np.allclose(weights["head"], expected["head"], atol=1e-2)


def test_it_is_put_together_once_and_again_when_the_delta_is_another(
    folders: tuple[Path, Path, dict[str, np.ndarray]],
) -> None:
    base, cache, tuned = folders
    first = whole("judge", cache)
    written = (first / "model.safetensors").stat().st_mtime_ns
    assert whole("judge", cache) == first and (first / "model.safetensors").stat().st_mtime_ns == written
    write_delta(base, {"trained": tuned["trained"] + 1}, base.parent / "delta" / DELTA)
    assert whole("judge", cache) != first
    assert not list(cache.glob("converted/.*"))  # no draft is left
