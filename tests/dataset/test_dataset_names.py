"""The published names, their ImageNet classes, and the parsing of labels."""

from __future__ import annotations

import pytest

from imagenet_ao import ATTRIBUTES, CARD, OBJECTS, parse_label


def test_attributes_are_the_129_unique_ones() -> None:
    assert len(ATTRIBUTES) == len(set(ATTRIBUTES)) == 129
    assert {"moss covered", "stained blue plaid", "stainless steel"} <= set(
        ATTRIBUTES
    )


def test_objects_and_imagenet_classes_match_one_to_one() -> None:
    assert sorted(index for _, index in OBJECTS.values()) == list(range(1000))
    wnids = [
        wnid for wnid, _ in sorted(OBJECTS.values(), key=lambda both: both[1])
    ]
    assert wnids == sorted(set(wnids)), (
        "ImageNet's indices follow the order of the wnids"
    )
    assert list(OBJECTS) == sorted(OBJECTS), (
        "the published list is alphabetical"
    )


@pytest.mark.parametrize(
    ("name", "wnid", "index"),
    [
        ("tench", "n01440764", 0),
        ("toilet tissue", "n15075141", 999),
        ("kite", "n01608432", 21),  # the bird
        ("crane", "n02012849", 134),  # the bird
        ("n03126707", "n03126707", 517),  # the machine
        ("cardigan", "n02113186", 264),  # the dog
        ("n02963159", "n02963159", 474),  # the garment
        ("maillot", "n03710637", 638),
        ("n03710721", "n03710721", 639),
        ("sunglass", "n04355933", 836),
        ("sunglasses", "n04356056", 837),
        ("missile", "n03773504", 657),
        ("projectile", "n04008634", 744),
    ],
)
def test_hand_checked_classes(name: str, wnid: str, index: int) -> None:
    assert OBJECTS[name] == (wnid, index)


@pytest.mark.parametrize("separator", [" ", "_"])
def test_every_published_pair_is_read_back(separator: str) -> None:
    wrong = [
        (attribute, name)
        for attribute in ATTRIBUTES
        for name in OBJECTS
        if parse_label(f"{attribute} {name}".replace(" ", separator))
        != (attribute, name)
    ]
    assert not wrong, (
        f"{len(wrong)} of 129,000 labels are misread, such as {wrong[:3]}"
    )


@pytest.mark.parametrize(
    ("label", "pair"),
    [
        ("red red fox", ("red", "red fox")),
        ("paper_paper towel", ("paper", "paper towel")),
        ("red brick_bakery", ("red brick", "bakery")),
        (
            "STAINEDBLUE plaid jack-o'-lantern",
            ("stained blue plaid", "jack-o'-lantern"),
        ),
        ("wet egyptian ca", ("wet", "egyptian cat")),
        ("wet lesser pand", ("wet", "lesser panda")),
        ("red_swimming_cap", ("red", "bathing cap")),
        (" red  fox_squirrel ", ("red", "fox squirrel")),
    ],
)
def test_traps(label: str, pair: tuple[str, str]) -> None:
    assert parse_label(label) == pair


@pytest.mark.parametrize(
    "label",
    [
        "",
        "red",
        "red fox",
        "test tube",
        "ambulance",
        "red ambulances",
        "moss-covered crane",
    ],
)
def test_nothing_is_guessed(label: str) -> None:
    assert parse_label(label) is None


def test_the_card_says_which_paper_made_which_version() -> None:
    text = " ".join(CARD.split())
    assert (
        "second version, a copy of the archive that the authors of [arXiv:2407.05897]"
        in text
    )
    assert (
        "The first version, which it follows, is that of [arXiv:2403.18525]"
        in text
    )
