"""faiss and ImageHash, which only this step needs: asked for where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from aobench.errors import UserError


def need_extra(module: str) -> Any:
    """The module ``faiss`` or ``imagehash``. Raises UserError, in one line, where it isn't
    installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(
            f"finding near-duplicates needs {module}, which isn't installed: pip install "
            "'imagenet-ao[distinct]'"
        ) from error
