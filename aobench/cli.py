"""The command ``imagenet-ao``. Heavy imports happen inside the verbs: ``--help`` answers at
once.

Each room adds its verbs by ``add_parser(verbs)``; a verb's parser holds what it runs, as ``run``.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aobench.analysis import check_commands as checks
from aobench.analysis import commands as analysis
from aobench.analysis import reading_commands as reading
from aobench.annotation import commands as annotation
from aobench.arguments import CommandParser, VerbParser, refuse_empty_words
from aobench.audit import commands as audit
from aobench.bindings import commands as bindings
from aobench.duplicates import commands as duplicates
from aobench.errors import UserError, tracebacks_shown
from aobench.evaluation import commands as evaluation
from aobench.extras import absence_message
from aobench.files import PLACE_ERRORS
from aobench.newset import commands as newset
from aobench.publish import commands as publish
from aobench.study import commands as study

#: What keeps the libraries' bars out of logs; transformers goes by that of the Hub's library.
QUIET = ("HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_PROGRESS_BARS")
#: Rooms with verbs, each with ``add_parser(verbs)``.
ROOMS = (
    evaluation,
    audit,
    bindings,
    newset,
    annotation,
    duplicates,
    analysis,
    reading,
    checks,
    study,
    publish,
)


@functools.cache
def command_parser() -> argparse.ArgumentParser:
    """The parser of the command, with all verbs; a process makes it once."""
    parser = CommandParser(
        prog="imagenet-ao",
        description="Tests whether a vision-language model composes attributes and objects.",
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=VerbParser
    )
    for room in ROOMS:
        room.add_parser(verbs)
    # suppressed: else a verb's default would undo what stands before it
    for each in verbs.choices.values():
        each.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, and leaves the process as it is.

    0; 2 for bad input or an output that can't be written, told in one line on stderr; 130 where it
    was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        return _run_verb(words)
    except UserError as error:
        return _refused(debug, str(error))
    except ModuleNotFoundError as error:
        message = absence_message(error.name or "")
        if message is None:
            raise
        return _refused(debug, message)
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in PLACE_ERRORS:
            raise
        return _refused(debug, _place_message(error))
    except KeyboardInterrupt:
        _traceback_if(debug)
        print(
            "imagenet-ao: interrupted; what was finished is kept",
            file=sys.stderr,
        )
        return 130


def _run_verb(words: list[str]) -> int:
    """Read the arguments, run what they ask for, and see that all of its output was written."""
    parser = command_parser()
    refuse_empty_words(parser, words)
    try:
        args = parser.parse_args(words)
    except SystemExit:  # --help and the like
        _write_out()
        raise
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not (sys.stderr and sys.stderr.isatty()):
        for name in QUIET:
            os.environ.setdefault(name, "1")
    _check_working_folder()
    with tracebacks_shown(args.debug):
        args.run(args)
    _write_out()
    return 0


def _write_out() -> None:
    """Write what was printed, so that a full disk is met here and not at the process's end."""
    if sys.stdout is None:  # the caller closed it
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # what can't be written would be tried, and fail, again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UserError(
            f"the output could not be written: {error.strerror}; send it to another place"
        ) from error


def _place_message(error: OSError) -> str:
    """What a place that can't be read or written is told as."""
    name = str(
        error.filename2 or error.filename or ""
    )  # of a copy where it goes
    where = (
        f"{name if len(name) <= 300 else name[:300] + '...'}: " if name else ""
    )
    why = error.strerror or error
    return f"{where}{why}; name another place, or mend this one"


def _check_working_folder() -> None:
    """UserError where the folder that the process stands in is gone: no path can be found then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "the working folder does not exist any more: change to another with cd"
        ) from None


def _refused(debug: bool, message: str) -> int:
    """Tell bad input in one line; with --debug after the traceback."""
    _traceback_if(debug)
    print(f"imagenet-ao: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _traceback_if(debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()


def command(argv: Sequence[str] | None = None) -> int:
    """The process ``imagenet-ao``: `main`, and with several processes the end of this one.

    Threads of the process group now and then abort an orderly exit, so there the process ends here.
    """
    if hasattr(
        sys.stdout, "reconfigure"
    ):  # a name that the terminal can't show is no error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = main(argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    processes = os.environ.get("WORLD_SIZE", "")
    if processes.isdecimal() and int(processes) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(command())
