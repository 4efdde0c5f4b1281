"""Opposites: words of which one denies the other, as "rise" and "fall"."""

from __future__ import annotations

import functools
import re

from .reading import WORD, Text, plain_stem, stem

__all__ = ["opposite_stems", "opposites_in", "sides_taken"]


def _graded(adjective: str, end: str) -> str:
    """An adjective with an ending: "easy" and "er" are "easier", "big" and "est" are "biggest"."""
    if end and re.search(r"[^aeiou][aeiou][bdgnmt]$", adjective):
        return adjective + adjective[-1] + end
    return re.sub(r"e$", "", re.sub(r"y$", "i", adjective)) + end if end else adjective


_OPPOSITES = """rise/fall rose/fell risen/fallen increase/decrease increase/reduce raise/lower grow/shrink grew/shrank gain/lose gained/lost
    more/less more/fewer higher/lower larger/smaller bigger/smaller greater/smaller longer/shorter older/younger heavier/lighter
    faster/slower taller/shorter high/low large/small big/small long/short old/new old/young hot/cold warm/cool early/late earlier/later
    before/after above/below over/under open/close open/shut begin/end began/ended start/stop first/last north/south east/west
    northern/southern eastern/western left/right up/down inside/outside indoor/outdoor allow/forbid allow/prohibit permit/prohibit
    permit/forbid legal/illegal possible/impossible true/false win/lose won/lost buy/sell bought/sold lend/borrow lent/borrowed
    arrive/leave arrived/left enter/leave entered/left accept/reject include/exclude enable/disable present/absent alive/dead born/died
    public/private male/female man/woman men/women boy/girl husband/wife father/mother son/daughter brother/sister summer/winter
    day/night morning/evening black/white wet/dry full/empty rich/poor strong/weak easy/difficult safe/dangerous best/worst
    on/off better/worse maximum/minimum most/least always/never all/none everybody/nobody everyone/nobody both/neither many/few
    required/optional mandatory/optional free/paid import/export add/remove build/demolish built/demolished create/destroy success/failure
    succeed/fail promote/inhibit upper/lower major/minor cause/prevent positive/negative positively/negatively activate/inhibit
    enhance/impair improve/worsen induce/suppress activate/suppress""".split()
_GRADABLE = """big/small large/small great/small long/short high/low tall/short old/young old/new early/late near/far wide/narrow deep/shallow
    thick/thin strong/weak soft/hard loud/quiet bright/dark clean/dirty dry/wet hot/cold warm/cool rich/poor sharp/blunt tight/loose
    rough/smooth sweet/sour fast/slow quick/slow light/heavy cheap/dear steep/flat easy/hard safe/risky""".split()
_OPPOSITES += [
    "/".join(_graded(word, end) for word in pair.split("/")) for pair in _GRADABLE for end in ("", "er", "est")
]

_SIDES = re.compile(
    r"\b(vot(?:e|es|ed|ing)|argu(?:e|es|ed|ing)|sp(?:eaks?|oke|oken|eaking)|decid(?:e|es|ed|ing)|rul(?:e|es|ed|ing)|campaign(?:s|ed|ing)?|f(?:ights?|ought|ighting))"
    r"\s(?:\w+ly\s)?(for|in\sfavou?r\sof|against)\b",
    re.IGNORECASE,
)


def opposites_in(said: Text, told: Text) -> bool:
    """Whether one has the opposite of a word of the other in its stead; not where both have both, as of "old ... than young ones"."""
    here, there = ({plain_stem(match[0]) for match in WORD.finditer(text.text)} for text in (said, told))
    return any(
        {one, other} & here == {mine} and {one, other} & there == {one, other} - {mine}
        for one, other in opposite_stems()
        for mine in (one, other)
    )


def sides_taken(said: Text, told: Text) -> str | None:
    """The word with which a statement takes a side where a source takes the other one: "voted for" of "voted against"."""
    ours, theirs = (
        {(stem(match[1]), match[2].lower() == "against"): match[0] for match in _SIDES.finditer(text.text)}
        for text in (said, told)
    )
    return next(
        (
            word
            for (verb, against), word in ours.items()
            if (verb, not against) in theirs and (verb, against) not in theirs
        ),
        None,
    )


@functools.cache
def opposite_stems() -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("/") for pair in _OPPOSITES)
    return tuple((plain_stem(one), plain_stem(other)) for one, _, other in pairs)
