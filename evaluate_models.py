"""Evaluate models on attribute-object compositions: ``accelerate launch evaluate_models.py MODEL
...``.
"""

from aobench.cli import command

if __name__ == "__main__":
    import sys

    sys.exit(command(["evaluate", *sys.argv[1:]]))
