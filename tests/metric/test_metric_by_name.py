"""The metric is found by its bare name: after an import of the dataset's module or its own, in any
order and from any folder, and from the installed cache without one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

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


#: What `evaluate` imports is imported once, then each order runs in a fork of its own.
FORKS = """
import json, os, sys
import datasets, pandas, transformers.pipelines
for name, code in json.loads(sys.argv[1]).items():
    assert "evaluate" not in sys.modules
    child = os.fork()
    if child == 0:
        exec(code, {})
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, name
"""


def test_after_import_in_any_order(tmp_path):
    codes = {name: CODE.format(first=first) for name, first in ORDERS.items()}
    done = _run(FORKS, tmp_path, tmp_path / "home", json.dumps(codes))
    assert done.stdout.split() == ["1.0"] * len(ORDERS), done.stderr


def test_a_folder_of_that_name_is_not_taken_for_it(tmp_path):
    """Results of either name lie where one works; the metric and the dataset are still found."""
    for name in ("compositional_ood", "imagenet_ao"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text("{}")
    first = (
        "import imagenet_ao, datasets, evaluate\n"
        "datasets.load_dataset_builder('imagenet_ao', 'mini').config.name == 'mini' or 1 / 0"
    )
    done = _run(CODE.format(first=first), tmp_path, tmp_path / "home")
    assert done.stdout.strip() == "1.0", done.stderr
    assert "write './imagenet_ao'" in done.stderr, "nothing says that it is passed over"


def test_the_dataset_alone_does_without_the_metric(tmp_path):
    """On the Hub the file stands alone; the module that it waits for is imported as ever."""
    (tmp_path / "imagenet_ao.py").write_bytes((ROOT / "imagenet_ao.py").read_bytes())
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "evaluate" / "__init__.py").write_text("")
    (tmp_path / "evaluate" / "loading.py").write_text("load = 'as ever'\n")
    code = (
        "import importlib.util as u; known = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n == 'compositional_ood' else known(n, p)\n"
        "import imagenet_ao, evaluate.loading as loading; print(imagenet_ao.__file__, loading.load)"
    )
    done = _run(code, tmp_path, tmp_path / "home")
    assert done.stdout.strip() == f"{tmp_path / 'imagenet_ao.py'} as ever", done.stderr


def test_the_dataset_does_not_import_evaluate(tmp_path):
    """It takes seconds."""
    code = "import sys, imagenet_ao; print([m for m in ('evaluate', 'torch', 'aobench') if m in sys.modules])"
    done = _run(code, tmp_path, tmp_path / "home")
    assert done.stdout.strip() == "[]", done.stderr


def test_from_the_cache_without_import(tmp_path):
    """In one process: the cache is written by what never tells `evaluate` of the name."""
    code = "from aobench.cli import main; assert main(['install']) == 0; import evaluate"
    done = _run(CODE.format(first=code), tmp_path, tmp_path / "home")
    assert done.stdout.split()[-1] == "1.0", done.stderr
    assert len(list((tmp_path / "home").rglob("compositional_ood.py"))) == 1
