"""The command ``imagenet-ao``. Heavy imports happen inside the verbs: ``--help`` answers at
once.

Each room adds its verbs by ``add_parser(verbs)``; a verb's parser holds what it runs, as ``run``.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from aobench.analysis import commands as analysis
from aobench.annotation import commands as annotation
from aobench.audit import commands as audit
from aobench.errors import UserError
from aobench.evaluation import commands as evaluation
from aobench.newset import commands as newset
from aobench.publish import commands as publish
from aobench.study import commands as study

#: Errors of the place that is read or written, not of the program.
PLACE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)

#: Rooms with verbs, each with ``add_parser(verbs)``.
ROOMS = (evaluation, audit, newset, annotation, analysis, study, publish)

#: The verbs as --help shows them; one that is in no group is shown at the end.
GROUPS = {
    "data": ("prepare", "install", "audit", "diversity"),
    "evaluate": ("evaluate", "score"),
    "understand": ("effective", "compare", "breakdown", "disentangle", "study"),
    "publish": ("card", "submit", "leaderboard"),
    "a new set": ("build", "annotate", "agreement"),
}


class _Parser(argparse.ArgumentParser):
    """Tells a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        """As argparse's, without the usage above it."""
        line = " ".join(message.split())
        shown = line if len(line) < 600 else line[:600] + "..."
        self.exit(2, f"{self.prog}: {shown}; see {self.prog} --help\n")


class _GroupedParser(_Parser):
    """The command's own parser, whose help has the verbs in groups."""

    def format_help(self) -> str:
        """Usage, description, the groups of verbs, the options."""
        lines = {verb.dest: verb for verb in _verbs_of(self)._get_subactions()}
        groups = dict(GROUPS)
        listed = {name for names in groups.values() for name in names}
        if rest := tuple(name for name in lines if name not in listed):
            groups["more"] = rest
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, names in groups.items():
            formatter.start_section(title)
            formatter.add_arguments([lines[name] for name in names if name in lines])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments(self._optionals._group_actions)
        formatter.end_section()
        formatter.add_text(f"{self.prog} VERB --help shows a verb's options.")
        return formatter.format_help()


class _Version(argparse.Action):
    """Prints the version; looks it up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it and end."""
        from importlib import metadata

        try:
            number = metadata.version("imagenet-ao")
        except metadata.PackageNotFoundError:  # run from its sources
            number = "(not installed)"
        print(f"imagenet-ao {number}")
        parser.exit()


class _Completion(argparse.Action):
    """Prints a shell's completion script."""

    def __call__(
        self, parser: argparse.ArgumentParser, _: Any, shell: Any, *__: Any
    ) -> NoReturn:
        """Print it and end."""
        try:
            import shtab
        except ModuleNotFoundError:
            parser.error(
                "--print-completion needs shtab: pip install 'imagenet-ao[completion]'"
            )
        for verb in _verbs_of(parser).choices.values():
            for (
                action
            ) in verb._actions:  # what is not one of a few words is mostly a file
                if action.nargs != 0 and not action.choices:
                    action.complete = shtab.FILE
        print(shtab.complete(parser, shell))
        parser.exit()


def _verbs_of(parser: argparse.ArgumentParser) -> Any:
    """The action that holds the parsers of the verbs."""
    return parser._subparsers._group_actions[0]  # type: ignore[union-attr]


def command_parser() -> argparse.ArgumentParser:
    """The parser of the command, with all verbs."""
    parser = _GroupedParser(
        prog="imagenet-ao",
        description="Tests whether a vision-language model composes attributes and objects.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print the version and stop"
    )
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh", "fish", "tcsh"),
        help="print a shell's completion script and stop",
    )
    parser.add_argument(
        "--debug",
        action="store_true",
        help="show where an error comes from, before or after VERB",
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=_Parser
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


def _refuse_empty_words(parser: argparse.ArgumentParser, words: list[str]) -> None:
    for place, word in enumerate(words):
        if word.strip() and "\0" not in word:
            continue
        what = "is empty" if not word.strip() else "holds NUL"
        before = " ".join(words[:place])[-80:] or parser.prog
        parser.error(
            f"the argument after {before} {what}; give a value, or leave it out"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, and leaves the process as it is.

    0; 2 for bad input or an output that can't be written, told in one line on stderr; 130 where it
    was interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = command_parser()
    _refuse_empty_words(parser, words)
    args = parser.parse_args(words)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        args.run(args)
    except UserError as error:
        return _refused(args.debug, str(error))
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in PLACE:
            raise
        name = str(error.filename or "")
        where = f"{name if len(name) <= 300 else name[:300] + '...'}: " if name else ""
        return _refused(
            args.debug,
            f"{where}{error.strerror or error}; name another place, or mend this one",
        )
    except KeyboardInterrupt:
        _traceback_if(args.debug)
        print("imagenet-ao: interrupted; what was finished is kept", file=sys.stderr)
        return 130
    return 0


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
    try:
        status = main(argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(command())
