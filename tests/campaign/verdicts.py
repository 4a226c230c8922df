"""What is right and what is not: a case's end judged against the end of the undamaged run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from .children import Ended
from .command import Holds, Input
from .damages import Damage

#: Verdicts, the right ones first. ``broken``: the command fails without any damage.
RIGHT = ("refused", "same", "said", "marked", "content")
WRONG = ("silent", "traceback", "hang", "crash", "untidy", "broken")
LONGEST = 700  #: characters of a refusal

#: What a line says that tells of trouble with a file.
TROUBLE = re.compile(
    r"unreadable|damaged|skipped|left out|anew|computed again|can't|cannot|could not|no readable|"
    r"missing|broken|ignored|differs|warning|altered|changed|not listed|unknown|of no known|"
    r"not read|no file|not UTF-8",
    re.IGNORECASE,
)
#: Endings of pictures.
PICTURES = (".png", ".jpg", ".webp")
NOISE = re.compile(r"object at 0x|<class '")


@dataclass(frozen=True)
class Verdict:
    """``name`` is one of RIGHT and WRONG; ``line`` shows why."""

    name: str
    line: str

    @property
    def right(self) -> bool:
        return self.name in RIGHT


def judge(
    end: Ended, base: Ended | None, source: Input, damage: Damage
) -> Verdict:
    """The verdict on a case that ended as ``end``; ``base`` is how the undamaged one ended, which
    is looked at where the case ended well."""
    last = _last_line(end.err) or _last_line(end.out)
    if end.status is None:
        return Verdict("hang", f"{end.why}; {last}")
    if "Traceback (most recent call last)" in end.err + end.out:
        return Verdict("traceback", last)
    if end.status == 2:
        return _judge_refusal(end, source, damage)
    if end.status != 0:
        return Verdict("crash", f"status {end.status}; {last}")
    assert base is not None, (
        "a case that ended well is compared with the undamaged one"
    )
    return _judge_result(end, base, source, damage)


def _another(source: Input, damage: Damage) -> bool:
    """Whether what is left may be valid: a file of other content, a folder without a file."""
    if source.text and damage.name == "zeros-within":  # no text holds NUL
        return False
    if damage.name == "tail" and PurePath(source.path).suffix in PICTURES:
        return True  # a picture ends where its format says; its digest marks what stands behind
    return damage.another or (source.member and damage.name == "missing")


def _judge_refusal(end: Ended, source: Input, damage: Damage) -> Verdict:
    lines = [line for line in end.err.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    nameless = source.holds is not Holds.OWN and _another(source, damage)
    for fault, is_so in (
        (
            f"{len(lines)} lines, {lines[0][:200] if lines else ''!r} the first",
            len(lines) != 1,
        ),
        (
            "does not begin with the program's name",
            not line.startswith("imagenet-ao"),
        ),
        (f"{len(line)} characters", len(line) > LONGEST),
        ("noise of Python", NOISE.search(line)),
        ("names no place", not nameless and not _names(line, source, damage)),
    ):
        if is_so:
            return Verdict("untidy", f"{fault}: {line[:300]}")
    return Verdict("refused", line)


def _names(line: str, source: Input, damage: Damage) -> bool:
    """Whether a refusal names the damaged file, a folder that it is in, or another place."""
    if damage.about:
        return damage.about in line
    line = line.removeprefix("imagenet-ao: ")
    path = PurePath(source.path.partition("#")[0])
    parts = [part for part in path.parts if "*" not in part]
    words = "|".join(re.escape(part) for part in (*parts, path.stem))
    return bool(re.search(rf"(?<!\w)({words})(?!\w)|\S\.\w{{2,}}|/", line))


def _judge_result(
    end: Ended, base: Ended, source: Input, damage: Damage
) -> Verdict:
    if _figures(end) == _figures(base):
        return Verdict("same", _complaint(end, base, source) or "")
    said = _complaint(end, base, source)
    if said:
        return Verdict("said", said)
    change = _first_change(_figures(base), _figures(end))
    another = _another(source, damage)
    if (
        source.holds is Holds.MARKED
        and another
        and end.result["marks"] != base.result["marks"]
    ):
        return Verdict("marked", change)
    if source.holds is Holds.CONTENT and another:
        return Verdict("content", change)
    return Verdict("silent", change)


def _figures(end: Ended) -> object:
    """What must not change in silence: of the result's files, or what was printed or returned."""
    files, returned = end.result.get("figures"), end.result.get("returned")
    return (files, returned) if files or returned is not None else end.out


def _complaint(end: Ended, base: Ended, source: Input) -> str | None:
    """A line that the undamaged run did not print, and that tells of trouble or names the file."""
    before = {*base.out.splitlines(), *base.err.splitlines()}
    lines = [
        line
        for line in (*end.err.splitlines(), *end.out.splitlines())
        if line not in before
    ]
    known = base.result.get("complaints", [])
    complaints = [
        line for line in end.result.get("complaints", []) if line not in known
    ]
    name = PurePath(source.path.partition("#")[0]).name
    named = [
        line
        for line in lines
        if TROUBLE.search(line) or ("*" not in name and name in line)
    ]
    return next(iter((*complaints, *named)), None)


def _first_change(before: object, after: object, where: str = "") -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            if before.get(key) != after.get(key):
                return _first_change(
                    before.get(key), after.get(key), f"{where}/{key}"
                )
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        if len(before) != len(after):
            return f"{where}: {len(before)} -> {len(after)} rows"
        for index, (one, two) in enumerate(zip(before, after, strict=True)):
            if one != two:
                return _first_change(one, two, f"{where}/{index}")
    if isinstance(before, str) and isinstance(after, str):
        for one, two in zip(
            before.splitlines(), after.splitlines(), strict=False
        ):
            if one != two:
                return f"{where}: {one.strip()[:100]} -> {two.strip()[:100]}"
    return f"{where}: {str(before)[:100]} -> {str(after)[:100]}"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
