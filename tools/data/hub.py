"""Pictures with prompts out of data sets of the Hugging Face hub: saved in a folder, or fetched by their id."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from .items import PROMPT, TAGS, Item, Items, prompt_of, tags_of, unique

__all__ = ["from_hub", "from_saved", "load_hub"]

_HUB = re.compile(r"hf:([\w.-]+(?:/[\w.-]+)?)(?::([\w.-]+))?(?:#([\w.\[\]:%+-]+))?")


def from_saved(folder: Path) -> Items:
    """The items of a folder that `datasets.save_to_disk` wrote; errors as of `tools.data.read_items`."""
    loaded = _package(str(folder)).load_from_disk(str(folder))
    if hasattr(loaded, "keys"):
        raise BadInput(
            f"{str(folder)!r} holds several splits ({', '.join(loaded)}): give the folder of one,"
            f" such as {str(folder / next(iter(loaded)))!r}."
        )
    return _from_loaded(loaded, folder)


def from_hub(spec: str) -> Items:
    """The items of `hf:OWNER/NAME[:CONFIG][#SPLIT]`; errors as of `tools.data.read_items`."""
    return _from_loaded(load_hub(spec), Path(spec))


def load_hub(spec: str) -> Any:
    """The data set of one split behind `hf:OWNER/NAME[:CONFIG][#SPLIT]`, from the Hugging Face hub or its cache.

    Raises:
        BadInput: no such form, set, configuration or split, or several splits.
        PrerequisiteError: the package `datasets` or the hub cannot be had.
    """
    found = _HUB.fullmatch(spec)
    if found is None:
        raise BadInput(
            f"{spec!r} is not hf:OWNER/NAME[:CONFIG][#SPLIT], such as hf:lambdalabs/naruto-blip-captions#train."
        )
    name, config, split = found.groups()
    datasets = _package(spec)
    try:
        loaded = datasets.load_dataset(name, config, split=split)
    except (datasets.exceptions.DatasetNotFoundError, ValueError) as error:  # no such set, configuration or split
        raise BadInput(f"{spec!r} cannot be loaded: {str(error)[:300]}") from None
    except OSError as error:
        raise PrerequisiteError(
            f"the data set {spec!r} cannot be fetched ({type(error).__name__}: {str(error)[:200]})",
            remedy="connect to the network once, or give a folder of datasets.save_to_disk.",
        ) from error
    if hasattr(loaded, "keys"):
        names = list(loaded)
        if len(names) > 1:
            raise BadInput(f"{spec!r} holds several splits ({', '.join(names)}): name one, such as {spec}#{names[0]}.")
        loaded = loaded[names[0]]
    return loaded


def _package(what: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise PrerequisiteError(
            f"{what!r} is a Hugging Face data set, and the package 'datasets' is not installed",
            remedy="pip install 'inloop[datasets]', or export it to a folder with a metadata.csv.",
        ) from None
    return datasets


def _from_loaded(loaded: Any, folder: Path) -> Items:
    import datasets

    pictures = [name for name, kind in loaded.features.items() if isinstance(kind, datasets.Image)]
    texts = [name for name in PROMPT if name in loaded.features]
    if not pictures or not texts:
        raise BadInput(
            f"{str(folder)!r} needs an image column and one of {', '.join(PROMPT)}; it has {', '.join(loaded.features)}."
        )
    raw = loaded.cast_column(pictures[0], datasets.Image(decode=False))
    plain = loaded.remove_columns(pictures)
    items = []
    for place, row in enumerate(plain):
        text = prompt_of(folder, place + 1, row)
        rest = {key: value for key, value in row.items() if key not in (*PROMPT, *TAGS, "id")}
        items.append(Item(id=str(row.get("id") or place), text=text, row=place, tags=tags_of(row), meta=rest))

    def inside(place: int) -> bytes:
        value = raw[place][pictures[0]]
        if value is None:
            raise BadInput(f"{str(folder)!r}, row {place + 1}: there is no picture.")
        return bytes(value["bytes"]) if value.get("bytes") else Path(value["path"]).read_bytes()

    return Items(unique(items), inside)
