"""Randomly initialised models of the real classes and config shapes, scaled down: nothing can be downloaded in tests.

They are saved as folders and opened by path, on the code path of the models that they are shaped after.
"""

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import caption_models
import postgres
import pytest
import s3
import text_models
from hypothesis import settings as hypothesis_settings

from inloop.runtime.settings import Settings

# `make test` draws the same examples on every run: a change is at fault where it fails, not the day. `make test-all` draws new ones.
hypothesis_settings.register_profile("same", derandomize=True)
hypothesis_settings.register_profile("new", print_blob=True)
hypothesis_settings.load_profile("new" if int(os.environ.get("INLOOP_FUZZ", "1")) > 1 else "same")

WORDS = (
    *("a", "the", "red", "blue", "green", "disc", "box", "star", "stars", "two", "to", "left", "of", "is", "there"),
    *("are", "what", "color", "yes", "no", "on", "and", "in", "picture"),
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not tested here and how to get it, one line a part, in the place of pytest's list of skipped tests."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("not tested on this machine")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count:>4} x {reason}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))  # `make test` trains a second time with another number
    return Settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", device="cpu", threads=threads)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL with pgvector: that of INLOOP_TEST_POSTGRES, or one that is started here."""
    given, programs = os.environ.get("INLOOP_TEST_POSTGRES"), postgres.find()
    if given:
        yield given
    elif programs is None:
        pytest.skip(f"no PostgreSQL with pgvector: {postgres.HOW}; or set INLOOP_TEST_POSTGRES to the URL of one")
    else:
        with postgres.server(programs) as url:
            yield url


@pytest.fixture
def postgres_store(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of the test's own in PostgreSQL: a schema that nothing is in; the password is in PGPASSWORD."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed: pip install 'inloop[postgres]'")
    url = urlsplit(postgres_url)
    if url.password:
        monkeypatch.setenv("PGPASSWORD", url.password)
    host = url.netloc.rpartition("@")[2]
    return url._replace(netloc=f"{url.username}@{host}", query=f"schema=t_{secrets.token_hex(6)}").geturl()


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A server that speaks S3, on a loopback port."""
    if not s3.there():
        pytest.skip(f"no S3 server: {s3.HOW}")
    with s3.server() as address:
        yield address


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket; the keys are in the environment."""
    for name, value in s3.environment(s3_address).items():
        monkeypatch.setenv(name, value)
    name = f"b{secrets.token_hex(6)}"
    s3.make_bucket(s3_address, name)
    return f"s3://{name}/inloop"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """The place of a database of either kind: what is tested with it holds for both."""
    if request.param == "sqlite":
        return tmp_path / "new" / "tables.sqlite"
    url: str = request.getfixturevalue("postgres_store")
    return url


def clip_tokenizer_files(folder: Path) -> None:
    """vocab.json and merges.txt as openai/clip ships them: bytes, bytes with </w>, merges, the two marks."""
    folder.mkdir(parents=True, exist_ok=True)
    from transformers.convert_slow_tokenizer import bytes_to_unicode  # the byte alphabet of byte-level BPE

    letters = list(bytes_to_unicode().values())
    vocabulary = [*letters, *(letter + "</w>" for letter in letters)]
    merges = []
    for word in WORDS:
        left = word[0] + ("</w>" if len(word) == 1 else "")
        for place, letter in enumerate(word[1:], start=1):
            right = letter + ("</w>" if place == len(word) - 1 else "")
            if (left, right) not in merges:
                merges.append((left, right))
                vocabulary.append(left + right)
            left += right
    vocabulary = [*dict.fromkeys(vocabulary), "<|startoftext|>", "<|endoftext|>"]
    names = {token: place for place, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(names), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def turbo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """stabilityai/sd-turbo: StableDiffusionPipeline with AutoencoderKL and EulerDiscreteScheduler, trailing spacing."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    clip_tokenizer_files(root / "words")
    tokenizer = CLIPTokenizer.from_pretrained(root / "words", model_max_length=77)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        hidden_act="gelu",
        projection_dim=32,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32, 32, 32),
        layers_per_block=1,
        attention_head_dim=[2, 4, 4, 4],
        cross_attention_dim=32,
        norm_num_groups=8,
        use_linear_projection=True,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing", steps_offset=1
    )
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    folder = root / "sd-turbo-small"
    pipe.save_pretrained(folder)
    recipe = {"steps": 1, "guidance": 0.0, "batch": 4}
    (folder / "inloop.json").write_text(json.dumps(recipe), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """openai/clip-vit-base-patch32, with 32 px pictures and patches of 8."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

    torch.manual_seed(1)
    root = tmp_path_factory.mktemp("models")
    clip_tokenizer_files(root / "words")
    tokenizer = CLIPTokenizer.from_pretrained(root / "words", model_max_length=77)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = {
        **small,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model = CLIPModel(
        CLIPConfig(text_config=text, vision_config={**small, "image_size": 32, "patch_size": 8}, projection_dim=16)
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    folder = root / "clip-small"
    model.save_pretrained(folder)
    CLIPProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def blip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Salesforce/blip-vqa-base; see `caption_models.blip`."""
    return caption_models.blip(tmp_path_factory.mktemp("models") / "blip-small", WORDS)


@pytest.fixture(scope="session")
def blip_to_train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with weights from which a training comes to its end on every processor."""
    return caption_models.blip(tmp_path_factory.mktemp("models") / "blip-to-train", WORDS, spread=0.2)


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence encoder; see `text_models.bert`."""
    return text_models.bert(tmp_path_factory.mktemp("models") / "bert-small", WORDS)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model; see `text_models.llama`."""
    return text_models.llama(tmp_path_factory.mktemp("models") / "llama-small")
