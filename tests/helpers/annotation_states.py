"""Every screen of the annotation page, one after another, as an annotator comes upon them."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from helpers.annotation_browser import Server
from helpers.annotation_tools import judge_all, make_questions, make_set
from helpers.browser import Page

#: What the page says that it waits for: 'done', 'feedback', or an image.
READY = "(document.getElementById('ao') || {dataset: {}}).dataset.ready || ''"
SCREEN = "(document.getElementById('ao') || {dataset: {}}).dataset.screen || ''"
#: As many images as two grids show, with their catch trial.
IMAGES = 15


@contextlib.contextmanager
def annotation_servers(folder: Path) -> Iterator[dict[str, str]]:
    """The addresses of pages that ask for verdicts, settle disputes, and ask for names."""
    table = make_set(folder / "set", IMAGES)
    disputed = folder / "disputed.sqlite"
    judge_all(disputed, table, "ann")
    judge_all(disputed, table, "bob", answer=lambda trial: ("yes", "no"))
    questions = make_questions(folder / "questions", 4)
    wanted = {
        "judge": (table, folder / "verdicts.sqlite", ()),
        "adjudicate": (table, disputed, ("--adjudicate",)),
        "naming": (questions, folder / "names.sqlite", ()),
    }
    with contextlib.ExitStack() as stack:
        running = {}
        for name, (asked, verdicts, more) in wanted.items():
            running[name] = Server(asked, verdicts, more=more)
            stack.callback(running[name].kill)
        yield {name: server.url for name, server in running.items()}


def _wait(page: Page, script: str, what: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + 60
    while not what(said := page.run(script)):
        assert time.monotonic() < deadline, f"the page stayed at {said!r}"
        time.sleep(0.05)
    return said


def _click(page: Page, where: str) -> None:
    page.run(f"document.querySelector({where!r}).click(); 0")


def _answer(page: Page, question: str) -> None:
    _click(page, f"#ao [data-question={question}] [data-answer=yes]")


def annotation_states(
    page: Page,
    servers: dict[str, str],
    annotator: str,
    open_page: Callable[[str], None],
) -> Iterator[str]:
    """Bring ``page`` to each screen in turn; yields its name while it shows.

    ``annotator`` is somebody new; ``open_page`` opens an address.
    """
    open_page(servers["judge"])
    _wait(page, SCREEN, lambda name: name == "name")
    yield "annotation_name"
    open_page(f"{servers['judge']}?annotator={annotator}")
    yield from _practice(page)
    _wait(page, READY, lambda now: now not in ("", "feedback"))
    _answer(page, "attribute")
    yield "annotation_verdict"
    yield from _grids(page)
    for kind in ("adjudicate", "naming"):
        open_page(f"{servers[kind]}?annotator={annotator}")
        _wait(page, READY, bool)
        yield f"annotation_{kind}"


def _practice(page: Page) -> Iterator[str]:
    """The four examples with their feedback; the first of each shows."""
    for number in range(4):
        wanted = f"practice-{number}"
        _wait(page, READY, lambda now, wanted=wanted: now == wanted)
        if number == 0:
            yield "annotation_practice"
        _answer(page, "attribute")
        _answer(page, "object")
        _wait(page, READY, lambda now: now == "feedback")
        if number < 2:
            yield f"annotation_feedback_{number}"
        _click(page, "#ao [data-act=next]")


def _grids(page: Page) -> Iterator[str]:
    """The grid, a word pressed in it, and the end after the last."""
    _click(page, "#ao-to-grid")
    ready = _wait(page, READY, lambda now: now.startswith("grid-"))
    _click(page, "#ao-tiles button")
    yield "annotation_grid"
    while ready != "done":
        _click(page, "#ao [data-act=save]")
        ready = _wait(page, READY, lambda now, old=ready: now not in ("", old))
    yield "annotation_done"
