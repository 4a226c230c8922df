"""The examples of docstrings run, and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import aobench

#: Rooms are tested apart, so that a message tells where.
ROOMS = sorted(module.name for module in pkgutil.iter_modules(aobench.__path__))
#: These evaluate a model and use its result; test_python_entrance.py runs them, in that order.
IN_ORDER = {
    "aobench.evaluation.api.evaluate",
    "aobench.results.result.load_result",
    "aobench.analysis.api.compare",
    "aobench.analysis.api.effective",
    "aobench.audit.api.audit",
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_of(room):
    """The room's modules; programs apart, which an import would run."""
    whole = importlib.import_module(f"aobench.{room}")
    yield whole
    for found in pkgutil.walk_packages(
        getattr(whole, "__path__", ()), f"aobench.{room}."
    ):
        if not found.name.endswith("__main__") and ".package" not in found.name:
            yield importlib.import_module(found.name)


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "__main__"])
def test_examples_of_a_room(room, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failures = []
    for module in modules_of(room):
        for test in doctest.DocTestFinder(exclude_empty=True).find(module):
            if test.name in IN_ORDER:
                continue
            doctest.DocTestRunner(optionflags=FLAGS).run(
                test, out=failures.append
            )
    assert not failures, "".join(failures)
