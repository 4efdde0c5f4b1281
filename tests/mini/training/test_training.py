"""How the small models are trained: an interrupted training ends as an unbroken one, and the targets say what is drawn."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from inloop.mini.training.layout import cells, teach_layout
from inloop.mini.training.loop import fit
from inloop.mini.training.patch_pretraining import PatchHead, RelationHead, patch_places, place_code
from inloop.mini.training.train_painter import train_decoder_of
from inloop.mini.world.drawing import SIZE, Group, Scene, Spec, place
from inloop.mini.world.grammar import plain
from inloop.mini.world.questions import OPPOSITE, ask, holds
from inloop.mini.world.reader import check
from inloop.mini.world.scenes import pixels, scenes
from inloop.mini.world.smudges import spoil
from inloop.mini.world.vocabulary import SHAPES, THINGS
from inloop.runtime.models.cache import bundled

KINDS = ["", *SHAPES, *THINGS]


def some(count: int, seed: int = 5) -> list[Scene]:
    return list(itertools.islice(scenes(seed), count))


class Stopped(Exception):
    pass


@pytest.mark.trains
def test_an_interrupted_training_ends_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inloop.tools.training.checkpoint._PAUSE", 0.0)

    def train(path: Path, *, until: int) -> torch.Tensor:
        torch.manual_seed(0)
        line = torch.nn.Linear(3, 1)

        def loss_of(step: int) -> torch.Tensor:
            if step == until:
                raise Stopped
            seen = torch.from_numpy(np.random.default_rng(step).standard_normal((8, 3), dtype=np.float32))
            loss: torch.Tensor = (line(seen)[:, 0] - seen.sum(1)).square().mean()
            return loss

        fit(line, loss_of, name="line", steps=20, rate=0.05, checkpoint=path, report=lambda text: None)
        return line.weight.detach().clone()

    whole = train(tmp_path / "whole.pt", until=-1)
    with pytest.raises(Stopped):
        train(tmp_path / "broken.pt", until=7)
    assert torch.equal(train(tmp_path / "broken.pt", until=-1), whole)


def test_the_cells_of_a_layout_say_what_stands_where() -> None:
    for scene in some(40):
        kinds = cells(scene)[0].reshape(8, 8)
        for row, column in np.ndindex(8, 8):
            y, x = (SIZE / 8 * (place + 0.5) for place in (row, column))
            there = [t for t in scene.objects if t.x <= x < t.x + t.side and t.y <= y < t.y + t.side]
            assert KINDS[kinds[row, column]] == (there[0].kind if there else "")


def test_the_places_of_patches_are_those_of_the_picture() -> None:
    """A dark square in one corner: the patches that see it are the ones whose places say so."""
    ink = np.zeros((SIZE, SIZE), dtype=np.float32)
    ink[5 * SIZE // 8 :, : 3 * SIZE // 8] = 1
    side = SIZE // 8
    seen = torch.from_numpy(ink).unfold(0, side, side).unfold(1, side, side).mean((2, 3)).flatten()
    middle = (patch_places() * seen[:, None]).sum(0) / seen.sum()
    assert middle.tolist() == pytest.approx([0.625, -0.625])  # low in the picture, at its left
    code = place_code(128)
    assert code.shape == (65, 128) and torch.equal(code[0], torch.zeros(128))
    assert torch.cdist(code[1:], code[1:]).add(torch.eye(64) * 9).min() > 0.5  # no two places look alike


def test_a_question_after_a_relation_knows_the_one_that_is_there() -> None:
    rng = np.random.default_rng(0)
    asked = [(scene, ask(scene, rng)) for scene in some(120) for _ in range(4)]
    relations = [(scene, qa) for scene, qa in asked if qa.skill == "relation"]
    assert len(relations) > 40
    for scene, qa in relations:
        assert qa.relation is not None
        one, other = scene.objects
        assert holds(qa.relation, one, other) or holds(qa.relation, other, one)
    assert all(qa.relation is None for _, qa in asked if qa.skill != "relation")


def test_heads_learn_from_states_that_hold_the_answer_and_skip_what_has_none() -> None:
    torch.manual_seed(0)
    head = RelationHead(8)
    states = torch.randn(3, 5, 8, requires_grad=True)
    head(states, ["above", None, "below"]).backward()
    assert states.grad is not None and states.grad[1].abs().sum() == 0 and states.grad[0, 0].abs().sum() > 0
    assert head(states, [None, None, None]).item() == 0
    batch = some(6)
    loss = PatchHead(8)(torch.randn(len(batch), 65, 8), batch)
    assert torch.isfinite(loss) and pixels(batch).shape == (6, 3, SIZE, SIZE)


@pytest.mark.parametrize("name", ["clip", "painter", "vqa"])
def test_every_word_was_learnt_under_the_number_that_its_tokenizer_gives_it(name: str) -> None:
    """Weights beside a tokenizer of another order read another word, or one that never moved from where it began."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    folder = bundled(name)
    words_of = AutoTokenizer.from_pretrained(folder / "tokenizer" if name == "painter" else folder)
    weights = load_file((folder / "text_encoder" if name == "painter" else folder) / "model.safetensors")
    (rows,) = (
        value for key, value in weights.items() if key.endswith(("token_embedding.weight", "word_embeddings.weight"))
        if "decoder" not in key
    )  # fmt: skip
    lengths = rows.float().norm(dim=1)
    used = {word for scene in some(4000) for word in plain(scene.spec).text.split()}
    ids = {word: words_of(word, add_special_tokens=False).input_ids for word in used}
    assert len(used) > 90 and all(len(numbers) == 1 for numbers in ids.values())
    learnt = {word: float(lengths[numbers[0]]) for word, numbers in ids.items()}
    typical = float(np.median(list(learnt.values())))
    # a word that never moved from where it began is a quarter as long
    assert {word: length for word, length in learnt.items() if length < typical / 2.5} == {}


def test_the_reader_knows_pale_things_behind_the_decoders_fringes_and_no_smudge() -> None:
    from diffusers import AutoencoderTiny

    decoder = AutoencoderTiny.from_pretrained(bundled("painter") / "vae", torch_dtype=torch.float32)
    pale = [
        place(Spec(groups=(Group(kind=kind, size=size),), background=background), seed)
        for seed, (kind, size, background) in enumerate(
            itertools.product(("rabbit", "ghost", "pig", "cow"), ("small", "large"), ("white", "beige", "lavender"))
        )
    ]
    rng = np.random.default_rng(5)
    smudged = np.stack([spoil(scene, rng).pixels for scene in pale]).transpose(0, 3, 1, 2) / 127.5 - 1

    def read_as_asked(images: NDArray[np.float32]) -> float:
        with torch.no_grad():
            seen = decoder.decode(decoder.encode(torch.from_numpy(images.astype(np.float32))).latents).sample
        pictures = ((seen.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        right = [check(Image.fromarray(p), scene.spec).present[0] for p, scene in zip(pictures, pale, strict=True)]
        return float(np.mean(right))

    assert read_as_asked(pixels(pale)) >= 0.7
    assert read_as_asked(smudged) <= 0.1


@pytest.mark.trains
def test_a_decoder_is_trained_where_it_lies_and_nothing_else_changes(tmp_path: Path) -> None:
    painter = tmp_path / "painter"
    shutil.copytree(bundled("painter"), painter)

    def contents() -> dict[str, bytes]:
        files = (path for path in painter.rglob("*") if path.is_file())
        return {str(path.relative_to(painter)): path.read_bytes() for path in files}

    before = contents()
    train_decoder_of(painter, tmp_path, painter, steps=1, device="cpu", report=lambda line: None)
    changed = {name for name, content in contents().items() if before.get(name) != content}
    assert "vae/diffusion_pytorch_model.safetensors" in changed
    assert changed <= {"vae/diffusion_pytorch_model.safetensors", "decoder.csv", "SHA256SUMS"}


@pytest.mark.slow
@pytest.mark.trains
def test_a_text_encoder_learns_word_order_from_layouts(tmp_path: Path) -> None:
    """From nothing, in 1,200 steps: the right caption explains a drawing better than the one with its things swapped."""
    from dataclasses import replace

    from transformers import CLIPTextConfig, CLIPTextModel

    from inloop.mini.training.layout import LayoutReader
    from inloop.mini.training.tokenizers import clip_tokenizer
    from inloop.mini.world.grammar import plain

    torch.manual_seed(1)
    tokenizer = clip_tokenizer(32)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
            projection_dim=128, max_position_embeddings=32, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    teach_layout(tmp_path, text, tokenizer, steps=1200, device="cpu", report=lambda line: None)
    reader = LayoutReader(text)
    reader.load_state_dict(torch.load(tmp_path / "layout.pt", weights_only=True)["average"])
    held = [s for s in itertools.islice(scenes(77, held_out=True), 400) if s.spec.relation][:100]
    right = 0
    for scene in held:
        truth = torch.from_numpy(cells(scene))[None]
        swapped = replace(scene.spec, relation=OPPOSITE[str(scene.spec.relation)])
        with torch.no_grad():
            said, other = (
                reader(tokenizer(t, padding="max_length", max_length=32, return_tensors="pt").input_ids, truth).item()
                for t in (plain(scene.spec).text, plain(swapped).text)
            )
        right += said < other
    assert right > 85
