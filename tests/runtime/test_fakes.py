"""The shipped fakes fulfil the protocols and repeat themselves."""

import math
from pathlib import Path

import pytest
from PIL import Image

from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import (
    ScriptedCaptioner,
    ScriptedChat,
    ScriptedDetector,
    ScriptedEditor,
    ScriptedEmbedder,
    ScriptedImages,
    ScriptedRewards,
    ScriptedVQA,
)
from inloop.runtime.protocols import (
    Captioner,
    Chat,
    Detector,
    Embedder,
    ImageEditor,
    ImageGenerator,
    Rewarder,
    VisualQA,
)
from inloop.runtime.records import BlobRef, Detection, EditRequest, ImageRequest, Message
from inloop.runtime.store.blobs import BlobStore

REF = BlobRef(sha256="0" * 64, media_type="image/png", bytes=1)


async def test_chat() -> None:
    chat: Chat = ScriptedChat(["one two", "three", "four"])
    heard: list[str] = []
    reply = await chat.complete([Message(role="user", content="a b c")], n=2, on_text=heard.append)
    assert reply.texts == ("one two", "three") and heard == ["one two", "three"]
    assert (reply.cost.input_tokens, reply.cost.output_tokens, reply.cost.calls) == (3, 3, 1)
    with pytest.raises(BadInput, match="'fake-chat' is at its end, and it was asked 'more'"):
        await chat.complete([Message(role="user", content="more")], n=2)
    echo = ScriptedChat(lambda messages: messages[-1].content.upper())
    assert (await echo.complete([Message(role="user", content="hi")])).text == "HI"
    assert [message.content for message in echo.asked[0]] == ["hi"]


async def test_images(tmp_path: Path) -> None:
    images: ImageGenerator = ScriptedImages(BlobStore(tmp_path))
    requests = [ImageRequest(prompt="a disc", seed=1), ImageRequest(prompt="a disc", seed=2)]
    first = await images.generate(requests)
    assert first[0] != first[1]
    assert await images.generate(requests[::-1]) == first[::-1]
    assert BlobStore(tmp_path).get_image(first[0]).size == (16, 16)


async def test_the_editor_keeps_what_is_outside_of_the_mask(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    editor: ImageEditor = ScriptedEditor(blobs)
    mask = Image.new("L", (4, 2))
    mask.paste(255, (0, 0, 2, 2))
    request = EditRequest(prompt="a disc", seed=1, image=blobs.put_image(Image.new("RGB", (4, 2))), strength=1.0)
    [whole, half] = await editor.edit([request, request.model_copy(update={"mask": blobs.put_image(mask)})])
    flat, edited = blobs.get_image(whole), blobs.get_image(half)
    assert edited.crop((0, 0, 2, 2)) == flat.crop((0, 0, 2, 2)) and flat.getpixel((3, 1)) != (0, 0, 0)
    assert edited.getpixel((3, 1)) == (0, 0, 0)


async def test_vqa() -> None:
    vqa: VisualQA = ScriptedVQA({"Is there a disc?": 0.9, "Is it red?": "no", "Which colour?": "blue"})
    answers = await vqa.answer([(REF, "Is there a disc?"), (REF, "Is it red?"), (REF, "Which colour?")])
    assert [(answer.text, answer.p_yes) for answer in answers] == [("yes", 0.9), ("no", 0.0), ("blue", None)]
    with pytest.raises(BadInput, match=r"no answer to 'What\?'"):
        await vqa.answer([(REF, "What?")])


async def test_captioner() -> None:
    captioner: Captioner = ScriptedCaptioner(lambda image, question: f"for {question}")
    assert await captioner.caption([(REF, "what?"), (REF, None)]) == ["for what?", "for None"]


async def test_embedder() -> None:
    embedder: Embedder = ScriptedEmbedder()
    a, b, again = await embedder.texts(["a disc", "a box", "a disc"])
    (image,) = await embedder.images([REF])
    assert a == again and a != b and len(image) == 64
    for vector in (a, b, image):
        assert math.isclose(sum(value * value for value in vector), 1.0)
    assert abs(sum(x * y for x, y in zip(a, b, strict=True))) < 0.5


async def test_the_detector_finds_what_its_function_says() -> None:
    cat, dog = (Detection(label=name, score=score, box=(0, 0, 9, 9)) for name, score in (("cat", 0.4), ("dog", 0.9)))
    detector: Detector = ScriptedDetector(lambda image: [cat, dog], labels=("cat", "dog"))
    assert await detector.detect([(REF, ("cat",)), (REF, ("cat", "dog")), (REF, ("cup",))]) == [(cat,), (dog, cat), ()]
    assert detector.labels == ("cat", "dog")


async def test_rewards_are_the_same_each_time_and_differ_by_picture_and_text() -> None:
    rewarder: Rewarder = ScriptedRewards()
    pictures = [BlobRef(sha256=f"{n:064x}", media_type="image/png", bytes=1) for n in range(2)]
    asked = [(picture, text) for picture in pictures for text in ("a", "b")]
    made = await rewarder.rewards(asked)
    assert len(set(made)) == 4 and await rewarder.rewards(asked[::-1]) == made[::-1]
