"""The metric is found by its bare name: after an import, and from the installed cache without
one.
"""

import os
import subprocess
import sys

CODE = """
{first}
import evaluate
metric = evaluate.load("compositional_ood")
print(metric.compute(predictions=[0], references=[0], attributes=[0, 1], objects=[0, 1])["composition_top1"])
"""


def _run(code: str, folder, home) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_after_import(tmp_path):
    done = _run(
        CODE.format(first="import compositional_ood"), tmp_path, tmp_path / "home"
    )
    assert done.stdout.strip() == "1.0", done.stderr


def test_from_the_cache_without_import(tmp_path):
    install = "from aobench.installation import install_metric; install_metric()"
    assert _run(install, tmp_path, tmp_path / "home").returncode == 0
    done = _run(CODE.format(first=""), tmp_path, tmp_path / "home")
    assert done.stdout.strip() == "1.0", done.stderr
