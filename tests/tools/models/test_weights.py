"""Which files a spec means: folders, hub ids from the local cache, the bundled models; the rest is refused."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.tools.models.weights import find_weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and a hub address where nobody listens."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return cache


def test_a_folder_is_known_by_its_bytes(clip_folder: Path, tmp_path: Path) -> None:
    found = find_weights(str(clip_folder), "clip", tmp_path / "cache")
    assert (found.model, found.commit, found.bundled, found.options) == ("clip-small", None, False, {})
    moved = tmp_path / "moved" / "clip-small"
    shutil.copytree(clip_folder, moved)
    assert find_weights(str(moved), "clip", tmp_path / "cache").revision == found.revision
    (moved / "config.json").write_bytes((moved / "config.json").read_bytes() + b" ")
    assert find_weights(str(moved), "clip", tmp_path / "cache").revision != found.revision


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("", "'' is neither"),
        ("no-such-model", "neither 'mini', nor a folder that exists, nor a model id"),
        ("./nowhere/model", "neither"),
        ("/nowhere/model", "neither"),
        ("a/b/c", "neither"),
        ("http://host/model", "neither"),
    ],
)
def test_a_spec_that_means_nothing_is_refused(spec: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=why) as error:
        find_weights(spec, "clip", tmp_path)
    assert "openai/clip-vit-base-patch32" in str(error.value)
    with pytest.raises(BadInput, match=r"is neither a folder that exists") as error:
        find_weights(spec, "text", tmp_path)
    assert "mini" not in str(error.value).removeprefix(repr(spec))


def test_a_model_of_another_kind_is_refused(
    blip_folder: Path, clip_folder: Path, turbo_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"'blip', which cannot be used here\. Give a CLIP"):
        find_weights(str(blip_folder), "clip", tmp_path)
    with pytest.raises(BadInput, match=r"no model_index\.json.*stabilityai/sd-turbo"):
        find_weights(str(clip_folder), "painter", tmp_path)
    with pytest.raises(BadInput, match=r"no config\.json"):
        find_weights(str(turbo_folder), "clip", tmp_path)


def test_a_hub_model_without_a_network_says_what_to_do_at_once(hub: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(PrerequisiteError, match="'stabilityai/sd-turbo' is not in the local cache") as error:
        find_weights("stabilityai/sd-turbo", "painter", tmp_path)
    assert "'mini'" in error.value.remedy and time.monotonic() - started < 5
    with pytest.raises(PrerequisiteError) as error:
        find_weights("yuvalkirstain/PickScore_v1", "pickscore", tmp_path)
    assert "mini" not in error.value.remedy  # there is none of this kind
    with pytest.raises(PrerequisiteError, match="not in the local cache") as error:
        find_weights("tifa-benchmark/promptcap-coco-vqa", "promptcap", tmp_path)
    assert "'mini-promptcap'" in error.value.remedy


def test_a_hub_model_in_the_cache_needs_no_network(hub: Path, clip_folder: Path, tmp_path: Path) -> None:
    root = hub / "models--openai--clip-vit-base-patch32"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    shutil.copytree(clip_folder, root / "snapshots" / COMMIT)
    for spec in ("openai/clip-vit-base-patch32", f"openai/clip-vit-base-patch32@{COMMIT}"):
        found = find_weights(spec, "clip", tmp_path)
        assert (found.model, found.revision, found.commit) == ("openai/clip-vit-base-patch32", COMMIT, COMMIT)
        assert found.json("tokenizer_config.json") and found.json("inloop.json") == {}
    with pytest.raises(BadInput, match="the model type 'clip'"):
        find_weights("openai/clip-vit-base-patch32", "detector", tmp_path)


def test_all_three_tools_work_from_the_hub_cache_without_a_network(
    turbo_folder: Path, clip_folder: Path, blip_folder: Path, tmp_path: Path
) -> None:
    """Models of the classes of these very ids, scaled down, where the hub's client keeps what it fetched."""
    ids = {
        "stabilityai/sd-turbo": turbo_folder,
        "openai/clip-vit-base-patch32": clip_folder,
        "Salesforce/blip-vqa-base": blip_folder,
    }
    for name, folder in ids.items():
        root = tmp_path / "hf" / "hub" / f"models--{name.replace('/', '--')}"
        (root / "refs").mkdir(parents=True)
        (root / "refs" / "main").write_text(COMMIT, encoding="utf-8")
        shutil.copytree(folder, root / "snapshots" / COMMIT, ignore=shutil.ignore_patterns("inloop.json"))
    code = f"""
import asyncio
from pathlib import Path
from inloop.runtime.records import ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.encoders.clip import open_clip
from inloop.tools.images.diffusers import open_images
from inloop.tools.vision import open_vqa
settings = Settings(runs_dir=Path({str(tmp_path / "runs")!r}), device="cpu", threads=1)
async def main():
    with Store.open(settings) as store:
        painter = open_images("stabilityai/sd-turbo", store, settings)
        vqa = open_vqa("Salesforce/blip-vqa-base", store, settings)
        clip = open_clip("openai/clip-vit-base-patch32", store, settings)
        images = await painter.generate([ImageRequest(prompt="a red disc", seed=seed) for seed in range(2)])
        answers = await vqa.answer([(image, "is there a disc?") for image in images])
        vectors = await clip.images(images)
        print(painter.recipe.steps, painter.recipe.guidance, {{tool.revision for tool in (painter, vqa, clip)}})
        print(len({{image.sha256 for image in images}}), [answer.p_yes is not None for answer in answers], len(vectors))
asyncio.run(main())
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == f"1 0.0 {{'{COMMIT}'}}\n2 [True, True] 2\n", done.stderr
    assert "Retrying" not in done.stderr  # the hub's client would, for half a minute a file


def test_the_bundled_models_are_checked(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    folder = tmp_path / "weights" / "clip"
    shutil.copytree(clip_folder, folder)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    monkeypatch.setattr("inloop.runtime.models.cache._WEIGHTS", tmp_path / "weights")
    found = find_weights("mini", "clip", tmp_path)
    assert (found.model, found.bundled, found.commit) == ("mini-clip", True, None)
    broken = bytearray((folder / "model.safetensors").read_bytes())
    broken[-1] ^= 1
    (folder / "model.safetensors").write_bytes(broken)
    with pytest.raises(PrerequisiteError, match=r"model\.safetensors.*corrupted"):
        find_weights("mini", "clip", tmp_path)


def test_options_stand_behind_a_question_mark(turbo_folder: Path, tmp_path: Path) -> None:
    assert find_weights(f"{turbo_folder}?steps=2&batch=1", "painter", tmp_path).options == {"steps": "2", "batch": "1"}
    with pytest.raises(BadInput, match="not name=value"):
        find_weights(f"{turbo_folder}?fast", "painter", tmp_path)


def test_a_file_that_is_no_json_is_named(clip_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "torn"
    shutil.copytree(clip_folder, folder)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(PrerequisiteError, match=r"torn/config\.json cannot be read as JSON"):
        find_weights(str(folder), "clip", tmp_path)


def pickled(file: Path) -> None:
    """Put weights that are pickled, as of a model of before safetensors, in the place of safetensors."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(file), file.with_name({"model": "pytorch_model"}.get(file.stem, file.stem) + ".bin"))
    file.unlink()


def test_weights_that_are_not_safetensors_are_never_read(clip_folder: Path, turbo_folder: Path, tmp_path: Path) -> None:
    from diffusers import AutoPipelineForText2Image
    from transformers import CLIPModel

    clip = Path(shutil.copytree(clip_folder, tmp_path / "clip"))
    painter = Path(shutil.copytree(turbo_folder, tmp_path / "painter"))
    pickled(clip / "model.safetensors")
    pickled(painter / "unet" / "diffusion_pytorch_model.safetensors")
    for folder, kind, model in ((clip, "clip", CLIPModel), (painter, "painter", AutoPipelineForText2Image)):
        found = find_weights(str(folder), kind, tmp_path / "cache")
        with pytest.raises(PrerequisiteError, match="has no weights in safetensors") as caught:
            found.load_model(model)
        assert "save_file" in str(caught.value)


def test_no_code_of_a_model_is_run(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config that names classes of its own repository: transformers would ask, and a yes would run them."""
    from transformers import AutoModel

    folder = Path(shutil.copytree(clip_folder, tmp_path / "clip"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "ours", "auto_map": {"AutoConfig": "ours.Config", "AutoModel": "ours.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "ours.py").write_text("raise SystemExit('run')", encoding="utf-8")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    found = find_weights(str(folder), "text", tmp_path / "cache")
    with pytest.raises(ValueError, match="trust_remote_code"):
        found.load_model(AutoModel)
