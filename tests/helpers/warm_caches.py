"""Imported once, before programs are forked: what libraries make at their first use and keep."""

import contextlib

from PIL import Image

from aobench.cli import command_parser

Image.init()
command_parser()
# A tenth of a second of regular expressions, for any model; where another version has it.
with contextlib.suppress(ImportError, AttributeError):
    from transformers import conversion_mapping

    conversion_mapping.get_checkpoint_conversion_mapping("clip")
