"""Plain text and Markdown: the file's own text, so that a quotation stands in the file letter for letter.

Sections of Markdown are those of CommonMark's headings; front matter is `meta`; comments are in no section.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import regex

from ....runtime.errors import BadInput
from ....runtime.passages import Value
from ..chunks import Section
from .encodings import decoded
from .outline import Heading, Hints, Reading, clean, meta_of, sections_under

__all__ = ["read_markdown", "read_plain", "sections_of"]

_FRONT = regex.compile(r"\A(?:---|\+\+\+)[ \t]*\n(.*?\n)??(?:---|\.\.\.|\+\+\+)[ \t]*(?:\n|\Z)", regex.S)


def read_plain(data: bytes, name: str, hints: Hints) -> Reading:
    """Plain text: one section."""
    text, notes = decoded(data, name, encoding=hints.encoding)
    text = clean(text)
    return Reading(text, (Section(start=0, end=len(text)),), notes=notes)


def read_markdown(data: bytes, name: str, hints: Hints) -> Reading:
    """Markdown: its source, in sections."""
    text, notes = decoded(data, name, encoding=hints.encoding)
    text = clean(text)
    front = _FRONT.match(text)
    meta, wrong = _front_matter(front[0], front[1] or "") if front else ({}, "")
    start = front.end() if front and not wrong else 0
    named = str(meta.pop("title", ""))
    title, sections = sections_of(text, start, named)
    return Reading(text, sections, title, (*notes, *([wrong] if wrong else [])), meta)


def sections_of(text: str, start: int = 0, title: str = "") -> tuple[str, tuple[Section, ...]]:
    """The title and the sections of the Markdown source `text[start:]`.

    Raises:
        BadInput: it is nested deeper than a parser can follow.
    """
    from markdown_it import MarkdownIt

    lines = [start]
    for line in text[start:].split("\n"):
        lines.append(lines[-1] + len(line) + 1)
    try:
        tokens = MarkdownIt("commonmark").parse(text[start:])
    except RecursionError:
        raise BadInput("the Markdown is nested too deeply to be read.") from None
    headings, comments = [], []
    for place, token in enumerate(tokens):
        if token.map is None or token.level:
            continue
        span = lines[token.map[0]], min(lines[token.map[1]], len(text))
        if token.type == "heading_open":
            headings.append(Heading(*span, int(token.tag[1:]), _shown(tokens[place + 1])))
        elif (
            token.type == "html_block"
            and token.content.lstrip().startswith("<!--")
            and token.content.rstrip().endswith("-->")
        ):
            comments.append(span)
    if not title and headings and headings[0].level == 1:
        title = headings[0].words
    sections = sections_under(headings, start, len(text), title)
    return title, tuple(part for section in sections for part in _without(section, comments))


def _without(section: Section, comments: list[tuple[int, int]]) -> Iterator[Section]:
    start = section.start
    for begins, ends in comments:
        if start <= begins and ends <= section.end:
            if begins > start:
                yield section.model_copy(update={"start": start, "end": begins})
            start = ends
    yield section.model_copy(update={"start": start})


def _shown(inline: Any) -> str:
    """A heading as it is read: without the marks of links and emphasis."""
    return " ".join("".join(t.content if t.content else " " for t in inline.children or []).split())


def _front_matter(whole: str, inner: str) -> tuple[dict[str, Value], str]:
    """What stands in YAML or TOML before the text, and what is wrong with it."""
    import tomllib

    import yaml

    try:
        values = tomllib.loads(inner) if whole.startswith("+++") else yaml.safe_load(inner)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, OverflowError) as error:
        return {}, f"its front matter cannot be read and is taken as text ({' '.join(str(error).split())[:120]})"
    if values is None:
        return {}, ""
    if not isinstance(values, dict):
        return {}, "its front matter holds no names with values and is taken as text"
    return meta_of(values), ""
