"""NMI of real captions and of mini's training captions, the rules' disagreements, and what Ray
costs.

    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_report.py OUT [--ray FILES]

``OUT`` gets the audits, ``disagreements.csv`` and ``nmi.png``. ``--ray``: Parquet files to count
with each engine.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from aobench.audit.api import audit
from aobench.audit.plots import nmi_bars
from aobench.audit.result import Audit
from aobench.audit.statistics import (
    matrix_nmi,
    rule_disagreements,
    write_disagreements,
)


def mini_captions(path: Path) -> Path:
    """The captions that mini's model was trained on, "attribute object", one a training pair."""
    from aobench.mini.splits import samples

    pairs = sorted({(s.attribute, s.name) for s in samples("train")})
    path.write_text(
        "".join(f"a {attribute} {name}\n" for attribute, name in pairs),
        encoding="utf-8",
    )
    return path


def table(real: Audit, rule: str, pairs: list[tuple[int, int]]) -> None:
    """Ten compositions drawn from those that one rule alone calls seen, each with a caption."""
    examples = real.examples(rule)
    for a, o in sorted(random.Random(0).sample(pairs, min(10, len(pairs)))):
        name = real.attributes[a], real.objects[o]
        print(
            f"| {' '.join(name)} | {real.counts[rule][a, o]} | {examples[name][0][2].strip()} |"
        )


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--ray", nargs="+")
    args = parser.parse_args()
    if args.ray:
        for engine in ("polars", "ray"):
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                found = audit(
                    args.ray, folder, engine=engine, workers=2, hash_files=False
                )
                seconds = time.perf_counter() - began
                print(
                    f"{engine}: {found.manifest['totals']['rows']:,} captions in {seconds:.1f} s, "
                    "sum "
                    f"{found.matrix().sum():,}; load {os.getloadavg()[0]:.1f}"
                )
        return
    args.out.mkdir(parents=True, exist_ok=True)
    rules = ("words", "adjacent", "adjacent-forms", "authors")
    real = audit(
        os.environ["IMAGENET_AO_CAPTIONS"], args.out / "real", rules=rules
    )
    mini = audit(
        str(mini_captions(args.out / "mini.txt")),
        args.out / "mini",
        rules=rules[:2],
    )
    bars = {
        f"{corpus},\n{rule}": matrix_nmi(found.matrix(rule))
        for corpus, found in (("real", real), ("mini train", mini))
        for rule in ("words", "adjacent")
    }
    for name, value in bars.items():
        chance = f"shuffled {value.shuffled:.4f} +- {value.shuffled_sd:.4f}"
        print(
            f"{' '.join(name.split())}: NMI {value.nmi:.4f}, {chance}, N {value.n:,}"
        )
    nmi_bars(bars, args.out / "nmi.png")
    write_disagreements(real, args.out / "disagreements.csv")
    for rule, (title, pairs) in zip(
        ("authors", "words"), rule_disagreements(real).items(), strict=True
    ):
        print(f"\n{title}: {len(pairs):,} compositions")
        table(real, rule, [(int(a), int(o)) for a, o in pairs])


if __name__ == "__main__":
    main()
