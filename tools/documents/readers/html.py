"""HTML as it is read: what is navigation, hidden, or for a program is left out; lists, tables and code keep their form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import regex

from ....runtime.errors import BadInput, PrerequisiteError
from ..terms import RAG_REMEDY
from .encodings import DECLARED, decoded
from .outline import Hints, Outline, Reading, meta_of

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["put_page", "read_html"]

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer form header"
    " hr html legend li main ol optgroup p pre section summary table tbody tfoot thead tr ul".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_DROPPED = "script style noscript template head nav svg iframe button select textarea object canvas audio video math menu".split()
_ROLES = frozenset(
    "navigation search banner contentinfo complementary menu menubar tablist toolbar dialog alertdialog".split()
)
_NAVIGATION = regex.compile(
    r"(?:^|[-_ ])(?:nav|navbar|navigation|navigator|menu|sidebar|sphinxsidebar|toc(?!-backref)|toctree-wrapper|breadcrumbs?|skip(?:-?(?:link|nav|to-?content))?"
    r"|headerlink|anchor-link|pagination|pager|related|related-pages|localtoc|cookie(?:-?banner)?|sr-only|visually-hidden)(?:$|[-_ ])",
    regex.I,
)
_BLANKS = regex.compile(r"\s+")
_HIDDEN = regex.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", regex.I)
_TITLE = regex.compile(r"(?:^|[-_ ])(?:admonition|callout|card|alert|note|topic|sidebar)-?title(?:$|[-_ ])", regex.I)


def read_html(data: bytes, name: str, hints: Hints) -> Reading:
    """A page.

    Raises:
        BadInput: it is no text, or far from HTML.
        PrerequisiteError: the extra `rag` is not installed.
    """
    said = DECLARED.search(data[:4096])
    text, notes = decoded(
        data, name, encoding=hints.encoding, declared=said[1].decode("ascii", "replace") if said else ""
    )
    outline = Outline()
    title, meta = put_page(text, outline, name)
    return outline.reading(title=title, notes=notes, meta=meta)


def put_page(text: str, outline: Outline, name: str) -> tuple[str, dict[str, Any]]:
    """Put the page with this source into `outline`; its title, and what its `meta` elements say of author, date and the like."""
    try:
        from bs4 import BeautifulSoup
    except ImportError as error:
        raise PrerequisiteError(f"reading HTML needs beautifulsoup4: {error}", remedy=RAG_REMEDY) from None
    try:
        soup: Any = BeautifulSoup(text, "html.parser")
        title = " ".join(soup.title.get_text(" ").split()) if soup.title else ""
        said = {tag.get("name"): tag.get("content") for tag in soup.find_all("meta")}
        meta = meta_of({key: said[key] for key in ("author", "date", "language", "version") if said.get(key)})
        for tag in soup.find_all(lambda tag: tag.name in _DROPPED or _is_navigation(tag)):
            tag.extract()
        _Page(outline).walk(_main(soup))
    except Exception as error:  # the parser gives up on what is far from HTML, in its own ways
        raise BadInput(f"{name!r} cannot be read as HTML ({type(error).__name__}: {str(error)[:200]}).") from None
    return title, meta


def _is_navigation(tag: Tag) -> bool:
    """Whether an element leads elsewhere or is not shown. What only its class calls so must consist of links."""
    if tag.name in ("body", "html", "main", "article"):
        return False
    role = str(tag.get("role") or "").lower()
    if role in _ROLES or tag.has_attr("hidden") or tag.get("aria-hidden") == "true":
        return True
    if _HIDDEN.search(str(tag.get("style") or "")):
        return True
    named = " ".join([*map(str, tag.get_attribute_list("class")), str(tag.get("id") or "")])
    by_name = tag.name in ("header", "footer", "aside") or _NAVIGATION.search(named) is not None
    if by_name and (tag.name == "a" or _linked(tag) > 0.5):
        return True
    return tag.name in ("ul", "ol", "p", "div") and _leads_inside(tag)


def _linked(tag: Tag) -> float:
    """The share of an element's words that stand in links."""
    length = len("".join(tag.get_text().split()))
    return sum(len("".join(link.get_text().split())) for link in tag.find_all("a")) / length if length else 0.0


def _leads_inside(tag: Tag) -> bool:
    """Whether it is a table of contents of its own page: three links or more to places in the page, and nothing else."""
    links = tag.find_all("a")
    return len(links) > 2 and all(str(link.get("href") or "").startswith("#") for link in links) and _linked(tag) > 0.8


def _main(soup: Any) -> Any:
    """The part of the page that it calls its main one, where it says so."""
    mains = soup.find_all(lambda tag: tag.name == "main" or tag.get("role") == "main")
    return mains[0] if mains and mains[0].get_text().strip() else soup


class _Page:
    """A walk over the elements of a page. Not recursive: a page may be nested deeper than Python's stack."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._words: list[str] = []
        self._lists: list[int | None] = []
        """Of each list that is open, the number of its next item; None where it has bullets."""
        self._mark: str | None = None
        """The mark of the item that has begun, until its first words come."""
        self._in_item = 0
        self._cells: list[str] | None = None
        self._term = ""
        self._definitions = 0
        """How many definitions are open."""
        self._bold = False

    def walk(self, root: Any) -> None:
        from bs4 import NavigableString, Tag
        from bs4.element import PreformattedString

        stack: list[Any] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, Tag):
                leave = self._enter(node)
                if leave is None:
                    continue
                stack.append(leave)
                stack.extend(reversed(node.contents))
            elif isinstance(node, PreformattedString):
                continue
            elif isinstance(node, NavigableString):
                self._words.append(_BLANKS.sub(" ", str(node)))
            else:
                node()
        self._flush()
        self._end_term()

    def _enter(self, tag: Tag) -> Callable[[], None] | None:
        """Begin an element; what is to be done at its end, or None where its content was taken already."""
        name = tag.name
        if name in _HEADINGS:
            self._flush()
            self._end_term()
            self._outline.heading(int(name[1]), tag.get_text(" " if tag.find("br") else ""))
            return None
        if name == "pre":
            if self._cells is None:
                self._flush()
                self._end_term()
                self._outline.code(_lines(tag))
            else:
                self._words.append(tag.get_text())
            return None
        if name == "br":
            self._words.append("\n")
        elif name == "img":
            return None
        elif name in ("ul", "ol"):
            self._flush()
            self._lists.append(_first(tag) if name == "ol" else None)
            return self._leave_list
        elif name == "li":
            self._flush()
            self._mark = self._next_mark()
            self._in_item += 1
            return self._leave_item
        elif name == "tr" and not _is_layout(tag):
            self._flush()
            self._cells = []
            return self._leave_row
        elif name in ("td", "th") and self._cells is not None:
            return self._leave_cell
        elif name == "dt":
            self._flush()
            return self._leave_term
        elif name == "dd":
            self._flush()
            self._definitions += 1
            return self._leave_definition
        elif name in _BLOCKS or (name in ("td", "th")):
            self._flush()
            self._bold = _TITLE.search(" ".join(map(str, tag.get_attribute_list("class")))) is not None
            return self._flush
        return _nothing

    def _next_mark(self) -> str:
        if not self._lists or self._lists[-1] is None:
            return "-"
        number = self._lists[-1]
        self._lists[-1] = number + 1
        return f"{number}."

    def _leave_list(self) -> None:
        self._flush()
        if self._lists:
            self._lists.pop()

    def _leave_item(self) -> None:
        self._flush()
        self._mark = None
        self._in_item -= 1

    def _leave_cell(self) -> None:
        if self._cells is not None:
            self._cells.append(" ".join("".join(self._words).split()))
            self._words = []

    def _leave_row(self) -> None:
        cells, self._cells = self._cells, None
        self._words = []
        self._outline.row(cells or [])

    def _leave_term(self) -> None:
        self._term = " / ".join(filter(None, [self._term, " ".join("".join(self._words).split())]))
        self._words = []

    def _leave_definition(self) -> None:
        self._flush()
        self._definitions -= 1
        self._outline.inset = self._definitions > 0

    def _end_term(self) -> None:
        """A term without words that define it is a line of its own."""
        if self._term:
            term, self._term = self._term, ""
            self._outline.inset = self._definitions > 1
            self._outline.block(f"{term}:")
            self._outline.inset = self._definitions > 0

    def _flush(self) -> None:
        """The words that have come are a block: an item where one has begun, a definition after its term."""
        if self._cells is not None:
            self._words.append(" ")
            return
        lines = [" ".join(line.split()) for line in "".join(self._words).split("\n")]
        words, bold = "\n".join(line for line in lines if line), self._bold
        self._words, self._bold = [], False
        if not words:
            return
        begins = bool(self._term)
        if begins:
            words, self._term = f"{self._term}: {words}", ""
            self._outline.inset = self._definitions > 1
        depth = max(0, len(self._lists) - 1)
        if self._mark is not None:
            self._outline.item(words, mark=self._mark, depth=depth)
            self._mark = None
        elif self._in_item:
            self._outline.item(words, mark="", depth=depth + 1)
        else:
            self._outline.block(f"**{words}**" if bold else words)
        self._outline.inset = self._definitions > 0


def _nothing() -> None:
    """An element within a line ends without a trace."""


def _first(tag: Tag) -> int:
    start = str(tag.get("start") or "")
    return int(start) if start.isdecimal() and len(start) < 7 else 1


def _is_layout(row: Tag) -> bool:
    """Whether the table of this row only puts things side by side: it holds headings, tables, lists or code."""
    table = row.find_parent("table")
    if table is None:
        return True
    if table.get("role") == "presentation" or table.find("table") is not None:
        return True
    return row.find(["h1", "h2", "h3", "h4", "h5", "h6", "pre"]) is not None


def _lines(tag: Tag) -> str:
    for line_break in tag.find_all("br"):
        line_break.replace_with("\n")
    return str(tag.get_text())
