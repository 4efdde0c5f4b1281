"""BLIP as a captioner; each picture is encoded once for all its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...runtime.errors import InloopError
from ...runtime.session import chunks
from ..models import IMAGES, BlipModel, PromptedImage, Weights, too_long
from .local_captioner import LocalCaptioner, promptcap_prompt, recipe_of

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["BlipCaptioner"]


class BlipCaptioner(BlipModel[str], LocalCaptioner):
    """BLIP as a captioner: `BlipForQuestionAnswering` reads the prompt, `BlipForConditionalGeneration` goes on from it.

    `mini-promptcap` is of the former class. The latter, as published, knows no questions: its generic caption has no prompt.
    """

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=256)
        self._recipe = recipe_of(weights)
        self._answers = "BlipForQuestionAnswering" in weights.config().get("architectures", ())
        self._trained = bool(weights.json("inloop.json").get("promptcap"))

    def _prompt(self, question: str | None) -> str:
        if question is None and not self._answers and not self._trained:
            return ""
        return promptcap_prompt(question)

    def _load(self, device: str) -> None:
        from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering, BlipProcessor

        kind = BlipForQuestionAnswering if self._answers else BlipForConditionalGeneration
        self._processor = self.weights.load(BlipProcessor)
        self._model = self.weights.load_model(kind).float().eval().to(device)

    def _serve(self, items: list[PromptedImage]) -> list[str | InloopError]:
        import torch

        outcomes: dict[int, str | InloopError] = {}
        room = int(self._model.config.text_config.max_position_embeddings)
        with torch.inference_mode():
            pictures = self._encode([item.image for item in items], IMAGES)
            lengths: dict[int, list[tuple[int, list[int]]]] = {}
            for place, (image, prompt, _) in enumerate(items):
                ids = self._processor.tokenizer(prompt, verbose=False).input_ids
                found = pictures[image.sha256]
                if isinstance(found, InloopError):
                    outcomes[place] = found
                elif len(ids) + (0 if self._answers else 1) > room:
                    outcomes[place] = too_long(prompt, len(ids), room)
                else:
                    lengths.setdefault(len(ids), []).append((place, ids))
            for _, rows in sorted(lengths.items()):
                for chunk in chunks(rows, self._recipe.batch):
                    seen = [pictures[items[place].image.sha256] for place, _ in chunk]
                    said = self._decode(seen, [ids for _, ids in chunk], room)
                    outcomes |= {place: self._said(text) for (place, _), text in zip(chunk, said, strict=False)}
        return [outcomes[place] for place in range(len(items))]

    def _decode(self, pictures: list[Any], ids: list[list[int]], room: int) -> list[str]:
        """The texts of up to a batch of rows of one length; the first row fills up the batch."""
        import torch

        config, batch = self._model.config.text_config, self._recipe.batch
        missing = batch - len(ids)
        tokens = torch.tensor(ids + [ids[0]] * missing, device=self._device)
        states = torch.stack(pictures + [pictures[0]] * missing)
        if self._answers:
            seen = torch.ones(states.shape[:-1], dtype=torch.long, device=self._device)
            states = self._model.text_encoder(
                input_ids=tokens,
                attention_mask=torch.ones_like(tokens),
                encoder_hidden_states=states,
                encoder_attention_mask=seen,
            ).last_hidden_state
            start = torch.full((batch, 1), self._model.decoder_start_token_id, device=self._device)
        else:
            start = tokens[:, :-1].clone()  # without the mark that would end it
            start[:, 0] = config.bos_token_id
        arguments = self._recipe.generate()
        arguments["max_new_tokens"] = min(self._recipe.tokens, room - start.shape[1])
        made = self._model.text_decoder.generate(
            input_ids=start,
            eos_token_id=config.sep_token_id,
            pad_token_id=config.pad_token_id,
            encoder_hidden_states=states,
            encoder_attention_mask=torch.ones(states.shape[:-1], dtype=torch.long, device=self._device),
            **arguments,
        )
        texts = self._processor.tokenizer.batch_decode(made[: len(ids), start.shape[1] :], skip_special_tokens=True)
        return [str(text) for text in texts]
