"""What an index holds and gives back: passages, queries, hits, filters, and the manifest that says what it was made with.

A filter is a tree of records, the same for every store; a store that cannot evaluate one of them refuses it. Its logic
has two values: a comparison with a field that a passage does not have, or has as another type, is false, and `Not` turns
that round (SQL's unknown is nowhere). A text is compared with a text, a number with a number, a truth value with a truth
value; `1` equals `1.0`, and `True` equals neither.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator, model_validator

from .records import BlobRef, Record

__all__ = [
    "And",
    "Compare",
    "Filter",
    "Hit",
    "In",
    "Manifest",
    "Mode",
    "Not",
    "Or",
    "Passage",
    "Query",
    "SPACES",
    "Space",
    "SpaceName",
    "Value",
    "passage_id",
]

Value: TypeAlias = StrictBool | Annotated[StrictInt, Field(ge=-(2**53), le=2**53)] | StrictFloat | StrictStr
"""A value that can be filtered on; whole numbers as far as every store and JSON keep them exactly."""

Mode: TypeAlias = Literal["dense", "bm25", "hybrid"]
"""How to search: by vectors, by words, or both, joined by their scores."""

SpaceName: TypeAlias = Literal["text", "image"]
"""Which of a passage's two vectors: that of its words, or that of its picture."""

SPACES: tuple[SpaceName, ...] = ("text", "image")

_FIELDS = ("id", "document", "version", "title", "source", "media", "page", "part")
_META = re.compile(r"meta\.[A-Za-z_][A-Za-z0-9_-]{0,63}")


class Passage(Record):
    """A piece of a document, as it is searched, shown and cited.

    `text` is exactly `document's text[start:end]` where the document was cut by `tools.documents.chunks`; of a picture it is the
    caption. `id` is stable: the same words in the same document keep it (`passage_id`). `version` names the content of
    the document that the passage was cut from, `part` and `parts` its place there, so that half a document can be told
    from a whole one.
    """

    id: str = Field(min_length=1, max_length=512)
    document: str = Field(min_length=1, max_length=4096)
    text: str = ""
    start: int = Field(default=0, ge=0)
    end: int = Field(default=0, ge=0)
    title: str = ""
    headings: tuple[str, ...] = ()
    """From the outermost heading to the innermost."""
    source: str = ""
    """Where a person finds the document: a path or a URL."""
    media: str = "text/plain"
    page: int | None = None
    image: BlobRef | None = None
    version: str = ""
    part: int = Field(default=0, ge=0)
    parts: int = Field(default=1, ge=1)
    meta: dict[str, Value] = Field(default_factory=dict)

    @field_validator("meta")
    @classmethod
    def _names(cls, meta: dict[str, Value]) -> dict[str, Value]:
        for name in meta:
            if not _META.fullmatch(f"meta.{name}"):
                raise ValueError(
                    f"the meta name {name!r} must be a letter or _ and then up to 63 letters, digits, _ or -"
                )
        return meta

    @model_validator(mode="after")
    def _something(self) -> Passage:
        if not self.text.strip() and self.image is None:
            raise ValueError("a passage needs words or a picture")
        return self

    @property
    def above(self) -> tuple[str, ...]:
        """What it stands under: title and headings, each once."""
        return tuple(line for line in dict.fromkeys((self.title, *self.headings)) if line)

    @property
    def indexed(self) -> str:
        """The words that are embedded and searched: title, headings and text, each once; empty for a bare picture."""
        if not self.text.strip():
            return ""
        above = [line for line in self.above if line not in self.text]
        return "\n".join([*above, self.text])

    def fills(self, space: SpaceName) -> bool:
        """Whether a vector of this kind can be made of it: it has words, or a picture."""
        return bool(self.text.strip()) if space == "text" else self.image is not None


def passage_id(document: str, text: str, nth: int = 0) -> str:
    """The stable id of the `nth` passage with this text in a document: 32 hexadecimal digits."""
    return hashlib.sha256(f"{document}\0{nth}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Query(Record):
    """What is looked for: words, a picture, both, or a vector of one of the two spaces.

    Words are looked for in the vectors of texts, a picture in those of pictures. `space="image"` embeds the words with
    the picture model's text tower and looks for them among the pictures.
    """

    text: str = ""
    image: BlobRef | None = None
    vector: tuple[float, ...] | None = None
    space: SpaceName = "text"

    @model_validator(mode="after")
    def _something(self) -> Query:
        if not self.text.strip() and self.image is None and self.vector is None:
            raise ValueError("a query needs words, a picture or a vector")
        return self


class Hit(Record):
    """A passage that was found. `similarity` lies in [0, 1], higher is better, on the scale of its mode.

    dense: (1 + cosine) / 2. bm25: score / (score + 10), which keeps the order and is comparable within one query only.
    hybrid: the mean of the rankings' scores, each from 0 to 1 within its ranking: 1 is first in every ranking. reranked: the
    reranker's own. `scores` are the raw ones by ranking (`dense` and `image`: the cosine), `ranks` the places, from 1.
    """

    passage: Passage
    similarity: float = Field(ge=0.0, le=1.0)
    scores: dict[str, float] = Field(default_factory=dict)
    ranks: dict[str, int] = Field(default_factory=dict)


class _Condition(Record):
    field: str
    """id, document, version, title, source, media, page, part, or meta.NAME."""

    @field_validator("field")
    @classmethod
    def _known(cls, field: str) -> str:
        if field not in _FIELDS and not _META.fullmatch(field):
            raise ValueError(f"there is no field {field!r} to filter on: {', '.join(_FIELDS)} or meta.NAME")
        return field


class Compare(_Condition):
    """`field` against one value. Texts are ordered by their code points. `ne` is true where the field is missing."""

    op: Literal["eq", "ne", "lt", "le", "gt", "ge"] = "eq"
    value: Value

    @model_validator(mode="after")
    def _ordered(self) -> Compare:
        if isinstance(self.value, bool) and self.op not in ("eq", "ne"):
            raise ValueError(f"{self.op!r} does not order truth values: use eq or ne")
        return self


class In(_Condition):
    """`field` equals one of the values; of none, nothing is found."""

    op: Literal["in"] = "in"
    values: tuple[Value, ...]


class And(Record):
    """All of them; of none, everything."""

    op: Literal["and"] = "and"
    of: tuple[Filter, ...]


class Or(Record):
    """At least one of them; of none, nothing."""

    op: Literal["or"] = "or"
    of: tuple[Filter, ...]


class Not(Record):
    """What `of` does not find."""

    op: Literal["not"] = "not"
    of: Filter


Filter: TypeAlias = Annotated[Compare | In | And | Or | Not, Field(discriminator="op")]
"""Which passages; as JSON: `{"op": "and", "of": [{"op": "eq", "field": "meta.year", "value": 2020}, ...]}`."""

for _node in (And, Or, Not):
    _node.model_rebuild()


class Space(Record):
    """What made the vectors of one kind: their embedder and their length."""

    model: str
    revision: str
    dimension: int = Field(ge=1)


class Manifest(Record):
    """What an index was made with; vectors and passages of another make would be compared in vain."""

    format: int = 1
    text: Space | None = None
    image: Space | None = None
    metric: Literal["cosine"] = "cosine"
    chunker: str = ""
    """The hash of the chunker's settings; empty: passages that were not cut by inloop."""
    terms: str = ""
    """The rules by which words were counted (`tools.documents.TERMS`); empty: those from before they had a number."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Records that are kept beside the passages (`Index.annotate`), such as which folder was indexed when."""
