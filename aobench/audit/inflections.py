"""The forms in which a name counts: sequences of lower-cased words, each marked as written or as
inflected.

Written forms differ from the name only in what parts its words: hyphen, space or nothing
(``hotdog``, ``hot dog``). Inflected forms are plurals of an object's last word, degrees of
comparison of an attribute, and other spellings.
"""

from __future__ import annotations

from itertools import product

from aobench.audit.words import split_words

#: Sequence of words -> whether it is as written.
Forms = dict[tuple[str, ...], bool]

_IRREGULAR = {
    "man": ("men",),
    "woman": ("women",),
    "mouse": ("mice",),
    "goose": ("geese",),
    "ox": ("oxen",),
    "foot": ("feet",),
    "tooth": ("teeth",),
    "child": ("children",),
    "fungus": ("fungi", "funguses"),
    "hippopotamus": ("hippopotamuses", "hippopotami"),
    "platypus": ("platypuses", "platypi"),
    "cactus": ("cacti", "cactuses"),
    "nautilus": ("nautiluses", "nautili"),
    "abacus": ("abacuses", "abaci"),
    "bison": ("bisons",),
    "loaf": ("loaves",),
    "wolf": ("wolves",),
    "shelf": ("shelves",),
    "knife": ("knives",),
    "leaf": ("leaves",),
    "calf": ("calves",),
    "scarf": ("scarves", "scarfs"),
    "hoof": ("hooves",),
    "mantis": ("mantises", "mantes"),
    "matrix": ("matrices", "matrixes"),
    "stadium": ("stadiums", "stadia"),
    "planetarium": ("planetariums", "planetaria"),
    "aquarium": ("aquariums", "aquaria"),
    "thief": ("thieves",),
    "half": ("halves",),
    "person": ("people", "persons"),
    "volcano": ("volcanoes", "volcanos"),
    "mango": ("mangoes", "mangos"),
    "potato": ("potatoes",),
    "tomato": ("tomatoes",),
    "radius": ("radii",),
    "mosquito": ("mosquitoes", "mosquitos"),
    "flamingo": ("flamingos", "flamingoes"),
    "jean": ("jeans",),
    "bus": ("buses", "busses"),
    "minibus": ("minibuses", "minibusses"),
    "binoculars": (),
    "sunglasses": (),
    "trunks": (),
    "bars": (),
    "des": (),
    "ibex": ("ibexes", "ibices"),
    "vertex": ("vertices",),
    "trolleybus": ("trolleybuses", "trolleybusses"),
    "bolete": ("boletes",),
    "monkey": ("monkeys",),
    "buffalo": ("buffaloes", "buffalos", "buffalo"),
    "dingo": ("dingoes", "dingos"),
    "hero": ("heroes",),
    "echo": ("echoes",),
    "cargo": ("cargoes", "cargos"),
    "tornado": ("tornadoes", "tornados"),
    "sheep": (),
    "monarch": ("monarchs",),
    "stomach": ("stomachs",),
    "loch": ("lochs",),
    "life": ("lives",),
    "wife": ("wives",),
    "elf": ("elves",),
    "glasses": (),
    "eyeglasses": (),
    "goggles": (),
    "scissors": (),
    "pants": (),
    "pyrenees": (),
    "quiz": ("quizzes",),
    "louse": ("lice",),
    "die": ("dice",),
    "octopus": ("octopuses", "octopi"),
    "deer": (),
    "species": (),
    "series": (),
    "aircraft": (),
    "spacecraft": (),
    "hovercraft": (),
    "moose": (),
}

#: Words in -man that are no man: dobermans.
_MANS = {
    "ottoman",
    "doberman",
    "human",
    "german",
    "roman",
    "talisman",
    "caiman",
    "shaman",
    "norman",
    "cayman",
}

#: Names whose plural is not at their end.
_PLURAL_NAMES = {
    "bicycle-built-for-two": ("bicycles built for two",),
    "hen-of-the-woods": ("hens of the woods",),
    "bouvier des flandres": ("bouviers des flandres",),
}

#: Names written as one word that people part.
_PARTED = """
air liner|air ship|back pack|ball player|ball point|bar bell|barber shop|base ball|basket ball|
bath tub|bear skin|big horn|bird house|blood hound|boat house|bob sled|book case|book shop|
bottle cap|break water|breast plate|bull frog|cheese burger|coffee pot|cork screw|cray fish|
dish rag|dish washer|dog sled|door mat|dragon fly|drum stick|dumb bell|fire boat|flag pole|
flat worm|fork lift|gas mask|gold finch|gold fish|golf cart|grass hopper|green house|hand kerchief|
head phone|hoop skirt|horn bill|hot dog|hour glass|humming bird|jack fruit|jelly fish|joy stick|
lady bug|lake side|lamp shade|leaf hopper|life boat|lion fish|lip stick|loud speaker|lumber mill|
mail bag|mail box|match stick|may pole|meat loaf|micro phone|micro wave|mini bus|mini skirt|
mini van|mortar board|mouse trap|neck lace|note book|otter hound|oyster catcher|paddle wheel|
pad lock|paint brush|pan pipe|photo copier|pine apple|pin wheel|pole cat|rape seed|salt shaker|
sand bar|score board|screw driver|sea shore|side winder|snow mobile|snow plow|speed boat|spoon bill|
spot light|star fish|sting ray|stink horn|stop watch|street car|sun dial|sun glass|sun glasses|
sun screen|sweat shirt|volley ball|ox cart|pick up|pot pie|earth star|cross word|tea pot|
tooth brush|toy shop|trolley bus|turn stile|under shirt|war plane|wart hog|wash basin|weather vane|
whip tail
"""
_PARTED_WORDS = {
    parts.replace(" ", ""): tuple(parts.split())
    for parts in _PARTED.replace("\n", "").split("|")
}

_SPELLINGS = (
    ("gray", "grey"),
    ("colorful", "colourful"),
    ("color", "colour"),
    ("aluminum", "aluminium"),
    ("checkered", "chequered"),
    ("caldron", "cauldron"),
    ("bannister", "banister"),
    ("theater", "theatre"),
    ("pajama", "pyjama"),
    ("plow", "plough"),
    ("snowplow", "snowplough"),
    ("mold", "mould"),
    ("armor", "armour"),
    ("tire", "tyre"),
    ("blond", "blonde"),
    ("sulphur", "sulfur"),
    ("center", "centre"),
    ("jewelry", "jewellery"),
    ("pekinese", "pekingese"),
    ("consomme", "consommé"),
    ("barracouta", "barracuda"),
    ("yogurt", "yoghurt"),
    ("disc", "disk"),
    ("analog", "analogue"),
    ("racket", "racquet"),
    ("saint", "st"),
    ("catalog", "catalogue"),
)
_SPELLED: dict[str, tuple[str, ...]] = {
    w: pair for pair in _SPELLINGS for w in pair
}

#: Attributes that are compared: dirty, dirtier, dirtiest.
_COMPARED_WORDS = """
    dry wet rough clean dirty dusty curly round spiky fluffy foamy furry rocky sandy snowy muddy
    murky red pink green
    black blond blue brown gray grey white yellow tan purple big small large long short tall old new
    young bright
    dark soft hard smooth shiny rusty wide narrow thick thin
"""
_COMPARED = frozenset(_COMPARED_WORDS.split())
#: Comparatives that are rather things: vacuum cleaner, lighter.
_NOUNS = {"cleaner", "dryer", "drier", "tanner", "rounder", "lighter"}

#: Objects that the published list calls by their wnid, because another class has the name already.
SPOKEN = {"n02963159": "cardigan", "n03126707": "crane", "n03710721": "maillot"}


def plural_forms(word: str) -> tuple[str, ...]:
    """Plurals of an English noun by rule, or from the list of irregular ones; none where it has
    none.
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("man") and len(word) > 4 and word not in _MANS:
        return (word[:-3] + "men",)
    if word.endswith("fish"):
        return (word + "es",)
    if word.endswith("y") and word[-2:-1] not in ("", "a", "e", "i", "o", "u"):
        return (word[:-1] + "ies",)
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return (word + "es",)
    return (word + "s",)


def degree_forms(word: str) -> tuple[str, ...]:
    """Comparative and superlative of an attribute that is listed as compared; none for others."""
    if word not in _COMPARED:
        return ()
    if word.endswith("y") and word[-2] not in "aeiou":
        stems = [word[:-1] + "i"]
    elif word.endswith("e"):
        stems = [word[:-1]]
    elif word in ("red", "wet", "tan", "thin", "big"):
        stems = [word + word[-1]]
    else:
        stems = [word]
    return tuple(
        degree
        for stem in stems
        for ending in ("er", "est")
        if (degree := stem + ending) not in _NOUNS
    )


def _parted(sequence: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The sequence with each of its words joined to the next or not, and joined words of the
    list parted.
    """
    forms = set()
    for joins in product(
        (False, True), repeat=len(sequence) - 1 if len(sequence) <= 6 else 0
    ):
        joined = [sequence[0]]
        for word, join in zip(sequence[1:], joins, strict=False):
            if join:
                joined[-1] += word
            else:
                joined.append(word)
        forms.add(tuple(joined))
    forms.add(sequence)
    forms.add(
        tuple(
            part
            for word in sequence
            for part in _PARTED_WORDS.get(word, (word,))
        )
    )
    return forms


def _spelled(sequence: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The sequence in each spelling of each of its words."""
    return set(product(*(_SPELLED.get(word, (word,)) for word in sequence)))


def _possessives(name: str) -> set[tuple[str, ...]]:
    """The words of a name, with ``'s`` as a word of its own (as in captions), joined on, and
    left out.
    """
    plain = name.replace("\u2019", "'")
    variants = (
        (plain, plain.replace("'s", "s"), plain.replace("'s", ""))
        if "'s" in plain
        else (plain,)
    )
    return {tuple(split_words(v)) for v in variants}


def _plural_sequences(
    name: str, sequence: tuple[str, ...]
) -> set[tuple[str, ...]]:
    """The sequence with its last word in the plural; the listed plurals for a name that has them
    elsewhere.
    """
    if name in _PLURAL_NAMES:
        return {tuple(split_words(p)) for p in _PLURAL_NAMES[name]}
    *before, last = sequence
    if last in _PARTED_WORDS:  # hotdog: hotdogs and hot dogs
        first, second = _PARTED_WORDS[last]
        return {(*before, p) for p in plural_forms(last)} | {
            (*before, first, p) for p in plural_forms(second)
        }
    return {(*before, p) for p in plural_forms(last)}


def object_forms(name: str, synonyms: tuple[str, ...] = ()) -> Forms:
    """All forms of an object's name, and of its synonyms, which count as inflected."""
    forms: Forms = {}
    spoken = SPOKEN.get(name, name)
    for number, called in enumerate((spoken, *synonyms)):
        for written in _possessives(called):
            for sequence in _parted(written):
                forms[sequence] = number == 0 or forms.get(sequence, False)
            for spelled in _spelled(written):
                for sequence in _parted(spelled):
                    forms.setdefault(sequence, False)
                for plural in _plural_sequences(called, spelled):
                    for sequence in _parted(plural):
                        forms.setdefault(sequence, False)
    return forms


def attribute_forms(name: str) -> Forms:
    """All forms of an attribute: written, in other spellings, and compared where it is a single
    adjective.
    """
    written = tuple(split_words(name))
    forms: Forms = dict.fromkeys(_parted(written), True)
    for spelled in _spelled(written):
        for sequence in _parted(spelled):
            forms.setdefault(sequence, False)
        if len(spelled) == 1:
            for degree in degree_forms(spelled[0]):
                forms.setdefault((degree,), False)
    return forms
