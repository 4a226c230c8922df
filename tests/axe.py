"""Pages in a real browser, at 1,280 and at 390 px: accessibility by axe, width, console errors.

    make axe                                  # the site of the documents
    python tests/axe.py report.html site/     # any pages, or folders of them

axe-core comes from npm at the first run and stays in build/axe; the tests need none of it. Ends
with status 1 where a finding is serious or critical, a page is wider than the screen, or its
console has an error.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import itertools
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from helpers.browser import Page

ROOT = Path(__file__).resolve().parents[1]
AXE, VERSION = ROOT / "build" / "axe", "4.14.1"
WIDTHS = {1280: False, 390: True}
GRAVE = ("serious", "critical")
FINDINGS = """
axe.run(document, {resultTypes: ["violations"]}).then(done => done.violations.map(one => [
  one.impact, one.id, one.help, one.nodes.length, one.nodes[0].html.slice(0, 160)]))
"""


def axe_script() -> str:
    """axe-core's code, fetched from npm where it isn't there yet."""
    place = AXE / "package" / "axe.min.js"
    if not place.exists():
        AXE.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "pack", "--silent", f"axe-core@{VERSION}"],
            cwd=AXE,
            check=True,
        )
        with tarfile.open(AXE / f"axe-core-{VERSION}.tgz") as packed:
            packed.extract("package/axe.min.js", AXE, filter="data")
    return place.read_text(encoding="utf-8")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        """No line for each file."""


def pages_in(places: list[Path]) -> list[tuple[Path, Path]]:
    """The pages that are named, and those of the folders; each with the folder that is its root."""
    return [
        (place, page) if place.is_dir() else (place.parent, page)
        for place in places
        for page in (
            sorted(place.rglob("*.html")) if place.is_dir() else [place]
        )
    ]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address at which a folder is served meanwhile."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def faults_of(page: Page, url: str, width: int, axe: str) -> list[str]:
    """What is wrong with a page at a width."""
    page.problems.clear()
    page.open(url, width, 900, WIDTHS[width])
    page.run(axe + "; 0")
    found = page.run(FINDINGS)
    faults = [
        f"{impact}: {name}: {words} ({count}): {html}"
        for impact, name, words, count, html in found
        if impact in GRAVE
    ]
    if (wide := page.run("document.documentElement.scrollWidth")) > width:
        faults.append(f"{wide} px wide")
    return faults + [f"console: {problem}" for problem in page.problems]


def main() -> int:
    """Check all pages; the exit status."""
    pages = pages_in([Path(word).resolve() for word in sys.argv[1:]])
    if not pages:
        print("no pages; name files or folders of them, such as build/site")
        return 2
    axe, count = axe_script(), 0
    with tempfile.TemporaryDirectory() as profile:
        browser = Page(Path(profile))
        for (root, page), width in itertools.product(pages, WIDTHS):
            with serving(root) as address:
                url = f"{address}/{page.relative_to(root)}"
                faults = faults_of(browser, url, width, axe)
            count += len(faults)
            for fault in faults:
                print(f"{page.name} at {width} px: {fault}")
        browser.close()
    print(f"{len(pages)} pages at {len(WIDTHS)} widths: {count} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
