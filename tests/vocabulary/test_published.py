"""The published lists are those of imagenet_ao.py, which defines them and must stand alone."""

import subprocess
import sys
from pathlib import Path

import imagenet_ao
from aobench.vocabulary import published
from aobench.vocabulary.published import (
    OUR_SETS,
    published_lists,
    wordnet_lemmas,
)

CODE = """
import sys
from aobench.vocabulary.published import published_lists
lists = published_lists()
assert "datasets" not in sys.modules and "imagenet_ao" not in sys.modules
print(len(lists.attributes), len(lists.objects))
"""


def test_the_data_files_hold_the_lists_of_the_module_in_its_order():
    attributes, objects = published_lists()
    assert attributes == imagenet_ao.ATTRIBUTES
    assert list(objects.items()) == list(imagenet_ao.OBJECTS.items())


def test_the_projects_own_sets_are_the_modules_configs():
    configs = {config.name for config in imagenet_ao.ImageNetAO.BUILDER_CONFIGS}
    assert configs - {"folder"} == set(OUR_SETS), (
        "folder is somebody's own pictures"
    )


def test_the_lists_are_read_without_the_library_datasets():
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["129", "1000"], done.stderr


def test_every_object_has_lemmas_and_no_other_class_does():
    assert set(wordnet_lemmas()) == {
        wnid for wnid, _ in published_lists().objects.values()
    }
    assert all(all(lemmas) for lemmas in wordnet_lemmas().values()), (
        "an empty lemma"
    )


def test_no_source_of_another_module_is_run():
    for path in Path(published.__file__).parents[1].rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(
            line.lstrip().startswith("exec(") for line in text.splitlines()
        ), f"{path} runs text as code; read a data file, or import"
