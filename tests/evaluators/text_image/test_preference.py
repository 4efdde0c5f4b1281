"""Reward models against what their papers' code computes, written out here in plain torch over checkpoints of their layout."""

import itertools
import json
from collections import OrderedDict

import numpy as np
import pytest
import torch
from conftest import WORDS, clip_tokenizer_files
from PIL import Image
from torch import nn

from inloop.evaluators.text_image.preference import Preference
from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedRewards
from inloop.runtime.records import Sample
from inloop.runtime.store.open import Store
from inloop.tools.rewards.models import open_reward

TEXTS = ["a red disc", "a blue box on the left of a star", "two stars", "star"]
MEAN, STD = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])


@pytest.fixture
def store(settings):
    with Store.open(settings) as opened:
        yield opened


def pictures(store):
    """Square, wide and high."""
    rng = np.random.default_rng(6)
    sizes = [(48, 48), (40, 60), (60, 40), (32, 32)]
    return [store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))) for size in sizes]


def tensor(picture):
    values = (np.asarray(picture, dtype=np.float64) / 255 - MEAN) / STD
    return torch.tensor(values.transpose(2, 0, 1)[None], dtype=torch.float32)


# open_clip's model, as its checkpoints name it


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 2 * width), gelu=nn.GELU(), c_proj=nn.Linear(2 * width, width))
        )

    def forward(self, x, mask=None):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Tower(nn.Module):
    def __init__(self, width, heads, layers):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads) for _ in range(layers))

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, width=32, heads=16, size=32, patch=8, out=16):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Tower(width, heads, 2)
        self.proj = nn.Parameter(torch.randn(width, out))

    def forward(self, pixels):
        x = self.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(x))[:, 0]) @ self.proj


class OpenClip(nn.Module):
    def __init__(self, vocabulary, width=32, heads=16, out=16):
        super().__init__()
        self.visual = Visual()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(77, width))
        self.transformer = Tower(width, heads, 2)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, out))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))

    def text(self, ids):
        """Padded with zeros to 77 tokens, read at the largest id: the end."""
        ids = torch.tensor([ids + [0] * (77 - len(ids))])
        mask = torch.full((77, 77), float("-inf")).triu(1)
        x = self.transformer(self.token_embedding(ids) + self.positional_embedding, mask)
        return self.ln_final(x)[0, ids[0].argmax()] @ self.text_projection


@pytest.fixture(scope="module")
def hps(tmp_path_factory):
    """A folder with HPS_v2.1_compressed.pt and a tokenizer, and the model that is in it."""
    from transformers import CLIPTokenizer

    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("models") / "hps-small"
    clip_tokenizer_files(folder)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    model = OpenClip(len(tokenizer)).eval()
    torch.save({"epoch": 1, "state_dict": model.state_dict()}, folder / "HPS_v2.1_compressed.pt")
    return folder, model, tokenizer


async def test_hpsv2_is_the_cosine_of_the_whole_picture_on_black(hps, settings, store):
    folder, model, tokenizer = hps
    images = pictures(store)
    asked = [(image, text) for image in images for text in TEXTS]
    reward = open_reward("hpsv2", str(folder), store, settings)
    ours = await reward.rewards(asked)
    wanted = []
    for image, text in asked:
        picture = store.blobs.get_image(image)
        width, height = (round(side * 32 / max(picture.size)) for side in picture.size)
        square = Image.new("RGB", (32, 32))
        square.paste(picture.resize((width, height), Image.Resampling.BICUBIC), ((32 - width) // 2, (32 - height) // 2))
        seen, read = model.visual(tensor(square))[0], model.text(tokenizer(text).input_ids)
        wanted.append((seen @ read / seen.norm() / read.norm()).item())
    assert ours == pytest.approx(wanted, abs=2e-5) and np.ptp(ours) > 0.05
    assert await reward.rewards(asked) == ours
    assert store.ledger.counts()["preference"] == {"paid": 16, "reused": 16}
    await reward.aclose()


async def test_pickscore_is_the_scaled_cosine(clip_folder, settings, store):
    from transformers import CLIPModel, CLIPProcessor

    images = pictures(store)
    asked = [(image, text) for image in images for text in TEXTS]
    reward = open_reward("pickscore", str(clip_folder), store, settings)
    ours = await reward.rewards(asked)
    model, processor = CLIPModel.from_pretrained(clip_folder).eval(), CLIPProcessor.from_pretrained(clip_folder)
    inputs = processor(text=TEXTS, images=[store.blobs.get_image(i) for i in images], return_tensors="pt", padding=True)
    with torch.inference_mode():
        logits = model(**inputs).logits_per_image  # exp(logit scale) x cosine
    assert ours == pytest.approx(logits.flatten().tolist(), abs=1e-4)
    await reward.aclose()


# ImageReward's BLIP, as its checkpoint names it


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = ((q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5).softmax(-1) @ v
        return self.proj(x.transpose(1, 2).flatten(2))


class ViTBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attn = SelfAttention(width, width // 64)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 2 * width), "fc2": nn.Linear(2 * width, width)})

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp["fc2"](nn.functional.gelu(self.mlp["fc1"](self.norm2(x))))


class ViT(nn.Module):
    def __init__(self, width=128, size=32, patch=8):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.ModuleList(ViTBlock(width) for _ in range(2))
        self.norm = nn.LayerNorm(width, 1e-6)

    def forward(self, pixels):
        x = self.patch_embed["proj"](pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token, x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class BertAttention(nn.Module):
    def __init__(self, width, other, heads):
        super().__init__()
        self.heads = heads
        self.add_module(
            "self",
            nn.ModuleDict(
                {"query": nn.Linear(width, width), "key": nn.Linear(other, width), "value": nn.Linear(other, width)}
            ),
        )
        self.output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, 1e-12)})

    def forward(self, x, other, mask=None):
        own = self.self
        q, k, v = (
            own[n](s).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for n, s in (("query", x), ("key", other), ("value", other))
        )
        scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None] == 0, -1e9)
        y = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return self.output["LayerNorm"](self.output["dense"](y) + x)


class BertLayer(nn.Module):
    def __init__(self, width, seen, heads):
        super().__init__()
        self.attention, self.crossattention = BertAttention(width, width, heads), BertAttention(width, seen, heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 2 * width)})
        self.output = nn.ModuleDict({"dense": nn.Linear(2 * width, width), "LayerNorm": nn.LayerNorm(width, 1e-12)})

    def forward(self, x, mask, seen):
        x = self.crossattention(self.attention(x, x, mask), seen)
        return self.output["LayerNorm"](self.output["dense"](nn.functional.gelu(self.intermediate["dense"](x))) + x)


class Bert(nn.Module):
    def __init__(self, vocabulary, width=32, seen=128):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(vocabulary, width),
                "position_embeddings": nn.Embedding(64, width),
                "LayerNorm": nn.LayerNorm(width, 1e-12),
            }
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(width, seen, 4) for _ in range(2))})

    def forward(self, ids, mask, seen):
        places = torch.arange(ids.shape[1])
        x = self.embeddings["LayerNorm"](
            self.embeddings["word_embeddings"](ids) + self.embeddings["position_embeddings"](places)
        )
        for layer in self.encoder["layer"]:
            x = layer(x, mask, seen)
        return x


class Reward(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.blip = nn.ModuleDict({"visual_encoder": ViT(), "text_encoder": Bert(vocabulary)})
        sizes = (32, 24, 16, 12, 8, 1)
        lines = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        # dropout stands between the first four: the numbers in the names jump
        layers = nn.Sequential(
            lines[0], nn.Dropout(), lines[1], nn.Dropout(), lines[2], nn.Dropout(), lines[3], lines[4]
        )
        self.mlp = nn.ModuleDict({"layers": layers})

    def forward(self, pixels, ids):
        """Texts padded to 35 tokens under a mask, as released."""
        mask = torch.tensor([[1] * len(ids) + [0] * (35 - len(ids))])
        padded = torch.tensor([ids + [0] * (35 - len(ids))])
        read = self.blip["text_encoder"](padded, mask, self.blip["visual_encoder"](pixels))[:, 0]
        return (self.mlp["layers"](read).item() - 0.16717362830052426) / 1.0333394966054072


@pytest.fixture(scope="module")
def image_reward(tmp_path_factory):
    from transformers import BertTokenizer

    torch.manual_seed(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *dict.fromkeys([*WORDS, *letters]),
        *("##" + x for x in letters),
    ]
    folder = tmp_path_factory.mktemp("models") / "reward-small"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer(vocab={token: place for place, token in enumerate(vocabulary)})
    tokenizer.save_pretrained(folder)
    model = Reward(len(vocabulary)).eval()
    torch.save(model.state_dict(), folder / "ImageReward.pt")
    config = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64}
    config |= {
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "add_cross_attention": True,
        "architectures": ["BertModel"],
    }
    (folder / "med_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder, model, tokenizer


async def test_imagereward_is_what_its_code_computes(image_reward, settings, store):
    folder, model, tokenizer = image_reward
    images = pictures(store)
    asked = [(image, text) for image in images for text in TEXTS]
    reward = open_reward("imagereward", str(folder), store, settings)
    ours = await reward.rewards(asked)
    wanted = []
    for image, text in asked:
        picture = store.blobs.get_image(image)
        short = min(picture.size)
        width, height = (int(32 * side / short) for side in picture.size)
        x, y = round((width - 32) / 2), round((height - 32) / 2)
        cut = picture.resize((width, height), Image.Resampling.BICUBIC).crop((x, y, x + 32, y + 32))
        wanted.append(model(tensor(cut), tokenizer(text).input_ids))
    assert ours == pytest.approx(wanted, abs=1e-4) and np.ptp(ours) > 1e-3
    await reward.aclose()


# what all have in common


async def test_a_reward_does_not_depend_on_its_company(image_reward, settings, store, tmp_path):
    images = pictures(store)
    asked = [(image, text) for image in images for text in TEXTS]
    reward = open_reward("imagereward", str(image_reward[0]), store, settings)
    together = await reward.rewards(asked)
    await reward.aclose()
    with Store(tmp_path / "other") as other:
        moved = {image.sha256: other.blobs.put_image(store.blobs.get_image(image)) for image in images}
        alone = open_reward("imagereward", str(image_reward[0]), other, settings)
        found = [(await alone.rewards([(moved[image.sha256], text)]))[0] for image, text in asked[::-1]]
        await alone.aclose()
    assert found[::-1] == together


async def test_long_texts_are_refused_or_cut_in_the_open(clip_folder, settings, store):
    [image, *_] = pictures(store)
    long = "star " * 76
    reward = open_reward("pickscore", str(clip_folder), store, settings)
    with pytest.raises(BadInput, match=r"78 tokens and clip-small reads 77; .*long=cut"):
        await reward.rewards([(image, long)])
    with pytest.raises(BadInput, match="is empty"):
        await reward.rewards([(image, " ")])
    cut = open_reward("pickscore", f"{clip_folder}?long=cut", store, settings)
    one, other = await cut.rewards([(image, long), (image, long + "red red")])
    assert one == other == (await reward.rewards([(image, "star " * 75)]))[0]
    await reward.aclose()
    await cut.aclose()


@pytest.mark.parametrize(
    ("name", "break_it", "why"),
    [
        ("hpsv2", lambda folder: (folder / "HPS_v2.1_compressed.pt").write_bytes(b"no"), "no checkpoint of tensors"),
        ("hpsv2", lambda folder: torch.save({"state_dict": {"a": torch.ones(1)}}, folder / "HPS_v2.1_compressed.pt"), "of another kind"),
        ("imagereward", lambda folder: (folder / "med_config.json").unlink(), "has no med_config.json"),
        ("imagereward", lambda folder: (folder / "ImageReward.pt").unlink(), "has no ImageReward.pt"),
    ],
)  # fmt: skip
async def test_a_broken_checkpoint_is_named(name, break_it, why, hps, image_reward, settings, store, tmp_path):
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree((hps if name == "hpsv2" else image_reward)[0], folder)
    break_it(folder)
    with pytest.raises(BadInput, match=why):
        reward = open_reward(name, str(folder), store, settings)
        try:
            await reward.rewards([(pictures(store)[0], "a star")])
        finally:
            await reward.aclose()


def test_what_is_no_reward_is_refused(blip_folder, clip_folder, settings, store):
    with pytest.raises(BadInput, match="no reward 'beauty'; there are pickscore, hpsv2, imagereward"):
        open_reward("beauty", "", store, settings)
    with pytest.raises(BadInput, match="model type 'blip'"):
        open_reward("pickscore", str(blip_folder), store, settings)
    with pytest.raises(BadInput, match="no bundled model"):
        open_reward("hpsv2", "mini", store, settings)
    with pytest.raises(BadInput, match="long=cut only"):
        open_reward("pickscore", f"{clip_folder}?long=perhaps", store, settings)


async def test_the_evaluator_keeps_order_and_says_what_was_not_scored(store):
    images = pictures(store)

    class Picky(ScriptedRewards):
        async def rewards(self, asked):
            if any(text == "bad" for _, text in asked):
                raise BadInput("the text 'bad' is bad")
            return await super().rewards(asked)

    samples = [
        Sample(id="a", text="x", image=images[0]),
        Sample(id="b", text="bad", image=images[1]),
        Sample(id="c", text="x"),
    ]
    samples.append(Sample(id="d", text="y", image=images[2]))
    scores = await Preference(Picky(), name="pickscore").score(samples)
    assert [score.value is None for score in scores] == [False, True, True, False]
    assert "is bad" in scores[1].explanation and "no picture" in scores[2].explanation
    assert await Preference(Picky()).score(samples[::-1]) == scores[::-1]


# image-text matching of transformers


@pytest.fixture(scope="module")
def itm(tmp_path_factory):
    """A folder with a small `BlipForImageTextRetrieval` and its tokenizer, and that model."""
    from transformers import BertTokenizer, BlipConfig, BlipForImageTextRetrieval

    torch.manual_seed(6)
    folder = tmp_path_factory.mktemp("models") / "itm-small"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({word for text in TEXTS for word in text.split()})]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    sides = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BlipConfig(
        text_config={**sides, "vocab_size": len(words), "encoder_hidden_size": 32, "max_position_embeddings": 24, "bos_token_id": 2, "sep_token_id": 3},
        vision_config={**sides, "image_size": 32, "patch_size": 8}, image_text_hidden_size=16,
    )  # fmt: skip
    model = BlipForImageTextRetrieval(config).eval()
    with torch.no_grad():
        model.itm_head.weight.mul_(20)
    model.save_pretrained(folder)
    return folder, model, BertTokenizer(str(folder / "vocab.txt"))


async def test_image_text_matching_is_what_transformers_computes(itm, settings, store):
    folder, model, tokenizer = itm
    asked = [(image, text) for image in pictures(store) for text in TEXTS]
    reward = open_reward("itm", str(folder), store, settings)
    ours = await reward.rewards(asked)
    wanted = []
    for image, text in asked:
        pixels = tensor(store.blobs.get_image(image).resize((32, 32), Image.Resampling.BICUBIC))
        with torch.no_grad():
            score = model(**tokenizer(text, return_tensors="pt"), pixel_values=pixels, use_itm_head=True).itm_score
        wanted.append(score.softmax(-1)[0, 1].item())
    assert ours == pytest.approx(wanted, abs=2e-5) and np.ptp(ours) > 0.01
    await reward.aclose()
