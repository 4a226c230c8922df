"""What a dependency parse says of a caption: does the attribute modify the object?

The parser is spaCy's, with a model that the user installed (`load_parser`); nothing here depends on
it but the names of its relations, which are those of ClearNLP. Any object with the fields of
`Token` will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from aobench.audit.inflections import Forms
from aobench.audit.words import split_words
from aobench.errors import UserError
from aobench.extras import need_extra

#: Relations of a word to the noun that it describes.
MODIFIER_RELATIONS = frozenset(
    {"amod", "compound", "nmod", "nummod", "npadvmod", "advmod", "poss"}
)
#: Relations of a noun that only specifies another: "tank" in "tank top".
SPECIFYING_RELATIONS = frozenset({"compound", "amod", "nmod", "npadvmod"})
#: Relations of what is said by a verb: "the bench is wooden", "a bench painted red".
PREDICATE_RELATIONS = frozenset({"acomp", "attr", "oprd", "advmod", "xcomp"})
SUBJECT_RELATIONS = frozenset({"nsubj", "nsubjpass"})
CLAUSE_RELATIONS = frozenset({"relcl", "acl", "advcl"})
LINKING_VERBS = frozenset(
    {"be", "look", "appear", "seem", "become", "paint", "color", "dye"}
)
MADE_VERBS = frozenset(
    {"make", "build", "construct", "carve", "craft", "form", "fashion"}
)
MATERIAL_PREPOSITIONS = frozenset({"of", "from", "out"})


class Token(Protocol):
    """A word of a parsed caption, as spaCy gives it: its place ``i``, ``text``, relation ``dep_``
    to its ``head``, and ``lemma_``.
    """

    i: int
    text: str
    dep_: str
    lemma_: str

    @property
    def head(self) -> Token:
        """The word that it depends on; itself at the root."""


def load_parser(model: str) -> Any:
    """spaCy's model of that name or folder. UserError where spaCy or the model isn't there."""
    spacy = need_extra("spacy")
    try:
        parser = spacy.load(model)
    except (OSError, ValueError) as error:
        raise UserError(
            f"spaCy can't load the model {model!r}; install it (python -m spacy download {model}), "
            "or name a model's folder"
        ) from error
    if "parser" not in parser.pipe_names:
        raise UserError(
            f"spaCy's model {model!r} has no parser; use one that has"
        )
    return parser


def _places(
    tokens: Sequence[Token], forms: Iterable[tuple[str, ...]]
) -> list[list[Token]]:
    """The runs of tokens whose words are one of the forms."""
    words = [
        (word, token) for token in tokens for word in split_words(token.text)
    ]
    plain = [word for word, _ in words]
    return [
        [token for _, token in words[at : at + len(form)]]
        for form in forms
        for at in range(len(words) - len(form) + 1)
        if plain[at : at + len(form)] == list(form)
    ]


def _root(run: Sequence[Token]) -> Token:
    """The token of a run on which the others depend."""
    inside = {token.i for token in run}
    return next(
        (t for t in reversed(run) if t.head.i not in inside or t.head.i == t.i),
        run[-1],
    )


def _first_conjunct(token: Token) -> Token:
    """What a token is joined to by "and" or "or", at the beginning of the row."""
    for _ in range(50):
        if token.dep_ != "conj":
            break
        token = token.head
    return token


def _is_said_of(verb: Token, tokens: Sequence[Token], noun: Token) -> bool:
    """Whether ``noun`` is the subject of a verb, or is what the verb's clause describes."""
    for _ in range(50):
        if verb.dep_ in CLAUSE_RELATIONS and verb.head.i == noun.i:
            return True
        subjects = [
            t
            for t in tokens
            if t.head.i == verb.i and t.dep_ in SUBJECT_RELATIONS
        ]
        if any(t.i == noun.i for t in subjects):
            return True
        if subjects or verb.dep_ not in ("conj", "xcomp"):
            return False
        verb = verb.head
    return False


def _modifies(attribute: Token, noun: Token, tokens: Sequence[Token]) -> bool:
    first = _first_conjunct(attribute)
    for token in {attribute.i: attribute, first.i: first}.values():
        head = token.head
        if token.dep_ in MODIFIER_RELATIONS:
            if head.i == noun.i:
                return True
            # "a red brick house": red may hang on brick, which hangs on house
            if head.dep_ in SPECIFYING_RELATIONS and head.head.i == noun.i:
                return head.i < noun.i
        if token.dep_ in CLAUSE_RELATIONS and head.i == noun.i:
            return True
        if (
            token.dep_ in PREDICATE_RELATIONS
            and head.lemma_.lower() in LINKING_VERBS
        ):
            return _is_said_of(head, tokens, noun)
        if token.dep_ == "pobj" and head.text.lower() in MATERIAL_PREPOSITIONS:
            verb = head.head.head if head.head.dep_ == "prep" else head.head
            if verb.lemma_.lower() in MADE_VERBS:
                return _is_said_of(verb, tokens, noun)
    return False


def parsed_composition(
    tokens: Sequence[Token],
    attribute: Forms | Mapping[tuple[str, ...], Any],
    noun: Forms,
) -> bool:
    """Whether a parsed caption says of an object that it has an attribute.

    Args:
        tokens: the words of one caption.
        attribute: the forms of the attribute, sequences of words.
        noun: the forms of the object.

    Returns:
        True where some occurrence of the attribute depends, as an adjective, a noun before the
        noun, or a predicate, on one of the object that is the head of its phrase.
    """
    objects = [_root(run) for run in _places(tokens, noun)]
    heads = [one for one in objects if one.dep_ not in SPECIFYING_RELATIONS]
    attributes = _places(tokens, attribute)
    for head in heads:
        for run in attributes:
            if head.i not in {t.i for t in run} and _modifies(
                _root(run), head, tokens
            ):
                return True
    return False
