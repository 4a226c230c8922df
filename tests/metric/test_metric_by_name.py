"""The metric is found by its bare name: after an import of the dataset's module or its own, in any
order and from any folder, and from the installed cache without one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
{first}
metric = evaluate.load("compositional_ood")
print(metric.compute(predictions=[0], references=[0], attributes=[0, 1], objects=[0, 1])["composition_top1"])
"""
#: Every order of imports, and imports twice over.
ORDERS = {
    "the metric's package": "import compositional_ood, evaluate",
    "the dataset first": "import imagenet_ao, evaluate",
    "evaluate first": "import evaluate, imagenet_ao",
    "its function first": "from evaluate import load; import imagenet_ao; import evaluate",
    "a submodule first": "import imagenet_ao; import evaluate.loading, evaluate",
    "all, twice": "import imagenet_ao, compositional_ood, evaluate; imagenet_ao.register()",
}


def _run(code: str, folder, home, *words) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


#: A function of the metric's file; then the class, and the name.
FUNCTIONS = """
from compositional_ood.compositional_ood import score
import sys
before = "evaluate" in sys.modules
import compositional_ood.compositional_ood as file
import evaluate
assert issubclass(file.CompositionalOOD, evaluate.Metric)
assert "chance" in (evaluate.load("compositional_ood").__doc__ or "")
print(before)
"""
#: Then, without an import: before the metric is installed, its installation, and after it.
INSTALL = "from aobench.cli import main; assert main(['install']) == 0"
#: What `evaluate` imports is imported once, then each code runs in a fork of its own.
FORKS = """
import json, os, sys
import datasets, pandas, requests, scipy.stats, transformers.pipelines
for name, folder, code in json.loads(sys.argv[1]):
    assert "evaluate" not in sys.modules
    child = os.fork()
    if child == 0:
        print(name, end=": ")
        os.chdir(folder)
        try:
            exec(code, {})
        except BaseException as error:
            print(type(error).__name__)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each code printed, by its name; and what stood on stderr."""
    folder = tmp_path_factory.mktemp("elsewhere")
    taken = tmp_path_factory.mktemp("taken")
    for name in ("compositional_ood", "imagenet_ao"):
        (taken / name).mkdir()
        (taken / name / "results.json").write_text("{}")
    # As a plain installation has them: an editable one's finder comes after every folder.
    installed = tmp_path_factory.mktemp("site-packages")
    (installed / "imagenet_ao.py").symlink_to(ROOT / "imagenet_ao.py")
    (installed / "compositional_ood").symlink_to(
        ROOT / "metrics" / "compositional_ood"
    )
    both = (
        f"import sys; sys.path.append({str(installed)!r})\n"
        "import imagenet_ao, datasets, evaluate\n"
        "assert datasets.load_dataset_builder('imagenet_ao', 'mini').config.name == 'mini'"
    )
    codes = [
        (name, folder, CODE.format(first=first))
        for name, first in ORDERS.items()
    ]
    codes += [
        ("folders of both names", taken, CODE.format(first=both)),
        ("functions alone", folder, FUNCTIONS),
        ("nothing", folder, CODE.format(first="import evaluate")),
        ("install", folder, INSTALL),
        ("installed", folder, CODE.format(first="import evaluate")),
    ]
    words = json.dumps(
        [(name, str(place), code) for name, place, code in codes]
    )
    done = _run(FORKS, folder, folder / "home", words)
    lines = [line.split(": ", 1) for line in done.stdout.splitlines()]
    return dict(lines), done.stderr


@pytest.mark.parametrize("order", ORDERS)
def test_after_import(printed, order):
    assert printed[0].get(order) == "1.0", printed


def test_functions_of_the_metric_do_without_evaluate(printed):
    """It takes seconds to import, which every verb that computes scores is spared."""
    assert printed[0].get("functions alone") == "False", printed


def test_a_folder_of_that_name_is_not_taken_for_it(printed):
    """Results of either name lie where one works; the metric and the dataset are still found."""
    assert printed[0].get("folders of both names") == "1.0", printed
    assert "write './imagenet_ao'" in printed[1], (
        "nothing says that it is passed over"
    )


def test_from_the_cache_without_import(printed):
    assert printed[0].get("nothing") == "FileNotFoundError", (
        "it was found already"
    )
    assert printed[0].get("install", "").startswith("compositional_ood: /"), (
        printed
    )
    assert printed[0].get("installed") == "1.0", printed


def test_the_dataset_alone_does_without_the_metric(tmp_path):
    """On the Hub the file stands alone; the module that it waits for is imported as ever."""
    (tmp_path / "imagenet_ao.py").write_bytes(
        (ROOT / "imagenet_ao.py").read_bytes()
    )
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "evaluate" / "__init__.py").write_text("")
    (tmp_path / "evaluate" / "loading.py").write_text("load = 'as ever'\n")
    code = (
        "import importlib.util as u; known = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n == 'compositional_ood' else known(n, p)\n"
        "import imagenet_ao, evaluate.loading as loading; print(imagenet_ao.__file__, loading.load)"
    )
    done = _run(code, tmp_path, tmp_path / "home")
    assert done.stdout.strip() == f"{tmp_path / 'imagenet_ao.py'} as ever", (
        done.stderr
    )


def test_the_dataset_does_not_import_evaluate(tmp_path):
    """It takes seconds."""
    code = "import sys, imagenet_ao; print([m for m in ('evaluate', 'torch', 'aobench') if m in sys.modules])"
    done = _run(code, tmp_path, tmp_path / "home")
    assert done.stdout.strip() == "[]", done.stderr
