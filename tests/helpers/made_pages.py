"""Every page that the commands write, from the smallest inputs; for a look at all of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from aobench.cli import main
from helpers.made_results import FLAT, family

BUNDLED = Path(__file__).parents[2] / "model_cards"
MODELS = ("mini", "efficientnet-lite0", "mini-generative")


def _command(*words: object) -> None:
    status = main([str(word) for word in words])
    assert status == 0, f"imagenet-ao {words[0]} ended with status {status}"


def _leaderboard(out: Path) -> list[Path]:
    """The leaderboard of the bundled results, and a model's page."""
    facts = (
        "model,family,training_set,parameters\nmini,CLIP,drawings,3000000\n"
        "efficientnet-lite0,supervised,ImageNet-1k,4700000\n"
    )
    (out / "models.csv").write_text(facts)
    results = [BUNDLED / name for name in MODELS]
    _command(
        "leaderboard", *results, "--out", out, "--models", out / "models.csv"
    )
    return [out / "index.html", *sorted((out / "models").glob("*.html"))]


def _report(out: Path) -> list[Path]:
    """The report of one model with pictures, and that of several."""
    one, several = out / "report.html", out / "report_of_several.html"
    _command("report", BUNDLED / "mini", "--out", one, "--pictures", 60)
    _command("report", *(BUNDLED / name for name in MODELS), "--out", several)
    return [one, several]


def _paper(out: Path) -> list[Path]:
    """The paper's claims on a made-up family of models."""
    folders = family(out / "results", {**FLAT, "large": 0.8})
    _command("paper", *folders, "--out", out / "paper")
    return [out / "paper" / "index.html"]


def _duplicates(out: Path) -> list[Path]:
    """A folder of six pictures, one of them twice."""
    pictures = out / "pictures"
    pictures.mkdir()
    for seed in range(6):
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3))
        image = Image.fromarray(coarse.astype(np.uint8)).resize((160, 120))
        image.save(pictures / f"p{seed}.png")
    image.save(pictures / "again.jpg", quality=60)
    _command("duplicates", pictures, "--out", out / "duplicates")
    return [out / "duplicates" / "report.html"]


def _effective(out: Path) -> list[Path]:
    """The scatter of the published models."""
    _command("effective", "--out", out / "effective")
    return [out / "effective" / "scatter.html"]


#: What makes the pages of each command in a folder of its own.
MAKERS: dict[str, Callable[[Path], list[Path]]] = {
    "leaderboard": _leaderboard,
    "report": _report,
    "paper": _paper,
    "duplicates": _duplicates,
    "effective": _effective,
}


def make_pages(folder: Path) -> list[Path]:
    """Write every page under ``folder``; returns them."""
    pages = []
    for name, make in MAKERS.items():
        out = folder / name
        out.mkdir(parents=True)
        pages += make(out)
    return pages
