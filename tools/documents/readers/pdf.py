"""PDF by PDFium: words, columns, headings by their size, words cut at line ends, the values of forms.

Invariants: the text is the file's own, but for hyphens at line ends, running heads after their first time, and page numbers.
A page whose text cannot be read, or that has none, is noted with what would help.
"""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import regex

from ....runtime.errors import BadInput, PrerequisiteError
from ..terms import RAG_REMEDY
from .outline import Hints, Outline, Reading, clean
from .page_layout import Letter, Line, lines_of

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["pictures_of_pages", "read_pdf", "unread_pages"]

_PDFIUM = threading.RLock()
"""PDFium is not to be called by two threads at once."""

_HYPHENS = "\x02\ufffe\u00ad"  # how PDFium gives a hyphen at the end of a line whose word goes on
_CUT = regex.compile(rf"(\w+)([{_HYPHENS}]|(?<=\p{{Ll}})[-‐])[ \t]*\n[ \t]*(\p{{Ll}}\w*)")
_BULLET = regex.compile(r"^[•◦▪‣●○■□–∙·][ \t]*")
_ITEM = regex.compile(r"(?:[-•◦▪‣●○■□–∙·]|\(?(?:\d{1,2}|[a-z])[.)])\s+\S")
_LETTERS = regex.compile(r"\p{L}{2}")
_MEANINGLESS = regex.compile(r"[\ufffd\p{Co}\p{Cn}\p{Cc}]")
_SPACED_WORD = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}]+")
_PLACEHOLDERS = regex.compile(
    r"(?i)untitled|\(?anonymous\)?|(?:microsoft word|powerpoint).*|.*\.(?:docx?|dvi|tex|indd|qxd|odt|pptx?)"
)
_HEADING, _LONGEST_HEADING = 1.15, 15  # times as large as the words, and how many words it has at most
_EDGE = 2  # lines at the top and the bottom of a page among which running heads are
_DPI = 200  # of a page that is recognised: letters of 10 points are 28 pixels high
_MOST_PIXELS = 4000


def read_pdf(data: bytes, name: str, hints: Hints) -> Reading:
    """A PDF, a page at a time.

    Raises:
        BadInput: it is damaged, locked, or holds no text on any page.
        PrerequisiteError: the extra `rag` is not installed.
    """
    pages: list[list[Line]] = []
    fields: list[list[str]] = []
    with _opened(data, name) as pdf:
        title = clean(str(pdf.get_metadata_value("Title"))).strip()
        for number, page in enumerate(_pages(pdf, name), start=1):
            if number in hints.recognised:
                pages.append([Line(text, 0, 0, 0, 0) for text in hints.recognised[number].split("\n")])
            else:
                pages.append(_lines(page))
            fields.append(_values(page, pdf))
    bare = [number for number, lines in enumerate(pages, 1) if not lines and not fields[number - 1]]
    broken = [number for number, lines in enumerate(pages, 1) if number not in hints.recognised and _is_broken(lines)]
    if len(bare) == len(pages):
        tried = (
            "OCR read nothing there"
            if hints.recognised
            else "recognise them with --ocr rapidocr (pip install 'inloop[ocr]')"
        )
        raise BadInput(
            f"the PDF {name!r} holds no text on its {len(bare)} pages: it is a scan, or its words are drawn: {tried}."
        )
    outline = Outline()
    _put(_without_heads(pages), fields, outline)
    remedy = "" if hints.recognised else ": --ocr rapidocr recognises it"
    notes = [f"no text on page {_listed(bare)}{remedy}"] if bare else []
    notes += [f"the text of page {_listed(broken)} looks broken{remedy}"] if broken else []
    return outline.reading(title="" if _PLACEHOLDERS.fullmatch(title) else title, notes=notes)


def unread_pages(data: bytes, name: str) -> list[int]:
    """The pages, from 1, that have no text or one that looks broken. Raises as `read_pdf`, but not where there is no text."""
    with _opened(data, name) as pdf:
        return [
            number
            for number, page in enumerate(_pages(pdf, name), 1)
            if not (lines := _lines(page)) or _is_broken(lines)
        ]


def pictures_of_pages(data: bytes, name: str, pages: Sequence[int]) -> Iterator[tuple[int, Image]]:
    """Pages as they are printed, one at a time, sharp enough to be recognised."""
    with _opened(data, name) as pdf:
        for number in pages:
            with _PDFIUM, closing(pdf[number - 1]) as page:
                scale = min(_DPI / 72, _MOST_PIXELS / max(*page.get_size(), 1))
                picture: Image = page.render(scale=scale).to_pil().convert("RGB")
            yield number, picture


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Any]:
    try:
        import pypdfium2 as pdfium
    except ImportError as error:
        raise PrerequisiteError(f"reading PDF needs pypdfium2: {error}", remedy=RAG_REMEDY) from None
    try:
        with _PDFIUM:
            pdf: Any = pdfium.PdfDocument(data)
            if pdf.get_formtype():
                pdf.init_forms()
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise BadInput(f"the PDF {name!r} is locked with a password: save it without one.") from None
        raise BadInput(f"the PDF {name!r} is damaged ({error}).") from None
    try:
        yield pdf
    finally:
        with _PDFIUM:
            pdf.close()


def _pages(pdf: Any, name: str) -> Iterator[Any]:
    import pypdfium2 as pdfium

    if len(pdf) == 0:
        raise BadInput(f"the PDF {name!r} is damaged (it has no pages).")
    for number in range(len(pdf)):
        try:
            with _PDFIUM, closing(pdf[number]) as page:
                yield page
        except pdfium.PdfiumError as error:
            raise BadInput(f"the PDF {name!r} is damaged (page {number + 1}: {error}).") from None


def _lines(page: Any) -> list[Line]:
    """The lines of a page; in the order of the file where they cannot be told by their places."""
    with closing(page.get_textpage()) as text:
        letters = list(_letters(text))
        lines = lines_of(letters)
        if not lines and letters:
            rows = text.get_text_range().replace("\r\n", "\n").replace("\r", "\n").split("\n")
            lines = [Line(row.strip(), 0, 0, 0, 0) for row in rows]
    return [line for line in lines if clean(line.text).strip()]


def _letters(text: Any) -> Iterator[Letter]:
    import pypdfium2.raw as raw

    box = raw.FS_RECTF()
    high = ""
    for place in range(text.count_chars()):
        sign = chr(min(raw.FPDFText_GetUnicode(text, place), 0x10FFFF))
        if "\ud800" <= sign <= "\udbff":  # the first half of a letter beyond 16 bits
            high = sign
            continue
        sign, high = (high + sign).encode("utf-16", "surrogatepass").decode("utf-16", "replace") if high else sign, ""
        if sign == "\0":
            continue
        raw.FPDFText_GetLooseCharBox(text, place, box)
        yield Letter(sign, box.left, min(box.bottom, box.top), box.right, max(box.bottom, box.top))


def _values(page: Any, pdf: Any) -> list[str]:
    """What is filled in in the form fields of a page, and what was typed onto it, each as "name: value"."""
    import pypdfium2.raw as raw

    values = []
    for place in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, place)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and pdf.formenv is not None:
                form = pdf.formenv
                value = _wide(lambda *room, a=annotation, f=form: raw.FPDFAnnot_GetFormFieldValue(f, a, *room))
                label = _wide(lambda *room, a=annotation, f=form: raw.FPDFAnnot_GetFormFieldAlternateName(f, a, *room))
                label = label or _wide(lambda *room, a=annotation, f=form: raw.FPDFAnnot_GetFormFieldName(f, a, *room))
                if value and value != "Off":
                    values.append(f"{label.strip() or 'field'}: {value.strip()}")
            elif kind == raw.FPDF_ANNOT_FREETEXT:
                values += filter(
                    None, [_wide(lambda *room, a=annotation: raw.FPDFAnnot_GetStringValue(a, b"Contents", *room))]
                )
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return list(dict.fromkeys(values))


def _wide(call: Any) -> str:
    """A text that PDFium writes into a buffer as UTF-16: asked for its length first."""
    import pypdfium2.raw as raw

    length = call(None, 0)
    if length < 2:
        return ""
    buffer = ctypes.create_string_buffer(length)
    call(ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)
    return clean(buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0")).replace("\r", "\n")


def _is_broken(lines: Sequence[Line]) -> bool:
    """Whether words look unlike those of any language: signs without meaning, letters apart, or words run together."""
    text = " ".join(line.text for line in lines)
    letters = len("".join(text.split()))
    if letters < 20:
        return False
    unknown = len(_MEANINGLESS.findall(text.translate(dict.fromkeys(map(ord, _HYPHENS)))))
    words = _SPACED_WORD.findall(text)
    single = sum(len(word) == 1 for word in words)
    run = sum(len(word) for word in words if len(word) > 30)
    return unknown > 0.1 * letters or (len(words) > 20 and single > 0.6 * len(words)) or run > 0.5 * letters


def _listed(pages: Sequence[int]) -> str:
    return f"{', '.join(map(str, pages[:10]))}{' and more' if len(pages) > 10 else ''}"


def _without_heads(pages: list[list[Line]]) -> list[list[Line]]:
    """Pages without numbers of pages, and without running heads and feet after their first time."""
    shapes = [[_shape(line.text) for line in lines] for lines in pages]
    counts = Counter(shape for page in shapes for shape in {*page[:_EDGE], *page[-_EDGE:]})
    repeated = {shape for shape, count in counts.items() if count >= max(3, len(pages) / 4)}
    seen: set[str] = set()
    kept = []
    for lines, page in zip(pages, shapes, strict=True):
        top = next((place for place, shape in enumerate(page[:_EDGE]) if shape not in repeated), min(_EDGE, len(page)))
        below = page[: top - 1 if top else None : -1][:_EDGE]
        foot = len(page) - next((place for place, shape in enumerate(below) if shape not in repeated), len(below))
        first = {place for place, shape in enumerate(page) if shape not in seen and _LETTERS.search(shape)}
        kept.append([line for place, line in enumerate(lines) if top <= place < foot or place in first])
        seen |= {*page[:top], *page[foot:]}
    return kept


def _shape(text: str) -> str:
    """A line with its numbers made alike: "Page 3 of 9" on every page."""
    return str(regex.sub(r"\d+|\b[ivxlc]+\b", "#", text.casefold())).strip()


def _put(pages: list[list[Line]], fields: list[list[str]], outline: Outline) -> None:
    """Paragraphs and headings of all pages; a heading is larger than most of the text, and short."""
    sizes = Counter[float]()
    for lines in pages:
        for line in lines:
            if line.height:  # of what was recognised, or is in the order of the file, the size is not known
                sizes[round(line.height, 1)] += len(line.text)
    usual = sizes.most_common(1)[0][0] if sizes else 1.0
    large = sorted(
        {round(line.height) for lines in pages for line in lines if line.height >= _HEADING * usual}, reverse=True
    )
    words = Counter(
        word.casefold() for lines in pages for line in lines for word in regex.findall(r"\w+(?:-\w+)*", line.text)
    )
    for number, lines in enumerate(pages, start=1):
        outline.page = number
        for paragraph in _paragraphs(lines):
            text = _rejoined("\n".join(line.text for line in paragraph), words)
            size = round(paragraph[0].height)
            if paragraph[0].height >= _HEADING * usual and size in large and len(text.split()) <= _LONGEST_HEADING:
                outline.heading(min(large.index(size) + 1, 6), text)
            elif paragraph[0].cells:
                for line in paragraph:
                    outline.row(line.cells)
            else:
                outline.block("\n".join(_BULLET.sub("- ", line) for line in text.split("\n")))
        if fields[number - 1]:
            outline.block("\n".join(fields[number - 1]))


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    paragraph: list[Line] = []
    for line in lines:
        if paragraph and (line.begins or (_ITEM.match(line.text) and not _ITEM.match(paragraph[0].text))):
            yield paragraph
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield paragraph


def _rejoined(text: str, words: Counter[str]) -> str:
    """Words that were cut at line ends, whole: with their hyphen where the document writes them so elsewhere."""

    def whole(cut: regex.Match[str]) -> str:
        before, _, after = cut.groups()
        hyphened = f"{before}-{after}"
        joined = f"{before}{after}"
        return hyphened if words[hyphened.casefold()] > words[joined.casefold()] else joined

    return str(_CUT.sub(whole, text)).translate(dict.fromkeys(map(ord, "\x02\ufffe"), "-"))
