"""What all tests share: caches of their own, so that neither an earlier run nor the user's has a
say.
"""

import atexit
import gc
import os
import shutil
import tempfile

import pytest

# Before anything imports datasets; the processes that tests start inherit it. The workers of
# pytest-xdist share one, in which mini is drawn once: they inherit it from the process above them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp(
        prefix="imagenet-ao-tests-"
    )
    # what the metric's images are stored in until it computes
    os.environ["HF_METRICS_CACHE"] = (
        os.environ["HF_DATASETS_CACHE"] + "/metrics"
    )
    atexit.register(
        shutil.rmtree, os.environ["HF_DATASETS_CACHE"], ignore_errors=True
    )


def pytest_collection_finish():
    """Search for garbage less, and not in what was imported: a tenth of all work went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def _do_not_wait_for_the_disk(_descriptor):
    """No test pulls the plug: what a killed process wrote is there all the same."""


os.fsync = _do_not_wait_for_the_disk

# PDF and PNG are more than half of the time to draw a plot; the tests that look at one ask for it.
os.environ["IMAGENET_AO_PLOT_FILES"] = "svg"


def _warm_processes(factory, name, *modules):
    """Of a server that the workers of pytest-xdist share: their temporary folders have one above
    them.
    """
    from helpers.warm import WarmProcesses

    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return WarmProcesses(
        factory.mktemp("said"), *modules, address=folder / name
    )


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """Starts programs in processes of their own that begin at once; see helpers/warm.py."""
    processes = _warm_processes(tmp_path_factory, "warm")
    yield processes
    processes.close()


@pytest.fixture(scope="session")
def warm_gradio(tmp_path_factory):
    """As `warm`, of a server that has imported Gradio and no model."""
    from helpers.annotation_browser import MODULES, QUIET
    from helpers.optional import need_library

    need_library("gradio", "5")
    environment = {**os.environ, **QUIET}
    processes = _warm_processes(
        tmp_path_factory, "gradio", MODULES, environment
    )
    yield processes
    processes.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One Chromium for all pages; it takes two seconds of work to start, a window next to none."""
    from helpers.browser import Browser

    running = Browser(tmp_path_factory.mktemp("chromium"))
    yield running
    running.kill()


@pytest.fixture
def page(browser):
    """A window of a browser."""
    from helpers.browser import Page

    opened = Page(browser)
    yield opened
    opened.close()


@pytest.fixture
def fresh_parser():
    """The command's parser is made anew, for what a verb runs was replaced; and after it again."""
    from aobench.cli import command_parser

    command_parser.cache_clear()
    yield
    command_parser.cache_clear()
