"""The ladder of a VQA evaluation: methods of answering of which each has one thing more than the one before, and two ends to it.

    blind                     the question alone; and with examples, without their captions and chosen without the picture
    caption                   what the picture shows: a generic caption, then one for the question (or the one that was given)
    tags and text             the names of the things in it, and what is written there, beside the caption
    + random examples, + similar examples, + knowledge, + votes
    ours, generic caption     the whole method, but for one thing; so too: ours, no knowledge
    oracle caption            the whole method, with a caption that lacks nothing
    direct                    a model that sees the picture answers itself

What the last method (`ours`) does not have is no step of its ladder.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import BadInput
from ..promptcap import Method

__all__ = ["BASELINES", "OURS", "counterfactuals", "ladder"]

OURS = "ours"
BASELINES = (
    "blind", "blind with examples", "generic caption", "caption", "tags and text", "random examples", "similar examples", "knowledge",
    "ours, generic caption", "ours, no knowledge", "oracle caption", "direct",
)  # fmt: skip


def ladder(ours: Method, *, pictures: bool, oracle: bool, baselines: str = "all") -> list[Method]:
    """The methods to run, `ours` among them; `baselines` is "all", "none" or names of `BASELINES`, comma separated.

    Raises:
        BadInput: a name that is none, or one that cannot be had: `direct` needs pictures, `oracle caption` an oracle.
    """
    bare = {"shots": 0, "votes": 1, "knowledge": "none", "check": False, "tags": False, "ocr": False}
    beside = {**bare, "tags": ours.tags, "ocr": ours.ocr}
    similar = ours.selection if ours.selection != "random" else None
    # who is blind cannot choose by the picture either
    unseen = {"caption": "none", "shots": ours.shots, "selection": "question" if similar else "random"}
    rungs = {
        "blind": ours.model_copy(update={**bare, "caption": "none"}),
        "blind with examples": ours.model_copy(update={**bare, **unseen}),
        "generic caption": ours.model_copy(update={**bare, "caption": "generic"}) if pictures else None,
        "caption": ours.model_copy(update=bare),
        "tags and text": ours.model_copy(update=beside) if ours.tags or ours.ocr else None,
        "random examples": ours.model_copy(update={**beside, "shots": ours.shots, "selection": "random"}),
        "similar examples": ours.model_copy(update={**beside, "shots": ours.shots}) if similar else None,
        "knowledge": ours.model_copy(update={"votes": 1, "check": False}),
        OURS: ours,
        "ours, generic caption": ours.model_copy(update={"caption": "generic"}) if pictures else None,
        "ours, no knowledge": ours.model_copy(update={"knowledge": "none"}),
        "oracle caption": ours.model_copy(update={"caption": "oracle"}) if oracle else None,
        "direct": ours.model_copy(update={**bare, "direct": True}) if pictures else None,
    }
    names = _named(baselines)
    if baselines != "all" and (lacking := [name for name in names if name != OURS and rungs.get(name) is None]):
        needs = {
            "direct": "pictures",
            "generic caption": "pictures",
            "ours, generic caption": "pictures",
            "oracle caption": "an oracle file (--oracle)",
            "tags and text": "tags or text (--tags, --ocr)",
        }
        raise BadInput(
            f"the baseline {lacking[0]!r} needs {needs.get(lacking[0], 'similar examples')}, and there is none."
        )
    methods: list[Method] = []
    seen: set[str] = set()
    for name in [OURS, *rungs]:  # ours first: what is the same as ours is ours
        method = rungs[name]
        if method is None or name not in names:
            continue
        same = method.model_copy(update={"name": "", **_unused(method)}).model_dump_json()
        if same not in seen:
            seen.add(same)
            methods.append(method.model_copy(update={"name": name}))
    return sorted(methods, key=lambda method: list(rungs).index(method.name))


def counterfactuals(ours: Method) -> list[Method]:
    """Ours with an oracle's caption, with its passage, and with both: what error causes are told from."""
    return [
        ours.model_copy(update={"name": "oracle caption", "caption": "oracle"}),
        ours.model_copy(update={"name": "oracle passage", "knowledge": "oracle"}),
        ours.model_copy(update={"name": "oracle caption and passage", "caption": "oracle", "knowledge": "oracle"}),
    ]


def _named(baselines: str) -> Sequence[str]:
    if baselines == "all":
        return (*BASELINES, OURS)
    names = [] if baselines == "none" else [name.strip() for name in baselines.replace("ours, ", "ours;").split(",")]
    names = [name.replace("ours;", "ours, ") for name in names]
    for name in names:
        if name not in BASELINES:
            raise BadInput(f"there is no baseline {name!r}: all, none, or of {', '.join(BASELINES)}.")
    return (*names, OURS)


def _unused(method: Method) -> dict[str, object]:
    """The fields that a method does not use, at one value each, so that equal methods are known as such."""
    plain = Method()
    unused = [] if method.shots else ["selection"]
    unused += [] if method.votes > 1 else ["rule"]
    unused += [] if method.knowledge != "none" else ["passages"]
    unused += [] if method.check else ["follow_ups", "strict"]
    unused += ["tags", "ocr"] if method.caption == "none" else []
    if method.direct:
        unused = [name for name in Method.model_fields if name not in ("name", "direct")]
    return {name: getattr(plain, name) for name in unused}
