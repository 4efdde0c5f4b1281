"""A vision-language model behind a server, as judge and captioner: against a server that sees what is in the request."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from servers import Body, Endpoint, Handler, completion, fails, serving

from inloop.evaluators.text_image import VQAScore
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.records import Sample
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.runtime.transport.sender import Sender
from inloop.tools.vision.open import open_vqa
from inloop.tools.vision.served import ServedCaptioner, ServedVQA


def sees(handler: Handler, body: Body) -> None:
    """Reads the colour of the picture and answers about it, with alternatives where they are asked for."""
    if "lora_name" in body:
        return fails(404)(handler, body)
    content = body["messages"][0]["content"]
    if isinstance(content, str):
        said = body.get("structured_outputs", {}).get("choice", ["the sea"])[0]
        return handler.json(completion([said] * body.get("n", 1), output_tokens=3))
    data = base64.b64decode(content[0]["image_url"]["url"].partition(",")[2])
    red, _, blue = Image.open(io.BytesIO(data)).convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    colour = "red" if red > blue else "blue"
    question = content[1]["text"].lower()
    said = ("Yes." if colour in question else "No.") if "yes or no" in question else colour
    if options := body.get("structured_outputs", {}).get("choice"):
        said = next(option for option in options if said.startswith(option))
    reply = completion([said], output_tokens=2)
    if body.get("top_logprobs"):
        right, wrong = (" Yes", "no") if said.startswith("Yes") else ("No", "yes")
        top = [
            {"token": t, "logprob": math.log(p), "bytes": None} for t, p in ((right, 0.6), (wrong, 0.2), ("It", 0.1))
        ]
        entry = {"token": right, "logprob": math.log(0.6), "bytes": None, "top_logprobs": top}
        reply["choices"][0]["logprobs"] = {"content": [entry]}
    return handler.json(reply)


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        endpoint.behaviours = [sees]
        yield endpoint


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


async def test_a_judge_behind_a_url(server: Endpoint, store: Store, tmp_path: Path) -> None:
    red, blue = (store.blobs.put_image(Image.new("RGB", (8, 8), colour)) for colour in ((255, 0, 0), (0, 0, 255)))
    judge = open_vqa(f"{server.url}#seer", store, Settings(cache_dir=tmp_path / "cache"))
    assert isinstance(judge, ServedVQA) and judge.model == "seer"
    asked = [(red, "Is it red?"), (blue, "Is it red?"), (red, "What colour is it?"), (blue, "Is it  blue?")]
    answers = await judge.answer(asked)
    assert [answer.text for answer in answers] == ["yes", "no", "red", "yes"]
    assert [answer.p_yes for answer in answers] == [0.75, 0.25, None, 0.75]
    sent = [body["messages"][0]["content"] for body in server.seen if isinstance(body.get("messages", [{}])[0].get("content"), list)]  # fmt: skip
    assert all([part["type"] for part in content] == ["image_url", "text"] for content in sent)
    held = [body.get("structured_outputs") for body in server.seen if "yes or no" in str(body.get("messages"))]
    assert held == [{"choice": ["Yes", "No", "yes", "no"]}] * 3  # the open question is answered freely
    before = len(server.seen)
    assert await judge.answer(asked) == answers and len(server.seen) == before  # from the ledger
    with pytest.raises(BadInput, match="empty"):
        await judge.answer([(red, " ")])
    await judge.aclose()


async def test_a_server_without_alternatives_gives_no_probability(
    server: Endpoint, store: Store, tmp_path: Path
) -> None:
    server.behaviours = [lambda handler, body: sees(handler, {**body, "top_logprobs": 0})]
    red = store.blobs.put_image(Image.new("RGB", (8, 8), (255, 0, 0)))
    judge = open_vqa(f"{server.url}#seer", store, Settings(cache_dir=tmp_path / "cache"))
    (answer,) = await judge.answer([(red, "Is it red?")])
    assert (answer.text, answer.p_yes) == ("yes", None)
    assert isinstance(judge, ServedVQA) and "logprobs" in "".join(judge.chat.notes)
    await judge.aclose()


async def test_a_captioner(server: Endpoint, store: Store, tmp_path: Path) -> None:
    red = store.blobs.put_image(Image.new("RGB", (8, 8), (255, 0, 0)))
    judge = open_vqa(f"{server.url}#seer", store, Settings(cache_dir=tmp_path / "cache"))
    assert isinstance(judge, ServedVQA)
    captioner = ServedCaptioner(judge.chat)
    assert await captioner.caption([(red, None), (red, "what colour?")]) == ["red", "red"]
    # the two wishes go out together: which one the server sees last is open
    wishes = [body["messages"][0]["content"][1]["text"] for body in server.seen[-2:]]
    assert sorted("what colour?" in wish for wish in wishes) == [False, True]
    await captioner.aclose()


async def test_a_judge_without_eyes(server: Endpoint, store: Store, tmp_path: Path) -> None:
    server.behaviours = [lambda h, b: h.json(completion(["I see nothing"] * b.get("n", 1), output_tokens=3))]
    red = store.blobs.put_image(Image.new("RGB", (8, 8), (255, 0, 0)))
    judge = open_vqa(f"{server.url}#m", store, Settings(cache_dir=tmp_path / "cache"))
    with pytest.raises(PrerequisiteError, match="does not see pictures"):
        await judge.answer([(red, "Is it red?")])
    await judge.aclose()


@pytest.mark.parametrize(("yes", "no"), [(" Yes", "no"), ("ĠYes", "ĠNo"), ("▁yes", "▁no"), ("YES.", "No,")])
@pytest.mark.parametrize("thinks", [False, True])
async def test_vqascore_by_a_served_judge(server: Endpoint, store: Store, yes: str, no: str, thinks: bool) -> None:
    """Its probability is that of the answer's first word, in every vocabulary, after a line end and after thinking."""

    def judge(handler: Handler, body: Body) -> None:
        if "lora_name" in body or "structured_outputs" in body or "guided_choice" in body or "response_format" in body:
            return fails(400, "not here")(handler, body)
        before = ["<think>", "Is it? Yes, no.", "</think>"] if thinks else []
        tokens = [*before, "\n", yes]
        reply = completion(["".join([*before, "\n", yes.strip(" Ġ▁")])], output_tokens=len(tokens))
        top = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in ((yes, 0.6), (no, 0.2), ("It", 0.1))]
        entries = [{"token": t, "logprob": -0.1, "bytes": None, "top_logprobs": []} for t in tokens]
        entries[-1]["top_logprobs"] = top
        reply["choices"][0]["logprobs"] = {"content": entries}
        return handler.json(reply)

    server.behaviours = [judge]
    picture = store.blobs.put(b"\x89PNG", media_type="image/png")
    served = ServedVQA(OpenAIChat(Sender(server.url, model="m"), store=store))
    [score] = await VQAScore(served).score([Sample(id="1", text="a red disc", image=picture)])
    assert score.value == pytest.approx(0.75)


async def test_a_server_without_alternatives_is_taken_by_its_words_and_named(server: Endpoint, store: Store) -> None:
    def words_alone(handler: Handler, body: Body) -> None:
        handler.json(completion(["Yes, it is."], output_tokens=2))

    server.behaviours = [words_alone]
    judge = ServedVQA(OpenAIChat(Sender(server.url, "none", model="served"), store=store))
    image = store.blobs.put_image(Image.new("RGB", (8, 8), "red"))
    assert judge.notes == []
    [answer] = await judge.answer([(image, "Is it red?")])
    assert (answer.text, answer.p_yes) == ("yes", None)
    assert any("gives no probabilities" in note and "VQAScore cannot be computed" in note for note in judge.notes)
    [score] = await VQAScore(judge).score([Sample(id="s", text="red", image=image)])
    assert score.value is None and "gives no probability of yes" in score.explanation
    await judge.aclose()
