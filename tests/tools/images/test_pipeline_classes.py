"""Every class of pipelines with random weights, scaled down: through `--images FOLDER`, whatever else is painted, with its options."""

import asyncio
import inspect
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import painter_models
import pytest
from conftest import clip_tokenizer_files
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.images import open_editor, open_images
from inloop.tools.images.pipeline_class import PIPELINES
from inloop.tools.images.recipe import Recipe
from inloop.tools.images.started import StartedImages

# prompts of different lengths, each with two seeds
REQUESTS = [
    ImageRequest(prompt=text, seed=seed)
    for text in ("a red disc", "two blue stars left of a green box")
    for seed in (0, 1)
]
SMALL = "width=64&height=64&dtype=float32"


@pytest.fixture(scope="session")
def painters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each kind of painter."""
    root = tmp_path_factory.mktemp("painters")
    clip_tokenizer_files(root / "words")
    return {name: painter_models.save(name, root, root / "words") for name in painter_models.PAINTERS}


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


async def painted(spec: str, settings: Settings, root: Path, batches: list[list[ImageRequest]]) -> dict[str, Any]:
    """The pixels of each request's picture, painted in a new store."""
    with Store(root) as store:
        painter = open_images(spec, store, settings)
        pictures = {}
        for batch in batches:
            for request, image in zip(batch, await painter.generate(batch), strict=True):
                pictures[request.model_dump_json()] = np.asarray(store.blobs.get_image(image)).astype(int)
        await painter.aclose()
    return pictures


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("name", painter_models.PAINTERS)
async def test_a_picture_depends_on_its_prompt_and_seed_alone(
    name: str, painters: dict[str, Path], settings: Settings, tmp_path: Path
) -> None:
    spec = f"{painters[name]}?steps=2&batch=3&{SMALL}"
    together = await painted(spec, settings, tmp_path / "1", [REQUESTS])
    assert {picture.shape for picture in together.values()} == {(64, 64, 3)}
    pictures = list(together.values())
    # another seed and another prompt are other pictures
    assert np.abs(pictures[0] - pictures[1]).max() > 2 and np.abs(pictures[0] - pictures[2]).max() > 0
    mixed = random.Random(1).sample(REQUESTS, len(REQUESTS))
    for number, way in enumerate(([[each] for each in REQUESTS], [mixed[:3], mixed[3:]]), start=2):
        assert same(await painted(spec, settings, tmp_path / str(number), way), together)


@pytest.mark.parametrize("name", painter_models.PAINTERS)
async def test_it_paints_what_the_pipeline_paints_with_its_defaults(
    name: str, painters: dict[str, Path], settings: Settings, tmp_path: Path
) -> None:
    import torch
    from diffusers import AutoPipelineForText2Image

    recipe = Recipe.of(_weights(f"{painters[name]}?{SMALL}", settings))
    pipe = AutoPipelineForText2Image.from_pretrained(painters[name])
    pipe.set_progress_bar_config(disable=True)
    accepted = inspect.signature(pipe.__call__).parameters
    if name == "qwen-image":
        options: dict[str, Any] = {"true_cfg_scale": 4.0, "negative_prompt": " "}
    else:
        options = {"guidance_scale": recipe.guidance}
    options |= {key: False for key in ("clean_caption", "use_resolution_binning") if key in accepted}
    [expected] = pipe(
        REQUESTS[0].prompt, width=64, height=64, num_inference_steps=2, output_type="np",
        generator=torch.Generator("cpu").manual_seed(0), **options,
    ).images  # fmt: skip
    got = await painted(f"{painters[name]}?{SMALL}&steps=2&batch=1", settings, tmp_path, [REQUESTS[:1]])
    assert np.abs(next(iter(got.values())) - expected * 255).max() <= 1


def _weights(spec: str, settings: Settings) -> Any:
    from inloop.tools.models import find_weights

    return find_weights(spec, "painter", settings.cache_dir)


@pytest.mark.parametrize("name", PIPELINES)
def test_steps_and_guidance_are_the_defaults_of_the_class(name: str) -> None:
    import diffusers

    defaults = inspect.signature(getattr(diffusers, name).__call__).parameters
    about = PIPELINES[name]
    if about.recipe:  # Stable Diffusion's are those that inloop has had
        assert about.recipe["steps"] == defaults["num_inference_steps"].default
        assert about.recipe["guidance"] == defaults[about.guided_by].default
    assert "negative_prompt" in defaults and (about.negative_with == "guidance" or "true_cfg_scale" in defaults)
    assert about.edits == any(
        name == each.__name__.replace("Img2Img", "")
        for each in diffusers.pipelines.auto_pipeline.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING.values()
    )
    assert about.adapts == hasattr(getattr(diffusers, name), "load_lora_weights")


@pytest.mark.parametrize(
    ("name", "steps", "guidance"),
    [
        ("sd", 30, 7.5),
        ("sdxl", 50, 5.0),
        ("sdxl-turbo", 1, 0.0),
        ("sd3", 28, 7.0),
        ("flux-dev", 28, 3.5),
        ("flux-schnell", 4, 0.0),
        ("sana", 20, 4.5),
        ("pixart-alpha", 20, 4.5),
        ("pixart-sigma", 20, 4.5),
        ("qwen-image", 50, 4.0),
    ],
)
def test_a_recipe_goes_by_the_class(
    name: str, steps: int, guidance: float, painters: dict[str, Path], settings: Settings, store: Store
) -> None:
    painter = open_images(str(painters[name]), store, settings)
    assert (painter.recipe.steps, painter.recipe.guidance) == (steps, guidance)
    guessed = any("its name says" in note for note in painter.notes)
    assert guessed == (name in ("sdxl-turbo", "flux-schnell"))
    assert not open_images(f"{painters[name]}?steps=2&guidance=0", store, settings).notes


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("flux-dev", "negative=ugly", "takes a negative prompt with true_cfg above 1 alone"),
        ("flux-dev", "true_cfg=2", "there is none: give negative too"),
        ("flux-dev", "true_cfg=1", "true_cfg = '1'"),
        ("flux-schnell", "guidance=3", "would not hear it"),
        ("sdxl", "true_cfg=2&negative=ugly", "true_cfg is for FLUX; StableDiffusionXLPipeline is guided by guidance"),
        ("sdxl-turbo", "negative=ugly", "changes nothing without guidance, and it is 0"),
        ("qwen-image", "negative=ugly&guidance=1", "changes nothing without guidance, and it is 1"),
        ("pixart-sigma", "lora=any.safetensors", "takes no LoRA in diffusers"),
        ("sdxl", "lora_scale=0.5", "lora_scale without lora"),
        ("sdxl", "lora=gone.safetensors", "there is no LoRA 'gone.safetensors'"),
        ("sdxl", "lora=LORA.bin", "is no file of safetensors"),
        ("sdxl", "offload=disk", "offload = 'disk'"),
        ("flux-dev", "width=72&height=64", "a side of 72 pixels cannot be computed: .* multiples of 16"),
        ("sdxl", "strength=0.5", "start is missing"),
        ("sdxl", "start=gone.png&strength=0.5", "there is no start picture 'gone.png'"),
        ("sdxl", "start=SQUARE&strength=half", "strength='half' is no number"),
        ("sdxl", "start=SQUARE&strength=0.5&width=32&height=32", "the picture is 64 x 64 pixels"),
        ("sana", "start=SQUARE&strength=0.5", "has no image-to-image pipeline"),
        ("pixart-sigma", "start=SQUARE&strength=0.5", "has no image-to-image pipeline"),
    ],
)
def test_what_a_class_does_not_take_is_said_before_anything_is_loaded(
    name: str, options: str, why: str, painters: dict[str, Path], settings: Settings, store: Store, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "square.png")
    (tmp_path / "lora.bin").write_bytes(b"pickle")
    given = options.replace("SQUARE", str(tmp_path / "square.png")).replace("LORA", str(tmp_path / "lora"))
    with pytest.raises(BadInput, match=why):
        open_images(f"{painters[name]}?{given}", store, settings)


@pytest.mark.parametrize(
    ("name", "plain", "negative"),
    [
        ("sd", "guidance=5", "negative=ugly&guidance=5"),
        ("sdxl", "guidance=5", "negative=ugly&guidance=5"),
        ("sd3", "guidance=7", "negative=ugly&guidance=7"),
        ("flux-dev", "guidance=3.5", "negative=ugly&true_cfg=4"),
        ("sana", "guidance=4.5", "negative=ugly&guidance=4.5"),
        ("pixart-sigma", "guidance=4.5", "negative=ugly&guidance=4.5"),
        ("qwen-image", "guidance=9", "negative=ugly+ugly+ugly&guidance=9"),
    ],
)
async def test_a_negative_prompt_changes_the_picture_and_the_key(
    name: str, plain: str, negative: str, painters: dict[str, Path], settings: Settings, store: Store
) -> None:
    pictures = []
    for options in (plain, negative):
        painter = open_images(f"{painters[name]}?{SMALL}&steps=4&batch=1&{options}", store, settings)
        pictures += await painter.generate(REQUESTS[:1])
        await painter.aclose()
    assert pictures[0] != pictures[1]
    assert store.ledger.counts() == {"image": {"paid": 2, "reused": 0}}


def test_the_key_of_a_plain_recipe_is_as_it_was() -> None:
    assert Recipe().key() == {
        "steps": 30, "guidance": 7.5, "batch": 8, "height": None, "width": None, "dtype": "float32"
    }  # fmt: skip
    assert "offload" not in Recipe(offload="model").key()  # it changes where the weights are, and no picture


def lora_file(painter: Path, folder: Path, *, seed: int, scale: float = 1.0) -> Path:
    """A LoRA on the attention of a painter, as a training saves it."""
    import torch
    from diffusers import AutoPipelineForText2Image
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(seed)
    pipe = AutoPipelineForText2Image.from_pretrained(painter)
    denoiser, name = (pipe.unet, "unet") if hasattr(pipe, "unet") else (pipe.transformer, "transformer")
    denoiser.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False))
    layers = {key: value * scale for key, value in get_peft_model_state_dict(denoiser).items()}
    pipe.save_lora_weights(folder, **{f"{name}_lora_layers": layers})
    return folder / "pytorch_lora_weights.safetensors"


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux-dev", "sana", "qwen-image"])
async def test_a_lora_changes_the_picture_and_is_known_by_its_content(
    name: str, painters: dict[str, Path], settings: Settings, store: Store, tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="no peft: pip install 'inloop[train]'")
    one = lora_file(painters[name], tmp_path / "one", seed=1, scale=20)
    other = lora_file(painters[name], tmp_path / "other", seed=2, scale=20)
    copy = tmp_path / "renamed.safetensors"
    copy.write_bytes(one.read_bytes())
    specs = ["", f"&lora={one}", f"&lora={other}", f"&lora={one}&lora_scale=0.25"]
    pictures = []
    for options in specs:
        painter = open_images(f"{painters[name]}?{SMALL}&steps=2&batch=1{options}", store, settings)
        pictures += await painter.generate(REQUESTS[:1])
        await painter.aclose()
    assert len({picture.sha256 for picture in pictures}) == len(specs)
    again = open_images(f"{painters[name]}?{SMALL}&steps=2&batch=1&lora={copy}", store, settings)
    assert await again.generate(REQUESTS[:1]) == pictures[1:2] and not again.loaded
    # and the painter without it is as it was
    plain = await painted(f"{painters[name]}?{SMALL}&steps=2&batch=1", settings, tmp_path / "new", [REQUESTS[:1]])
    assert (next(iter(plain.values())) == np.asarray(store.blobs.get_image(pictures[0]))).all()


async def test_a_lora_of_another_model_is_refused(
    painters: dict[str, Path], settings: Settings, store: Store, tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="no peft: pip install 'inloop[train]'")
    file = lora_file(painters["flux-dev"], tmp_path / "flux", seed=1)
    painter = open_images(f"{painters['sdxl']}?{SMALL}&lora={file}", store, settings)
    with pytest.raises(BadInput, match="cannot be loaded into StableDiffusionXLPipeline"):
        await painter.generate(REQUESTS[:1])
    assert store.ledger.counts() == {}
    await painter.aclose()
    folder = open_images(f"{painters['flux-dev']}?lora={tmp_path / 'flux'}", store, settings)
    assert folder.revision.count("+") == 1 and len(folder.revision.rpartition("+")[2]) == 64


async def test_a_lora_of_the_hub_is_named_and_asked_for(
    painters: dict[str, Path], settings: Settings, store: Store
) -> None:
    with pytest.raises(PrerequisiteError, match="'nobody/lora' is not in the local cache"):
        open_images(f"{painters['sdxl']}?lora=nobody/lora", store, settings)


async def test_offloaded_weights_paint_the_same(painters: dict[str, Path], settings: Settings, tmp_path: Path) -> None:
    spec = f"{painters['sd3']}?{SMALL}&steps=2&batch=2"
    plain = await painted(spec, settings, tmp_path / "1", [REQUESTS])
    assert same(await painted(f"{spec}&offload=model", settings, tmp_path / "2", [REQUESTS]), plain)


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux-dev", "qwen-image"])
async def test_painting_starts_from_a_picture(
    name: str, painters: dict[str, Path], settings: Settings, store: Store, tmp_path: Path
) -> None:
    start = tmp_path / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(start)
    base = f"{painters[name]}?{SMALL}&steps=4&batch=2"
    spec = f"{base}&start={start}&strength=0.5"
    painter = open_images(spec, store, settings)
    assert isinstance(painter, StartedImages) and painter.recipe.strength == 0.5
    pictures = await painter.generate(REQUESTS)
    assert len({picture.sha256 for picture in pictures}) == len(REQUESTS)
    assert store.ledger.counts() == {"edit": {"paid": 4, "reused": 0}} and store.ledger.cost.images == 4
    for way in ([[each] for each in REQUESTS], [REQUESTS[::-1]]):
        with Store(tmp_path / f"{len(way)}") as another:
            alone = open_images(spec, another, settings)
            got = {each.model_dump_json(): (await alone.generate([each]))[0] for batch in way for each in batch}
            assert [got[each.model_dump_json()] for each in REQUESTS] == pictures
            await alone.aclose()
    # another start, another strength, no start: other pictures
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 64), "red").save(other)
    specs = [base, f"{base}&start={other}&strength=0.5", f"{base}&start={start}&strength=1"]
    for each in specs:
        different = open_images(each, store, settings)
        assert (await different.generate(REQUESTS[:1]))[0] != pictures[0]
        await different.aclose()
    await painter.aclose()


async def test_a_start_and_an_editor_share_what_was_paid(
    painters: dict[str, Path], settings: Settings, store: Store, tmp_path: Path
) -> None:
    from inloop.runtime.records import EditRequest

    start = tmp_path / "start.png"
    Image.new("RGB", (64, 64), "blue").save(start)
    spec = f"{painters['sdxl']}?{SMALL}&steps=4&batch=2"
    painter, editor = (
        open_images(f"{spec}&start={start}&strength=0.5", store, settings),
        open_editor(spec, store, settings),
    )
    assert isinstance(painter, StartedImages)
    [one] = await painter.generate(REQUESTS[:1])
    request = EditRequest(prompt=REQUESTS[0].prompt, seed=REQUESTS[0].seed, image=painter.start, strength=0.5)
    assert await editor.edit([request]) == [one]
    assert store.ledger.counts() == {"edit": {"paid": 1, "reused": 1}}
    await asyncio.gather(painter.aclose(), editor.aclose())
