"""What the search did to the pictures of all prompts as a set, against real ones (table 2 of the paper, arXiv 2403.17804).

Better prompts may cost precision (pictures leave what real ones look like) or win recall (they cover more of it). FID falls with the number of
pictures, so the two sets are of the same seeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ...evaluators.stats import FEWEST_PICTURES, SetStatistics, compare_sets
from ...runtime.errors import BadInput
from ...tools.data import picture_files, read_pictures
from .config import Opt2iConfig
from .context import Opt2iContext
from .result import Opt2iTask

__all__ = ["check_reference", "realism_of"]


def check_reference(config: Opt2iConfig) -> None:
    """Raise `BadInput` where a set would be too small for statistics, before anything is painted."""
    if config.reference is None:
        return
    pictures = len(picture_files(Path(config.reference)))
    painted = len(config.prompts) * config.heldout_seeds
    if min(pictures, painted) < FEWEST_PICTURES:
        raise BadInput(
            f"reference: {painted} pictures on unseen seeds and {pictures} in {config.reference!r} are too few to be compared as sets:"
            f" give {FEWEST_PICTURES} or more of each (prompts, heldout_seeds)."
        )


async def realism_of(context: Opt2iContext, tasks: Sequence[Opt2iTask]) -> dict[str, SetStatistics]:
    """The statistics of the pictures on unseen seeds, by "user" and "best", against the reference; {} with a note where there are none."""
    session, folder = context.session, context.config.reference
    held = [task.heldout for task in tasks if {"user", "best"} <= task.heldout.keys()]
    if folder is None or not held:
        return {}
    reference, unread = await asyncio.to_thread(read_pictures, picture_files(Path(folder)), session.store.blobs)
    session.notes += unread
    try:
        return {
            which: await compare_sets(
                [image.image for texts in held for image in texts[which].images if image.image is not None],
                reference,
                context.clip,
            )
            for which in ("user", "best")
        }
    except BadInput as error:
        session.notes.append(f"no precision and recall against {folder!r}: {error}")
        return {}
