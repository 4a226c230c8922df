"""The published lists are those of imagenet_ao.py, whichever way they are read."""

import subprocess
import sys

CODE = """
import sys
from aobench.vocabulary.published import OUR_SETS, published_lists
lists = published_lists()
assert "datasets" not in sys.modules and "imagenet_ao" not in sys.modules, "the lists alone were to be read"
import imagenet_ao
assert lists == (imagenet_ao.ATTRIBUTES, imagenet_ao.OBJECTS)
ours = {config.name for config in imagenet_ao.ImageNetAO.BUILDER_CONFIGS} - {"folder"}
assert ours == set(OUR_SETS), "a set of the project is missing from OUR_SETS"
assert list(lists.objects) == list(imagenet_ao.OBJECTS)
published_lists.cache_clear()
assert published_lists() == lists
print(len(lists.attributes), len(lists.objects))
"""


def test_both_ways_give_the_lists_of_the_module():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["129", "1000"], done.stderr
