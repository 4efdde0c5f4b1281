"""Editing with the bundled painter and with a scaled-down sd-turbo: what is kept, what is paid, what is refused."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.records import BlobRef, EditRequest, ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store import BlobStore, Store
from inloop.tools.images.diffusers import DiffusersImages, open_images
from inloop.tools.images.editor import DiffusersEditor, open_editor
from inloop.tools.models import Weights

RNG = np.random.default_rng(1)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


@pytest.fixture
def turbo(turbo_folder: Path) -> str:
    return f"{turbo_folder}?steps=4"


def pixels(store: Store, ref: BlobRef) -> Any:
    return np.asarray(store.blobs.get_image(ref)).astype(int)


def difference(store: Store, one: BlobRef, other: BlobRef) -> float:
    """The mean over all pixels and colours, of 255."""
    return float(np.abs(pixels(store, one) - pixels(store, other)).mean())


def left_half(size: tuple[int, int]) -> Image.Image:
    """A mask: the left half is painted anew."""
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def all_kinds(blobs: BlobStore, size: tuple[int, int]) -> list[EditRequest]:
    """Edits with two strengths, with and without a mask, of two pictures."""
    pictures, mask = [blobs.put_image(noise(size)) for _ in range(2)], blobs.put_image(left_half(size))
    return [
        EditRequest(prompt="a red star", seed=seed, image=picture, strength=strength, mask=given)
        for seed, picture in enumerate(pictures)
        for strength in (0.5, 1.0)
        for given in (None, mask)
    ]


# the bundled painter


@pytest.fixture
async def mini(store: Store, settings: Settings) -> AsyncIterator[DiffusersEditor]:
    editor = open_editor("mini?batch=4", store, settings)
    assert isinstance(editor, DiffusersEditor)
    yield editor
    await editor.aclose()


@pytest.fixture
def disc(mini: DiffusersEditor, store: Store) -> BlobRef:
    """A red disc at the top left, of the size that the painter computes."""
    picture, side = Image.new("RGB", mini.size, "white"), min(mini.size)
    ImageDraw.Draw(picture).ellipse((side // 10, side // 10, side // 2, side // 2), fill=(220, 30, 30))
    return store.blobs.put_image(picture)


async def test_the_less_strength_the_nearer_to_the_picture(
    mini: DiffusersEditor, disc: BlobRef, store: Store, settings: Settings, tmp_path: Path
) -> None:
    one_step = 1.5 / mini.recipe.steps
    requests = {
        strength: [EditRequest(prompt="a red star", seed=seed, image=disc, strength=strength) for seed in range(4)]
        for strength in (one_step, 1.0)
    }
    slight, strong = [await mini.edit(alike) for alike in requests.values()]
    near, far = [np.mean([difference(store, disc, image) for image in images]) for images in (slight, strong)]
    assert 2 * near < far
    assert {store.blobs.get_image(image).size for image in slight + strong} == {mini.size}
    last = {each.model_dump_json(): image.sha256 for each, image in zip(requests[one_step], slight, strict=True)}
    alone = await edit("mini?batch=4", settings, tmp_path / "another", [requests[one_step][-1:]], store)
    assert alone.items() <= last.items()


async def test_inpainting_leaves_what_is_outside_of_the_mask_as_it_was(
    mini: DiffusersEditor, disc: BlobRef, store: Store, settings: Settings
) -> None:
    mask = store.blobs.put_image(left_half(mini.size))
    request = EditRequest(prompt="a blue star", seed=1, image=disc, strength=1.0, mask=mask)
    [edited] = await mini.edit([request])
    middle = mini.size[0] // 2
    before, after = pixels(store, disc), pixels(store, edited)
    assert (after[:, middle:] == before[:, middle:]).all()
    assert np.abs(after - before)[:, :middle].max() > 100
    # and it is paid once
    again = open_editor("mini?batch=4", store, settings)
    assert await again.edit([request, request]) == [edited, edited]
    assert not again.loaded
    assert store.ledger.counts() == {"edit": {"paid": 1, "reused": 2}} and store.ledger.cost.images == 1


# a scaled-down sd-turbo


async def edit(spec: str, settings: Settings, root: Path, batches: list[list[EditRequest]], source: Store) -> Any:
    """The sha256 of each edit, computed in a new store, batch after batch."""
    with Store(root) as store:
        for ref in {
            ref.sha256: ref for batch in batches for each in batch for ref in (each.image, each.mask) if ref
        }.values():
            store.blobs.put(source.blobs.get(ref), ref.media_type)
        editor = open_editor(spec, store, settings)
        edited = {}
        for batch in batches:
            for request, image in zip(batch, await editor.edit(batch), strict=True):
                edited[request.model_dump_json()] = image.sha256
        await editor.aclose()
    return edited


async def test_an_edit_depends_on_its_request_alone(
    turbo: str, settings: Settings, store: Store, tmp_path: Path
) -> None:
    requests = all_kinds(store.blobs, (64, 64))
    together = await edit(turbo, settings, tmp_path / "1", [requests], store)
    assert len(set(together.values())) == len(requests)
    mixed = random.Random(3).sample(requests, len(requests))
    for number, way in enumerate(([[each] for each in requests], [mixed[:1], mixed[1:4], mixed[4:]]), start=2):
        assert await edit(turbo, settings, tmp_path / str(number), way, store) == together


async def test_it_edits_as_the_pipelines_do(turbo: str, settings: Settings, store: Store) -> None:
    import torch
    from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline

    requests = [each for each in all_kinds(store.blobs, (64, 64)) if each.strength == 0.5][:2]
    editor = open_editor(turbo, store, settings)
    edited = await editor.edit(requests)
    await editor.aclose()
    for request, image, kind in zip(
        requests, edited, (StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline), strict=True
    ):
        pipe = kind.from_pretrained(turbo.partition("?")[0], requires_safety_checker=False)
        pipe.set_progress_bar_config(disable=True)
        given = {"mask_image": left_half((64, 64)), "width": 64, "height": 64} if request.mask else {}
        expected = pipe(
            request.prompt,
            image=store.blobs.get_image(request.image),
            strength=0.5,
            num_inference_steps=4,
            guidance_scale=0.0,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            **given,
        ).images[0]
        painted = pixels(store, image), np.asarray(expected).astype(int)
        # within the mask; outside of it the pipeline gives what the autoencoder makes of the picture
        assert np.abs(painted[0] - painted[1])[:, :32].mean() < 1
        assert difference(store, image, request.image) > 10


async def test_who_paints_and_who_edits_share_the_weights(
    turbo: str, settings: Settings, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Weights] = []
    load = Weights.load
    monkeypatch.setattr(Weights, "load", lambda self, *args, **options: (loads.append(self), load(self, *args, **options))[1])  # fmt: skip
    spec = f"{turbo}&dtype=bfloat16"  # no other test has these in memory
    painter, editor = open_images(spec, store, settings), open_editor(spec, store, settings)
    asked = [ImageRequest(prompt="a red star", seed=seed) for seed in range(2)]
    [first] = await painter.generate(asked[:1])
    await editor.edit([EditRequest(prompt="a blue box", seed=1, image=first, strength=0.5)])
    [second] = await painter.generate(asked[1:])
    assert len(loads) == 1
    with Store(tmp_path / "another") as another:  # as if nobody had edited in between
        alone = open_images(spec, another, settings)
        assert await alone.generate(asked) == [first, second]
        await alone.aclose()
    for each in (painter, editor):
        await each.aclose()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"prompt": " "}, "the prompt ' ' is empty"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"strength": 0.0}, "strength=0.0: give a number above 0"),
        ({"strength": 1.5}, "strength=1.5: .* at most 1"),
        ({"strength": 0.2}, r"strength=0.2 of 4 steps is less than one step: give at least 0.25, .*\?steps=5'"),
        ({"image": (96, 64)}, r"the picture is 96 x 64 pixels, and .* works at 64 x 64: .*\?width=96&height=64'"),
        ({"mask": (32, 32)}, "the mask is 32 x 32 pixels and the picture 64 x 64"),
    ],
)
async def test_bad_edits_are_refused_before_loading(
    fields: dict[str, Any], why: str, turbo: str, settings: Settings, store: Store
) -> None:
    good = all_kinds(store.blobs, (64, 64))[0]
    given = {key: store.blobs.put_image(noise(value)) if isinstance(value, tuple) else value for key, value in fields.items()}  # fmt: skip
    editor = open_editor(turbo, store, settings)
    with pytest.raises(BadInput, match=why):
        await editor.edit([good, good.model_copy(update=given)])
    assert not editor.loaded and store.ledger.counts() == {}


async def test_another_size_is_an_option(turbo_folder: Path, settings: Settings, store: Store) -> None:
    spec = f"{turbo_folder}?steps=2&batch=1&width=96&height=64"
    editor = open_editor(spec, store, settings)
    requests = [each for each in all_kinds(store.blobs, (96, 64)) if each.strength == 0.5][:2]
    for image in await editor.edit(requests):
        assert store.blobs.get_image(image).size == (96, 64)
    await editor.aclose()
    with pytest.raises(BadInput, match=r"a side of 100 pixels cannot be computed: .* multiples of 8"):
        open_editor(f"{turbo_folder}?width=100", store, settings)


class Stub:
    """Stands for a pipeline, to bring out what cannot be provoked with weights: grey pictures, but for some prompts."""

    def __call__(self, *, prompt: list[str], strength: float, **_: Any) -> "Stub":
        self.images = np.full((len(prompt), 64, 64, 3), 0.5)
        self.images[[text == "nan" for text in prompt]] = np.nan
        self.nsfw_content_detected = [text == "unsafe" for text in prompt]
        return self


async def test_nan_and_blanked_pictures_are_failures(
    turbo: str, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiffusersEditor, "_load", lambda self, device: None)
    monkeypatch.setattr(DiffusersEditor, "_pipeline", lambda self, task: Stub())
    editor = open_editor(turbo, store, settings)
    masked = all_kinds(store.blobs, (64, 64))[1]
    requests = [masked.model_copy(update={"prompt": prompt}) for prompt in ("nan", "unsafe", "a red star")]
    nan, unsafe, star = await asyncio.gather(*(editor.edit([each]) for each in requests), return_exceptions=True)
    assert isinstance(nan, CallFailed) and "painted NaN for 'nan'" in str(nan)
    assert isinstance(unsafe, CallFailed) and "safety checker" in str(unsafe)
    assert isinstance(star, list) and (pixels(store, star[0])[:, :32] == 128).all()
    assert len(store.ledger.failures()) == 2 and store.ledger.counts() == {"edit": {"paid": 1, "reused": 0}}
    await editor.aclose()


async def test_models_that_cannot_inpaint_say_so(
    turbo_folder: Path, settings: Settings, store: Store, tmp_path: Path
) -> None:
    """diffusers has image-to-image for latent consistency models, and no inpainting."""
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler, StableDiffusionPipeline

    base = StableDiffusionPipeline.from_pretrained(turbo_folder, requires_safety_checker=False)
    components = {**base.components, "scheduler": LCMScheduler()}
    LatentConsistencyModelPipeline(**components, requires_safety_checker=False).save_pretrained(tmp_path / "lcm")
    editor = open_editor(f"{tmp_path / 'lcm'}?steps=4&batch=1", store, settings)
    requests = [each for each in all_kinds(store.blobs, (64, 64)) if each.mask]
    with pytest.raises(BadInput, match="is a LatentConsistencyModelPipeline, which cannot be used for this edit"):
        await editor.edit(requests[:1])
    await editor.aclose()


# another class of pipelines


def stable_diffusion_xl(folder: Path, words: Path) -> str:
    """stabilityai/stable-diffusion-xl-base-1.0: two text encoders, sizes in the embedding, 32 px; the spec of the folder."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(2)
    tokenizer = CLIPTokenizer.from_pretrained(words)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=32,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=32 + 6 * 8,
        cross_attention_dim=2 * 32,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=EulerDiscreteScheduler(timestep_spacing="trailing"),
        add_watermarker=False,
    ).save_pretrained(folder)
    return f"{folder}?steps=4&batch=2&guidance=3"


async def test_stable_diffusion_xl_edits_too(
    turbo_folder: Path, settings: Settings, store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = stable_diffusion_xl(tmp_path / "xl", turbo_folder / "tokenizer")
    editor = open_editor(spec, store, settings)
    assert isinstance(editor, DiffusersEditor) and editor.size == (32, 32) and not editor.loaded
    capfd.readouterr()
    requests = all_kinds(store.blobs, editor.size)
    edited = await editor.edit(requests)
    assert len({image.sha256 for image in edited}) == len(requests)
    assert capfd.readouterr().err == ""
    for request, image in zip(requests, edited, strict=True):
        before, after = pixels(store, request.image), pixels(store, image)
        assert (after == before)[:, 16:].all() == (request.mask is not None)
        assert not (after == before)[:, :16].all()
    await editor.aclose()


async def test_a_model_that_was_trained_to_inpaint_takes_nothing_but_masks(
    turbo_folder: Path, settings: Settings, store: Store, tmp_path: Path
) -> None:
    """stable-diffusion-inpainting: the mask and the masked picture are channels of what its U-Net is given."""
    from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

    pipe = StableDiffusionInpaintPipeline.from_pretrained(turbo_folder, requires_safety_checker=False)
    unet = UNet2DConditionModel.from_config({**pipe.unet.config, "in_channels": 9})
    StableDiffusionInpaintPipeline(**{**pipe.components, "unet": unet}, requires_safety_checker=False).save_pretrained(
        tmp_path / "inpainting"
    )
    editor = open_editor(f"{tmp_path / 'inpainting'}?steps=2&batch=1", store, settings)
    plain, masked = all_kinds(store.blobs, (64, 64))[:2]
    [edited] = await editor.edit([masked])
    assert (pixels(store, edited) == pixels(store, masked.image))[:, 32:].all()
    assert difference(store, edited, masked.image) > 10
    with pytest.raises(BadInput, match=r"more than a picture as its input, such as a mask"):
        await editor.edit([plain])
    await editor.aclose()


# functions


async def test_a_function_edits_within_the_mask(settings: Settings, store: Store) -> None:
    asked: list[tuple[Any, ...]] = []

    def fill(prompt: str, seed: int, image: Image.Image, mask: Image.Image | None, strength: float) -> Image.Image:
        asked.append((prompt, seed, image.size, mask and mask.mode, strength))
        return Image.new("RGB", image.size, prompt)

    fill.model, fill.revision = "me/fill", "1"
    editor = open_editor(fill, store, settings)
    plain, masked = [each.model_copy(update={"prompt": "red"}) for each in all_kinds(store.blobs, (8, 6))][:2]
    images = await editor.edit([plain, masked])
    assert await editor.edit([plain, masked]) == images
    assert len(asked) == 2  # in either order
    assert {*asked} == {("red", 0, (8, 6), None, 0.5), ("red", 0, (8, 6), "L", 0.5)}
    red = np.array([255, 0, 0])
    assert (pixels(store, images[0]) == red).all()
    assert (pixels(store, images[1])[:, :4] == red).all()
    assert (pixels(store, images[1])[:, 4:] == pixels(store, masked.image)[:, 4:]).all()
    assert store.ledger.counts() == {"edit": {"paid": 2, "reused": 2}}
    with pytest.raises(BadInput, match="strength"):
        await editor.edit([plain.model_copy(update={"strength": 2.0})])


async def test_a_function_that_changes_the_size_has_failed(settings: Settings, store: Store) -> None:
    def shrink(prompt: str, seed: int, image: Image.Image, mask: Image.Image | None, strength: float) -> Image.Image:
        return image.resize((4, 3))

    editor = open_editor(shrink, store, settings)
    with pytest.raises(CallFailed, match=r"gave a picture of \(4, 3\) pixels for one of \(8, 6\)"):
        await editor.edit(all_kinds(store.blobs, (8, 6))[:1])


def test_a_painter_is_no_editor(turbo: str, settings: Settings, store: Store) -> None:
    painter = open_images(turbo, store, settings)
    assert isinstance(painter, DiffusersImages)
    with pytest.raises(BadInput, match=r"no image editor: it has no edit\. Or give a function edit\(prompt"):
        open_editor(painter, store, settings)
