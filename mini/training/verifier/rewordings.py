"""Changes of a sentence that leave it true: shorter, in another order, in other words (FactCC's recipe, Kryscinski et al. 2020, by rule).

Each rule gives another sentence, or None where it does not apply.
"""

from __future__ import annotations

import calendar
import random
import re
from collections.abc import Callable

from .wordnet import WordNet

__all__ = ["REWORDINGS", "Rewording", "synonyms"]

Rewording = Callable[[str, random.Random], "str | None"]

_ALIKE = """begin=start begins=starts began=started large=big larger=bigger help=assist helps=assists use=employ uses=employs used=employed
    show=demonstrate shows=demonstrates showed=demonstrated buy=purchase bought=purchased
    approximately=roughly such_as=like because_of=due_to in_order_to=to for_example=for_instance provides=offers provide=offer
    contains=includes contain=include many=numerous small=little near=close_to cannot=is_unable_to must=has_to every=each almost=nearly
    fast=quick get=obtain need=require needs=requires build=construct builds=constructs built=constructed end=finish reduce=decrease
    reduces=decreases reduced=decreased increase=raise increases=raises increased=raised annual=yearly fall=drop allows=lets
    allow=permit allows=permits enables=allows enable=allow enables=makes_possible via=through however=but  mainly=primarily
    mostly=largely often=frequently usually=normally quickly=rapidly kind=type kinds=types method=approach methods=approaches
    children=kids whole=entire wrong=incorrect choose=select chooses=selects chosen=selected remove=delete
    removes=deletes change=modify changes=modifies changed=modified create=make creates=makes created=made write=compose
    find=locate finds=locates found=located picture=image pictures=images film=movie car=automobile house=home
    important=significant main=principal different=distinct several=a_number_of various=diverse simple=easy hard=difficult
    improve=enhance improves=enhances improved=enhanced suggest=indicate suggests=indicates suggested=indicated associated_with=linked_to
    leads_to=results_in lead_to=result_in led_to=resulted_in caused_by=due_to is_based_on=builds_on consists_of=is_made_up_of
    is_able_to=can in_addition=moreover more_than=over at_least=no_fewer_than at_most=no_more_than less_than=under per_cent=percent
    is_located_in=lies_in is_known_as=is_called a_lot_of=much
    supports=has_support_for requires=needs allows_you_to=lets_you intended=meant designed=made
    investigated=examined examine=study investigate=study observed=seen identified=found occurs=happens occur=happen
    essential=necessary sufficient=enough primary=main additional=further entire=whole obtain=get perform=do performs=does
      received=got wife=spouse husband=spouse founded=established opened=was_opened
    led=headed leads=heads wrote=authored located=situated lived=resided  costs=is_priced_at""".split()
_PAIRS = [(one.replace("_", " "), two.replace("_", " ")) for one, two in (pair.split("=") for pair in _ALIKE)]
_ALIKE_WORDS: dict[str, list[str]] = {}
for _one, _two in _PAIRS:
    _ALIKE_WORDS.setdefault(_one, []).append(_two)
    if " " not in _one or _one.split()[0] in ("more", "less", "at"):
        _ALIKE_WORDS.setdefault(_two, []).append(_one)
_ALIKE_AT = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _ALIKE_WORDS), key=len, reverse=True)) + r")\b")

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
).split()
_MONTHS = [name for name in calendar.month_name if name]
_DATE = re.compile(rf"\b(\d{{1,2}}) ({'|'.join(_MONTHS)}) (\d{{4}})\b|\b({'|'.join(_MONTHS)}) (\d{{1,2}}), (\d{{4}})\b")
_UNITS = dict(
    pair.split("=")
    for pair in "kilometres=km km=kilometres metres=m kilograms=kg kg=kilograms hours=h minutes=min percent=% weeks=wk years=yr mg=milligrams".split()
)
_OPENING = re.compile(
    r"^(?:However|Moreover|Furthermore|Here|In addition|Additionally|Thus|Therefore|Finally|Also|Then|Indeed|Hence|In fact|Of course"
    r"|In conclusion|Nevertheless|Consequently|[A-Z]{6,}S?:?),? (?=\w)"
)
_CLAUSE = re.compile(
    r"(?:, (?:which|and|but|while|including|such as|so|where|thus|thereby)\b|; | because | although |, )"
)
_BEGINS_WITH_CLAUSE = re.compile(r"^(?:If|When|While|Although|In|For|With)\b|\bnot only\b")
_SUBJECT = r"(?:The|A|An|This|These|It|We|They|He|She|[A-Z]\w+)"
_ADVERB = re.compile(
    r" (?!only|early|family|apply|supply|reply|likely|hardly|barely|nearly|possibly|probably|allegedly|rarely|partly|partially|previously"
    r"|formerly)[a-z]+ly\b(?=[ ,.])"
)
_REPORTED = re.compile(
    r"(?:.{0,30}\b(?:show|showed|shows|demonstrate|demonstrated|found|find|report|reveal|revealed|note|confirm|confirmed))"
    r" that ([a-zA-Z][^,;]{20,})\.$"
)
_CONTRACTIONS = (
    (r"\b(is|are|was|were|does|do|did|has|have|had|could|should|would) not\b", r"\1n't"),
    (r"\bcannot\b", "can't"),
    (r"\b(is|are|was|were|does|do|did|has|have|had)n['’]t\b", r"\1 not"),
)
_ARTICLES = frozenset("The A An This These It We They He She All Both His Her Its Their Our".split())
_LOOSE = re.compile(
    r"\b(?:all|every|each|no|not|never|only|than|if|unless|without|any|few|least|most|n't|neither|nor|cannot)\b|n['’]t",
    re.IGNORECASE,
)
_PARTICIPLES = dict(
    pair.split("=")
    for pair in """written=wrote made=made built=built given=gave taken=took shown=showed found=found held=held led=led sold=sold
    won=won chosen=chose drawn=drew driven=drove eaten=ate forgotten=forgot grown=grew known=knew paid=paid sent=sent spoken=spoke
    stolen=stole taught=taught thrown=threw worn=wore begun=began bought=bought brought=brought caught=caught cut=cut done=did
    hit=hit kept=kept left=left lost=lost met=met put=put read=read run=ran seen=saw set=set told=told understood=understood""".split()
)


def _shorter(sentence: str, rng: random.Random) -> str | None:
    """Without its last clause."""
    if _BEGINS_WITH_CLAUSE.search(sentence):
        return None
    stops = [m for m in _CLAUSE.finditer(sentence) if len(sentence[: m.start()].split()) >= 5]
    return sentence[: rng.choice(stops).start()] + "." if stops else None


def _without_parenthesis(sentence: str, rng: random.Random) -> str | None:
    shorter = re.sub(r"\s*\([^()]*\)", "", sentence)
    return shorter if shorter != sentence else None


def _without_opening(sentence: str, rng: random.Random) -> str | None:
    rest = _OPENING.sub("", sentence)
    return rest[0].upper() + rest[1:] if rest and rest != sentence else None


def _phrase_last(sentence: str, rng: random.Random) -> str | None:
    match = re.match(
        r"((?:In|At|On|After|Before|During|For|With|By|Since|Until|When|Under) [^,]{3,60}), ([^,]+)\.$", sentence
    )
    if match is None:
        return None
    return f"{match[2][0].upper()}{match[2][1:]} {match[1][0].lower()}{match[1][1:]}."


def _phrase_first(sentence: str, rng: random.Random) -> str | None:
    match = re.match(
        rf"({_SUBJECT} [^,]{{12,}}) ((?:in|at|on|after|before|during|since|until|under) [^,]{{3,40}})\.$",
        sentence,
    )
    if match is None or _LOOSE.search(sentence):
        return None
    return f"{match[2][0].upper()}{match[2][1:]}, {_lower(match[1])}."


def _active(sentence: str, rng: random.Random) -> str | None:
    """A passive with its agent, turned round: "It was built by Ek in 1903." is "Ek built it in 1903."."""
    match = re.match(
        r"([^,;]{2,50}?) (was|were|has been|have been) (\w+) by ([^,;]{3,40}?)((?: (?:in|at|on|during|for|from|to|with) [^,;]+)?)\.$",
        sentence,
    )
    if match is None:
        return None
    verb = _PARTICIPLES.get(match[3]) or (match[3] if match[3].endswith("ed") else None)
    return f"{match[4][0].upper()}{match[4][1:]} {verb} {_lower(match[1])}{match[5]}." if verb else None


def _number_written(sentence: str, rng: random.Random) -> str | None:
    """The same numbers, dates and units, written in another way."""
    choices: list[str] = []
    for match in re.finditer(r"\b(?:" + "|".join(_NUMBER_WORDS[2:]) + r")\b", sentence):
        choices.append(sentence[: match.start()] + str(_NUMBER_WORDS.index(match[0])) + sentence[match.end() :])
    for match in re.finditer(r"(?<![\w.,-])(\d{1,2})(?![\w.,%-])(?= [a-z])", sentence):
        if 2 <= int(match[1]) <= 20:
            choices.append(sentence[: match.start()] + _NUMBER_WORDS[int(match[1])] + sentence[match.end() :])
    for match in re.finditer(r"(?<=\d) ?%", sentence):
        choices.append(
            sentence[: match.start()] + rng.choice([" percent", " per cent", " %"]) + sentence[match.end() :]
        )
    for match in re.finditer(r"(?<=\d) (" + "|".join(_UNITS) + r")\b", sentence):
        choices.append(sentence[: match.start()] + " " + _UNITS[match[1]] + sentence[match.end() :])
    for match in re.finditer(r"(?<![\d,.])(\d{1,3}),(\d{3})(?![\d,])", sentence):
        choices.append(sentence[: match.start()] + match[1] + match[2] + sentence[match.end() :])
    for match in _DATE.finditer(sentence):
        day, month, year = (match[1], match[2], match[3]) if match[1] else (match[5], match[4], match[6])
        number = _MONTHS.index(month) + 1
        written = [
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{year}-{number:02d}-{int(day):02d}",
            f"{month} {year}",
            year,
        ]
        choices.append(sentence[: match.start()] + rng.choice(written) + sentence[match.end() :])
    choices = [choice for choice in choices if choice != sentence]
    return rng.choice(choices) if choices else None


def _contracted(sentence: str, rng: random.Random) -> str | None:
    for pattern, instead in rng.sample(_CONTRACTIONS, len(_CONTRACTIONS)):
        if re.search(pattern, sentence):
            return re.sub(pattern, instead, sentence, count=1)
    return None


def _without_adverb(sentence: str, rng: random.Random) -> str | None:
    if _LOOSE.search(sentence):
        return None
    adverbs = list(_ADVERB.finditer(sentence))
    return None if not adverbs else sentence[: (m := rng.choice(adverbs)).start()] + sentence[m.end() :]


def _fewer_items(sentence: str, rng: random.Random) -> str | None:
    """Some of what is listed."""
    match = re.search(r"\b(\w[\w-]*), (\w[\w-]*),? and (\w[\w-]*)\b(?! \w+ing)", sentence)
    if (
        match is None
        or _LOOSE.search(sentence)
        or re.search(r"\b(?:between|both|combin|either|three|four)\w*", sentence)
    ):
        return None
    kept = rng.sample([match[1], match[2], match[3]], rng.choice([1, 2]))
    return sentence[: match.start()] + " and ".join(kept) + sentence[match.end() :]


def _appositive(sentence: str, rng: random.Random) -> str | None:
    """What something is said to be in passing."""
    match = re.search(
        r"\b([A-Z][\w-]+(?: [A-Z][\w-]+)*), ((?:an?|the) [a-z][^,;()]{4,50}), (?:is|was|are|were|has|had|\w+ed|\w+s)\b",
        sentence,
    )
    if match is None:
        match = re.search(r"\b([A-Z][\w-]+(?: [A-Z][\w-]+)*), which (is [^,;()]{4,50}),", sentence)
        return f"{match[1]} {match[2]}." if match else None
    return f"{match[1]} is {match[2]}."


def _relative(sentence: str, rng: random.Random) -> str | None:
    """A relative clause after a name, by itself or left out."""
    match = re.match(r"([A-Z][^,]{1,40}), (which|who) ([a-z][^,]{6,80}), ([a-z].*)\.$", sentence)
    if match is None:
        return None
    return rng.choice([f"{match[1]} {match[3]}.", f"{match[1]} {match[4]}."])


def _possessive(sentence: str, rng: random.Random) -> str | None:
    match = re.search(r"\bthe (\w+) of ((?:the )?[A-Z]?\w+)\b(?= (?:is|are|was|were|has|in|at)|[,.])", sentence)
    if match is None or match[1] in ("number", "kind", "type", "set", "use", "lot", "rest", "most", "one", "some"):
        return None
    return f"{sentence[: match.start()]}{match[2]}'s {match[1]}{sentence[match.end() :]}"


def _embedded(sentence: str, rng: random.Random) -> str | None:
    """What is said to have been found, by itself: "We show that X" is "X" here, for the source does say X."""
    match = _REPORTED.match(sentence)
    return f"{match[1][0].upper()}{match[1][1:]}." if match and not _LOOSE.search(sentence[: match.start(1)]) else None


def _other_words(sentence: str, rng: random.Random) -> str | None:
    """One or two words for others that mean the same."""
    matches = list(_ALIKE_AT.finditer(sentence))
    if not matches:
        return None
    for match in sorted(rng.sample(matches, min(len(matches), rng.choice([1, 2]))), key=lambda m: -m.start()):
        sentence = sentence[: match.start()] + rng.choice(_ALIKE_WORDS[match[0]]) + sentence[match.end() :]
    return sentence


def synonyms(wordnet: WordNet) -> Rewording:
    """The rule that puts in WordNet's synonyms of words that have one sense alone."""

    def rule(sentence: str, rng: random.Random) -> str | None:
        words = [m for m in re.finditer(r"\b[a-z]{4,}\b", sentence) if m[0] in wordnet.synonyms]
        if not words:
            return None
        match = rng.choice(words)
        return sentence[: match.start()] + rng.choice(wordnet.synonyms[match[0]]) + sentence[match.end() :]

    return rule


def _lower(phrase: str) -> str:
    """A phrase that no longer begins its sentence; names keep their capital."""
    return phrase[0].lower() + phrase[1:] if phrase.split()[0] in _ARTICLES else phrase


REWORDINGS: dict[str, tuple[float, Rewording]] = {
    "shorter": (2, _shorter),
    "without a parenthesis": (1, _without_parenthesis),
    "without its opening": (1, _without_opening),
    "first phrase last": (3, _phrase_last),
    "last phrase first": (2, _phrase_first),
    "active": (4, _active),
    "number written otherwise": (3, _number_written),
    "contracted": (1, _contracted),
    "without an adverb": (1, _without_adverb),
    "fewer items": (2, _fewer_items),
    "appositive": (3, _appositive),
    "relative": (3, _relative),
    "possessive": (1, _possessive),
    "embedded": (2, _embedded),
    "other words": (5, _other_words),
}
"""Each rule with how often it is tried."""
