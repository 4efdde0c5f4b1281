"""Painting that starts from a picture: the image-to-image pipeline of a model in the place of its text-to-image one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, EditRequest, ImageRequest
from ..data import read_picture
from ..models import Weights
from .editor import DiffusersEditor
from .recipe import Recipe

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["START_OPTIONS", "StartedImages", "StartedRecipe"]

START_OPTIONS = ("start", "strength")


class StartedRecipe(Recipe):
    """A recipe with the picture that is started from (a file), and how much of the way from noise is gone anew."""

    start: str
    strength: float = Field(gt=0, le=1)


class StartedImages:
    """An `ImageGenerator`: every picture is an edit of one start picture, which is named in the ledger by its content.

    Raises:
        BadInput: an option is missing or does not fit, the file is no picture or of another size, or diffusers has no image-to-image
            pipeline for the class.
    """

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        options = weights.options
        missing = [name for name in START_OPTIONS if not options.get(name)]
        if missing:
            raise BadInput(f"{weights.spec!r}: {missing[0]} is missing: give ?start=PICTURE&strength=0.6 together.")
        try:
            strength = float(options["strength"])
        except ValueError:
            raise BadInput(f"{weights.spec!r}: strength={options['strength']!r} is no number.") from None
        recipe = Recipe.of(weights, without=START_OPTIONS)
        path = Path(options["start"]).expanduser()
        if not path.is_file():
            raise BadInput(f"{weights.spec!r}: there is no start picture {str(path)!r}.")
        self.editor = DiffusersEditor(weights, store, settings, recipe)
        self._start = EditRequest(prompt="-", seed=0, image=read_picture(path, store.blobs).blob, strength=strength)
        self.editor.check([self._start])
        self.recipe = StartedRecipe(**recipe.model_dump(), start=str(path), strength=strength)

    @property
    def model(self) -> str:
        """The model's name in the ledger."""
        return self.editor.model

    @property
    def revision(self) -> str:
        """What identifies the weights."""
        return self.editor.revision

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know."""
        return self.editor.notes

    @property
    def start(self) -> BlobRef:
        """The picture that is started from."""
        return self._start.image

    def cut(self, prompt: str) -> str | None:
        """The end of `prompt` that the text encoder will not see; None if it sees all of it."""
        return self.editor.cut(prompt)

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One PNG a request, in order; raises as `DiffusersEditor.edit` does."""
        edits = [self._start.model_copy(update={"prompt": each.prompt, "seed": each.seed}) for each in requests]
        return await self.editor.edit(edits)

    async def aclose(self) -> None:
        """Finish what is queued and end the worker thread."""
        await self.editor.aclose()
