"""What the machine works with: the files, the models, its state, and how the state's addresses are read and written."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...agents.curation import Curator
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.protocols import Captioner, Embedder, Rewarder, VisualQA
from ...runtime.records import Record
from ...runtime.session import Session, Warned, each
from ...tools.curation import Look, Pairs, Planted, packages_there, themes
from ...tools.data import picture_files
from ...tools.encoders import open_clip
from ...tools.rewards import open_matcher
from ...tools.vision import foreign_note, open_captioner, open_vqa
from .annotations import Annotations, read_annotations
from .captions import Captioned
from .config import CurateConfig
from .found import planted_of
from .labels import Labelled
from .themes import Named

__all__ = ["MANIFEST", "CurateContext", "CurateState", "Looked", "Sources", "first_state", "sources_of"]

STATE_VERSION = 3
MANIFEST = "curate.json"
_SAMPLES = 12  # pictures of a theme that are captioned to name it


@dataclass(frozen=True)
class Sources:
    """What was given: the pictures by name under their folder, and what a table says of them."""

    files: tuple[str, ...]
    tests: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    pool: tuple[str, ...] = ()
    annotations: Annotations = field(default_factory=Annotations)


class Looked(Record):
    """What was read: the folder's pictures, those of the test set and the examples; by name, why one could not be read.

    `notes`: what a reader must know of them.
    """

    looks: tuple[Look, ...]
    tests: tuple[Look, ...] = ()
    likes: tuple[Look, ...] = ()
    notes: tuple[str, ...] = ()
    unreadable: dict[str, str] = Field(default_factory=dict)


class CurateState(TypedDict):
    """Where a cleaning stands; JSON only. In the blob store, "" for none: `looked`, `vectors`, `planted`, `pairs`, `captioned`, `labelled`,
    `retrieved`, `proposed`, `named`, `cleaned`.

    `groups`: their words. `threshold`: a person's, None for the config's or the found one. `kept`: ids that a person keeps whatever is said of them.
    """

    version: int
    looked: str
    vectors: str
    planted: str
    pairs: str
    captioned: str
    labelled: str
    retrieved: str
    proposed: str
    named: str
    cleaned: str
    threshold: float | None
    groups: list[str]
    kept: list[str]
    reviews: int
    approved: bool
    wrong: str
    stop: str


def first_state() -> CurateState:
    """The state of a cleaning that has not begun."""
    return CurateState(
        version=STATE_VERSION, looked="", vectors="", planted="", pairs="", captioned="", labelled="", retrieved="", proposed="", named="",
        groups=[], cleaned="", threshold=None,
        kept=[], reviews=0, approved=False, wrong="", stop="",
    )  # fmt: skip


def sources_of(config: CurateConfig) -> Sources:
    """The files of a config, checked.

    Raises:
        BadInput: no pictures, one group, captions of no picture, a folder that is written into itself, or options that contradict each other.
    """
    folder = Path(config.folder)

    def names(of: str) -> tuple[str, ...]:
        return tuple(str(path.relative_to(of)) for path in picture_files(Path(of))) if of else ()

    if len(config.group_names) == 1:
        raise BadInput(
            f"--groups {config.groups!r} is one group: give two or more, with semicolons, so that they can be compared."
        )
    if config.proposes and not (config.llm and config.captions and config.review):
        raise BadInput(
            "--groups propose has a language model read captions and a person confirm what it proposes: give --llm, --captions and --review."
        )
    if config.lowest is not None and not config.groups:
        raise BadInput("--floor is the least share of each group: give --groups.")
    if config.lowest is not None and config.lowest * len(config.group_names) > 1:
        raise BadInput(f"--floor {config.floor}: {len(config.group_names)} groups cannot each have as much: give less.")
    if config.threshold is not None and config.remove:
        raise BadInput("--threshold and --remove both say how much goes: give one of them.")
    if config.copies == "exact" and (config.threshold is not None or config.remove):
        raise BadInput("--copies exact removes the same pixels alone: leave --threshold and --remove out.")
    if config.copies == "exact" and config.groups:
        raise BadInput("--groups chooses among near copies, and --copies exact looks for none: leave one of them out.")
    if config.copies == "exact" and config.rule != "greedy":
        raise BadInput(
            f"--rule {config.rule} is of near copies, and --copies exact looks for none: leave one of them out."
        )
    if config.choice != "matched" and not config.groups:
        raise BadInput(f"--choice {config.choice} says how groups are served: give --groups.")
    if config.rule != "greedy" and config.groups:
        raise BadInput(f"--groups keeps one of all that a chain of copies joins: leave --rule {config.rule} out.")
    if config.captioner and not (config.captions or config.llm):
        raise BadInput("--captioner writes captions anew where those of --captions do not fit: give --captions.")
    if config.llm and not (config.captions or config.captioner):
        raise BadInput(
            "--llm reads captions, and sees no picture: give --captions, or --captioner to have some written."
        )
    if (config.vqa or config.filter != "clip") and not config.captions:
        raise BadInput("--filter and --vqa judge captions: give --captions.")
    files = names(config.folder)
    if config.each and config.by == "clusters" and not config.query:
        raise BadInput("--each is for the nearest ones, and --by clusters takes whole clusters: leave one of them out.")
    if config.pool_is_index and config.by == "clusters":
        raise BadInput(
            "--by clusters needs all pictures of the pool, and an index is searched: leave it out, or raise --each."
        )
    if (config.by != "auto" or config.each) and not (config.like or config.query or config.pool):
        raise BadInput("--by and --each say how pictures are looked for: give --like, --query or --pool.")
    if config.query and not config.queries:
        raise BadInput(f"--query {config.query!r} holds no words: give what is looked for, with semicolons.")
    for other in filter(None, (config.test, config.like, "" if config.pool_is_index else config.pool)):
        if Path(other) == folder or folder in Path(other).parents or Path(other) in folder.parents:
            raise BadInput(
                f"{other!r} and {config.folder!r} lie in each other: give folders that have no file in common."
            )
    if config.to:
        to = Path(config.to)
        if to == folder or folder in to.parents:
            raise BadInput(
                f"--to {config.to!r} lies in the folder that is cleaned: give one outside of {config.folder!r}."
            )
        if to.exists() and (not to.is_dir() or any(to.iterdir())) and _written_from(to) != config.folder:
            raise BadInput(
                f"--to {config.to!r} holds something else: give a new folder, or one that a cleaning of the same folder wrote."
            )
    if "wrong label" in config.drop and not config.labels:
        raise BadInput("--drop 'wrong label' is of labels that do not fit: give --labels.")
    if config.labels:
        packages_there()
    annotations = read_annotations(config.captions, config.labels, files, Path(config.folder))
    if config.captioner and config.captions and not annotations.captions:
        raise BadInput(f"--captioner writes captions anew, and {config.captions!r} has none: give a column caption.")
    return Sources(files, names(config.test), names(config.like), () if config.pool_is_index else names(config.pool), annotations)  # fmt: skip


def _written_from(to: Path) -> str:
    """The folder that a cleaning which wrote into `to` was of; "" where none did."""
    try:
        return str(json.loads((to / MANIFEST).read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True, kw_only=True)
class CurateContext:
    """The session, the models that are used, and what was given; what a node computed is read from its address."""

    config: CurateConfig
    session: Session
    sources: Sources
    clip: Embedder | None
    rewarder: Rewarder | None
    vqa: VisualQA | None
    curator: Curator | None
    captioner: Captioner | None

    @classmethod
    def open(cls, config: CurateConfig, session: Session) -> CurateContext:
        """Open the models that the config needs."""
        session.brought("models", ("clip", "captioner", "vqa", "itm", "llm"))
        name, _, itm = config.filter.partition(":")
        needed = (
            config.copies != "exact"
            or config.wants
            or config.balance is not None
            or bool(config.captions or config.labels or config.llm)
        )
        return cls(
            config=config,
            session=session,
            sources=sources_of(config),
            clip=session.open("clip", open_clip, config.clip) if needed else None,
            rewarder=session.open("itm", open_matcher, itm) if name == "itm" else None,
            curator=Curator(session.open("llm", open_chat, config.llm)) if config.llm else None,
            vqa=session.open("vqa", open_vqa, config.vqa) if config.vqa else None,
            captioner=session.open("captioner", open_captioner, config.captioner) if config.captioner else None,
        )

    async def prototypes(self, state: CurateState) -> NDArray[np.float32] | None:
        """(groups, size): unit vectors of the groups' words; None without groups."""
        if not state["groups"] or self.clip is None:
            return None
        return np.array(await self.clip.texts(state["groups"]), dtype=np.float32)

    def foreign(self, looks: tuple[Look, ...]) -> str:
        """What to say where bundled models are given pictures that they cannot know; "" for nothing."""
        shown = (self.session.store.blobs.get_image(look.blob) for look in looks)
        return foreign_note({"--clip": self.clip, "--captioner": self.captioner, "--vqa": self.vqa}, shown)

    def tell(self, note: str) -> None:
        """Say something of the whole run, once."""
        if note not in self.session.notes:
            self.session.emit(Warned(text=note))

    def put(self, value: Record) -> str:
        """The address of a record."""
        return self.session.store.blobs.put(value.model_dump_json().encode(), "application/json").sha256

    def put_json(self, value: Any) -> str:
        """The address of JSON."""
        return self.session.store.blobs.put(json.dumps(value).encode(), "application/json").sha256

    def get_json(self, address: str) -> Any:
        """JSON by its address."""
        return json.loads(self.session.store.blobs.get(address))

    def looked(self, state: CurateState) -> Looked:
        """What was read."""
        return Looked.model_validate_json(self.session.store.blobs.get(state["looked"]))

    def put_vectors(self, vectors: NDArray[np.float32]) -> str:
        """The address of a table of numbers."""
        out = io.BytesIO()
        np.save(out, vectors, allow_pickle=False)
        return self.session.store.blobs.put(out.getvalue(), "application/octet-stream").sha256

    def vectors(self, state: CurateState) -> NDArray[np.float32]:
        """(pictures + tests + likes, size): unit vectors, in that order."""
        found: NDArray[np.float32] = np.load(
            io.BytesIO(self.session.store.blobs.get(state["vectors"])), allow_pickle=False
        )
        return found

    def put_pairs(self, pairs: Pairs) -> str:
        """The address of pairs."""
        return self.put_json({"rows": pairs.rows.tolist(), "scores": pairs.scores.tolist()})

    def captions_of(self, looked: Looked) -> dict[int, str]:
        """The captions that were given, by place."""
        told = self.sources.annotations.captions
        return {place: told[each.path] for place, each in enumerate(looked.looks) if each.path in told}

    async def captioned_samples(self, looked: Looked, vectors: NDArray[np.float32]) -> dict[int, str]:
        """Captions of some pictures of each theme, by the captioner, where none were given."""
        assert self.captioner is not None
        rng = np.random.default_rng([self.config.seed, 47])
        places = sorted(
            place
            for rows in themes(vectors, seed=self.config.seed).members()
            for place in rng.choice(rows, size=min(_SAMPLES, len(rows)), replace=False).tolist()
        )
        written = await each(self.captioner.caption, [(looked.looks[place].blob, None) for place in places])
        return {
            place: text for place, text in zip(places, written, strict=True) if isinstance(text, str) and text.strip()
        }

    def captions(self, state: CurateState) -> Captioned:
        """What is known of the captions; nothing where there are none."""
        return Captioned.model_validate_json(self.session.store.blobs.get(state["captioned"])) if state["captioned"] else Captioned()  # fmt: skip

    def named(self, state: CurateState) -> Named:
        """The themes; none where there is no encoder."""
        return Named.model_validate_json(self.session.store.blobs.get(state["named"])) if state["named"] else Named()

    def labels(self, state: CurateState) -> Labelled:
        """What is known of the classes; nothing where there are none."""
        return Labelled.model_validate_json(self.session.store.blobs.get(state["labelled"])) if state["labelled"] else Labelled()  # fmt: skip

    def planted(self, state: CurateState) -> list[Planted]:
        """What was planted; nothing where no near copies are looked for."""
        return planted_of(self.get_json(state["planted"])) if state["planted"] else []

    def pairs(self, state: CurateState) -> Pairs:
        """The compared pairs, over the pictures and then those of the test set."""
        told = self.get_json(state["pairs"]) if state["pairs"] else {"rows": [], "scores": []}
        rows = np.array(told["rows"], dtype=np.int64).reshape(-1, 2)
        return Pairs(rows, np.array(told["scores"], dtype=np.float64))
