"""In which language a short text is, told by its script and, in the Latin one, by the little words; for a note, not for a check.

A text is called another language's only on evidence: the letters of another script, or two different little words of one language and
none of those that are expected. Names, formulas and single words say nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

__all__ = ["foreign", "language_of"]

_LITTLE_WORDS = {
    "English": "the of and to in is are was were what who how which where when why does did for with that this my me you your it on at from by",
    "German": "der die das und ist sind war waren ein eine einen einem einer nicht mit von zu für auf den dem des wie wer wo warum welche"
    " welcher welches ich mir mein bitte wird wurde im am zum zur",
    "French": "le la les des du et est sont était un une dans pour avec que qui quel quelle quels quelles où comment pourquoi je mon ma ce"
    " cette il elle au aux sur pas ne",
    "Spanish": "el la los las y es son era un una en para con que qué quién cuál cuándo dónde cómo por del al mi me su esta este lo no",
    "Italian": "il lo gli le e è sono era un una in per con che chi quale quando dove come perché del della di mi mio questo questa nel non",
    "Portuguese": "o os as e é são era um uma em para com que quem qual quando onde como por do da dos das no na meu minha este esta não",
    "Dutch": "de het een en is zijn was waren in voor met van dat die wat wie welke waar wanneer hoe waarom ik mij mijn op te niet naar",
    "Swedish": "och är var en ett i för med av att som vad vem vilken vilket var när hur varför jag mig min på till inte den det de",
    "Polish": "i jest są był była w na z do co kto który która które kiedy gdzie jak dlaczego mnie mój moja nie się to ten ta o",
    "Turkish": "ve bir bu şu ne kim hangi nerede nasıl neden için ile mi mı da de çok ben bana benim değil olan",
    "Indonesian": "yang dan di ke dari untuk dengan ini itu apa siapa di mana kapan bagaimana mengapa saya adalah tidak pada ada",
}
_WORDS = {language: frozenset(words.split()) for language, words in _LITTLE_WORDS.items()}
_LEAST = 2  # different little words that are evidence


def language_of(text: str) -> str | None:
    """The language or, where its letters are not Latin, the script of a text ("German", "Cyrillic"); None where that cannot be told."""
    script = _script(text)
    if script != "Latin":
        return script
    words = set(re.findall(r"[^\W\d_]+", text.casefold()))
    ranked = sorted(((len(words & little), language) for language, little in _WORDS.items()), reverse=True)
    (most, language), (second, _) = ranked[:2]
    return language if most >= _LEAST and most > second else None


def foreign(texts: Sequence[str], seeds: Sequence[str]) -> dict[str, list[str]]:
    """By language, the texts that are in another one than every seed."""
    scripts, languages = {_script(seed) for seed in seeds}, {language_of(seed) for seed in seeds} - {None}
    found: dict[str, list[str]] = {}
    for text in texts:
        script, language = _script(text), language_of(text)
        if script is None or language in languages:
            continue
        if script not in scripts:
            found.setdefault(language or script, []).append(text)
        elif language is not None and languages:
            found.setdefault(language, []).append(text)
    return found


def _script(text: str) -> str | None:
    """The script of most letters; for Japanese, which mixes three, and Chinese the language. None without letters."""
    letters = Counter(
        unicodedata.name(sign, "").partition(" ")[0] for sign in text if unicodedata.category(sign).startswith("L")
    )
    if not letters:
        return None
    if letters["HIRAGANA"] or letters["KATAKANA"]:
        return "Japanese"
    [(script, _)] = letters.most_common(1)
    return "Chinese" if script == "CJK" else script.capitalize()
