"""Libraries that only some verbs need: which extra brings each, and one line where it is absent.

The base is what evaluating a model on a set takes. What else there is, is named by what one wants
to do: ``pip install 'imagenet-ao[audit]'``; setup.py lists them.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Any

from aobench.errors import UserError

#: By module: what needs it, and the extra that brings it.
EXTRA_OF = MappingProxyType(
    {
        "polars": ("counting captions", "audit"),
        "matplotlib": ("drawing a plot", "plots"),
        "sklearn": ("measuring disentanglement", "analysis"),
        "faiss": ("finding near-duplicates", "distinct"),
        "imagehash": ("finding near-duplicates", "distinct"),
        "diffusers": ("the generator 'diffusion'", "generate"),
        "ray": ("the engine ray", "ray"),
        "spacy": ("parsing", "parse"),
        "plotly": ("the leaderboard", "leaderboard"),
        "gradio": ("the annotation page", "annotate"),
        "krippendorff": ("Krippendorff's alpha", "annotate"),
    }
)


def absence_message(module: str) -> str | None:
    """The line for a library that is absent; None where it is of no extra, and so a bug.

    Args:
        module: as it is imported, or a module within it.

    Example:
        >>> absence_message("polars.selectors")
        "counting captions needs polars, which isn't installed: pip install 'imagenet-ao[audit]'"
    """
    library = module.split(".")[0]
    if library not in EXTRA_OF:
        return None
    purpose, extra = EXTRA_OF[library]
    return (
        f"{purpose} needs {library}, which isn't installed: "
        f"pip install 'imagenet-ao[{extra}]'"
    )


def need_extra(module: str) -> Any:
    """Import a library of `EXTRA_OF`.

    Returns:
        The module.

    Raises:
        UserError: where it isn't installed, with the command that installs it.

    Example:
        >>> need_extra("matplotlib").__name__
        'matplotlib'
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(absence_message(module) or str(error)) from error
