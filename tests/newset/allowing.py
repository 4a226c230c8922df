"""Flags that allow the classes of the tests which a configuration names."""

import re


def allow(path):
    """``--allow-code`` for each ``module:Class`` of the tests in the configuration at ``path``."""
    return [
        word
        for name in sorted(
            set(
                re.findall(
                    r"\b(?:tiny_pipelines|test_judging|failing):\w+", path.read_text()
                )
            )
        )
        for word in ("--allow-code", name)
    ]
