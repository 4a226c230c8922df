"""Put the metric and mini where their libraries look, so that their bare names load without an
import.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from aobench.files import scratch_folder


def install_metric() -> Path:
    """Copy the metric into evaluate's module cache; returns the file.

    After this, ``evaluate.load("compositional_ood")`` works in any process and folder, offline too.
    """
    import compositional_ood
    from evaluate import config

    source = Path(compositional_ood.__file__).with_name("compositional_ood.py")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    modules = Path(config.HF_MODULES_CACHE) / "evaluate_modules"
    family = modules / "metrics" / "evaluate-metric--compositional_ood"
    folder = family / digest
    folder.mkdir(parents=True, exist_ok=True)
    for place in (
        Path(config.HF_MODULES_CACHE),
        modules,
        modules / "metrics",
        family,
        folder,
    ):
        (place / "__init__.py").touch()
    target = folder / source.name
    shutil.copyfile(source, target)
    return target


def install_dataset(config: str, data_dir: str | None = None) -> Path:
    """Prepare a config of the dataset in datasets' cache; returns its folder.

    After this, ``load_dataset("imagenet_ao", CONFIG)`` works without ``import imagenet_ao``. The
    pictures are stored with the rows, so the archive may be moved afterwards.
    """
    import datasets

    import imagenet_ao

    options = {"data_dir": data_dir} if data_dir else {}
    source = imagenet_ao.ImageNetAO(config_name=config, **options)
    mark = hashlib.sha256(f"{config} {source.config_id}".encode()).hexdigest()[
        :16
    ]
    version = str(source.config.version)
    target = (
        Path(datasets.config.HF_DATASETS_CACHE)
        / "imagenet_ao"
        / config
        / version
        / mark
    )
    if not (target / "dataset_info.json").exists():
        with scratch_folder(target) as scratch:
            source.download_and_prepare(
                output_dir=str(scratch), file_format="arrow"
            )
    return target
