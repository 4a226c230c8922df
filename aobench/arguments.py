"""How the command reads its arguments: errors of one line, a help with the verbs in groups, the
version, the shell's completion.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from aobench.errors import did_you_mean

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
        "people",
        "prompts",
        "retest",
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
    """Tells a wrong option or value in one line, with the likeliest right one."""

    def error(self, message: str) -> NoReturn:
        """As argparse's, without the usage above it."""
        line = " ".join(message.split())
        shown = line if len(line) < 600 else line[:600] + "..."
        self.exit(2, f"{self.prog}: {shown}; see {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, which would first miss what an unknown option was meant to give."""
        self._refuse_unknown_options(args or ())
        values, rest = super().parse_known_args(args, namespace)
        return values, self._without_taken(values, rest)

    def _without_taken(
        self, values: argparse.Namespace, rest: Sequence[str]
    ) -> Sequence[str]:
        """Add words that stand behind an option to the argument that takes several.

        argparse gives up on ``score a --json b``: it has closed the list at the option.
        """
        many = [
            one
            for one in self._get_positional_actions()
            if one.nargs in ("+", "*")
        ]
        if len(many) != 1 or any(word.startswith("-") for word in rest):
            return rest
        (action,) = many
        more = self._get_values(action, list(rest)) if rest else []
        before = getattr(values, action.dest, None) or []
        setattr(values, action.dest, [*before, *more])
        return []

    def own_words(self, words: Sequence[str]) -> Iterable[str]:
        """The words that are this parser's own: those before ``--``."""
        return itertools.takewhile(lambda word: word != "--", words)

    def _refuse_unknown_options(self, words: Sequence[str]) -> None:
        known = list(self._option_string_actions)
        for word in self.own_words(words):
            name = word.split("=")[0]
            if not _is_option(name) or any(
                one.startswith(name) for one in known
            ):
                continue
            if name[:2] in known and not name.startswith("--"):
                continue  # a short option with its value, as in -j4
            hint = _near_option(name, known)
            self.error(f"there is no option {name}{hint}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse's, with the likeliest choice in place of a long list."""
        choices = action.choices
        if choices is None or value in choices:
            return
        names = [str(one) for one in choices]
        hint = did_you_mean(str(value), names)
        every = "" if hint else f"; choose from {', '.join(names)}"
        what = (
            "verb"
            if isinstance(action, argparse._SubParsersAction)
            else "value"
        )
        raise argparse.ArgumentError(
            None if what == "verb" else action,
            f"there is no {what} {str(value)!r}{hint}{every}",
        )


def _is_option(word: str) -> bool:
    """Whether a word is meant as an option: no number, no lone dash, nothing with a space."""
    name = word.lstrip("-")
    return word.startswith("-") and name[:1].isalpha() and " " not in word


def _near_option(name: str, known: Iterable[str]) -> str:
    """``did_you_mean`` of an option, however many dashes and whichever joints it was typed with."""
    long = f"--{name.lstrip('-').replace('_', '-').lower()}"
    if long in known:
        return f" (did you mean {long!r}?)"
    return did_you_mean(long, known)


class CommandParser(VerbParser):
    """The command's own parser: its options, and a help that has the verbs in groups."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description)
        self.add_argument(
            "--version",
            action=_Version,
            nargs=0,
            help="print the version and stop",
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

    def own_words(self, words: Sequence[str]) -> Iterable[str]:
        """Those before the verb."""
        return itertools.takewhile(lambda word: word.startswith("-"), words)

    def format_help(self) -> str:
        """Usage, description, the groups of verbs, the options."""
        lines = {verb.dest: verb for verb in verbs_of(self)._get_subactions()}
        groups = dict(GROUPS)
        in_groups = {name for names in groups.values() for name in names}
        if rest := tuple(name for name in lines if name not in in_groups):
            groups["more"] = rest
        formatter = self._get_formatter()
        formatter.add_usage(
            self.usage, self._actions, self._mutually_exclusive_groups
        )
        formatter.add_text(self.description)
        for title, names in groups.items():
            formatter.start_section(title)
            formatter.add_arguments(
                [lines[name] for name in names if name in lines]
            )
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
        print(
            f"imagenet-ao {package_version('imagenet-ao') or '(not installed)'}"
        )
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


def refuse_empty_words(
    parser: argparse.ArgumentParser, words: list[str]
) -> None:
    """End with a line for a word that is empty or holds NUL, which no verb can use."""
    for place, word in enumerate(words):
        if word.strip() and "\0" not in word:
            continue
        what = "is empty" if not word.strip() else "holds NUL"
        before = " ".join(words[:place])[-80:] or parser.prog
        parser.error(
            f"the argument after {before} {what}; give a value, or leave it out"
        )
