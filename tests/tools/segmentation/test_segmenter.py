"""Segmenters: SAM and SAM 2 of transformers, the one of the drawn world, and their calls in the ledger."""

import itertools

import mask_models
import numpy as np
import pytest
from PIL import Image

from inloop.mini.world import Truth, draw, scenes
from inloop.runtime import models
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.segmentation import get_mask, mask_iou, open_segmenter

BOXES = ((5.0, 5.0, 40.0, 40.0), (50.0, 10.0, 80.0, 45.0))


@pytest.fixture
def store(tmp_path):
    settings = Settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", device="cpu")
    with Store.open(settings, run_id="test") as opened:
        opened.its_settings = settings
        yield opened


def noise(store):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    return store.blobs.put_image(Image.fromarray(pixels))


@pytest.mark.parametrize("name", ["sam", "sam2"])
async def test_a_sam_of_transformers_gives_a_mask_a_box_and_pays_once(name, store, tmp_path):
    folder = getattr(mask_models, name)(tmp_path / name)
    segmenter = open_segmenter(str(folder), store, store.its_settings)
    image = noise(store)
    [segments] = await segmenter.segment([(image, BOXES)])
    masks = [get_mask(each.mask, store.blobs) for each in segments]
    assert [mask.shape for mask in masks] == [(50, 90)] * 2
    assert (masks[0] != masks[1]).any()  # the box matters
    assert all(0 <= each.iou <= 1 and 0 <= each.stability <= 1 for each in segments)
    assert [await segmenter.segment([(image, BOXES)])] == [[segments]]
    assert store.ledger.counts()["segmentation"] == {"paid": 1, "reused": 1}
    await segmenter.aclose()


async def test_sam2_is_what_transformers_computes(store, tmp_path):
    """By the model itself, on what its processor does in words: squeezed into a square, normalised, and spread again."""
    import torch
    import transformers

    folder = mask_models.sam2(tmp_path / "sam2")
    segmenter = open_segmenter(str(folder), store, store.its_settings)
    image = store.blobs.put_image(Image.new("RGB", (64, 64), (40, 90, 200)))
    [[segment]] = await segmenter.segment([(image, ((8.0, 8.0, 40.0, 40.0),))])
    model = transformers.Sam2Model.from_pretrained(folder).eval()
    color = torch.tensor([40, 90, 200]).reshape(3, 1, 1) / 255
    normal = (color - torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).reshape(3, 1, 1)
    with torch.inference_mode():
        made = model(
            pixel_values=normal.expand(1, 3, 64, 64),
            input_boxes=torch.tensor([[[8.0, 8, 40, 40]]]),
            multimask_output=False,
        )
    assert segment.iou == pytest.approx(min(max(float(made.iou_scores[0, 0, 0]), 0.0), 1.0), abs=1e-4)
    wanted = torch.nn.functional.interpolate(made.pred_masks[0], (64, 64), mode="bilinear")[0, 0].numpy() > 0
    assert mask_iou(get_mask(segment.mask, store.blobs), wanted) > 0.99
    await segmenter.aclose()


async def test_the_real_sam2_tiny_cuts_a_head_out_of_a_photograph(tmp_path):
    skimage = pytest.importorskip("skimage.data", reason="scikit-image: pip install scikit-image")
    pytest.importorskip("onnxruntime", reason="onnxruntime: pip install 'inloop[onnx]'")
    cache = Settings.load().cache_dir
    if models.find("sam2-tiny", cache) is None:
        pytest.skip("sam2-tiny is not fetched: inloop models --fetch sam2-tiny")
    settings = Settings(runs_dir=tmp_path / "runs", cache_dir=cache, threads=1, device="cpu")
    with Store.open(settings, run_id="test") as store:
        segmenter = open_segmenter("sam2-tiny", store, settings)
        image = store.blobs.put_image(Image.fromarray(skimage.astronaut()))
        [[head]] = await segmenter.segment([(image, ((150.0, 10.0, 310.0, 250.0),))])
        mask = get_mask(head.mask, store.blobs)
        assert mask.shape == (512, 512) and head.iou > 0.9 and head.stability > 0.9
        assert mask[100, 225] and mask[180, 225] and not mask[30, 60] and not mask[400, 225] and not mask[20, 160]
        assert mask[10:250, 150:310].sum() / mask.sum() > 0.98
        assert segmenter.revision == models.MODELS["sam2-tiny"].sha256
        await segmenter.aclose()


def test_without_onnx_runtime_it_says_what_to_install(store, monkeypatch):
    monkeypatch.setattr("inloop.tools.segmentation.sam2_onnx.find_spec", lambda name: None)
    with pytest.raises(PrerequisiteError, match="ONNX Runtime") as told:
        open_segmenter("sam2-tiny", store, store.its_settings)
    assert "inloop[onnx]" in told.value.remedy


async def test_the_drawn_worlds_own_finds_what_stands_out(store):
    segmenter = open_segmenter("mini", store, store.its_settings)
    overlaps = []
    for scene in itertools.islice(scenes(3), 12):
        truth = Truth.of(scene)
        boxes = tuple((float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in truth.boxes)
        [segments] = await segmenter.segment([(store.blobs.put_image(draw(scene)), boxes)])
        overlaps += [
            mask_iou(get_mask(each.mask, store.blobs), mask) for each, mask in zip(segments, truth.visible, strict=True)
        ]
    assert np.mean(overlaps) > 0.85
    await segmenter.aclose()


async def test_a_picture_of_another_kind_gets_the_box_and_no_trust(store):
    segmenter = open_segmenter("mini", store, store.its_settings)
    [[segment]] = await segmenter.segment([(noise(store), ((5.0, 6.0, 40.0, 30.0),))])
    mask = get_mask(segment.mask, store.blobs)
    assert mask.sum() == 35 * 24 and (segment.iou, segment.stability) == (0.0, 0.0)
    await segmenter.aclose()


async def test_what_cannot_be_is_told(store, tmp_path):
    segmenter = open_segmenter("mini", store, store.its_settings)
    with pytest.raises(BadInput, match="has no area"):
        await segmenter.segment([(noise(store), ((5.0, 6.0, 5.0, 30.0),))])
    with pytest.raises(BadInput, match="no options"):
        open_segmenter("mini?x=1", store, store.its_settings)
    with pytest.raises(BadInput, match=r"facebook/sam2\.1-hiera-tiny"):
        open_segmenter("nowhere", store, store.its_settings)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(BadInput, match="model type 'bert'"):
        open_segmenter(str(tmp_path / "other"), store, store.its_settings)
    assert await segmenter.segment([(noise(store), ())]) == [()]
    await segmenter.aclose()
