"""Mini has the structure that it claims."""

from collections import Counter

import numpy as np
import pytest

from aobench.mini.pictures import objects
from aobench.mini.render import ATTRIBUTES, PIXELS, render
from aobench.mini.splits import IMAGES_PER_COMPOSITION, SPLITS, pairs, samples


def test_enough_attributes_and_objects():
    assert len(ATTRIBUTES) >= 20
    assert len(set(ATTRIBUTES)) == len(ATTRIBUTES)
    assert len(objects()) >= 100


def test_no_composition_is_both_seen_and_novel():
    seen, novel = set(pairs(novel=False)), set(pairs(novel=True))
    assert not seen & novel
    assert len(seen) + len(novel) == len(ATTRIBUTES) * len(objects())


def test_every_attribute_and_object_is_seen_in_training():
    attributes, names = (
        set(part) for part in zip(*pairs(novel=False), strict=True)
    )
    assert attributes == set(ATTRIBUTES)
    assert names == set(objects())


def test_novel_compositions_are_spread_evenly():
    novel = pairs(novel=True)
    assert set(Counter(name for _, name in novel).values()) == {5}
    counts = Counter(attribute for attribute, _ in novel).values()
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("split", SPLITS)
def test_sample_ids_are_unique_and_counted(split):
    ids = [sample.sample_id for sample in samples(split)]
    assert len(set(ids)) == len(ids)
    assert (
        len(ids)
        == len(pairs(novel=split == "ood")) * IMAGES_PER_COMPOSITION[split]
    )


def test_a_sample_renders_the_same_each_time_and_others_differ():
    first, second = (
        sample for sample, _ in zip(samples("ood"), range(2), strict=False)
    )
    assert np.array_equal(first.image(), first.image())
    assert not np.array_equal(first.image(), second.image())


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_every_attribute_changes_the_picture(attribute):
    image = render(attribute, "teapot", np.random.default_rng(0), "noto")
    other = render(
        "white" if attribute != "white" else "black",
        "teapot",
        np.random.default_rng(0),
        "noto",
    )
    assert image.shape == (PIXELS, PIXELS, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - other.astype(int)).mean() > 5, (
        f"{attribute} looks like a plain colour"
    )
