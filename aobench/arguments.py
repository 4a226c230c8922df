"""How the command reads its arguments: errors of one line, a help with the verbs in groups, the
version, the shell's completion.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

#: The verbs as --help shows them; one that is in no group is shown at the end.
GROUPS = {
    "data": (
        "prepare",
        "install",
        "audit",
        "diversity",
        "audits",
        "lookup",
        "bindings",
        "duplicates",
    ),
    "evaluate": ("evaluate", "score"),
    "understand": (
        "paper",
        "effective",
        "compare",
        "difficulty",
        "familiarity",
        "power",
        "breakdown",
        "disentangle",
        "study",
    ),
    "publish": (
        "card",
        "submit",
        "leaderboard",
        "report",
        "export",
        "questions",
        "croissant",
    ),
    "a new set": ("build", "annotate", "agreement"),
}


class VerbParser(argparse.ArgumentParser):
    """Tells a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        """As argparse's, without the usage above it."""
        line = " ".join(message.split())
        shown = line if len(line) < 600 else line[:600] + "..."
        self.exit(2, f"{self.prog}: {shown}; see {self.prog} --help\n")


class CommandParser(VerbParser):
    """The command's own parser: its options, and a help that has the verbs in groups."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description)
        self.add_argument(
            "--version", action=_Version, nargs=0, help="print the version and stop"
        )
        self.add_argument(
            "--print-completion",
            action=_Completion,
            choices=("bash", "zsh", "fish", "tcsh"),
            help="print a shell's completion script and stop",
        )
        self.add_argument(
            "--debug",
            action="store_true",
            help="show where an error comes from, before or after VERB",
        )

    def format_help(self) -> str:
        """Usage, description, the groups of verbs, the options."""
        lines = {verb.dest: verb for verb in verbs_of(self)._get_subactions()}
        groups = dict(GROUPS)
        in_groups = {name for names in groups.values() for name in names}
        if rest := tuple(name for name in lines if name not in in_groups):
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
        from aobench.versions import package_version

        # without a version where it is run from its sources
        print(f"imagenet-ao {package_version('imagenet-ao') or '(not installed)'}")
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
        for verb in verbs_of(parser).choices.values():
            # what is not one of a few words is mostly a file
            for action in verb._actions:
                if action.nargs != 0 and not action.choices:
                    action.complete = shtab.FILE
        print(shtab.complete(parser, shell))
        parser.exit()


def verbs_of(parser: argparse.ArgumentParser) -> Any:
    """The action that holds the parsers of the verbs."""
    return parser._subparsers._group_actions[0]  # type: ignore[union-attr]


def refuse_empty_words(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """End with a line for a word that is empty or holds NUL, which no verb can use."""
    for place, word in enumerate(words):
        if word.strip() and "\0" not in word:
            continue
        what = "is empty" if not word.strip() else "holds NUL"
        before = " ".join(words[:place])[-80:] or parser.prog
        parser.error(
            f"the argument after {before} {what}; give a value, or leave it out"
        )
