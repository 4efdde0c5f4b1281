"""Descriptions: the words for every drawn scene, with textures, domains and what hides what.

Of scenes that a caption of the world can name, in the flat domain and without textures, they are its plain wording (`grammar.py`).
"""

from __future__ import annotations

from .domains import Domain
from .drawing import Group, Scene
from .grammar import article
from .textures import SURFACES, TEXTURES
from .truth import Truth
from .vocabulary import COUNTS, plural

__all__ = ["describe", "phrase"]

_MANNERS: dict[Domain, str] = {
    "flat": "{}", "sketch": "a sketch of {}", "noisy": "a noisy picture of {}", "painted": "a painting of {}",
    "night": "{} at night", "blueprint": "a blueprint of {}",
}  # fmt: skip


def phrase(group: Group) -> str:
    """The noun phrase of a group: "a small red striped star", "two cats with the surface of a strawberry"."""
    adjective = TEXTURES.get(group.texture or "")
    noun = plural(group.kind) if group.count > 1 else group.kind
    words = " ".join(word for word in (group.size, group.color, adjective, noun) if word)
    text = f"{COUNTS[group.count][0]} {words}" if group.count > 1 else f"{article(words)} {words}"
    surface = group.texture if group.texture in SURFACES else None
    return f"{text} with the surface of {article(surface)} {surface}" if surface else text


def describe(scene: Scene) -> str:
    """What a scene shows, in one sentence: what its spec says, what hides what, and how it is drawn."""
    groups = scene.spec.groups
    names = [phrase(group) for group in groups]
    joint = f" {scene.spec.relation} " if scene.spec.relation else " and "
    text = joint.join(filter(None, (", ".join(names[:-1]), names[-1])))
    if scene.spec.background:
        text += f" on {article(scene.spec.background)} {scene.spec.background} background"
    kinds = [groups[thing.group].kind for thing in scene.objects]
    hidden = [f"the {kinds[near]} in front of the {kinds[far]}" for near, far in Truth.of(scene).hides]
    return ", ".join([_MANNERS[scene.domain].format(text), *hidden])
