"""The pages of the site, for `make site`: what the repository shows, with links within the site.

    python docs/site_pages.py build/pages

README.md is the start; CONTRIBUTING.md, CHANGELOG.md and the examples are pages, too, the examples
with their code. Nothing is written twice. mkdocs.yml says in which order the pages are shown; any
generator that reads it can build the site.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: By the page's name its source.
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "examples.md": "examples/README.md",
}
#: Sources as links name them from the root, and the pages that they are.
TARGETS = {source: page for page, source in PAGES.items()}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def site_link(link: str, folder: str) -> str | None:
    """Where a link of a document in ``folder`` (from the root) leads within the site; None for what
    the site does not show.

    Example:
        >>> site_link("docs/paper.md", ""), site_link("../examples/README.md", "docs")
        ('paper.md', 'examples.md')
        >>> site_link("../setup.py", "docs")
    """
    if link.startswith(("http://", "https://", "mailto:")):
        return link
    if folder == "examples" and link.endswith(".py"):
        return f"#{link.replace('.', '')}"
    place = (ROOT / folder / link).resolve()
    if not place.is_relative_to(ROOT):
        return None
    name = place.relative_to(ROOT).as_posix()
    inside = name.removeprefix("docs/") if name.startswith("docs/") else None
    return TARGETS.get(name, inside)


def _site_reference(found: re.Match[str], folder: str) -> str:
    """A link as the site has it; of what it doesn't show, the words and the file's name."""
    picture, words, link, part = found.groups()
    target = site_link(link, folder)
    if target is not None:
        return f"{picture}[{words}]({target}{part or ''})"
    return words if words == link else f"{words} (`{link}` in the repository)"


def site_text(text: str, folder: str) -> str:
    """A document with its links as the site has them; code is left as it is."""
    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    plain = [
        part
        if number % 2
        else LINK.sub(lambda one: _site_reference(one, folder), part)
        for number, part in enumerate(parts)
    ]
    return "".join(plain)


def page_text(page: str) -> str:
    """The Markdown of a page of `PAGES`."""
    source = Path(PAGES[page])
    folder = "" if source.parent == Path() else source.parent.as_posix()
    text = site_text((ROOT / source).read_text(encoding="utf-8"), folder)
    return text + (_example_code() if page == "examples.md" else "")


def _example_code() -> str:
    """Every script under its name."""
    scripts = sorted((ROOT / "examples").glob("*.py"))
    shown = [
        f"\n## {one.name}\n\n```python\n{one.read_text()}```\n"
        for one in scripts
    ]
    return "".join(shown)


def write_pages(folder: Path) -> list[Path]:
    """Write every page, and what the pages show, to ``folder``; what was there before goes."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        ROOT / "docs", folder, ignore=shutil.ignore_patterns("*.py", "__*")
    )
    for path in sorted(folder.glob("*.md")):
        path.write_text(site_text(path.read_text(encoding="utf-8"), "docs"))
    for page in PAGES:
        (folder / page).write_text(page_text(page))
    return sorted(folder.glob("*.md"))


if __name__ == "__main__":
    print(f"{len(write_pages(Path(sys.argv[1])))} pages in {sys.argv[1]}")
