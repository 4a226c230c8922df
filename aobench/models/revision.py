"""Which weights exactly: the Hub's commit, or a digest of a folder's files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aobench.files import sha256_of

if TYPE_CHECKING:
    import torch

#: Files of a saved model that change what it computes.
SUFFIXES = {".safetensors", ".json", ".txt", ".model", ".bin", ".pt", ".pth"}


def digest_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents of files, the first 16 hexadecimal digits."""
    return digest_of_named_files(
        (path.name, path) for path in sorted(paths, key=lambda p: p.name)
    )


def digest_of_named_files(files: Iterable[tuple[str, Path]]) -> str:
    """As `digest_of_files`, of (name, file) in this order: such as a file's path in a folder."""
    lines = [f"{name}\0{sha256_of(path)}\n".encode() for name, path in files]
    return sha256_of(lines)[:16]


def revision_of(source: str, config: Any) -> str:
    """The Hub's commit hash, or for a folder ``sha256:`` and a digest of its weights, config and
    vocabulary.
    """
    folder = Path(source)
    if folder.is_dir():
        return "sha256:" + digest_of_files(
            p for p in folder.iterdir() if p.suffix in SUFFIXES and p.is_file()
        )
    return getattr(config, "_commit_hash", None) or "unknown"


def digest_of_state(model: torch.nn.Module) -> str:
    """``weights:`` and SHA-256 over the names and bytes of a model's state: for weights that
    name no commit.
    """
    import torch

    whole = hashlib.sha256()
    for name, value in model.state_dict().items():
        whole.update(name.encode())
        whole.update(
            value.detach()
            .cpu()
            .contiguous()
            .reshape(-1)
            .view(torch.uint8)
            .numpy()
            .tobytes()
        )
    return f"weights:{whole.hexdigest()[:16]}"
