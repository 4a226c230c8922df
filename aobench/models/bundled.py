"""The models that are bundled, by name: ``mini``, a CLIP, and ``mini-generative``, which answers
about its pictures.

The second one sees by the first one's image tower, so its bundle holds the language model and the
projector alone. The whole is put together once, in a folder of the cache that a digest of its
parts names, and is a model as any other there.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from aobench.models.revision import digest_of_files

BUNDLED = Path(__file__).parents[1] / "mini" / "model"
GENERATIVE = Path(__file__).parents[1] / "mini" / "generative"
BUNDLED_NAMES = ("mini", "mini-generative")
#: The weights in GENERATIVE: all but the image tower's.
LANGUAGE = "language.safetensors"
WHOLE = "model.safetensors"
#: What the image tower's weights are called in the one and in the other.
CLIP_TOWER, LLAVA_TOWER = "vision_model.", "vision_tower."


def bundled_folder(name: str) -> Path:
    """The folder of the bundled model of that name, as ``from_pretrained`` takes it.

    Args:
        name: of BUNDLED_NAMES.
    """
    return BUNDLED if name == "mini" else generative_folder()


def model_folder(name: str) -> Path:
    """The folder that ``name``, of a bundled model or a folder itself, stands for."""
    return bundled_folder(name) if name in BUNDLED_NAMES else Path(name)


@cache
def generative_folder() -> Path:
    """The folder of mini's generative model, put together where it isn't there yet."""
    files = [p for p in sorted(GENERATIVE.iterdir()) if p.suffix != ".md"]
    name = f"mini-generative-{digest_of_files([*files, BUNDLED / WHOLE])}"
    for place in _places():
        folder = place / name
        try:
            if not (folder / WHOLE).is_file():
                _put_together(folder, files)
        except OSError:
            continue  # a cache that can't be written
        return folder
    raise AssertionError("a temporary folder can be written")


def _places() -> tuple[Path, ...]:
    from huggingface_hub.constants import HF_HOME

    return (
        Path(HF_HOME) / "imagenet_ao",
        Path(tempfile.mkdtemp(prefix="mini-")),
    )


def _put_together(folder: Path, files: list[Path]) -> None:
    """Copy ``files``, and write the weights last: where they are, all is."""
    from safetensors.numpy import load_file, save

    from aobench.files import write_in_one_move

    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        if path.name != LANGUAGE:
            write_in_one_move(folder / path.name, path.read_bytes())
    tower = load_file(BUNDLED / WHOLE)
    state = load_file(GENERATIVE / LANGUAGE)
    for key, value in tower.items():
        if key.startswith(CLIP_TOWER):
            state[LLAVA_TOWER + key.removeprefix(CLIP_TOWER)] = value
    write_in_one_move(folder / WHOLE, save(state, metadata={"format": "pt"}))
