"""Pages in a real browser, at 1,280 and 390 px, light and dark: accessibility by axe, width,
console errors.

    make axe                                  # the site, and every page that a command makes
    python tests/axe.py report.html site/     # any pages, or folders of them
    python tests/axe.py --made                # those that commands make, and the annotation page
    python tests/axe.py --made --pictures DIR # and a picture of each

axe-core comes from npm at the first run and stays in build/axe; the tests need none of it. Ends
with status 1 where a finding is serious or critical, a page is wider than the screen, or its
console has an error.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import itertools
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from helpers.annotation_states import annotation_servers, annotation_states
from helpers.browser import Browser, Page
from helpers.made_pages import make_pages

ROOT = Path(__file__).resolve().parents[1]
AXE, VERSION = ROOT / "build" / "axe", "4.14.1"
GRAVE = ("serious", "critical")
FINDINGS = """
axe.run(document, {resultTypes: ["violations"]}).then(done => done.violations.map(one => [
  one.impact, one.id, one.help, one.nodes.length, one.nodes[0].html.slice(0, 160)]))
"""
#: What is folded shows, too: axe passes over what cannot be seen.
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"
#: A leaderboard shows one of its tables at a time.
TABLES = "document.querySelectorAll('#choice [name=table] option').length"
CHOOSE_TABLE = """
var field = document.querySelector("#choice [name=table]"); field.selectedIndex = {};
field.dispatchEvent(new Event("input", {{bubbles: true}})); 0
"""


@dataclass(frozen=True)
class Screen:
    """A width in pixels and a scheme of colours; narrow ones are phones."""

    width: int
    scheme: str

    def open(self, page: Page, url: str) -> None:
        """Open an address on this screen."""
        page.scheme(self.scheme)
        page.open(url, self.width, 900, self.width < 500)

    def __str__(self) -> str:
        return f"{self.width}_{self.scheme}"


SCREENS = [
    Screen(width, scheme)
    for width, scheme in itertools.product((1280, 390), ("light", "dark"))
]


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


def faults_of(page: Page, screen: Screen, axe: str) -> list[str]:
    """What is wrong with the page that is open."""
    page.run(f"{UNFOLD}; 0")
    page.run(axe + "; 0")
    faults = [
        f"{impact}: {name}: {words} ({count}): {html}"
        for impact, name, words, count, html in page.run(FINDINGS)
        if impact in GRAVE
    ]
    wide = page.run("document.documentElement.scrollWidth")
    if wide > screen.width:
        faults.append(f"{wide} px wide")
    faults += [f"console: {problem}" for problem in page.problems]
    page.problems.clear()
    return faults


def file_states(
    page: Page, places: list[Path], screen: Screen
) -> Iterator[str]:
    """Open each page in turn; yields its name while it shows."""
    for root, file in pages_in(places):
        with serving(root) as address:
            inner = file.relative_to(root)
            screen.open(page, f"{address}/{inner}")
            name = "_".join([root.name, *inner.with_suffix("").parts])
            yield name
            for number in range(1, page.run(TABLES)):
                page.run(CHOOSE_TABLE.format(number))
                yield f"{name}_table{number}"


def made_states(
    page: Page, servers: dict[str, str], screen: Screen
) -> Iterator[str]:
    """The annotation page's screens, for somebody new."""
    opened = functools.partial(screen.open, page)
    return annotation_states(page, servers, f"somebody_{screen}", opened)


def check_states(
    page: Page,
    visits: Callable[[Screen], Iterator[str]],
    axe: str,
    pictures: Path | None,
) -> tuple[int, int]:
    """Check what ``visits`` opens on every screen; how many states and faults there were."""
    states = count = 0
    for screen in SCREENS:
        page.problems.clear()
        for name in visits(screen):
            if pictures:
                page.picture(pictures / f"{name}_{screen}.png")
            faults = faults_of(page, screen, axe)
            states, count = states + 1, count + len(faults)
            for fault in faults:
                print(f"{name} at {screen}: {fault}", flush=True)
    return states, count


def words_of_command() -> argparse.Namespace:
    """The places, and whether and where to make more."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="*", type=Path, help="pages, folders")
    parser.add_argument(
        "--made", action="store_true", help="also every page a command makes"
    )
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    return parser.parse_args()


def main() -> int:
    """Check all pages; the exit status."""
    words = words_of_command()
    places = [place.resolve() for place in words.places]
    absent = [str(place) for place in places if not place.exists()]
    if absent or not (pages_in(places) or words.made):
        print(f"no pages: {', '.join(absent) or 'name files, folders, --made'}")
        return 2
    if words.pictures:
        words.pictures.mkdir(parents=True, exist_ok=True)
    axe = axe_script()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = Browser(folder / "profile")
        stack.callback(browser.kill)
        page = Page(browser)
        visits = []
        if words.made:
            with contextlib.redirect_stdout(None):
                places += make_pages(folder / "made")
            servers = stack.enter_context(annotation_servers(folder / "asked"))
            visits.append(functools.partial(made_states, page, servers))
        visits.append(functools.partial(file_states, page, places))
        sums = [check_states(page, one, axe, words.pictures) for one in visits]
    states, faults = map(sum, zip(*sums, strict=True))
    print(f"{states} states of pages and screens: {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
