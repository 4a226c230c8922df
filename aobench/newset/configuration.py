"""Reading a build's configuration: the YAML, its keys, the code that it names, its values."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from aobench.newset.checks import check_values
from aobench.newset.config import BuildConfig, config_of
from aobench.newset.own_classes import refuse_code
from aobench.strict_yaml import read_yaml


def read_config(path: Path, allow_code: Collection[str] = ()) -> BuildConfig:
    """The configuration at ``path``; file names in it are relative to its folder.

    Args:
        path: a YAML file, read strictly; see `strict_yaml`.
        allow_code: generators and judges ``module:Class`` that the user allows it to run.

    Raises:
        UserError: for anything wrong, and for a class that would run code unallowed.
    """
    content = read_yaml(path)
    if isinstance(content, dict):
        content = {"distinct": {}, **content}
    config = config_of(content, str(path))
    refuse_code(
        [
            config.generate.generator,
            *(judge.kind for judge in config.validate.judges),
        ],
        allow_code,
        str(path),
    )
    check_values(config, str(path))
    return config
