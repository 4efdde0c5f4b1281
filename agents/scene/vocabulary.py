"""The closed word classes of simple English: what the rules for scene graphs know by name.

Nouns and adjectives are open classes: a word that stands in no list is part of a noun's name, and the rules look at its place and
its ending only. Everything that holds a sentence together is closed, and what is not listed is not understood.
"""

from __future__ import annotations

__all__ = [
    "ARTICLES", "ART_NOUNS", "BARE_NOUNS", "BEYOND", "CLOTHES", "COLLOCATIONS", "COLORS", "COLORS_THAT_ARE_THINGS", "FILLERS",
    "FINITE", "FRAMES", "GROUPS", "IRREGULAR_PLURALS", "MASS", "MEDIA", "NOUNS_IN_ING", "NOUNS_IN_S", "NO_ADVERBS", "NUMBERS",
    "NUMBER_WORDS", "OBJECT_VERBS", "PARTICIPLES", "PARTICLES", "QUALITY", "RELATIONS", "SEEN_FROM", "SHADES", "SIZES", "STYLES",
    "TIMES", "TYING", "VAGUE",
]  # fmt: skip

ARTICLES = frozenset(["a", "an", "the", "this", "another"])
COLORS = frozenset(
    """red crimson scarlet ruby maroon green emerald jade lime olive blue azure cobalt sapphire navy turquoise teal cyan
    yellow lemon golden gold purple violet plum lilac magenta orange tangerine amber black ebony jet white ivory snowy
    pink rose fuchsia brown beige sandy gray grey silver blonde""".split()
)
COLORS_THAT_ARE_THINGS = frozenset("orange rose plum lemon lime olive jet lilac emerald ruby sapphire".split())
SHADES = frozenset(["light", "dark", "bright", "pale", "deep", "neon"])
# the colour is part of what the thing is
COLLOCATIONS = frozenset(
    """black hole|red wine|white wine|orange juice|green tea|brown bear|black bear|red panda|blue whale|gold medal|blue jay|green screen|
    rose bush|rose garden|lemon tree|lime tree|olive tree|orange tree|plum tree|white board|snowy owl|golden retriever|silver birch|
    golden gate|yellow cab""".replace("\n    ", "").split("|")
)
SIZES = frozenset(["small", "tiny", "little", "big", "large", "huge", "giant", "tall", "short"])
NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
NUMBER_WORDS = {number: word for word, number in NUMBERS.items()}
GROUPS = {
    "pair": 2, "couple": 2, "duo": 2, "trio": 3, "threesome": 3, "quartet": 4, "foursome": 4, "quintet": 5, "dozen": 12,
}  # fmt: skip
VAGUE = frozenset(["several", "many", "some", "multiple", "numerous"])

RELATIONS = (
    "on the left side of", "on the right side of", "to the left of", "to the right of", "on the left of", "on the right of", "left of", "right of",
    "in the shape of", "in the middle of", "in the center of", "in the centre of", "at the top of", "at the bottom of", "on the top of", "on the bottom of",
    "on the side of", "on the back of", "on the edge of", "in front of", "on top of", "higher than", "lower than", "larger than", "smaller than",
    "next to", "close to", "inside of", "outside of", "full of", "above", "over", "below", "beneath", "underneath", "under", "behind", "beside",
    "near", "inside", "outside", "against", "along", "across", "through", "around", "past", "toward", "towards", "into", "onto", "among",
    "on", "in", "at", "by",
)  # fmt: skip
# "a disc with a square on its left": the square is to the left of the disc
SEEN_FROM = {
    "on its left": "to the left of", "to its left": "to the left of", "on its right": "to the right of", "to its right": "to the right of",
    "above it": "above", "over it": "over", "higher up": "higher than", "below it": "below", "beneath it": "beneath",
    "underneath it": "underneath", "under it": "under", "behind it": "behind", "next to it": "next to", "in front of it": "in front of",
    "beside it": "beside",
}  # fmt: skip
# being in them is wearing them
CLOTHES = frozenset(
    """suit dress jacket coat hat uniform costume shirt t-shirt clothes clothing outfit robe gown armor kimono skirt jeans shorts
    sweater hoodie cap helmet boots tuxedo cloak spacesuit""".split()
)
FILLERS = frozenset(["placed", "located", "situated", "positioned"])
PARTICIPLES = frozenset(
    """covered filled surrounded dressed made painted written parked seated attached topped stacked decorated carved shaped tied
    wrapped lit hung hidden stuck mounted perched drawn printed scattered sprinkled dotted framed arranged built""".split()
)
PARTICLES = frozenset("up down out off away back together forward".split())
# what follows them without an article is what they are done to
OBJECT_VERBS = frozenset(
    """wearing holding riding carrying eating drinking playing reading selling pulling pushing watching driving throwing catching kicking
    blowing chasing flying cutting cooking serving using walking hugging displaying feeding writing""".split()
)
NOUNS_IN_ING = frozenset(
    """king ring wing string thing building painting drawing ceiling evening morning clothing lightning wedding swing spring sling railing
    pudding dumpling duckling earring bling awning lining icing offspring stuffing parking engraving carving being viking""".split()
)
NOUNS_IN_S = frozenset(
    """lens pants jeans shorts series scissors headquarters news binoculars goggles sunglasses glasses mens swiss paris james
    christmas canvas gas atlas texas""".split()
)
NO_ADVERBS = frozenset("lily family fly butterfly dragonfly belly jelly ugly lovely curly woolly".split())
IRREGULAR_PLURALS = frozenset(
    "children people men women mice feet teeth geese oxen police cattle dice cacti policemen firemen".split()
)
MASS = frozenset(
    """water snow rain smoke fog mist grass sand ice fire hair fur coffee tea milk beer wine juice bread cheese rice soup money cash
    traffic furniture luggage food fruit jewelry graffiti lightning sunlight moonlight wood metal glass text armor clothing sushi pasta""".split()
)
# nouns that may stand without an article, at the beginning or between commas
BARE_NOUNS = frozenset(
    """cat dog horse bird car bus train man woman boy girl child person house tree flower mountain city street beach forest garden sky
    sea ocean lake river field desert island castle bridge tower church temple ruins village jungle waterfall astronaut robot dragon
    owl tiger lion bear panda corgi raccoon fox wolf rabbit frog turtle fish boat ship airplane rocket spaceship bicycle motorcycle
    truck kitchen bathroom bedroom library room table chair sofa lamp clock book cup bottle sign statue knight wizard queen king
    princess prince moon sun clouds stars rainbow volcano cave windmill lighthouse cottage cabin barn farm road path fence park""".split()
)
# words that tie or deny: never part of a name
TYING = frozenset("and with without is are no not zero any there by on in at between".split())
# clauses, pronouns, comparisons, and the little words of other languages
BEYOND = frozenset(
    """it they them he she him his her its their theirs i me my we our you your himself herself itself themselves each every both either
    neither nor or but if when while where what how why because so than then as except instead rather unlike about only even also too
    very just being been do does did can could will would should may might must who whom whose which that to for from like
    off out up down nothing nobody none never nowhere hardly barely  before after until since during one's other others
    ein eine einer eines einen einem der die das und mit auf ist im vor une les des et avec sur dans est el los las con y
    del sobre il lo gli della per di su um uma com em na ja och med med en een het op met""".split()
)  # fmt: skip
FINITE = frozenset(
    """stands sits lies lays runs walks jumps flies plays holds wears rides drives eats drinks looks watches reads sleeps swims sings dances
    floats hangs leans rises sets shines smiles waits works cooks talks fights climbs carries pulls pushes throws catches kicks stares faces
    has had have was were am be ran sat stood lay fell flew sang swam ate shone sped held wore saw sank rode drove took went came
    slept broke threw caught sold made grew drew knelt bent leapt swung spun hung got gave kept left met said told wrote shows show
    features contains""".split()
)
TIMES = {
    "at night": "night", "at sunset": "sunset", "at sunrise": "sunrise", "at dawn": "dawn", "at dusk": "dusk", "at noon": "noon",
    "in the morning": "morning", "in the evening": "evening", "in winter": "winter", "in summer": "summer", "in spring": "spring",
    "in autumn": "autumn", "in the rain": "raining", "in the snow": "snowing", "in the dark": "dark", "during the day": "day",
    "during sunset": "sunset", "during winter": "winter", "on a sunny day": "sunny", "on a rainy day": "raining",
    "in space": "outer space", "under water": "under water",
    "on a cloudy day": "cloudy", "on a snowy day": "snowing", "on a foggy day": "foggy", "in daylight": "day",
}  # fmt: skip

# words for any picture; they say nothing that could be asked
FRAMES = frozenset("picture photo photograph image photos pictures images shot view scene".split())
# what a picture can be: asked as "Is this picture a painting?"
ART_NOUNS = frozenset(
    """painting drawing sketch illustration cartoon portrait poster logo emoji icon comic collage mosaic mural sculpture engraving etching
    render rendering watercolor watercolour close-up closeup selfie screenshot print sticker tattoo silhouette""".split()
)
MEDIA = frozenset(
    """art photography anime watercolor watercolour pixel-art graffiti ink charcoal pastel origami papercraft claymation""".split()
)
STYLES = frozenset(
    """photorealistic realistic hyperrealistic surreal surrealistic surrealist abstract minimalist minimalistic cinematic monochrome vintage retro
    fantasy steampunk cyberpunk futuristic impressionist impressionism cubist cubism baroque psychedelic stylized colorful colourful
    dystopian sci-fi dramatic moody gothic cartoonish photographic monochromatic symmetrical""".split()
)
# wishes for a good picture, which no question about it can hold
QUALITY = frozenset(
    """4k 8k 16k hd uhd hdr masterpiece masterpieces detailed intricate quality resolution trending artstation deviantart cgsociety behance award-winning
    octane unreal engine sharp focus best highly ultra high detail details professional hyperdetailed ultra-detailed bokeh dslr beautiful
    elegant stunning aesthetic 35mm 50mm 85mm ultrarealistic hyper very smooth extremely rendered""".split()
)
