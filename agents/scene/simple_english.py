"""Scene graphs of simple English by rules: exact where they understand a whole prompt, and a refusal with its reason elsewhere.

A prompt is read as pieces between full stops and commas; a piece is noun phrases tied by what the rules know: relations of place,
"with", actions ("a man riding a horse"), negations ("no disc", "without", "not red"), "between ... and ...", quoted writing; or it
is a style, a time, a background of the whole picture. Where a tie could belong to two things, where a word has no place, or
where the prompt is not English, there is no graph: `simple_scene_graph` raises `NotUnderstood` with the words that it stopped at.

Wishes that no question can hold ("4k, trending on artstation") are the only words left out; they are in `SceneGraph.unasked`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .clause import ClauseReader
from .coverage import unasked
from .noun_phrases import NotUnderstood
from .noun_reader import begins_noun
from .scene import Scene, questions_of
from .scene_graph import SceneGraph
from .vocabulary import ART_NOUNS, ARTICLES, BEYOND, FRAMES, MEDIA, NUMBERS, QUALITY, SEEN_FROM, STYLES, TYING

__all__ = ["NAME", "simple_scene_graph"]

NAME = "rules for simple English"

_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|„([^“”]+)[“”]|「([^」]+)」|(?<!\w)['‘]([^'’]+)['’](?!\w)")
_WHOLE = re.compile(r"^\s*(?:\"[^\"]*\"|“[^”]*”|«[^»]*»|„[^“”]*[“”]|「[^」]*」|'[^']*'|‘[^’]*’)\s*[.!]?\s*$")
_BACKGROUND = re.compile(
    r"\s*\b(?:on|against|with|before|in front of)\s+(?:an?\s+|the\s+)?((?:[\w-]+ ){1,3})(?:background|backdrop)$",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^(?:there (?:is|are)|this is|here is)\s+", re.IGNORECASE)
_FRAME = re.compile(
    r"^((?:(?:an?|the)\s+)?(?:[\w-]+\s+){0,3}?)([\w-]+)\s+(?:of|with|showing|containing|depicting)\s+(?=\S)",
    re.IGNORECASE,
)
_STYLE_OF = re.compile(
    r"^(.*?)\s*\b(?:in the style of|(?:art |artwork |painting |illustration )?by(?! (?:an?|the|some) )(?= [\w-]+ [\w-]+))"
    r"\s+(.+)$",
    re.IGNORECASE,
)
# words that say nothing of how a background or a picture looks
_NO_LOOK = {*NUMBERS, *TYING, *BEYOND, *ARTICLES, "next", "background", "backdrop"} - {"and"}
_WEIGHTED = re.compile(r"[(\[{]|[)\]}]|::|--\w|\|")


def simple_scene_graph(text: str) -> SceneGraph:
    """The scene graph of `text` in its words: entities, counts, attributes, relations, background and style.

    Raises:
        NotUnderstood: the rules do not understand the whole of it; the message says at which words.
    """
    line = " ".join(text.split())
    if _WHOLE.match(line):
        line = line.strip(" .!")[1:-1].strip()
    try:
        scene = _read(line)
        nodes = questions_of(scene)
        if not nodes:
            raise NotUnderstood("it names nothing that could be seen")
    except NotUnderstood as error:
        raise NotUnderstood(f"the rules for simple English do not understand {text!r}: {error}.") from None
    left_out = unasked(text, nodes)
    beyond = [word for word in left_out if word.lower() not in (*QUALITY, *scene.replaced)]
    if beyond:
        raise NotUnderstood(f"the rules for simple English do not understand {text!r}: {beyond[0]!r} found no place.")
    return SceneGraph(text=text, nodes=tuple(nodes), questioner=NAME, unasked=_wishes(left_out, scene))


def _wishes(left_out: Sequence[str], scene: Scene) -> tuple[str, ...]:
    return tuple(word for word in left_out if word.lower() in QUALITY or word.lower() not in scene.replaced)


def _read(line: str) -> Scene:
    if _WEIGHTED.search(line):
        raise NotUnderstood("brackets and weights are no sentence")
    if "§" in line:  # stands for what is quoted, below
        raise NotUnderstood("'§' is no word")
    scene = Scene()
    writings: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        writings.append(next(group for group in match.groups() if group is not None))
        return f" §{len(writings) - 1} "

    line, lacking = re.subn(r"\b(?:empty|free|devoid) of\b", "without", line, flags=re.IGNORECASE)
    scene.replaced += ["empty", "free", "devoid"] if lacking else []
    line, joined = re.subn(r"\b(?:together|along) with\b", "and", line, flags=re.IGNORECASE)
    scene.replaced += ["together", "along"] if joined else []
    line = " ".join(_QUOTED.sub(put_aside, line).replace("’", "'").split())
    for sentence in re.split(r"[.!;:]+(?:\s+|$)", line):
        pieces = [piece.strip() for piece in re.split(r"\s*,\s*", sentence.strip()) if piece.strip()]
        for place, piece in enumerate(pieces):
            piece = re.sub(r"^and\s+", "", piece, flags=re.IGNORECASE)
            if place == 0:
                piece = piece[:1].lower() + piece[1:]
            if scene.open_object and place and " and " in f" {pieces[-1].lower()} " and begins_noun(piece.split()):
                raise NotUnderstood(f"{piece!r} may be one more thing after {scene.open_object!r}, or stand for itself")
            _piece(piece, scene, writings, first=not scene.nouns and not scene.absent)
    return scene


def _piece(piece: str, scene: Scene, writings: list[str], *, first: bool) -> None:
    """What stands between two commas."""
    words = piece.split()
    lower = [word.lower() for word in words]
    if all(word in QUALITY or (place and word in ("in", "on")) for place, word in enumerate(lower)):
        scene.replaced += ["in", "on"]
        return
    if style := _STYLE_OF.match(piece):
        scene.whole.append((f"global - style ({style[2]})", f"Is this picture in the style of {style[2]}?"))
        if not style[1]:
            return
        return _piece(style[1], scene, writings, first=first)
    if (medium := _medium(lower)) and not (first and lower[-1] not in ART_NOUNS | MEDIA):
        scene.whole.append((f"global - style ({medium[0]})", medium[1]))
        return
    if (
        lower[0] in ("night", "sunset", "sunrise", "dawn", "dusk", "winter", "summer", "autumn")
        and len(lower) == 1
        and not first
    ):
        scene.whole.append((f"global - time ({lower[0]})", f"Is it {lower[0]} in the picture?"))
        return
    _clause(_framed(piece, scene), scene, writings, first=first)


def _medium(lower: Sequence[str]) -> tuple[str, str] | None:
    """(style, question) of a piece that says what the whole picture is: "oil painting", "cinematic lighting", "surreal"."""
    bare = [word for word in lower if word not in ("a", "an") and word not in QUALITY]
    name = " ".join(bare)
    if (
        not bare
        or len(bare) > 4
        or any(word in ("of", "with", "on", "in", "and", "§0") or word in NUMBERS for word in bare[:-1])
    ):
        return None
    if bare[-1] in ART_NOUNS or (bare[-1] in FRAMES and len(bare) > 1):
        return name, f"Is this picture {'an' if name[0] in 'aeio' else 'a'} {name}?"
    if bare[-1] in MEDIA or all(word in STYLES for word in bare) or bare[-1] == "style":
        return name, f"Is this picture {'in ' if bare[-1] == 'style' else ''}{name}?"
    if bare[-1] in ("lighting", "colors", "colours") and len(bare) > 1:
        return name, f"Does this picture have {name}?"
    return None


def _framed(piece: str, scene: Scene) -> str:
    """A piece without "there is", "a photo of", "an oil painting of": what they say of the whole picture is noted."""
    piece = _OPENING.sub("", piece)
    match = _FRAME.match(piece)
    if match is None:
        return piece
    head, before = match[2].lower(), [word.lower() for word in match[1].split() if word.lower() not in ARTICLES]
    if any(word in _NO_LOOK or not word.isascii() for word in before):
        return piece
    if head in ("background", "backdrop") and before and not scene.background:
        scene.background = " ".join(before)
        return piece[match.end() :]
    if head not in ART_NOUNS and head not in FRAMES:
        return piece
    before = [word for word in before if word not in QUALITY]
    if head in ART_NOUNS or before:
        name = " ".join([*before, head])
        scene.whole.append(
            (f"global - style ({name})", f"Is this picture {'an' if name[0] in 'aeio' else 'a'} {name}?")
        )
    return piece[match.end() :]


def _clause(piece: str, scene: Scene, writings: list[str], *, first: bool) -> None:
    """Noun phrases and what ties them."""
    scene.open_object = ""
    if match := _BACKGROUND.search(piece):
        said = match[1].split()
        if scene.background or any(word.lower() in _NO_LOOK for word in said):
            raise NotUnderstood(f"{match[0].strip()!r} is no background that they know")
        scene.background = " ".join(said).lower()
        scene.replaced += match[0].lower().split()
        piece = piece[: match.start()]
    if not piece.strip():
        if first and scene.whole:
            return
        if scene.background or scene.whole:
            return
        raise NotUnderstood("nothing is named")
    for ending, relation in SEEN_FROM.items():
        if piece.lower().endswith(" " + ending) and piece.lower().count(" with ") == 1:
            other, _, one = piece[: -len(ending)].strip().partition(" with ")
            piece = f"{one} {relation} {other}"
            scene.replaced += ending.split()
            break
    ClauseReader(piece.split(), scene, writings, first).run()
