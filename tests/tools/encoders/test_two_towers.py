"""SigLIP and BLIP as encoders: scaled-down models of the real classes against transformers itself, as `clip` is."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.encoders import class_vectors, open_encoder

TEXTS = ["a red disc", "a blue box and two stars on it", "no star"]
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
WORDS = "a red blue disc box star stars and two on it no".split()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


def save(family: str, folder: Path, *, of: str = "") -> Path:
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    marks = ["<pad>", "<s>", "</s>", "<unk>"]
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate([*marks, *WORDS])}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    torch.manual_seed(4)
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    text = {**SMALL, "vocab_size": len(marks) + len(WORDS), "max_position_embeddings": 24, "pad_token_id": 0}
    if family == "siglip":
        config = transformers.SiglipConfig(text_config={**text, "projection_size": 32}, vision_config=vision)
        model = transformers.SiglipModel(config)
        transformers.SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    else:
        text |= {"encoder_hidden_size": 32, "is_decoder": of != ""}
        config = transformers.BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=16)
        model = getattr(transformers, of or "BlipForImageTextRetrieval")(config)
        transformers.BlipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.05 * torch.randn_like(weights)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ["siglip", "blip"])
async def test_vectors_are_those_of_transformers_and_do_not_depend_on_their_company(
    family: str, tmp_path: Path, settings: Settings, store: Store
) -> None:
    import torch
    import transformers

    folder = save(family, tmp_path / "model")
    rng = np.random.default_rng(6)
    shown = [Image.fromarray(rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)) for _ in range(5)]
    images = [store.blobs.put_image(image) for image in shown]
    encoder = open_encoder(f"{family}:{folder}", store, settings)
    pictures, texts = np.array(await encoder.images(images)), np.array(await encoder.texts(TEXTS))

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pixels = transformers.AutoImageProcessor.from_pretrained(folder)(shown, return_tensors="pt").pixel_values
    kind = transformers.SiglipModel if family == "siglip" else transformers.BlipForImageTextRetrieval
    model = kind.from_pretrained(folder).eval()
    with torch.inference_mode():
        for place, text in enumerate(TEXTS):
            if family == "siglip":
                ids = tokenizer(text, padding="max_length", max_length=24, return_tensors="pt").input_ids
                wanted = model(input_ids=ids, pixel_values=pixels)
                scores = wanted.image_embeds @ wanted.text_embeds.T
            else:
                asked = tokenizer(text, return_tensors="pt")
                scores = model(
                    input_ids=asked.input_ids,
                    attention_mask=asked.attention_mask,
                    pixel_values=pixels,
                    use_itm_head=False,
                ).itm_score
            assert np.abs(pictures @ texts[place] - scores[:, 0].numpy()).max() < 1e-4
    assert np.abs(np.linalg.norm(texts, axis=1) - 1).max() < 1e-5
    alone = np.array(await open_encoder(f"{family}:{folder}", store, settings).texts(TEXTS[:1]))
    assert np.array_equal(alone[0], texts[0]) and store.ledger.counts()["embedding"]["paid"] == 8
    names = await class_vectors(encoder, ["disc", "box"], ["a {}", "two {}"])
    assert names.shape == (2, texts.shape[1])
    with pytest.raises(BadInput, match="takes 24"):
        await encoder.texts(["a red disc and " * 8])


def test_a_blip_without_vectors_is_refused(tmp_path: Path, settings: Settings, store: Store) -> None:
    folder = save("blip", tmp_path / "captions", of="BlipForConditionalGeneration")
    with pytest.raises(BadInput, match="BlipForConditionalGeneration, which has no vectors"):
        open_encoder(str(folder), store, settings)
