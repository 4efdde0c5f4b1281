"""Examples for the caption writer and the reader: what people say of a picture, a question, its answer, and a caption for it.

Written for inloop. Each caption says what the question asks for in the words of somebody who describes the picture, and
keeps to what the five sentences say or plainly show.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EXAMPLES", "Example"]


class Example(NamedTuple):
    """One picture's five sentences, a question with its answer, and the caption that answers it."""

    captions: tuple[str, ...]
    question: str
    answer: str
    caption: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        (
            "A woman rides a bicycle along a canal",
            "A person on a bike beside the water",
            "A cyclist in a yellow coat in the rain",
            "Someone cycling past moored boats",
            "A rainy day at a canal with a cyclist",
        ),
        "What color is the woman's coat?",
        "yellow",
        "A woman in a yellow coat rides a bicycle along a canal.",
    ),
    Example(
        (
            "Three dogs are playing in a park",
            "Dogs chase a ball on the grass",
            "A brown dog jumps for a ball",
            "Two white dogs watch a brown dog",
            "Pets run on a lawn",
        ),
        "How many dogs are there?",
        "3",
        "Three dogs, one brown and two white, play with a ball on the grass.",
    ),
    Example(
        (
            "A man is cutting vegetables in a kitchen",
            "A cook at a wooden board",
            "A chef slices carrots with a large knife",
            "A man in an apron works with a knife",
            "Food is being prepared at a counter",
        ),
        "What is the man holding?",
        "knife",
        "A man in an apron holds a large knife and slices carrots.",
    ),
    Example(
        (
            "A train stands at a platform",
            "Passengers wait beside a red train",
            "A station with an old clock",
            "People with bags next to a train",
            "The clock at the station shows ten past nine",
        ),
        "What time does the clock show?",
        "9:10",
        "The clock at the station shows ten past nine while passengers wait beside a red train.",
    ),
    Example(
        (
            "A cat lies on a laptop",
            "A gray cat sleeps on a keyboard",
            "A desk with a computer and a cat",
            "The animal rests on a warm machine",
            "A cat on an office desk",
        ),
        "What is the cat lying on?",
        "laptop",
        "A gray cat sleeps on the keyboard of a laptop that stands on a desk.",
    ),
    Example(
        (
            "Children fly kites at the beach",
            "Two kids run on the sand with a kite",
            "A kite in the shape of a fish in the sky",
            "A windy day by the sea",
            "People on a beach look up",
        ),
        "What shape is the kite?",
        "fish",
        "Two children run over the sand with a kite that has the shape of a fish.",
    ),
    Example(
        (
            "A bowl of fruit on a table",
            "Bananas and apples in a bowl",
            "Some green apples next to bananas",
            "A wooden bowl with fruit",
            "A still life of fruit",
        ),
        "Are the apples red?",
        "no",
        "The apples beside the bananas in the wooden bowl are green, not red.",
    ),
    Example(
        (
            "A man holds an umbrella on a busy street",
            "People cross a wet street",
            "A crowd in the rain with umbrellas",
            "City traffic in bad weather",
            "A man in a suit under a black umbrella",
        ),
        "Why does the man hold an umbrella?",
        "it is raining",
        "A man in a suit crosses a wet street under a black umbrella because it is raining.",
    ),
    Example(
        (
            "A horse stands behind a fence",
            "A white horse in a field",
            "An animal looks over a wooden fence",
            "A farm with a horse",
            "A horse with a bridle near a barn",
        ),
        "What is behind the fence?",
        "horse",
        "A white horse with a bridle stands behind a wooden fence near a barn.",
    ),
    Example(
        (
            "A table is laid for breakfast",
            "Pancakes with syrup on a plate",
            "A cup of coffee next to pancakes",
            "A morning meal with coffee",
            "Food and drink on a checkered cloth",
        ),
        "What drink is on the table?",
        "coffee",
        "A cup of coffee stands next to a plate of pancakes with syrup.",
    ),
    Example(
        (
            "A surfer rides a large wave",
            "A man in a wetsuit on a board",
            "Someone surfing in the ocean",
            "White water around a surfer",
            "A surfer bends his knees on a wave",
        ),
        "What is the man wearing?",
        "wetsuit",
        "A surfer who wears a wetsuit rides a large wave on his board.",
    ),
    Example(
        (
            "A bus drives through a narrow street",
            "A double decker bus in a city",
            "A red bus passes old houses",
            "A street with a bus and a few people",
            "The bus shows the number 24",
        ),
        "What number is on the bus?",
        "24",
        "A red double decker bus with the number 24 passes old houses.",
    ),
    Example(
        (
            "A baby sits on a rug with toys",
            "A small child plays with blocks",
            "A baby in a striped shirt",
            "Wooden blocks and a teddy bear on a rug",
            "A child looks at a tower of blocks",
        ),
        "What toy is to the left of the baby?",
        "teddy bear",
        "A teddy bear sits to the left of a baby who plays with wooden blocks on a rug.",
    ),
    Example(
        (
            "Two men play tennis on clay",
            "A tennis match in the sun",
            "A player in white serves",
            "A man swings a racket",
            "People watch a game from a stand",
        ),
        "Which sport is this?",
        "tennis",
        "Two men, one of them serving in white, play tennis on a clay court.",
    ),
    Example(
        (
            "A living room with a sofa",
            "A lamp stands in the corner of a room",
            "A blue sofa under a window",
            "A room with plants",
            "Furniture in a bright room",
        ),
        "Where is the lamp?",
        "corner",
        "The lamp stands in the corner of a bright room with a blue sofa under the window.",
    ),
    Example(
        (
            "Sheep graze on a hill",
            "A flock on a green slope",
            "A dog watches the sheep",
            "Farm animals under a cloudy sky",
            "A hill with many sheep",
        ),
        "Which animal watches the sheep?",
        "dog",
        "A dog watches a flock of sheep that grazes on a green hill.",
    ),
    Example(
        (
            "A birthday cake with candles",
            "A girl blows out candles",
            "Six candles burn on a cake",
            "A family around a table",
            "A party with a chocolate cake",
        ),
        "How old is the girl?",
        "6",
        "A girl blows out the six candles on her chocolate birthday cake.",
    ),
    Example(
        (
            "A plane flies above the clouds",
            "An airplane with four engines",
            "A jet in a blue sky",
            "A white plane with a red tail",
            "An airliner in flight",
        ),
        "What color is the tail?",
        "red",
        "A white airplane with four engines and a red tail flies above the clouds.",
    ),
    Example(
        (
            "A red circle above a bus",
            "A red circle and a bus",
            "A bus, a star and other things",
            "A bus on a white background",
            "A green star to the right of a bus",
        ),
        "What is below the red circle?",
        "bus",
        "A bus is below the red circle.",
    ),
    Example(
        (
            "A cat and a blue square",
            "A cat, a moon and other things",
            "A blue square to the left of a cat",
            "A moon on a gray background",
            "A moon above a cat",
        ),
        "What is the thing to the right of the blue square?",
        "cat",
        "A cat is to the right of the blue square.",
    ),
)
