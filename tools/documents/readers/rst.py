"""reStructuredText by docutils, with what Sphinx and others add to it: unknown roles are their words, unknown directives their content.

Contents, indexes, comments, targets, images and what a program reads are left out; no other file is included.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import regex

from ....runtime.errors import PrerequisiteError
from ..terms import RAG_REMEDY
from .encodings import decoded
from .markdown import read_plain
from .outline import Hints, Outline, Reading

if TYPE_CHECKING:
    from docutils.nodes import Element

__all__ = ["read_rst"]

_ROLE = regex.compile(r":([\w][\w:.+-]*):`|`:([\w][\w:.+-]*):")
_DIRECTIVE = regex.compile(r"^\s*\.\.\s+(?:\|[^|\n]+\|\s+)?([\w][\w:.+-]*)\s?::", regex.M)
_EXPLICIT = regex.compile(r"^(.*?)\s*<[^<>]*>$", regex.S)
_SENTENCE = regex.compile(r"[.!?]$")
_DROPPED = frozenset(
    """toctree contents index sectnum section-numbering meta header footer highlight currentmodule module py:module py:currentmodule
    default-domain default-role role tabularcolumns testsetup testcleanup literalinclude include raw class cssclass rst-class image
    graphviz digraph graph uml plantuml mermaid plot bibliography sectionauthor codeauthor acks automodule program""".split()
)
_CODE = frozenset(
    """code code-block sourcecode prompt doctest testcode testoutput ipython console command-output program-output productionlist
    highlight-block jupyter-execute code-cell terminal bash shell""".split()
)
_VERSIONS = {
    "versionadded": "Added in version", "versionchanged": "Changed in version", "deprecated": "Deprecated since version",
    "versionremoved": "Removed in version", "deprecated-removed": "Deprecated since version",
}  # fmt: skip
_DESCRIPTIONS = regex.compile(
    r"(?:[a-z]+:)?(?:function|class|method|classmethod|staticmethod|attribute|property|data|exception|decorator|module|macro|type|member|var"
    r"|describe|object|confval|option|cmdoption|envvar|term|setting|field|event|command|option|signal|directive|role|rst:\w+|js:\w+|c:\w+|cpp:\w+)"
)
_LONGEST_TERM = 8  # words
_FOR_PROGRAMS = frozenset("orphan tocdepth nocomments nosearch no-search".split())


def read_rst(data: bytes, name: str, hints: Hints) -> Reading:
    """A reStructuredText file; as plain text with a note where it cannot be parsed.

    Raises:
        BadInput: it is a binary file.
        PrerequisiteError: the extra `rag` is not installed.
    """
    try:
        from docutils.core import publish_doctree
    except ImportError as error:
        raise PrerequisiteError(f"reading reStructuredText needs docutils: {error}", remedy=RAG_REMEDY) from None
    text, notes = decoded(data, name, encoding=hints.encoding)
    _acquaint(text)
    settings = {
        "report_level": 5, "halt_level": 5, "warning_stream": False, "file_insertion_enabled": False, "raw_enabled": False,
        "doctitle_xform": False, "docinfo_xform": False, "_disable_config": True, "input_encoding": "unicode",
    }  # fmt: skip
    outline = Outline()
    try:
        _Tree(outline).put(publish_doctree(text, settings_overrides=settings))
    except Exception as error:  # a parser of many extensions has many ways to fail
        plain = read_plain(data, name, hints)
        note = (
            f"it cannot be parsed as reStructuredText and is taken as text ({type(error).__name__}: {str(error)[:100]})"
        )
        return Reading(plain.text, plain.sections, notes=(*plain.notes, note))
    return outline.reading(notes=notes)


def _acquaint(text: str) -> None:
    """Tell docutils of the roles and directives in `text` that it does not know: by their names, which stay known."""
    from docutils.parsers.rst import directives, roles

    words, content = _generic()
    for role in {one or other for one, other in _ROLE.findall(text)}:
        if role.lower() not in roles._role_registry:
            roles.register_local_role(role.lower(), words)
    for name in {*_DIRECTIVE.findall(text)}:
        known = name in directives._directive_registry and name not in _DROPPED | _CODE
        if not known:
            directives.register_directive(name, content)


def _generic() -> tuple[Any, Any]:
    """A role that is its words, and a directive that is its argument and its content."""
    from docutils import nodes
    from docutils.parsers.rst import Directive, directives
    from docutils.utils import unescape

    def words(role: str, rawtext: str, text: str, *_: object, **__: object) -> Any:
        shown = unescape(text)
        explicit = _EXPLICIT.match(shown)
        shown = explicit[1] if explicit and explicit[1] else shown
        shown = shown.rsplit(".", 1)[-1] if shown.startswith("~") else shown
        return [nodes.inline(rawtext, shown.lstrip("!~"))], []

    class AnyOption(dict[str, Any]):
        def __bool__(self) -> bool:
            return True

        def __getitem__(self, name: str) -> Any:
            return directives.unchanged

    class Content(Directive):  # type: ignore[misc, unused-ignore]
        optional_arguments = 1
        final_argument_whitespace = True
        has_content = True
        option_spec = AnyOption()

        def run(self) -> list[Any]:
            argument = self.arguments[0] if self.arguments else ""
            source = "\n".join(self.content)
            if self.name in _DROPPED:
                return []
            if self.name in _CODE:
                return [nodes.literal_block(source, source)] if source else []
            box = nodes.container()
            if self.name in _VERSIONS:
                version, *rest = argument.split(maxsplit=1) or [""]
                self._put_words(": ".join([f"{_VERSIONS[self.name]} {version}".strip(), *rest]), box)
            elif _DESCRIPTIONS.fullmatch(self.name) and argument:
                signature = ", ".join(line.strip().rstrip("\\") for line in argument.split("\n"))
                definition = nodes.definition()
                self.state.nested_parse(self.content, self.content_offset, definition)
                item = nodes.definition_list_item("", nodes.term("", signature), definition)
                return [nodes.definition_list("", item)]
            elif argument:
                self._put_words(argument, box, bold=not _SENTENCE.search(argument))
            self.state.nested_parse(self.content, self.content_offset, box, match_titles=True)
            return [box]

        def _put_words(self, argument: str, box: Any, *, bold: bool = False) -> None:
            inline, _messages = self.state.inline_text(argument, self.lineno)
            box += (nodes.rubric if bold else nodes.paragraph)(argument, "", *inline)

    return words, Content


class _Tree:
    """A walk over docutils' tree."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._depth = 0

    def put(self, node: Element) -> None:
        """Put a node and what is in it into the outline, by a method that has the node's name where there is one."""
        method = getattr(self, f"_{node.tagname}", None)
        if method is not None:
            method(node)
        elif node.tagname not in _UNSHOWN:
            self._children(node)

    def _children(self, node: Element) -> None:
        children = [child for child in node.children if getattr(child, "tagname", "#text") != "#text"]
        for child, after in itertools.zip_longest(children, children[1:]):
            if after is not None and after.tagname == "block_quote" and _is_term(child):
                self._defined(_words(child), [after])
            elif not (child.tagname == "block_quote" and self._is_defined(child)):
                self.put(child)

    def _is_defined(self, quote: Element) -> bool:
        """Whether a set-in block stands under a term, and was put with that."""
        place = quote.parent.index(quote)
        return place > 0 and _is_term(quote.parent[place - 1])

    def _section(self, node: Element) -> None:
        self._depth += 1
        self._children(node)
        self._depth -= 1

    def _title(self, node: Element) -> None:
        if node.parent.tagname == "section":
            self._outline.heading(min(self._depth, 6), _words(node))
        else:
            self._rubric(node)

    def _rubric(self, node: Element) -> None:
        self._outline.block(f"**{_words(node)}**")

    def _subtitle(self, node: Element) -> None:
        self._outline.block(_words(node))

    def _topic(self, node: Element) -> None:
        if "contents" not in node.get("classes", ()):
            self._children(node)

    def _paragraph(self, node: Element) -> None:
        self._outline.block(_words(node))

    _attribution = _caption = _math_block = _line_block = _paragraph

    def _literal_block(self, node: Element) -> None:
        self._outline.code(node.astext())

    _doctest_block = _literal_block

    def _bullet_list(self, node: Element, depth: int = 0) -> None:
        for number, item in enumerate(node.children, start=int(node.get("start", 1))):
            self._item(item, f"{number}." if node.tagname == "enumerated_list" else "-", depth)

    _enumerated_list = _bullet_list

    def _item(self, item: Any, mark: str, depth: int) -> None:
        for child in item.children:
            if child.tagname in ("bullet_list", "enumerated_list"):
                self._bullet_list(child, depth + 1)
            elif child.tagname in ("paragraph", "line_block"):
                self._outline.item(_words(child), mark=mark, depth=depth + (not mark))
                mark = ""
            else:
                self.put(child)

    def _definition_list(self, node: Element) -> None:
        for item in node.children:
            words = [_words(child) for child in item.children if child.tagname == "term"]
            words += [f"({_words(child)})" for child in item.children if child.tagname == "classifier"]
            self._defined(" ".join(words), [child for child in item.children if child.tagname == "definition"])

    def _field_list(self, node: Element) -> None:
        for item in node.children:
            label, body = item.children[0], item.children[1:]
            if _words(label).lower() not in _FOR_PROGRAMS:
                self._defined(_words(label), body)

    def _option_list(self, node: Element) -> None:
        for item in node.children:
            self._defined(", ".join(_option(option) for option in item.children[0].children), item.children[1:])

    def _defined(self, term: str, bodies: list[Any]) -> None:
        """A term with what it is, on one line as far as that is a paragraph."""
        rest = [child for body in bodies for child in body.children if hasattr(child, "tagname")]
        if rest and rest[0].tagname == "paragraph":
            self._outline.block(f"{term}: {_words(rest.pop(0))}")
        elif term:
            self._outline.block(f"{term}:")
        inset, self._outline.inset = self._outline.inset, bool(term)
        for child in rest:
            self.put(child)
        self._outline.inset = inset

    def _footnote(self, node: Element) -> None:
        label, *rest = node.children
        words = " ".join(_words(child) for child in rest)
        self._outline.block(f"[{label.astext()}] {words}" if label.tagname == "label" else node.astext())

    _citation = _footnote

    def _row(self, node: Element) -> None:
        self._outline.row(_words(entry) for entry in node.children)


_UNSHOWN = frozenset(
    "comment substitution_definition target pending raw meta decoration image system_message problematic transition label".split()
)


def _is_term(node: Any) -> bool:
    """Whether a paragraph is one short line that is no sentence: what is set in below it, after an empty line, is what it means, no quotation."""
    words = node.astext()
    return (
        node.tagname == "paragraph"
        and "\n" not in words
        and len(words.split()) <= _LONGEST_TERM
        and words[-1:] not in ".!?:,;"
    )


def _option(node: Any) -> str:
    """An option as it is typed: "-c FILE", "--level=N"."""
    return "".join(child.astext() for child in node.children)


def _words(node: Any) -> str:
    return "".join(_pieces(node)).strip()


def _pieces(node: Any) -> Iterator[str]:
    """The words of a node as they are read: paragraphs of it, lines and items on lines of their own."""
    if node.tagname == "#text":
        yield node.astext()
    elif node.tagname in ("footnote_reference", "citation_reference"):
        yield f"[{node.astext()}]"
    elif node.tagname == "problematic":
        yield node.astext()
    elif node.tagname not in _UNSHOWN:
        for place, child in enumerate(node.children):
            if place and child.tagname in ("paragraph", "list_item", "line", "bullet_list", "literal_block"):
                yield "\n"
            yield from _pieces(child)
