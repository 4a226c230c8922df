"""Evaluate models on attribute-object compositions: ``accelerate launch evaluate_models.py MODEL ...``."""

from aobench.cli import main

if __name__ == "__main__":
    import sys

    sys.exit(main(["evaluate", *sys.argv[1:]]))
