"""Visual question answering: BLIP behind the call ledger.

For each picture the vision encoder runs once for all its questions. The answer is decoded greedily; the probability of
"yes" is taken from the first step of the decoder: P(yes) / (P(yes) + P(no)).

Invariants: pictures and questions run in batches of the shapes that an answer's key names, questions of one length in tokens
together, so an answer does not depend on what it is asked with. Questions are never padded: the decoder of BLIP in transformers 5 sees
the padding (`BlipTextAttention` hands the mask to its cross-attention under a name that is not read there).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.records import Answer, BlobRef, Cost
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import BlipModel, PromptedImage, Weights, images_beside, rows_of

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store
from .questions import is_closed

__all__ = ["BlipVQA"]

_NEW_TOKENS = 10


class BlipVQA(BlipModel[Answer]):
    """A `VisualQA`; see `open_vqa`. `encoded` counts the pictures that the vision encoder has seen."""

    _batch_option = True

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        self.rows = rows_of(weights)
        super().__init__(weights, store, settings, max_batch=32 * self.rows.batch)
        self._yes_no: tuple[int, int] = (0, 0)

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        """One answer a (picture, question), in order. `p_yes` is None for questions that do not ask for yes or no.

        Raises:
            BadInput: an empty question, or one that is longer than the model's text encoder.
            CallFailed: a question could not be answered; the other answers are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        for _, question in asked:
            if not question.strip():
                raise BadInput(f"the question {question!r} is empty: write what is to be answered.")
        items = self.rows.sized([(image, " ".join(question.split())) for image, question in asked])
        return await settled([self._answer(item) for item in items])

    async def _answer(self, item: PromptedImage) -> Answer:
        call = Call(
            kind="vqa",
            model=self.model,
            revision=self.revision,
            params={
                "images": images_beside(item.batch),
                "questions": item.batch,
                "max_new_tokens": _NEW_TOKENS,
            },
            inputs={"image": item.image.sha256, "question": item.prompt},
        )

        async def keep(answer: Answer) -> Any:
            return answer.model_dump()

        return Answer.model_validate(await self._once(call, item, keep, cost=Cost(calls=1, answers=1)))

    def _load(self, device: str) -> None:
        from transformers import BlipForQuestionAnswering, BlipProcessor

        self._processor = self.weights.load(BlipProcessor)
        self._model = self.weights.load_model(BlipForQuestionAnswering).float().eval().to(device)
        tokens = [self._processor.tokenizer(word, add_special_tokens=False).input_ids for word in ("yes", "no")]
        if any(len(ids) != 1 or ids[0] == self._processor.tokenizer.unk_token_id for ids in tokens):
            raise PrerequisiteError(
                f"{self.weights.spec!r} has no token for 'yes' or for 'no', so it cannot answer scene graph questions",
                remedy="take a BLIP question answering model such as Salesforce/blip-vqa-base, or 'mini'.",
            )
        self._yes_no = (tokens[0][0], tokens[1][0])

    def _serve(self, items: list[PromptedImage]) -> list[Answer | InloopError]:
        import torch

        outcomes: dict[int, Answer | InloopError] = {}
        with torch.inference_mode():
            pictures = {
                batch: self._encode([item.image for item in items if item.batch == batch], images_beside(batch))
                for batch in {item.batch for item in items}
            }
            alike: dict[tuple[int, int], list[tuple[int, list[int]]]] = {}
            longest = int(self._model.config.text_config.max_position_embeddings)
            for place, (image, question, batch) in enumerate(items):
                ids = self._processor.tokenizer(question, verbose=False).input_ids
                found = pictures[batch][image.sha256]
                if isinstance(found, InloopError):
                    outcomes[place] = found
                elif len(ids) > longest:
                    outcomes[place] = BadInput(
                        f"the question {question[:80]!r}... has {len(ids)} tokens, the model takes {longest}."
                    )
                else:
                    alike.setdefault((batch, len(ids)), []).append((place, ids))
            for (batch, _), rows in sorted(alike.items()):
                for chunk in chunks(rows, batch):
                    seen = [pictures[batch][items[place].image.sha256] for place, _ in chunk]
                    answers = self._decode(seen, [ids for _, ids in chunk], batch)
                    for (place, _), (text, p_yes) in zip(chunk, answers, strict=False):
                        if math.isfinite(p_yes):
                            outcomes[place] = Answer(text=text, p_yes=p_yes if is_closed(items[place].prompt) else None)
                        else:
                            outcomes[place] = CallFailed(f"{self.model} answered NaN to {items[place].prompt!r}")
        return [outcomes[place] for place in range(len(items))]

    def _decode(self, pictures: list[Any], ids: list[list[int]], batch: int) -> list[tuple[str, float]]:
        """(text, p_yes) of up to `batch` rows of one length; the first row fills up the batch."""
        import torch

        config = self._model.config.text_config
        missing = batch - len(ids)
        tokens = torch.tensor(ids + [ids[0]] * missing, device=self._device)
        features = torch.stack(pictures + [pictures[0]] * missing)
        asked = self._model.text_encoder(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            encoder_hidden_states=features,
            encoder_attention_mask=torch.ones(features.shape[:-1], dtype=torch.long, device=self._device),
        ).last_hidden_state
        start = torch.full((batch, 1), self._model.decoder_start_token_id, device=self._device)
        made = self._model.text_decoder.generate(
            input_ids=start,
            eos_token_id=config.sep_token_id,
            pad_token_id=config.pad_token_id,
            encoder_hidden_states=asked,
            encoder_attention_mask=torch.ones_like(tokens),
            do_sample=False,
            num_beams=1,
            max_new_tokens=_NEW_TOKENS,
            return_dict_in_generate=True,
            output_logits=True,
        )
        # rounded: the last bits of a logit may differ between rows of a batch
        p_yes = torch.softmax(made.logits[0][:, list(self._yes_no)].double(), dim=-1)[:, 0]
        texts = self._processor.tokenizer.batch_decode(made.sequences[:, 1:], skip_special_tokens=True)
        return [(text.strip(), round(float(p), 6)) for text, p in zip(texts, p_yes, strict=True)]
