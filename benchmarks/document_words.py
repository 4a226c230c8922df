"""README and each page of docs in figures, now and at an earlier commit, as a Markdown table.

    python benchmarks/document_words.py                 # since the README was a page of numbers
    python benchmarks/document_words.py --before HEAD~5 --longest README.md

Words and numbers are those of the prose and of its tables, without code; sentences those of
paragraphs and lists. A number is a word with a digit that is no name (2,640 and 83.0 are, v2 isn't).
"""

from __future__ import annotations

import argparse
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: The commit before README became one screen a topic, 2026-11-29.
BEFORE = "4cb7ef2~1"
NUMBER = re.compile(r"^[+-]?\d[\d.,]*%?$")
#: A full stop ends a sentence where a capital, a quotation, code or nothing follows; after
#: these, it does not.
SENTENCE_END = re.compile(r"(?<=[.!?:])[)\"]?\s+(?=[A-Z\"`(\[*])")
SHORT = re.compile(r"\b(e\.g|i\.e|et al|vs|cf|Fig|Eq)\.")

#: The columns of the table.
FIGURES = ("words", "numbers", "in_prose", "mean", "longest")


@dataclass(frozen=True)
class PageFigures:
    """Words of a page; numbers in a hundred words of all of it, and of what is no table; words of
    its sentences.
    """

    words: int
    numbers: float
    in_prose: float
    mean: float
    longest: int


def plain_words(text: str) -> list[str]:
    """The words of Markdown: links by what they say, code and marks as their letters."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"[`*_|<>\[\](){}\"=]", " ", text)
    words = (word.strip(".,;:!?") for word in text.split())
    return [word for word in words if re.search(r"\w", word)]


def page_parts(text: str) -> tuple[list[str], list[str]]:
    """(paragraphs and points of lists, rows of tables) of a page, without code and headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    blocks: list[str] = []
    rows: list[str] = []
    open_block = False
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("|"):
            rows.append(bare)
        begins = re.match(r"([-*]|\d+\.)\s+", bare)
        if not bare or bare.startswith(("|", "#")):
            open_block = False
        elif open_block and not begins:
            blocks[-1] += " " + bare
        else:
            blocks.append(bare[begins.end() :] if begins else bare)
            open_block = True
    return blocks, [row for row in rows if not re.fullmatch(r"[|:\s-]+", row)]


def page_sentences(text: str) -> list[str]:
    """The sentences of a page's paragraphs and lists."""
    blocks, _ = page_parts(text)
    sentences = []
    for block in blocks:
        held = SHORT.sub(lambda one: one[0].replace(".", "\0"), block)
        sentences += [
            one.replace("\0", ".") for one in SENTENCE_END.split(held)
        ]
    return [one for one in sentences if plain_words(one)]


def page_figures(text: str) -> PageFigures:
    """The figures of a page.

    Example:
        >>> page_figures("Two models of 3 sizes. It took 12 s.\\n")
        PageFigures(words=9, numbers=22.2, in_prose=22.2, mean=4.5, longest=5)
    """
    blocks, rows = page_parts(text)
    words = plain_words(" ".join(blocks + rows))
    lengths = [len(plain_words(one)) for one in page_sentences(text)] or [0]
    return PageFigures(
        len(words),
        _numbers(words),
        _numbers(plain_words(" ".join(blocks))),
        round(sum(lengths) / len(lengths), 1),
        max(lengths),
    )


def _numbers(words: list[str]) -> float:
    """Numbers in a hundred words."""
    count = sum(bool(NUMBER.match(word)) for word in words)
    return round(100 * count / max(1, len(words)), 1)


def text_before(commit: str, name: str) -> str | None:
    """The page as it was at a commit; None where it wasn't there."""
    shown = subprocess.run(
        ["git", "show", f"{commit}:{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return shown.stdout if shown.returncode == 0 else None


def table_row(name: str, commit: str) -> str:
    """A page's row: each figure before and now."""
    old = text_before(commit, name)
    before = page_figures(old) if old is not None else None
    now = page_figures((ROOT / name).read_text(encoding="utf-8"))
    cells = [
        f"{'-' if before is None else getattr(before, key)} / {getattr(now, key)}"
        for key in FIGURES
    ]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table, or the longest sentences of pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", default=BEFORE, help="a commit")
    parser.add_argument(
        "--longest", nargs="+", default=[], metavar="PAGE", help="of these"
    )
    parser.add_argument("--over", type=int, default=25, help="words")
    words = parser.parse_args()
    for name in words.longest:
        for one in page_sentences((ROOT / name).read_text(encoding="utf-8")):
            if (length := len(plain_words(one))) > words.over:
                print(f"{name}: {length}: {one}")
    if words.longest:
        return
    print(f"Before ({words.before}) / now.\n")
    print(
        "| page | words | numbers in 100 words | of prose alone | mean sentence | longest |"
    )
    print("|---|---|---|---|---|---|")
    pages = [
        "README.md",
        "CONTRIBUTING.md",
        *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
    ]
    print("\n".join(table_row(name, words.before) for name in pages))


if __name__ == "__main__":
    main()
