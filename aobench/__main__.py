"""``python -m aobench`` is the command ``imagenet-ao``."""

import sys

from aobench.cli import command

if __name__ == "__main__":
    sys.exit(command())
