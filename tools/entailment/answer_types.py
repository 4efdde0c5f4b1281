"""What kind of answer a question expects, and whether a text has it: a date for "when", a name for "who", a definition for "what is".

After the answer types of question answering (Li and Roth 2002, "Learning Question Classifiers"), as far as a rule can read them from English; of Chinese and
Japanese numbers and dates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from .quantities import Quantity, quantities
from .reading import Text, leans, stem
from .words import content_words, words

__all__ = ["AnswerType", "answer_type", "has_type", "rival_answers", "tells_by_itself", "values"]

AnswerType = Literal[
    "date", "number", "name", "definition", "command", "reason", "yes or no", "place", "occasion", "any"
]

_TOLD_IN_A_WORD = ("date", "number", "name", "place", "occasion")

_DATE = re.compile(
    r"^\W*(?:since |until |by |in |on )?(?:when (?:was|were|did|had|has|will|won['’]t)\b|(?:what|which) (?:year|date|day|month"
    r"|time|century|decade)\b|at what time|.*(?:何时|何時|什么时候|什麼時候|哪一?年|いつ))",
    re.I,
)
_NUMBER = re.compile(
    r"\bhow (?:many|much|long|far|tall|high|deep|wide|old|often|large|big|heavy|hot|cold)\b"
    r"|\b(?:what|which) (?:is |are |was |were )?(?:the )?(?:\w+ )?(?:number|percentage|share|size|price|cost|age|height|length|weight|speed"
    r"|port|limit|version)\b"
    r"|\bwhat does .+ cost\b|多(?:高|长|長|大|久|远|遠|深|宽|重|快|少)|几[个個只年月天米岁]|いくつ|いくら|何(?:人|個|年|歳)",
    re.I,
)
_HAN_NUMBER = re.compile(
    r"[〇零一二三四五六七八九十百千万萬亿億两\d]+\s?(?=[米里公年月日个個只元块岁歳度克升人天小分倍円メキ%])"
)
_NAME = re.compile(
    r"^\W*(?:who|whose|whom|(?:by|to|from|with) whom|(?:what|which) (?:person|company|author|engineer|city|country)\b)",
    re.I,
)
_WHERE = re.compile(r"^\W*(?:from )?where\b|^\W*in (?:which|what) (?:place|file|folder|directory|city|country)\b", re.I)
_OCCASION = re.compile(r"^\W*(?:since |until )?when\b", re.I)
_SOMETIME = re.compile(
    r"\b(?:if|when|whenever|once|after|before|as soon as|until|during|every|always|never|hourly|daily|weekly|monthly|yearly"
    r"|noon|midday|midnight|dawn|dusk|sunrise|sunset|mornings?|afternoons?|evenings?|weekdays?|weekends?|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b",
    re.I,
)
_REASON = re.compile(r"^\W*(?:why\b|what is the reason|how come|for what reason)", re.I)
_COMMAND = re.compile(
    r"^\W*how (?:do|can|could|should|would|to|does one|is it possible)\b|\b(?:what|which) (?:command|option|flag|setting|function|method|argument|parameter"
    r"|class|decorator|environment variable|variable|file|tool|program|keyword)\b"
    r"|^\W*(?:can|could|is it possible)\b",
    re.I,
)
_DEFINED = re.compile(
    r"^\W*(?:what(?: is|['’]s| are| was| were)|define|what (?:do|does)(?: the (?:words?|terms?|abbreviations?|letters?))?(?=.+\b(?:mean|stand for)\b))\s+"
    r"(?:meant by |the meaning of )?(?:an? |the )?(?P<term>.+?)\s*(?:(?:mean|stand for)\b.*)?\s*\??\s*$",
    re.I,
)
_PURPOSE = re.compile(
    r"^\W*what (?:(?:do|does|did|will|would)\s+(?P<acts>.+?)\s+(?:do|change|check)"
    r"|(?:is|are|was|were)\s+(?P<serves>.+?)\s+(?:used |meant |good )?for)\s*\??\s*$",
    re.I,
)
_KINDS = (
    "option|flag|command|function|method|setting|switch|argument|parameter|signal|state|status|value|field|header|variable|directive|property|attribute"
    "|decorator|module|extension|plugin|tool|program|file|class|fixture"
)
_KIND = re.compile(
    rf"^(?:(?:the|an?|{_KINDS})\s+)+|\s+(?:{_KINDS})s?\b.*$", re.I
)  # words of a question that say what its term is
_RELATES = frozenset("of for in on with between from to by called used comparable like at as about".split())
_YES_NO = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|has|have|had|will|would|may|might|must|should|shall|can|could)\b", re.I
)
_BECAUSE = re.compile(
    r"\b(?:because|since|due to|owing to|so that|in order to|therefore|thus|hence|reason|otherwise|avoid|prevent|allows?|ensures?|as (?:it|they|this|we|the)\b"
    r"|that(?:'s| is) why|by default|after the|named after|for the sake)\b",
    re.I,
)
_DOES = re.compile(
    r"^\W*(?:(?:to|if|when|in order to|for)\b.+, )?(?:use|run|call|set|add|put|type|write|execute|install|pass|give|choose|select|create|make"
    r"|enable|disable|open|click|press|edit|specify|define|remove|import|change|copy|apply|start|stop|mark|decorate|wrap|send|go|try|ask)\b"
    r"|\byou (?:can|could|may|should|must|need|have to)\b|\b(?:by|via|using|with) (?:the )?(?:\w+ing\b|`|['\"“]|command|option|flag|-)|`|--\w|\$ \w",
    re.I,
)
_SAYS = ("answer", "correct", "right", "true", "indeed", "say", "know")
_YES = re.compile(
    r"^\W*(?:yes|no|not|never|only|it is (?:not )?possible|you (?:can|cannot|may|must|should))\b"
    r"|\b(?:not|cannot|can|must|may|allowed|possible|supported?s?)\b|n['’]t\b",
    re.I,
)
_PLACE = re.compile(
    r"\b(?:in|at|on|from|under|near|into|to)\s+(?:the\s+)?[A-Z/~`]|(?:^|\s)[/~][\w./-]+|https?://|\.\w{2,4}\b"
)


def answer_type(question: str) -> AnswerType:
    """The kind of answer that a question expects; "any" where no rule knows."""
    rules: Sequence[tuple[AnswerType, re.Pattern[str]]] = (
        ("date", _DATE), ("occasion", _OCCASION), ("reason", _REASON), ("name", _NAME), ("place", _WHERE), ("number", _NUMBER), ("command", _COMMAND),
        ("yes or no", _YES_NO),
    )  # fmt: skip
    for kind, rule in rules:
        if rule.search(question):
            return kind
    term = words(_term(question))
    return "definition" if 0 < len(term) <= 5 and _RELATES.isdisjoint(term) else "any"


def has_type(kind: AnswerType, text: str, question: str) -> bool:
    """Whether a text has something of the kind, beyond what the question says already."""
    match kind:
        case "date" | "number":
            return bool(values(kind, text, question)) or (kind == "number" and _HAN_NUMBER.search(text) is not None)
        case "occasion":
            return _SOMETIME.search(text) is not None or bool(values("date", text, question))
        case "name":
            asked = set(words(question))
            return any(token.name and token.text.casefold() not in asked for token in Text.read(text).tokens)
        case "definition":
            return _defines(_term(question), text, purpose=_PURPOSE.match(question) is not None)
        case "reason":
            return _BECAUSE.search(text) is not None
        case "command":
            return _DOES.search(text) is not None
        case "place":
            return _PLACE.search(text) is not None
        case "yes or no":
            return _YES.search(text) is not None
    return False


def tells_by_itself(question: str, text: str) -> bool:
    """Whether a text has the date, number, name or place that a question asks for, and leans on nothing before it."""
    kind = answer_type(question)
    return kind in _TOLD_IN_A_WORD and not leans(text) and has_type(kind, text, question)


def values(kind: AnswerType, text: str, question: str) -> list[Quantity]:
    """The dates or the numbers of a text that the question does not have."""
    asked = quantities(question)
    scales = ("date", "day of the year", "time") if kind == "date" else ("number",)
    return [
        each for each in quantities(text) if each.scale in scales and not any(each.within(other) for other in asked)
    ]


def rival_answers(question: str, first: str, second: str) -> bool:
    """Whether two texts answer a question for a date, a number or a name with different ones, and say nothing else.

    What says more, as "It was opened to trams in 1950." does, may speak of something else.
    """
    kind, asked = answer_type(question), {stem(word) for word in (*content_words(question), *_SAYS)}
    read = [Text.read(text) for text in (first, second)]
    extra = [[token for token in text.tokens if token.stem not in asked] for text in read]
    if kind == "name":
        names = [{token.stem for token in tokens} for tokens in extra]
        bare = all(token.name for tokens in extra for token in tokens)
        return bare and all(names) and names[0].isdisjoint(names[1])
    if kind not in ("date", "number") or any(extra):
        return False
    told = [values(kind, text, question) for text in (first, second)]
    return all(told) and all(one.apart(other) for one in told[0] for other in told[1])


def _term(question: str) -> str:
    if purpose := _PURPOSE.match(question):
        return _KIND.sub("", purpose["acts"] or purpose["serves"])
    match = _DEFINED.match(question)
    return match["term"] if match else ""


def _defines(term: str, text: str, *, purpose: bool = False) -> bool:
    """Whether a text begins with the term and says what it is: "X is ...", "X (...)", "X: ...", or an X that is called so; or what it does."""
    asked = content_words(term)
    if not asked:
        return False
    pattern = r"[\W_]+(?:\w+\W+){0,2}?".join(re.escape(word) + r"\w{0,3}" for word in asked)
    lead = rf"^\W*(?:(?:an?|the|in \w+,)\W+)?(?:\w+\W+){{0,3}}?{pattern}[\"'”’*`_]*(?:['’]?s)?\s*"
    says = r"(?:,[^,]{0,60},)?\s*(?:\(|:|–|—|&[mn]dash;|--?\s|\n|(?:is|are|was|were|means?|refers?|stands?|describes?|denotes?|represents?|consists?)\b)"
    if purpose:
        says = rf"(?:{says}|\s*\w+s\b)"
    named = rf"\b(?:called|named|known as|abbreviated|i\.e\.|termed)\W+(?:\w+\W+){{0,2}}?{pattern}|\(\W*{pattern}\W*\)"
    return re.search(lead + says, text, re.I) is not None or re.search(named, text, re.I) is not None
