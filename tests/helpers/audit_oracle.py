"""A slow, obvious, independent count: regular expressions over Python strings, one caption after
the other.

It shares nothing with the product but the list of each name's forms, which has its own test, and
the word lists of the grammar. The grammar itself is written as regular expressions here.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aobench.audit import grammar
from aobench.audit.grammar import word_classes

SOFT = "-_'+\u2010\u2011\u2019\u02bc\u200b"
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def usual(c: str) -> str:
    """A full-width or half-width character as the usual one."""
    tag, _, target = unicodedata.decomposition(c).partition(" ")
    return chr(int(target, 16)) if tag in ("<wide>", "<narrow>") else c


def one_form(caption: str) -> str:
    """Entities decoded, invisible characters dropped, usual widths, composed, case folded."""
    text, before = caption, ""
    while text != before:  # "&amp;quot;" is encoded twice
        before = text
        text = re.sub(
            r"&(#x?[0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);",
            lambda m: html.unescape(m[0]),
            text,
        )
    text = "".join(map(usual, INVISIBLE.sub("", text)))
    text = unicodedata.normalize("NFC", text).replace("\u0130", "i")
    return unicodedata.normalize("NFC", text.casefold())


def plain(caption: str) -> str:
    """One form; word characters stay, soft gaps become one space, a gap with commas becomes
    " , ", one with anything else " | ".
    """
    out = []
    for c in one_form(caption):
        letter = c.isalnum() or unicodedata.category(c)[0] == "M"
        if letter and c not in SOFT:
            out.append(c)
        else:
            out.append(
                " " if c.isspace() or c in SOFT else "," if c == "," else "|"
            )
    text = re.sub(r"[ ,|]*\|[ ,|]*", " | ", "".join(out))
    text = re.sub(r" *,[ ,]*", " , ", text)
    return " " + re.sub(" +", " ", text).strip() + " "


def occurrences(
    text: str, forms: Mapping[tuple[str, ...], bool]
) -> list[tuple[int, int, bool]]:
    """(start, end, as written) of each place in ``text`` (from `plain`) where a form stands."""
    places = {}
    for sequence, written in forms.items():
        needle = " " + " ".join(sequence) + " "
        at = text.find(needle)
        while at >= 0:
            places[at + 1, at + len(needle) - 1] = written
            at = text.find(needle, at + 1)
    return [(start, end, written) for (start, end), written in places.items()]


def inside(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether ``a`` lies within ``b`` and is shorter."""
    return b[0] <= a[0] and a[1] <= b[1] and (b[1] - b[0]) > (a[1] - a[0])


def encoded(text, a_live, o_live):
    """The caption with one character a word, which stands for the word's parts, and commas and
    bars; the place of each word by its place in ``text``; and a class of characters by part.
    """
    known, parts, places = word_classes(), [], {}
    for word in re.finditer(r"[^ ]+", text):
        if word[0] in ",|":
            parts.append(word[0])
            continue
        bits = known.get(word[0], 0)
        if any(s <= word.start() < e for _, s, e, _ in a_live):
            bits |= grammar.ADJECTIVE
        if any(s <= word.start() < e for _, s, e, _ in o_live):
            bits |= grammar.NOUN | grammar.HEAD
        places[word.start()] = len(parts)
        parts.append(chr(0xE000 + bits))
        places[word.end()] = len(parts)
    row = "".join(parts)

    def of(bits):
        letters = "".join(
            c for c in set(row) - set(",|") if (ord(c) - 0xE000) & bits
        )
        return f"[{letters}]" if letters else "(?!)"

    return row, places, of


def modified(text, a_live, o_live):
    """The pairs whose attribute modifies the object."""
    row, places, of = encoded(text, a_live, o_live)
    adjective, noun, head, join = map(of, (1, 2, 4, 8))
    more = f"(?:,?{adjective}|,?{join}{adjective})*+"
    # an "and" that belongs to a name, "black and tan coonhound", joins after an adjective all the same
    nouns = f"(?:(?!{join}){noun}+)?"
    adverbs = f"{of(grammar.ADVERB)}*+"
    made = f"{of(grammar.MADE)}{of(grammar.OF)}{of(grammar.OF | grammar.ADVERB | grammar.DETERMINER)}*+"
    painted = (
        f"(?!{of(grammar.MADE)}{of(grammar.OF)}){of(grammar.PAINTED)}{adverbs}"
    )
    neither = f"(?!{of(grammar.MADE)}{of(grammar.OF)}|{of(grammar.PAINTED)})"
    relative, copula = f",?{of(grammar.RELATIVE)}", of(grammar.COPULA)
    chain, no_head = f"(?P<said>{adjective}{more})", f"(?!{head}|{noun})"
    begins = (
        f"(?:^|[|,]|{of(grammar.OPENER)})(?:{of(1 | 2 | grammar.DETERMINER)})*$"
    )
    seen = set()
    for o, o_start, o_end, _ in o_live:
        first, stop = places[o_start], places[o_end]
        lead = f"(?:{relative})?{copula}{adverbs}"
        if not re.search(begins, row[:first]):
            lead = f"{relative}{copula}{adverbs}"
        bare = f"(?!{relative}|{copula})"
        said = re.match(
            f"(?:{lead}|{bare}){made}{chain}"
            f"|(?:{lead}|{bare}){painted}{chain.replace('said', 'dyed')}{no_head}"
            f"|{lead}{neither}{chain.replace('said', 'was')}{no_head}",
            row[stop:],
        )
        inside = range(0)
        if said:
            name = next(key for key, value in said.groupdict().items() if value)
            inside = range(stop + said.start(name), stop + said.end(name) + 1)
        is_head = not re.match(head, row[stop:])
        if re.fullmatch(adjective, row[first]) and re.fullmatch(
            adjective, row[stop - 1]
        ):
            is_head &= not re.match(
                f"{join}|,(?:{join}|{adjective})", row[stop:]
            )
        for a, a_start, a_end, _ in a_live:
            begin, end = places[a_start], places[a_end]
            if re.match(of(grammar.SHADE), row[end - 1]) and re.match(
                of(grammar.COLOUR), row[end:]
            ):
                continue
            between = row[end:first] if end <= first else "|"
            if (is_head and re.fullmatch(f"{more}{nouns}", between)) or (
                begin in inside and end in inside
            ):
                seen.add((a, o))
    return seen


def live_names(
    text: str,
    attributes: Sequence[Mapping[tuple[str, ...], bool]],
    objects: Sequence[Mapping[tuple[str, ...], bool]],
) -> tuple[list[tuple[int, int, int, bool]], list[tuple[int, int, int, bool]]]:
    """(name, start, end, as written) of the attributes and of the objects that stand in ``text``
    (from `plain`) and in no longer name.
    """
    a_found = [
        (i, *place)
        for i, forms in enumerate(attributes)
        for place in occurrences(text, forms)
    ]
    o_found = [
        (i, *place)
        for i, forms in enumerate(objects)
        for place in occurrences(text, forms)
    ]
    a_spans = {(s, e) for _, s, e, _ in a_found}
    o_spans = {(s, e) for _, s, e, _ in o_found}
    a_live = [
        a for a in a_found if not any(inside(a[1:3], span) for span in o_spans)
    ]
    o_live = [
        o
        for o in o_found
        if not any(inside(o[1:3], span) for span in a_spans | o_spans)
    ]
    return a_live, o_live


def shown_pairs(text, a_live, o_live) -> dict[str, set[tuple[int, int]]]:
    """The pairs (attribute, object) that names which live in a caption show, by rule."""
    seen: dict[str, set[tuple[int, int]]] = {
        "words": set(),
        "adjacent": set(),
        "adjacent-forms": set(),
        "modifies": modified(text, a_live, o_live)
        if a_live and o_live
        else set(),
    }
    for a, a_start, a_end, a_written in a_live:
        for o, o_start, o_end, o_written in o_live:
            if a_end < o_start or o_end < a_start:
                seen["words"].add((a, o))
            if o_start == a_end + 1 and text[a_end] == " ":
                seen["adjacent-forms"].add((a, o))
                if a_written and o_written:
                    seen["adjacent"].add((a, o))
    return seen


def in_caption(
    caption: str,
    attributes: Sequence[Mapping[tuple[str, ...], bool]],
    objects: Sequence[Mapping[tuple[str, ...], bool]],
) -> dict[str, set[tuple[int, int]]]:
    """The pairs (attribute, object) that one caption shows, by rule."""
    text = plain(caption)
    return shown_pairs(text, *live_names(text, attributes, objects))


def names_in_captions(
    captions: Iterable[str], vocabulary
) -> Iterator[tuple[str, list, list]]:
    """Of each caption its `plain` text, and the attributes and objects that live in it."""
    # Only names of which a first word stands in the caption can occur; that alone makes it
    # bearable.
    first: dict[str, set[tuple[str, int]]] = {}
    for kind, every in (
        ("a", vocabulary.attribute_forms),
        ("o", vocabulary.object_forms),
    ):
        for i, forms in enumerate(every):
            for sequence in forms:
                first.setdefault(sequence[0], set()).add((kind, i))
    for caption in captions:
        text = plain(caption)
        near = set().union(
            *(first.get(word, set()) for word in set(text.split()))
        )
        a_near, o_near = (
            sorted(i for k, i in near if k == kind) for kind in "ao"
        )
        a_live, o_live = live_names(
            text,
            [vocabulary.attribute_forms[i] for i in a_near],
            [vocabulary.object_forms[i] for i in o_near],
        )
        yield (
            text,
            [(a_near[a], *place) for a, *place in a_live],
            [(o_near[o], *place) for o, *place in o_live],
        )


def by_words(captions: Iterable[str], vocabulary) -> dict[str, Counter]:
    """Captions by pair, for the rules of whole words."""
    counts: dict[str, Counter] = {
        "words": Counter(),
        "adjacent": Counter(),
        "adjacent-forms": Counter(),
        "modifies": Counter(),
    }
    for text, a_live, o_live in names_in_captions(captions, vocabulary):
        for rule, pairs in shown_pairs(text, a_live, o_live).items():
            counts[rule].update(pairs)
    return counts


def by_names(
    captions: Iterable[str], vocabulary
) -> tuple[Counter, Counter, Counter, Counter]:
    """Captions by attribute and by object, and by how many different attributes and objects they
    name, where they name any of either.
    """
    attributes, objects, many, more = (Counter() for _ in range(4))
    for _, a_live, o_live in names_in_captions(captions, vocabulary):
        a_names, o_names = (
            {name for name, *_ in live} for live in (a_live, o_live)
        )
        attributes.update(a_names)
        objects.update(o_names)
        if a_names or o_names:
            many[len(a_names)] += 1
            more[len(o_names)] += 1
    return attributes, objects, many, more


def by_authors(captions: Sequence[str], vocabulary) -> Counter:
    """Captions by pair, by the notebook's test: the first two words of the label are both in the
    caption.
    """
    counts: Counter = Counter()
    lowered = [caption.lower() for caption in captions]
    holds: dict[str, set[int]] = {}

    def holding(word: str) -> set[int]:
        if word not in holds:
            holds[word] = {
                i for i, caption in enumerate(lowered) if word in caption
            }
        return holds[word]

    for a, attribute in enumerate(vocabulary.attributes):
        for o, name in enumerate(vocabulary.objects):
            first, second = f"{attribute} {name}".split()[:2]
            both = len(holding(first) & holding(second))
            if both:
                counts[a, o] = both
    return counts
