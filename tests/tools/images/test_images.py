"""Painting with a scaled-down sd-turbo: bits that depend on prompt and seed alone, one payment a picture."""

import asyncio
import io
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.records import BlobRef, ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.images.diffusers import DiffusersImages, open_images
from inloop.tools.images.recipe import Recipe

REQUESTS = [ImageRequest(prompt=f"a red {thing}", seed=seed) for thing in ("disc", "box", "star") for seed in (0, 1)]


@pytest.fixture
def store(settings: Settings) -> Any:
    with Store.open(settings) as opened:
        yield opened


async def paint(folder: Path, settings: Settings, root: Path, batches: list[list[ImageRequest]]) -> dict[str, str]:
    """The sha256 of each request's picture, painted in a new store, batch after batch."""
    with Store(root) as store:
        painter = open_images(str(folder), store, settings)
        made = {}
        for batch in batches:
            for request, image in zip(batch, await painter.generate(batch), strict=True):
                made[request.model_dump_json()] = image.sha256
        await painter.aclose()
    return made


async def test_a_picture_depends_on_its_prompt_and_seed_alone(
    turbo_folder: Path, settings: Settings, tmp_path: Path
) -> None:
    together = await paint(turbo_folder, settings, tmp_path / "1", [REQUESTS])
    assert len(set(together.values())) == len(REQUESTS)
    mixed = random.Random(3).sample(REQUESTS, len(REQUESTS))
    ways = [[[request] for request in REQUESTS], [mixed], [mixed[:1], mixed[1:4], mixed[4:]], [REQUESTS[::-1] + mixed]]
    for number, way in enumerate(ways, start=2):
        assert await paint(turbo_folder, settings, tmp_path / str(number), way) == together


async def test_it_paints_what_the_pipeline_paints(turbo_folder: Path, settings: Settings, store: Store) -> None:
    import torch
    from diffusers import StableDiffusionPipeline

    painter = open_images(str(turbo_folder), store, settings)
    (image,) = await painter.generate(REQUESTS[:1])
    pixels = np.asarray(store.blobs.get_image(image))
    pipe = StableDiffusionPipeline.from_pretrained(turbo_folder, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    made = pipe(
        REQUESTS[0].prompt,
        num_inference_steps=1,
        guidance_scale=0.0,
        generator=torch.Generator("cpu").manual_seed(0),
    ).images[0]
    assert pixels.shape == (64, 64, 3) and image.media_type == "image/png"
    assert np.abs(pixels.astype(int) - np.asarray(made).astype(int)).max() <= 1  # batch 1 against a padded batch of 4
    await painter.aclose()


async def test_a_second_run_pays_nothing_and_loads_nothing(
    turbo_folder: Path, settings: Settings, store: Store
) -> None:
    first = open_images(str(turbo_folder), store, settings)
    assert not first.loaded
    images = await first.generate(REQUESTS)
    assert first.loaded and first.stats.items == 6 and first.stats.largest == first.recipe.batch == 4
    assert store.ledger.cost.images == 6 and store.ledger.cost.seconds > 0
    second = open_images(str(turbo_folder), store, settings)
    assert await second.generate(REQUESTS) == images
    assert not second.loaded and store.ledger.cost.images == 6
    store.blobs.path(images[0]).unlink()  # a picture that was deleted is painted anew, the same
    assert await second.generate(REQUESTS) == images and second.stats.items == 1
    assert store.blobs.has(images[0])
    for painter in (first, second):
        await painter.aclose()


async def test_a_cached_run_imports_no_torch(turbo_folder: Path, settings: Settings, store: Store) -> None:
    painter = open_images(str(turbo_folder), store, settings)
    (image,) = await painter.generate(REQUESTS[:1])
    await painter.aclose()
    store.close()
    code = f"""
import asyncio, sys
from pathlib import Path
from inloop.runtime.records import ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.images.diffusers import open_images
settings = Settings(runs_dir=Path({str(settings.runs_dir)!r}), cache_dir=Path({str(settings.cache_dir)!r}))
painter = open_images({str(turbo_folder)!r}, Store.open(settings), settings)
assert painter.cut("a red disc") is None
images = asyncio.run(painter.generate([ImageRequest(prompt="a red disc", seed=0)]))
print(images[0].sha256, [name for name in ("torch", "diffusers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split(maxsplit=1) == [image.sha256, "[]\n"], done.stderr


async def test_a_call_that_is_made_to_fit_is_painted_in_full_batches(
    turbo_folder: Path, settings: Settings, store: Store
) -> None:
    painter = open_images(f"{turbo_folder}?fit=yes", store, settings)
    seen: list[int] = []
    await painter.generate(REQUESTS[:1])
    painter._pipe.unet.register_forward_hook(
        lambda module, args, kwargs, output: seen.append(len(args[0])), with_kwargs=True
    )
    five = await painter.generate([*REQUESTS[:5], REQUESTS[0]])
    assert seen == [4, 1]  # and the one that is asked for twice is painted once
    assert five[5] == five[0]
    assert (await painter.generate(REQUESTS[:1]))[0] is not None and seen == [4, 1]  # the first call's picture
    paid = store.ledger.cost.images
    assert paid == 6
    # each is the picture of the painter whose batches are that large, whatever they are filled up with
    for size, requests, made in ((4, REQUESTS[:4], five[:4]), (1, REQUESTS[4:5], five[4:5])):
        other = open_images(f"{turbo_folder}?batch={size}", store, settings)
        assert await other.generate(requests) == made and store.ledger.cost.images == paid
        await other.aclose()
    again = await paint(turbo_folder, settings, store.location.local / "again", [[request] for request in REQUESTS[:4]])
    assert [image.sha256 for image in five[:4]] == list(again.values())
    await painter.aclose()


async def test_callers_share_a_batch(turbo_folder: Path, settings: Settings, store: Store) -> None:
    painter = open_images(str(turbo_folder), store, settings)
    one, other = await asyncio.gather(painter.generate(REQUESTS[:2]), painter.generate(REQUESTS[1:4]))
    assert one[1] == other[0]
    assert (painter.stats.batches, painter.stats.items) == (1, 4)  # the shared one is painted once
    await painter.aclose()


def test_what_the_text_encoder_cuts_is_told(turbo_folder: Path, settings: Settings, store: Store) -> None:
    painter = open_images(str(turbo_folder), store, settings)
    assert painter.cut("a red disc") is None
    assert painter.cut("star " * 75) is None  # 75 and the two marks are 77
    assert painter.cut("star " * 75 + "and a blue box") == "and a blue box"
    assert not painter.loaded


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ImageRequest(prompt=" \n", seed=1), r"the prompt ' \\n' is empty"),
        (ImageRequest(prompt="disc", seed=-1), "seed -1 is out of range"),
        (ImageRequest(prompt="disc", seed=2**63), "out of range"),
    ],
)
async def test_bad_requests_are_refused_before_loading(
    request_: ImageRequest, why: str, turbo_folder: Path, settings: Settings, store: Store
) -> None:
    painter = open_images(str(turbo_folder), store, settings)
    with pytest.raises(BadInput, match=why):
        await painter.generate([REQUESTS[0], request_])
    assert not painter.loaded


def test_the_recipe_comes_from_the_folder_and_then_the_spec(
    turbo_folder: Path, settings: Settings, store: Store
) -> None:
    assert open_images(str(turbo_folder), store, settings).recipe == Recipe(steps=1, guidance=0.0, batch=4)
    spec = f"{turbo_folder}?steps=3&batch=2"
    assert open_images(spec, store, settings).recipe == Recipe(steps=3, guidance=0.0, batch=2)
    for options, why in (
        ("steps=0", "steps = '0'"),
        ("step=3", "step = '3'"),
        ("dtype=int8", "dtype"),
        ("steps", "name=value"),
    ):
        with pytest.raises(BadInput, match=why):
            open_images(f"{turbo_folder}?{options}", store, settings)


async def test_another_recipe_is_another_picture(turbo_folder: Path, settings: Settings, store: Store) -> None:
    made = []
    for spec in (str(turbo_folder), f"{turbo_folder}?steps=2", f"{turbo_folder}?guidance=5"):
        painter = open_images(spec, store, settings)
        made += await painter.generate(REQUESTS[:1])
        await painter.aclose()
    assert len({image.sha256 for image in made}) == 3


class Stub:
    """Stands for the pipeline's last step, to bring out what cannot be provoked with weights."""

    def __init__(self, images: np.ndarray, flagged: list[bool] | None = None) -> None:
        self.images, self.nsfw_content_detected = images, flagged

    def __call__(self, **_: Any) -> "Stub":
        return self


async def test_nan_and_blanked_pictures_are_failures(
    turbo_folder: Path, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.full((4, 8, 8, 3), 0.5)
    pixels[0] = np.nan
    stub = Stub(pixels, [False, True, False, False])
    monkeypatch.setattr(DiffusersImages, "_load", lambda self, device: setattr(self, "_pipe", stub))
    painter = open_images(str(turbo_folder), store, settings)
    outcomes = await asyncio.gather(*(painter.generate([r]) for r in REQUESTS[:3]), return_exceptions=True)
    assert isinstance(outcomes[0], CallFailed) and "painted NaN" in str(outcomes[0])
    assert isinstance(outcomes[1], CallFailed) and "safety checker" in str(outcomes[1])
    assert isinstance(outcomes[2], list) and isinstance(outcomes[2][0], BlobRef)
    assert len(store.ledger.failures()) == 2 and store.ledger.cost.images == 1
    await painter.aclose()


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory. Tried to allocate"), MemoryError("no memory")])
async def test_too_little_memory_names_the_remedy(
    error: Exception, turbo_folder: Path, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: DiffusersImages, items: object) -> None:
        raise error

    monkeypatch.setattr(DiffusersImages, "_serve", fail)
    monkeypatch.setattr(DiffusersImages, "_load", lambda self, device: None)
    painter = open_images(str(turbo_folder), store, settings)
    with pytest.raises(PrerequisiteError, match=r"\?batch=1"):
        await painter.generate(REQUESTS[:1])
    assert store.ledger.failures() == []
    await painter.aclose()


async def test_broken_weights_are_a_clear_error(
    turbo_folder: Path, settings: Settings, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(turbo_folder, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    painter = open_images(str(folder), store, settings)
    with pytest.raises(PrerequisiteError, match="cannot be loaded"):
        await painter.generate(REQUESTS[:1])
    assert (
        store.ledger.failures() == [] and painter.revision != open_images(str(turbo_folder), store, settings).revision
    )
    await painter.aclose()


async def test_a_device_that_is_not_there_is_a_clear_error(
    turbo_folder: Path, settings: Settings, store: Store
) -> None:
    painter = open_images(str(turbo_folder), store, settings.model_copy(update={"device": "cuda:77"}))
    with pytest.raises(PrerequisiteError, match="'cuda:77' cannot be used"):
        await painter.generate(REQUESTS[:1])
    await painter.aclose()


async def test_the_bundled_kind_of_painter_is_loaded_by_the_same_code(
    settings: Settings, store: Store, turbo_folder: Path, tmp_path: Path
) -> None:
    """A tiny autoencoder, DDIM with v-prediction and zero terminal SNR, 32 px."""
    import torch
    from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    torch.manual_seed(5)
    base = StableDiffusionPipeline.from_pretrained(turbo_folder, requires_safety_checker=False)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=8,
        cross_attention_dim=32,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(1, 1, 1),
        num_decoder_blocks=(1, 1, 1),
    )
    scheduler = DDIMScheduler(
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    folder = tmp_path / "painter"
    pipe.to(dtype=torch.float16).save_pretrained(folder)
    (folder / "inloop.json").write_text(json.dumps({"steps": 3, "guidance": 3.0, "batch": 8}), encoding="utf-8")
    together = await paint(folder, settings, tmp_path / "1", [REQUESTS])
    assert await paint(folder, settings, tmp_path / "2", [REQUESTS[4:], REQUESTS[:1], REQUESTS[1:4]]) == together
    assert len(set(together.values())) == len(REQUESTS)
    sha = next(iter(together.values()))
    picture = Image.open(io.BytesIO((tmp_path / "1" / "blobs" / sha[:2] / sha[2:]).read_bytes()))
    assert picture.size == (32, 32)
