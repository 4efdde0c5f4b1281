"""Irregular English verbs: the base form of their other forms, which no stemmer knows."""

from __future__ import annotations

import re

__all__ = ["ACTS", "PARTICIPLES", "base_form"]

_VERBS = """arise arose arisen; beat beaten; become became; begin began begun; bend bent; bind bound; bleed bled;
    blow blew blown; break broke broken; breed bred; bring brought; build built; burn burnt; buy bought; catch caught; choose chose chosen;
    cling clung; come came; creep crept; deal dealt; dig dug; do did done; draw drew drawn; drink drank drunk; drive drove driven; eat ate eaten;
    fall fell fallen; feed fed; feel felt; fight fought; find found; flee fled; fly flew flown; forbid forbade forbidden; forget forgot
    forgotten; freeze froze frozen; get got gotten; give gave given; go went gone; grow grew grown; hang hung; hear heard; hide hid hidden;
    hold held; keep kept; know knew known; lay laid; lead led; leave left; lend lent; lose lost; make made; mean meant; meet met;
    pay paid; ride rode ridden; run ran; say said; seek sought; sell sold; send sent;
    shake shook shaken; shine shone; show showed shown; shrink shrank shrunk; sing sang sung; sink sank sunk; sit sat; sleep slept;
    slide slid; spend spent; spin spun; stand stood; steal stole stolen; stick stuck; strike struck; swear swore sworn;
    sweep swept; swim swam swum; swing swung; take took taken; teach taught; tear tore torn; tell told; throw threw thrown;
    understand understood; wake woke woken; wear wore worn; weave wove woven; win won; withdraw withdrew withdrawn; write wrote
    written"""
_ALSO_NOUNS = (
    "borne bitten wound seen shot thought risen spoken rung lit".split()
)  # or their other forms: "a wound", "a rose"
_SAME = "cast cut hit hurt let put read set shut split spread burst".split()
_FORMS = {form: verb.split()[0] for verb in _VERBS.split(";") for form in verb.split()[1:]}
PARTICIPLES = frozenset(_FORMS) | frozenset(_ALSO_NOUNS) | frozenset(_SAME) | {"run", "become", "come"}
"""Forms that can stand after "was", or may."""
ACTS = re.compile(rf"\w+ed|{'|'.join(sorted(PARTICIPLES))}")
"""A form in the past, in small letters: behind a number it is no unit, for "412 joined" are of what was counted before."""


def base_form(word: str) -> str:
    """The base form of a form of an irregular verb in small letters ("take" of "taken"); any other word as it is."""
    return _FORMS.get(word, word)
