"""The small grammar of the rule ``modifies``: the words that it knows beside the vocabulary, and
what each may do.

A caption is a row of words with a gap before each: *soft* (a space, a hyphen), a *comma*, or *hard*
(any other mark). A word may play several parts. Words of an attribute that stands there are
adjectives, words of an object are nouns; the lists below add the commonest words of captions that
are in no vocabulary. The attribute modifies the object in two positions.

*Before it.* ATTRIBUTE, then any number of adjectives, joined by nothing, a comma, "and" or "or";
then any number of nouns in the singular; then OBJECT, which no head noun follows. So "a big, red
and white plastic bench" shows a red bench, and neither "a red tank top" a tank nor "an orange
shirt" an orange. ``red, bench`` and ``a red and bench`` show nothing.

*After it.* OBJECT, then one of

- ``that is``, ``which was``, and so on;
- ``is``, ``are``, ``was``, ``were``, where the object's own phrase begins the clause: "a man on a
  bench is wet" shows no wet bench;
- ``made of``, ``built from``; ``painted``, ``dyed``: alone, or after the two above;

then a chain of adjectives that no head noun ends, unless they name what it is made of; each
attribute in it modifies the object.

A shade before a colour ("dark blue bus") belongs to the colour. What isn't in the lists ends a
chain: the rule prefers to miss a pair rather than to invent one. The lists were written from
general English and from the captions of every second image of Flickr30k; precision and recall are
measured on the other half (docs/audit.md).
"""

from __future__ import annotations

from functools import cache

from aobench.audit.inflections import plural_forms

#: The parts that a word may play; bits of its class.
ADJECTIVE, NOUN, HEAD, JOIN = 1, 2, 4, 8
RELATIVE, COPULA, MADE, OF = 16, 32, 64, 128
PAINTED, ADVERB, SHADE, COLOUR = 256, 512, 1024, 2048
DETERMINER, OPENER = 4096, 8192

_COLOURS = """
red blue green yellow orange white black brown gray grey pink purple violet tan beige gold golden
silver maroon burgundy navy teal turquoise aqua cream ivory khaki olive crimson scarlet magenta
lavender lilac peach bronze copper amber indigo cyan lime rust mustard mauve blond blonde auburn
charcoal reddish bluish greenish yellowish brownish purplish fuchsia taupe terracotta
"""
_SHADES = "dark light bright pale deep vivid neon dull pastel hot royal"

_ADJECTIVES = """
big small large little tiny huge giant tall short long wide narrow thick thin broad enormous
massive oversized miniature mini mid medium sized full half old young new antique vintage
ancient modern contemporary older younger elderly bigger smaller larger longer shorter taller
pretty beautiful ugly cute nice fancy plain simple elegant ornate decorative colored coloured
multicolored multicoloured multi rainbow colour color patterned plaid checked printed flowered
flowery floral spotted dotted striped pinstriped pinstripe camouflage camo tinted bright shiny
sparkly glittery glossy matte clear soft hard stiff fuzzy hairy shaggy woolly hooded sleeveless
sleeved collared buttoned zippered laced knit knitted woven braided embroidered beaded quilted
padded fringed ruffled pleated ripped torn tattered worn faded stained bleached painted carved
polished rusted rusty weathered crumbling abandoned empty broken bent open closed covered
uncovered lit illuminated parked stacked inflatable inflated wheeled folding portable electric
mechanical motorized public private local rural urban western eastern asian african american
chinese japanese indian mexican traditional formal casual military tight loose fitting fitted
baggy skinny slim heavy light lightweight strapless matching protective reflective waterproof
deep shallow steep flat sloped slanted pointed pointy sharp crowded busy quiet cold hot warm
frozen icy fresh ripe cooked raw grilled sliced stuffed melted high low upper lower raised
elevated floating hanging rolling moving speeding burning smoking blooming leafy grassy mossy
dusty sunny shaded dark dim wooded forested homemade handmade makeshift used expensive cheap
strange unusual odd same similar different various several single double triple plush bare
upside sunlit stylish trendy vibrant lush transparent translucent
"""

# nouns that stand before the noun they specify, and those that take an object's name before them
_NOUNS = """
wool cotton linen silk satin velvet lace leather denim suede fur fleece nylon canvas burlap mesh
felt corduroy polyester spandex rubber plastic metal steel iron tin aluminum brass copper bronze
gold silver wood oak pine bamboo wicker rattan straw grass stone brick concrete cement marble
granite slate tile clay ceramic porcelain china glass crystal paper cardboard foam vinyl lycra
chain wire mud sand snow ice water rock dirt asphalt baseball basketball football soccer tennis
golf hockey volleyball rugby cricket lacrosse softball bowling boxing karate wrestling ski
skiing snowboard surf surfing swim swimming bathing racing race bike biker bicycle motorcycle
car auto truck bus train tram taxi boat ship sail sailing fishing police fire army navy school
college university church wedding birthday party christmas halloween circus carnival festival
concert band music dance dancing ballet theater stage street city town village country county
park playground garden yard farm beach ocean sea lake river pool mountain forest jungle desert
winter summer spring autumn fall rain sun night day evening morning kitchen dining dinner lunch
breakfast coffee tea wine beer bar restaurant cafe grocery market food picnic camping camp
hiking travel tourist office business work working construction safety traffic road highway
sidewalk crosswalk subway metro railroad railway airport air hot baby toy doll teddy stuffed pet
flower tree leaf fruit orange apple lemon banana chocolate candy cream cake computer laptop
phone cell video game movie tv television news radio camera photo picture bed bath bathroom
shower toilet laundry living storage trash garbage recycling mail jean polo tank bikini cowboy
dress bridal graduation bondage trench pant oven model bead piece one sports sport athletic
exercise gym jogging running training yoga martial hand head face hair eye neck knee ankle arm
wrist finger shoulder hip elbow leg foot ear front back side top bottom corner angel clown santa
pirate princess superman costume mascot rodeo jazz rap punk goth folk american style type print
design pattern jump rope drum guitar piano violin utility delivery cargo pickup dump tow moving
steam
"""
_HEADS = """
t tee top tops shirt hat cap cone bat ball racket racquet bag box case cover stand stop sign
post pole rack holder bowl plate cup mug glass bottle can jar pot pan lid tray basket bucket
barrel crate player rider driver team match game court field stadium arena club hoop net goal
glove mitt bench diamond coach fan umpire pitcher catcher batter referee league tournament
practice costume outfit uniform suit dress skirt jacket vest coat sweater sweatshirt hoodie pant
trouser short shorts sock shoe boot sandal slipper sneaker belt tie scarf helmet mask wig
backpack purse necklace bracelet ring earring watch clothes clothing attire gear apron robe gown
bikini swimsuit bandana headband collar sleeve button pocket zipper strap juice soda tea coffee
wine beer cream cake pie tart sauce salad soup sandwich bread roll bun pizza peel slice seed
tree grove blossom truck car van bus cab taxi train trailer cart wagon bike scooter boat ship
canoe raft plane tractor engine motor wheel tire door window roof seat mirror light lamp signal
bell horn ride track lane station terminal shelter shop store stall market vendor seller booth
counter shelf factory company building house tower room hall wall floor ceiling gate fence
bridge tunnel stair step railing ledge garden park yard patio path trail road street bed table
desk chair couch sofa stool furniture set kit pack piece part section side end edge corner
surface row pile stack group crowd pair bunch man woman boy girl child kid baby lady guy person
people worker performer artist dancer singer musician officer soldier fighter dog cat puppy bird
horse animal cub string cord cable wire rope line link chain hook handle knob picture photo
painting poster print design pattern logo image drawing statue sculpture figure doll toy book
magazine paper bow ribbon balloon flag banner tube pool slide swing area lift jump course range
hair polish wand calendar produce protector bottom bottoms stocking bonnet hem paste show
concert performance parade event race competition contest festival ceremony class lesson party
style type color colour fountain bath basin sink tub hydrant hose cage trap board stick blade
knife fork spoon tool brush cloth towel blanket pillow curtain butterfly fly leaf plant flower
bush nest egg coop web machine device screen monitor keyboard
"""
# heads whose plural is rather a verb: "a man in a suit stands"
_VERBS = """
stand stop post rack cover set match course fan coach lift jump swing slide fly sign photo brush
ride board stick pitch range surface end edge row stack group pack box play show step light bar
train station trap hook chain line shelter record plant peel bow brush can tie side drawing
umpire race track shop store work guard practice court mask dress print design
"""

_LISTS: tuple[tuple[int, str], ...] = (
    (ADJECTIVE | COLOUR, _COLOURS),
    (ADJECTIVE | SHADE, _SHADES),
    (ADJECTIVE, _ADJECTIVES),
    (NOUN, _NOUNS),
    (HEAD, _HEADS),
    (JOIN | OPENER, "and or"),
    (RELATIVE, "that which"),
    (COPULA, "is are was were"),
    (MADE, "made built constructed crafted carved fashioned formed woven"),
    (OF, "of from out"),
    (PAINTED, "painted colored coloured dyed"),
    (
        ADVERB,
        "very mostly all completely entirely partly partially quite rather really so bright dark "
        "light pale deep brightly lightly mainly almost both also too still totally fully slightly",
    ),
    (
        DETERMINER,
        "a an the this that these those his her their its my our your some many several two three "
        "four five six both all each every one another",
    ),
    (
        OPENER,
        "while as but where because when although though since until if whose with",
    ),
)


@cache
def word_classes() -> dict[str, int]:
    """Word -> the parts that it may play, as bits.

    Example:
        >>> from aobench.audit import grammar
        >>> grammar.word_classes()["and"] == grammar.JOIN | grammar.OPENER
        True
    """
    classes: dict[str, int] = {}
    for part, words in _LISTS:
        for word in words.split():
            classes[word] = classes.get(word, 0) | part
    for word in _HEADS.split():
        for plural in () if word in _VERBS.split() else plural_forms(word):
            classes[plural] = classes.get(plural, 0) | HEAD
    return classes
