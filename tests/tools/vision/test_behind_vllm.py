"""A model behind vLLM and in this process: the same scores, on the CPU build; a minute a server, so all of it is marked slow.

Tolerances: P(yes) of a judge within 1e-4, vectors of texts and pictures within a cosine of 1e-5. Both compute in float32. vLLM reads the
pictures of judges with torchvision, which is not in the environment that `inloop serve --install` makes for a CPU: where it is
not, the judge is not tested.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import judge_models
import numpy as np
import pytest
from PIL import Image

from inloop.evaluators.text_image import VQAScore
from inloop.runtime.records import BlobRef, Sample
from inloop.runtime.serving.engines import vllm_plan
from inloop.runtime.serving.process import Serving, free_port
from inloop.runtime.serving.servable import find_servable
from inloop.runtime.serving.vllm_env import Environment, find_vllm, no_place
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.encoders import open_clip, open_text_embedder
from inloop.tools.vision import open_vqa

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux"),
]


@pytest.fixture(scope="module")
def environment() -> Environment:
    if (reason := no_place()) is not None:
        pytest.skip(reason)
    found = find_vllm(Settings.load())
    if found is None:
        pytest.skip("vLLM is not installed: inloop serve --install")
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


@contextmanager
def served(folder: Path, environment: Environment, cache: Path) -> Iterator[str]:
    model = find_servable(str(folder), [], cache)
    plan = vllm_plan(model, environment, port=free_port(), cache_dir=cache, dtype="float32")
    with Serving(plan, cache) as serving:
        yield serving.served.llm


def pictures(store: Store) -> list[BlobRef]:
    drawn = [Image.effect_mandelbrot((64, 64), (-2, -1.5, 1, 1.5), quality) for quality in (60, 80, 100)]
    plain = [Image.new("RGB", (48, 32), colour) for colour in ("crimson", "royalblue")]
    return [store.blobs.put_image(picture.convert("RGB")) for picture in (*drawn, *plain)]


async def test_clip_embeds_as_in_process(environment: Environment, store: Store, tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    folder = Path(judge_models.__file__).parents[1] / "mini" / "weights" / "clip"
    here, shown = open_clip("mini", store, settings), pictures(store)
    texts = ["a red box", "a green pentagram over a blue cone", "two yellow spheres left of a purple star"]
    with served(folder, environment, tmp_path / "cache") as url:
        assert find_servable(str(folder), [], tmp_path).flag == "--clip"
        there = open_clip(url, store, settings)
        assert there.revision.startswith("vllm-") and "float32" in there.revision
        for one, other in (
            (await here.texts(texts), await there.texts(texts)),
            (await here.images(shown), await there.images(shown)),
        ):
            assert np.min(np.sum(np.asarray(one) * np.asarray(other), axis=1)) > 1 - 1e-5
        await there.aclose()  # type: ignore[attr-defined]


async def test_a_sentence_encoder_embeds_as_in_process(environment: Environment, store: Store, tmp_path: Path) -> None:
    from inloop.runtime import models

    if (folder := models.find("minilm", Settings.load().cache_dir)) is None:
        pytest.skip("all-MiniLM-L6-v2 is not fetched: inloop models --fetch minilm")
    settings = Settings(cache_dir=tmp_path / "cache")
    texts = ["The bridge was opened in 1932.", "Who opened the bridge?", "A cat sleeps on the red sofa. " * 20]
    here = await open_text_embedder(f"{folder}?backend=torch", store, settings).texts(texts)
    with served(folder, environment, tmp_path / "cache") as url:
        there = await open_text_embedder(url, store, settings).texts(texts)
    assert np.min(np.sum(np.asarray(here) * np.asarray(there), axis=1)) > 1 - 1e-5


async def test_a_judge_scores_as_in_process(environment: Environment, store: Store, tmp_path: Path) -> None:
    if subprocess.run([environment.python, "-c", "import torchvision"], capture_output=True, check=False).returncode:
        pytest.skip("vLLM's environment has no torchvision that loads: pip install torchvision there")
    settings = Settings(cache_dir=tmp_path / "cache", device="cpu")
    folder = judge_models.qwen(tmp_path / "qwen", width=128, forms=("yes", "Yes", "no", "No"))
    asked = [(picture, question) for picture in pictures(store) for question in ("Is it red?", "Is there a cone?")]
    samples = [Sample(id=str(place), text="a red box", image=picture) for place, picture in enumerate(pictures(store))]
    here = open_vqa(str(folder), store, settings)
    with served(folder, environment, tmp_path / "cache") as url:
        there = open_vqa(url, store, settings)
        one, other = await here.answer(asked), await there.answer(asked)
        assert all(answer.p_yes is not None for answer in (*one, *other))
        assert max(abs((a.p_yes or 0) - (b.p_yes or 0)) for a, b in zip(one, other, strict=True)) < 1e-4
        scores = [await VQAScore(judge).score(samples) for judge in (here, there)]
        assert all(score.value is not None for score in (*scores[0], *scores[1]))
        assert max(abs((a.value or 0) - (b.value or 0)) for a, b in zip(*scores, strict=True)) < 1e-4
        assert there.notes == []  # type: ignore[attr-defined]
