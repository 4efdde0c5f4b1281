"""The words of the world: what can be drawn, in the painter's plain words and in everybody else's.

The first word of each entry is the *plain* one, the only one that `mini-diffusion` is trained on; the judges (`mini-clip`,
`mini-vqa`) know them all. `HELD_OUT` lists wordings that no training set contains, so that unseen wording can be tested.
"""

from __future__ import annotations

__all__ = [
    "BACKGROUNDS",
    "COLORS",
    "COUNTS",
    "HELD_OUT",
    "KINDS",
    "NEAR",
    "RELATIONS",
    "SHAPES",
    "SIZES",
    "THINGS",
    "plain_of",
    "plural",
]

COLORS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "scarlet", "ruby"),
    "green": ("green", "emerald", "jade"),
    "blue": ("blue", "azure", "cobalt", "sapphire"),
    "yellow": ("yellow", "lemon", "golden"),
    "purple": ("purple", "violet", "plum"),
    "orange": ("orange", "tangerine", "amber"),
    "black": ("black", "ebony", "jet"),
    "pink": ("pink", "rose", "fuchsia"),
}

SHAPES: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc", "dot"),
    "square": ("square", "box", "block"),
    "triangle": ("triangle", "pyramid", "wedge"),
    "star": ("star", "pentagram"),
    "heart": ("heart", "valentine"),
    "cross": ("cross", "plus sign"),
    "diamond": ("diamond", "rhombus", "lozenge"),
    "ring": ("ring", "hoop", "loop"),
}

THINGS: dict[str, tuple[str, ...]] = {
    "cat": ("cat", "kitty", "feline"),
    "dog": ("dog", "puppy", "hound"),
    "pig": ("pig", "piglet", "hog"),
    "cow": ("cow", "heifer"),
    "frog": ("frog", "toad"),
    "lion": ("lion", "king of beasts"),
    "panda": ("panda", "bamboo bear"),
    "rabbit": ("rabbit", "bunny", "hare"),
    "fish": ("fish", "finned swimmer"),
    "apple": ("apple", "orchard fruit"),
    "banana": ("banana", "plantain"),
    "carrot": ("carrot", "root vegetable"),
    "cherry": ("cherry", "stone fruit"),
    "strawberry": ("strawberry", "summer berry"),
    "pizza": ("pizza", "pizza slice"),
    "cake": ("cake", "gateau", "torte"),
    "mushroom": ("mushroom", "toadstool"),
    "tree": ("tree", "oak"),
    "sunflower": ("sunflower", "blossom"),
    "cactus": ("cactus", "succulent"),
    "house": ("house", "home", "cottage"),
    "car": ("car", "automobile", "sedan"),
    "bus": ("bus", "coach"),
    "rocket": ("rocket", "spaceship"),
    "balloon": ("balloon", "party balloon"),
    "gift": ("gift", "present", "parcel"),
    "key": ("key", "door opener"),
    "bell": ("bell", "chime"),
    "guitar": ("guitar", "six-string"),
    "robot": ("robot", "android"),
    "ghost": ("ghost", "phantom", "spook"),
    "moon": ("moon", "crescent"),
}

KINDS: dict[str, tuple[str, ...]] = {**SHAPES, **THINGS}

# kinds that look alike at a glance, the ones that a judge must tell apart
NEAR: tuple[tuple[str, ...], ...] = (
    ("cat", "dog", "lion", "panda", "pig", "cow", "rabbit", "frog"), ("rabbit", "ghost"), ("robot", "ghost"), ("car", "bus"),
    ("apple", "cherry", "strawberry", "balloon"), ("banana", "moon"), ("carrot", "rocket", "guitar"), ("tree", "cactus", "mushroom"),
    ("house", "gift", "cake"), ("bell", "key"), ("pizza", "triangle"), ("circle", "ring"), ("square", "diamond"), ("star", "cross"),
)  # fmt: skip

SIZES: dict[str, tuple[str, ...]] = {
    "small": ("small", "tiny", "little"),
    "large": ("large", "big", "huge"),
}

COUNTS: dict[int, tuple[str, ...]] = {
    2: ("two", "a pair of", "a couple of"),
    3: ("three", "a trio of", "a threesome of"),
    4: ("four", "a quartet of", "a foursome of"),
}

BACKGROUNDS: dict[str, tuple[str, ...]] = {
    "white": ("white", "snowy"),
    "gray": ("gray", "silver"),
    "beige": ("beige", "sandy"),
    "mint": ("mint", "pale green"),
    "lavender": ("lavender", "pale violet"),
}

# plain relation -> wordings between "A" and "B"
RELATIONS: dict[str, tuple[str, ...]] = {
    "to the left of": ("to the left of", "on the left side of", "left of"),
    "to the right of": ("to the right of", "on the right side of", "right of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "beneath", "underneath"),
}

OPPOSITE = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
}

# (kind, colour) pairs in synonym wording that no training caption, question or rewrite contains
HELD_OUT: frozenset[tuple[str, str]] = frozenset(
    {
        ("disc", "azure"), ("disc", "violet"), ("box", "crimson"), ("box", "emerald"), ("pyramid", "golden"),
        ("pyramid", "cobalt"), ("pentagram", "scarlet"), ("valentine", "amber"), ("rhombus", "ruby"), ("rhombus", "plum"),
        ("hoop", "jade"), ("hoop", "fuchsia"), ("dot", "lemon"), ("block", "tangerine"), ("wedge", "rose"), ("loop", "sapphire"),
    }
)  # fmt: skip

_IRREGULAR = {
    "cherry": "cherries", "strawberry": "strawberries", "bus": "buses", "cactus": "cacti", "box": "boxes", "cross": "crosses",
    "fish": "fish", "rhombus": "rhombuses", "hoop": "hoops", "coach": "coaches", "king of beasts": "kings of beasts",
    "summer berry": "summer berries", "kitty": "kitties", "puppy": "puppies", "bunny": "bunnies", "torte": "tortes",
    "lens": "lenses",
}  # fmt: skip


def plural(noun: str) -> str:
    """The plural of one of the world's nouns."""
    return _IRREGULAR.get(noun, noun + "s")


def plain_of(table: dict[str, tuple[str, ...]], word: str) -> str | None:
    """The plain word of `word` in `table`, None where the table does not know it."""
    return next((plain for plain, words in table.items() if word in words), None)
