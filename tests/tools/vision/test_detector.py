"""Detectors: small ones of the real classes against transformers itself, and the real SSD where it was fetched."""

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.mini.world import Truth, draw, scenes
from inloop.runtime import models
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.data.pictures import read_picture
from inloop.tools.vision.detector import COCO, FLOOR, coco_name, open_detector

WORDS = (
    *("a", "photo", "of", "the", "red", "cat", "dog", "bench", "tennis", "racket", "cup", "teddy", "bear"),
    *"abcdefghijklmnopqrstuvwxyz",
)


@pytest.fixture
def store(settings):
    with Store.open(settings) as opened:
        yield opened


def pictures(store, count=3):
    rng = np.random.default_rng(3)
    sizes = [(60, 40), (40, 60), (50, 50)]
    return [
        store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (*sizes[place % 3], 3), dtype=np.uint8)))
        for place in range(count)
    ]


def bert_tokenizer():
    """With the marks at the numbers of bert-base-uncased, which Grounding DINO's model takes for granted."""
    from transformers import BertTokenizer

    tokens = [f"[unused{place}]" for place in range(1100)]
    for place, token in {
        0: "[PAD]",
        100: "[UNK]",
        101: "[CLS]",
        102: "[SEP]",
        103: "[MASK]",
        1012: ".",
        1029: "?",
    }.items():
        tokens[place] = token
    for place, word in enumerate(dict.fromkeys(WORDS)):
        tokens[200 + place] = word
    return BertTokenizer(vocab={token: place for place, token in enumerate(tokens)})


@pytest.fixture(scope="module")
def yolos_folder(tmp_path_factory):
    """hustvl/yolos-tiny, smaller."""
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

    torch.manual_seed(0)
    config = YolosConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=[48, 48],
        patch_size=8, num_detection_tokens=6, initializer_range=0.2,
        id2label={0: "N/A", 1: "cat", 2: "sofa", 3: "remote"}, label2id={"N/A": 0, "cat": 1, "sofa": 2, "remote": 3},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "yolos-small"
    YolosForObjectDetection(config).save_pretrained(folder)
    YolosImageProcessorPil(size={"shortest_edge": 48, "longest_edge": 64}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def detr_folder(tmp_path_factory):
    """facebook/detr-resnet-50, smaller, with the ResNet of transformers."""
    import torch
    from transformers import DetrConfig, DetrForObjectDetection, DetrImageProcessorPil, ResNetConfig

    torch.manual_seed(1)
    backbone = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 16, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )
    config = DetrConfig(
        backbone_config=backbone, use_timm_backbone=False, backbone=None, use_pretrained_backbone=False, d_model=32,
        encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2,
        decoder_attention_heads=2, num_queries=6, init_std=0.5, id2label={0: "cat", 1: "dog"}, label2id={"cat": 0, "dog": 1},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "detr-small"
    DetrForObjectDetection(config).save_pretrained(folder)
    DetrImageProcessorPil(size={"shortest_edge": 48, "longest_edge": 64}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def owlv2_folder(tmp_path_factory):
    """google/owlv2-base-patch16-ensemble, smaller."""
    pytest.importorskip("scipy", reason="OWLv2's pictures are resized with scipy: pip install 'inloop[detect]'")
    import torch
    from conftest import clip_tokenizer_files
    from transformers import CLIPTokenizer, Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessorPil, Owlv2Processor

    torch.manual_seed(2)
    root = tmp_path_factory.mktemp("models")
    clip_tokenizer_files(root / "words")
    tokenizer = CLIPTokenizer.from_pretrained(root / "words", model_max_length=16, pad_token="!")
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    config = Owlv2Config(
        text_config={**small, "vocab_size": len(tokenizer), "max_position_embeddings": 16, **ids},
        vision_config={**small, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    folder = root / "owlv2-small"
    model = Owlv2ForObjectDetection(config)
    for module in model.modules():  # different words and places must look different to it
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding | torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.3)
    model.save_pretrained(folder)
    images = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    Owlv2Processor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dino_folder(tmp_path_factory):
    """IDEA-Research/grounding-dino-tiny, smaller."""
    import torch
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessorPil,
        GroundingDinoProcessor,
        SwinConfig,
    )

    torch.manual_seed(3)
    swin = SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    text = BertConfig(
        vocab_size=1100, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=swin, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=8, num_feature_levels=4,
        max_text_len=32, use_timm_backbone=False, backbone=None, disable_custom_kernels=True,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "dino-small"
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    GroundingDinoProcessor(image_processor=images, tokenizer=bert_tokenizer()).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["yolos", "detr"])
async def test_closed_detectors_find_what_transformers_finds(name, request, settings, store):
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    folder = request.getfixturevalue(f"{name}_folder")
    images = pictures(store)
    detector = open_detector(str(folder), store, settings)
    found = await detector.detect([(image, detector.labels) for image in images])
    model, processor = (
        AutoModelForObjectDetection.from_pretrained(folder).eval(),
        AutoImageProcessor.from_pretrained(folder),
    )
    for image, ours in zip(images, found, strict=True):
        picture = store.blobs.get_image(image)
        made = model(**processor(images=picture, return_tensors="pt"))
        # read off the heads by hand: softmax without the last class, boxes from the middle to the corners
        p = made.logits[0].softmax(-1)[:, :-1].detach().numpy()
        x, y, w, h = made.pred_boxes[0].detach().numpy().T
        corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1) * [*picture.size, *picture.size]
        corners = corners.clip(0, [*picture.size, *picture.size])
        order = [row for row in np.argsort(-p.max(1), kind="stable") if p[row].max() >= FLOOR]
        assert [d.score for d in ours] == pytest.approx([p[row].max() for row in order], abs=1e-5)
        assert [d.label for d in ours] == [coco_name(model.config.id2label[p[row].argmax()]) for row in order]
        assert np.array([d.box for d in ours]).reshape(-1, 4) == pytest.approx(corners[order].reshape(-1, 4), abs=0.02)
    assert any(found)
    calls = store.ledger.counts()["detection"]
    again = await detector.detect([(image, detector.labels[:1]) for image in images[::-1]])
    assert again == [tuple(d for d in ours if d.label == detector.labels[0]) for ours in found[::-1]]
    assert store.ledger.counts()["detection"] == {"paid": calls["paid"], "reused": 3}, (
        "a closed one looks once a picture"
    )
    await detector.aclose()


async def test_owlv2_gives_each_box_to_the_likeliest_label(owlv2_folder, settings, store):
    from transformers import Owlv2ForObjectDetection, Owlv2Processor

    images = pictures(store)
    detector = open_detector(str(owlv2_folder), store, settings)
    assert detector.labels is None
    found = await detector.detect([(image, ("red disc", "box")) for image in images])
    model, processor = (
        Owlv2ForObjectDetection.from_pretrained(owlv2_folder).eval(),
        Owlv2Processor.from_pretrained(owlv2_folder),
    )
    for image, ours in zip(images, found, strict=True):
        picture = store.blobs.get_image(image)
        made = model(
            **processor(text=[["a photo of a box", "a photo of a red disc"]], images=picture, return_tensors="pt")
        )
        scores = made.logits[0].sigmoid().detach().numpy()
        kept = sorted((s for s in scores.max(1) if s >= FLOOR), reverse=True)
        assert [d.score for d in ours] == pytest.approx(kept, abs=1e-5)
        top = scores.max(1).argmax()
        assert ours[0].label == ("box", "red disc")[scores[top].argmax()]
        x, y, w, h = made.pred_boxes[0][top].tolist()
        side = max(picture.size)  # the picture was padded to a square
        wanted = [(x - w / 2) * side, (y - h / 2) * side, (x + w / 2) * side, (y + h / 2) * side]
        wanted = [min(max(v, 0), picture.size[place % 2]) for place, v in enumerate(wanted)]
        assert ours[0].box == pytest.approx(wanted, abs=0.02)
    paid = store.ledger.counts()["detection"]["paid"]
    assert await detector.detect([(image, ("box", "red disc")) for image in images]) == found
    assert store.ledger.counts()["detection"]["paid"] == paid == 3
    await detector.aclose()


async def test_grounding_dino_scores_each_label_by_its_own_words(dino_folder, settings, store):
    import torch
    from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

    [image, *_] = pictures(store)
    detector = open_detector(str(dino_folder), store, settings)
    [found] = await detector.detect([(image, ("teddy bear", "cat"))])
    model = GroundingDinoForObjectDetection.from_pretrained(dino_folder).eval()
    processor = GroundingDinoProcessor.from_pretrained(dino_folder)
    inputs = processor(text="cat. teddy bear.", images=store.blobs.get_image(image), return_tensors="pt")
    words = processor.tokenizer.convert_ids_to_tokens(inputs.input_ids[0].tolist())
    assert words == ["[CLS]", "cat", ".", "teddy", "bear", ".", "[SEP]"]
    with torch.inference_mode():
        scores = model(**inputs).logits[0].sigmoid().numpy()
    cat, bear = scores[:, 1], scores[:, 3:5].max(1)
    wanted = sorted(
        ((max(c, b), "cat" if c >= b else "teddy bear") for c, b in zip(cat, bear, strict=True)), reverse=True
    )
    wanted = [(score, label) for score, label in wanted if score >= FLOOR]
    assert wanted and [d.label for d in found] == [label for _, label in wanted]
    assert [d.score for d in found] == pytest.approx([score for score, _ in wanted], abs=1e-5)
    with pytest.raises(BadInput, match="cannot be told apart"):
        await detector.detect([(image, ("mr. cat", "dog"))])
    await detector.aclose()


async def test_what_is_found_does_not_depend_on_the_company(yolos_folder, settings, store, tmp_path):
    images = pictures(store)
    detector = open_detector(str(yolos_folder), store, settings)
    together = await detector.detect([(image, ("cat", "couch")) for image in images])
    await detector.aclose()
    with Store(tmp_path / "other") as other:
        alone = open_detector(str(yolos_folder), other, settings)
        copies = [other.blobs.put_image(store.blobs.get_image(image)) for image in images]
        assert [(await alone.detect([(image, ("couch", "cat"))]))[0] for image in copies[::-1]] == together[::-1]
        await alone.aclose()


async def test_labels_that_cannot_be_looked_for(yolos_folder, settings, store):
    [image, *_] = pictures(store)
    detector = open_detector(str(yolos_folder), store, settings)
    assert detector.labels == ("n/a", "cat", "couch", "tv remote")
    with pytest.raises(BadInput, match=r"does not know 'dog'; it knows n/a, cat, couch"):
        await detector.detect([(image, ("cat", "dog"))])
    for labels in ((), ("",), ("  ",)):
        with pytest.raises(BadInput, match="nothing to look for"):
            await detector.detect([(image, labels)])
    await detector.aclose()


def test_what_is_no_detector_is_refused(clip_folder, settings, store):
    with pytest.raises(BadInput, match=r"model type 'clip'.*'ssd', or an object detector"):
        open_detector(str(clip_folder), store, settings)


async def test_the_bundled_one_knows_drawn_pictures_alone(settings, store):
    detector = open_detector("mini", store, settings)
    scenes_of = list(itertools.islice(scenes(11), 12))
    drawn = [store.blobs.put_image(draw(scene)) for scene in scenes_of]
    labels = ("star", "heart", "cat", "pizza", "red circle")
    found = await detector.detect([(image, labels) for image in drawn])
    there = hits = wrong = 0
    for scene, seen in zip(scenes_of, found, strict=True):
        sure = [each for each in seen if each.score >= 0.5]
        boxes = Truth.of(scene).boxes
        for each in sure:
            x, y = (each.box[0] + each.box[2]) / 2, (each.box[1] + each.box[3]) / 2
            [under] = [
                one
                for one, (left, top, w, h) in zip(scene.objects, boxes, strict=True)
                if left <= x <= left + w and top <= y <= top + h
            ]
            named = each.label == under.kind or (
                each.label == "red circle" and (under.kind, under.color) == ("circle", "red")
            )
            hits, wrong = hits + named, wrong + (not named)
        there += sum(one.kind in labels or (one.kind, one.color) == ("circle", "red") for one in scene.objects)
    assert there >= 3 and hits >= 0.8 * there and wrong <= 0.1 * max(there, 10)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    assert await detector.detect([(store.blobs.put_image(photo), ("star",))]) == [()]
    with pytest.raises(BadInput, match="nothing to look for"):
        await detector.detect([(drawn[0], ())])
    assert detector.model == "mini-detector" and detector.labels is None
    await detector.aclose()


def test_without_opencv_it_says_what_to_install(settings, store, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "cv2" else real(name, *rest))
    with pytest.raises(PrerequisiteError, match="OpenCV") as error:
        open_detector("ssd", store, settings)
    assert "inloop[detect]" in error.value.remedy


def test_the_classes_of_coco():
    assert len(set(COCO)) == 80 and coco_name("Sofa") == "couch" and coco_name("Mouse") == "computer mouse"
    from inloop.tools.vision import detector

    assert (detector._NUMBERS[1], detector._NUMBERS[17], detector._NUMBERS[44], detector._NUMBERS[90]) == (
        "person", "cat", "bottle", "toothbrush",
    )  # fmt: skip


@pytest.fixture
def ssd(tmp_path):
    """The real SSD on the machine's cache."""
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'inloop[detect]'")
    cache = Settings.load().cache_dir
    if models.find("ssd", cache) is None:
        pytest.skip("the detector is not fetched: inloop models --fetch ssd")
    with Store(tmp_path / "store") as store:
        yield open_detector("ssd", store, Settings(cache_dir=cache, threads=1)), store


async def test_the_real_ssd_keeps_its_boxes_inside_the_picture(ssd):
    detector, store = ssd
    blank = store.blobs.put_image(Image.new("RGB", (120, 80), (127, 127, 127)))
    found = await detector.detect([(image, COCO) for image in (blank, *pictures(store))])
    assert any(found)
    for seen, size in zip(found, [(120, 80), (40, 60), (60, 40), (50, 50)], strict=True):
        for one in seen:
            assert 0 <= one.box[0] <= one.box[2] <= size[0] and 0 <= one.box[1] <= one.box[3] <= size[1], one
            assert FLOOR <= one.score <= 1 and one.label in COCO
        assert [d.score for d in seen] == sorted((d.score for d in seen), reverse=True)
    with pytest.raises(BadInput, match="does not know 'unicorn'"):
        await detector.detect([(blank, ("unicorn",))])
    await detector.aclose()


async def test_the_real_ssd_finds_cat_and_cup_in_photographs(ssd):
    skimage = importlib.util.find_spec("skimage")
    if skimage is None:
        pytest.skip("the photographs of scikit-image are not installed: pip install scikit-image")
    folder = Path(str(skimage.origin)).parent / "data"
    detector, store = ssd
    images = [read_picture(folder / f"{name}.png", store.blobs).blob for name in ("chelsea", "coffee", "astronaut")]
    cat, cup, person = await detector.detect([(image, COCO) for image in images])
    assert (cat[0].label, cup[0].label, person[0].label) == ("cat", "cup", "person")
    assert cat[0].score > 0.8 and cup[0].score > 0.8 and person[0].score > 0.7
    x0, y0, x1, y1 = cup[0].box
    assert 150 < x0 < 200 and 0 <= y0 < 40 and 380 < x1 < 440 and 210 < y1 < 270, "the cup is in the middle"
    await detector.aclose()
