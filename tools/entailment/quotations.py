"""What can be quoted from a passage: sentences, and a sentence that leads to a command, a list or a table together with it.

Invariants: a quotation is `passage.text[start:end]`, always. It is never a title, an entry of a table of contents, a line of navigation, a question,
a mere reference to another place, or a sentence that breaks off at its colon; and no order to whoever reads it as a machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...runtime.passages import Passage
from ..documents import Block, BlockKind, blocks, term_of, word_count
from .reading import leans
from .sentences import Span, sentences

__all__ = ["Quotation", "is_question", "quotations", "surroundings"]

_LONGEST = 1400  # characters of a quotation: more is no answer but a page
_LONGEST_SECTION = 80  # words of all that stands under a title, quoted together
_MOST_LINES = 12  # of code that nothing leads to
_LONGEST_SENTENCE = 120  # words
_ENDS_OPEN = re.compile(r":[\"'”’)\]*_`]*$|：$")
_QUESTION = re.compile(r"[?？][^\w?]*$|^[¿؟]|[؟;]$")
_REFERENCE = re.compile(
    r"^\W*(?:(?:please )?see(?: also)?\b|refer to|cf\.|compare (?:also )?(?:section|chapter)|(?:for )?(?:more|further|additional|full) (?:details?|information)"
    r"|(?:more|details|examples) (?:about|on|of|can)|(?:read|learn) more|references?\b.{0,3}:|siehe|voir|véase)",
    re.IGNORECASE,
)
_REFERS = re.compile(r"\b(?:see|refer to|described|documented|explained|found|listed)\b", re.IGNORECASE)
_NAVIGATION = re.compile(
    r"^\W*(?:(?:prev(?:ious)?|next|up|home|top|back(?: to (?:the )?top)?|index|search|menu|contents|skip to (?:main )?content|edit this page"
    r"|last (?:updated|modified)|copyright|©|all rights reserved|page \d+)\b[^.]*)$|\S\s*[»›→»]\s*\S.*[»›→]|©",
    re.IGNORECASE,
)
_TO_MACHINES = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|passages?|sources?|documents?|context|above|previous)\b"
    r"|\byou are (?:now )?(?:an? )?(?:ai|assistant|language model|chatbot|llm|gpt)\b|\b(?:system|developer) (?:prompt|message)\b"
    r"|\b(?:ai|language) (?:models?|assistants?)[,:]|^\W*(?:assistant|system|instructions?|note to (?:the )?(?:ai|assistant|model)s?)\s*:"
    r"|\b(?:always|only|must|should) (?:answer|reply|respond|cite|quote)\b|\b(?:answer|reply|respond|cite|quote) (?:only|with|that|this)\b"
    r"|\bdo not (?:mention|cite|quote|use) (?:the |any )?other\b",
    re.IGNORECASE | re.DOTALL,
)
_FOLLOWS: frozenset[BlockKind] = frozenset(("code", "list", "table", "paragraph"))
_ITEM = re.compile(r"(?:[-*•+‣◦]|\(?(?:\d{1,3}|[a-zA-Z]|#)[.)])\s")
_CELL = re.compile(r"[^|+=\s-][^|]*")
_NAMED_CELLS = re.compile(r"[^:;|]{1,60}: [^;]*; ")
_LETTER = re.compile(r"\w")
_FIELD = re.compile(r"[*_`]*[A-Z][\w -]{1,25}[*_`]*:[*_`]*\s+\S[^\n]{0,80}")


class Quotation(NamedTuple):
    """`text[start:end]` of the passage at `place` among those it was read with.

    `title`: the heading or the question that it stands under, in the text or above it; `order`: how many quotations stand before it under that title;
    `kind`: of the block that it ends in; `lead`: its first sentence where that was taken with a block, else the whole; `before`: the
    sentence before it; `under`: of an item the sentence that leads to its list, of a row the first one of its table.
    """

    place: int
    start: int
    end: int
    text: str
    kind: BlockKind
    title: str
    order: int
    lead: str
    before: str
    under: str = ""

    @property
    def leads(self) -> bool:
        """Whether a sentence was taken with the block that it leads to."""
        return len(self.lead) < len(self.text)


def quotations(passage: Passage, place: int = 0) -> list[Quotation]:
    """What can be quoted from a passage, in its order; those of one place may overlap.

    `place`: the place of the passage among others, kept with each.
    """
    above = passage.headings[-1] if passage.headings else passage.title
    found: list[Quotation] = []
    order, before = 0, ""
    title: str | None = None
    read = blocks(passage.text)
    wholes = dict(_sections(passage.text, read))
    leading, taken = "", 0
    for number, block in enumerate(read):
        term = _defined(passage.text, block)
        if (term or block.title) != title:
            order, title, before = 0, term or block.title, ""
        heading = title or above
        under = ""
        if block.kind == "list":
            under = leading
        elif block.kind == "table":
            head = passage.text[block.start : block.end].partition("\n")[0]
            under = "" if _NAMED_CELLS.match(head) else head
        for start, end, kind, leads in _parts(passage.text, read, number):
            text = passage.text[start:end]
            lead = _first(text) if leads else text
            if block.kind == "code" and end <= taken:  # the sentence that leads to it has it
                continue
            if is_question(lead):  # "Q: May I bring a dog? A: Yes."
                order, heading = 0, lead
            elif _worth(text, lead):
                found.append(Quotation(place, start, end, text, kind, heading, order, lead, before, under))
                order += 1
                if leads and _ENDS_OPEN.search(lead):
                    taken = end
            before = lead
        if block.start in wholes:
            text = passage.text[block.start : wholes[block.start]]
            if _worth(text, lead := _first(text)) and not is_question(lead):
                found.append(Quotation(place, block.start, wholes[block.start], text, block.kind, heading, 0, lead, ""))
        leading = before if block.kind == "paragraph" and _ENDS_OPEN.search(_first(before)) else ""
    return found


def surroundings(text: str, start: int, end: int, *, most: int) -> Span:
    """A sentence `text[start:end]` of a passage with what stands around it in its paragraph or list item, as far as `most` words go.

    What comes before is taken first where the sentence leans on it ("It was built in 1903."), else what follows. What is not worth quoting is not
    taken, nor what lies beyond it; a sentence with a command, a list or a table stays as it is. Where it stands under a term, or beside fields
    ("Default: 2"), and all of that is short, it is taken whole; else the fields next to it.
    """
    read = blocks(text)
    place = next((n for n, each in enumerate(read) if each.start <= start and end <= each.end), None)
    for first, last in _sections(text, read):
        if first <= start and end <= last and _tells_of_one(text, read, first, last):
            return Span(first, last, text[first:last])
    if place is None or read[place].kind not in ("paragraph", "list"):
        return Span(start, end, text[start:end])
    first, last = _in_its_block(text, read[place], start, end, most)
    if read[place].kind == "paragraph":
        first, last = _with_fields(text, read, place, first, last, most)
    return Span(first, last, text[first:last])


def _with_fields(text: str, read: Sequence[Block], place: int, start: int, end: int, most: int) -> tuple[int, int]:
    """Start and end of what is taken of the paragraph at `place`, where it reaches an edge of it with the fields that stand beside that."""
    for step, reached in ((-1, start == read[place].start), (1, end == read[place].end)):
        other = place + step
        while (
            reached
            and 0 <= other < len(read)
            and read[other].title == read[place].title
            and _is_field(text, read[other])
        ):
            low, high = min(start, read[other].start), max(end, read[other].end)
            if word_count(text[low:high]) > most:
                break
            start, end, other = low, high, other + step
    return start, end


def _tells_of_one(text: str, read: Sequence[Block], start: int, end: int) -> bool:
    """Whether a section is about a term, or has fields, such as an option with its default, and may be quoted."""
    inside = [block for block in read if start <= block.start and block.end <= end]
    if not _defined(text, inside[0]) and not any(_is_field(text, block) for block in inside):
        return False
    return _worth(text[start:end], _first(text[start:end]))


def _is_field(text: str, block: Block) -> bool:
    """Whether a block is a name with a value, as "Default: 2" is."""
    return block.kind == "paragraph" and _FIELD.fullmatch(text[block.start : block.end]) is not None


def _in_its_block(text: str, block: Block, start: int, end: int, most: int) -> tuple[int, int]:
    """Start and end of a sentence with those around it."""
    spans = [(block.start + span.start, block.start + span.end) for span in sentences(text[block.start : block.end])]
    own = next((place for place, span in enumerate(spans) if span == (start, end)), None)
    if own is None:
        return start, end
    first = last = own

    def fits(low: int, high: int, taken: int, later: int) -> bool:
        """Whether `low` to `high` may be quoted together, where `taken` is new among them and `later` must not begin an item of a list."""
        if not 0 <= taken < len(spans) or (block.kind == "list" and _ITEM.match(text, spans[later][0])):
            return False
        sentence = text[slice(*spans[taken])]
        worth = _worth(sentence, sentence) and not is_question(sentence) and not _ENDS_OPEN.search(sentence)
        whole = text[spans[low][0] : spans[high][1]]
        return worth and word_count(whole) <= most and len(whole) <= _LONGEST

    if leans(text[start:end]) and fits(first - 1, last, first - 1, first):
        first -= 1
    while fits(first, last + 1, last + 1, last + 1):
        last += 1
    while fits(first - 1, last, first - 1, first):
        first -= 1
    return spans[first][0], spans[last][1]


def is_question(text: str) -> bool:
    """Whether a line asks, as a title such as "Can I bring a dog?" does."""
    return _QUESTION.search(text.strip()) is not None


def _parts(text: str, read: Sequence[Block], number: int) -> Iterator[tuple[int, int, BlockKind, bool]]:
    """Start, end, kind, and whether a sentence leads to a block, of what a block gives."""
    block = read[number]
    after = read[number + 1] if number + 1 < len(read) else None
    if after is not None and (after.kind not in _FOLLOWS or after.end - block.start > _LONGEST):
        after = None
    if block.kind in ("paragraph", "list"):
        spans = [
            Span(span.start + block.start, span.end + block.start, span.text)
            for span in sentences(text[block.start : block.end])
        ]
        for i, span in enumerate(spans):
            last = i + 1 == len(spans)
            if not _ENDS_OPEN.search(span.text):
                yield span.start, span.end, block.kind, False
                if last and after is not None and after.kind == "code":
                    yield span.start, after.end, "code", True
            elif not last and spans[i + 1].end - span.start <= _LONGEST:
                yield span.start, spans[i + 1].end, block.kind, True
            elif last and after is not None:
                yield span.start, after.end, after.kind, True
    elif block.kind == "code" and text.count("\n", block.start, block.end) < _MOST_LINES:
        yield block.start, block.end, "code", False
    elif block.kind == "table":
        start = block.start
        for line in text[block.start : block.end].split("\n"):
            named = (
                _NAMED_CELLS.match(line.strip()) is not None
            )  # says by itself what its cells are, as a sentence does
            if named or len(_CELL.findall(line)) > 1:
                kind: BlockKind = "paragraph" if named else "table"
                yield start + len(line) - len(line.lstrip()), start + len(line.rstrip()), kind, False
            start += len(line) + 1


def _sections(text: str, read: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Start and end of what stands under a title or a term, two blocks or more, where it is short: an option with its default and its flags."""
    first = 0
    while first < len(read):
        term = _defined(text, read[first])
        last = first
        while (
            last + 1 < len(read)
            and read[last + 1].kind in _FOLLOWS
            and read[last + 1].title == (term or read[first].title)
        ):
            if not term and _defined(text, read[last + 1]):
                break
            last += 1
        begins = bool(term) or first == 0 or read[first - 1].kind == "title"
        if begins and last > first and read[first].kind in ("paragraph", "list", "table"):
            start, end = read[first].start, read[last].end
            if word_count(text[start:end]) <= _LONGEST_SECTION:
                yield start, end
        first = last + 1


def _defined(text: str, block: Block) -> str:
    return term_of(text[block.start : block.end]) if block.kind == "paragraph" else ""


def _worth(text: str, lead: str) -> bool:
    """Whether something is said; `lead`: the sentence with which it begins."""
    if not _LETTER.search(text) or text != text.strip() or len(text) > _LONGEST:
        return False
    if len(lead.split()) > _LONGEST_SENTENCE or _TO_MACHINES.search(text):
        return False
    if _NAVIGATION.search(lead) and len(lead.split()) <= 12:
        return False
    refers = _REFERENCE.match(lead) or (lead.startswith("(") and _REFERS.search(lead))
    return not refers or len(lead.split()) > 25


def _first(text: str) -> str:
    return next((span.text for span in sentences(text)), text)
