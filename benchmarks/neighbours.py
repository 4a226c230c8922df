"""Nearest neighbours in a reference of embeddings: ours beside numpy's brute force, in time, memory
and results.

python benchmarks/neighbours.py [--rows 100000 1000000] [--queries 1000] [--folder DIR]

Random float16 vectors of 512 numbers in shards of 100,000 rows, k = 10. Each runs in a process of
its own, whose peak of memory is printed; the product in numpy has the whole reference in memory as
float32. Results are compared by score. Then what 10 million rows would take, on paper: time grows
with the rows, our memory doesn't.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WIDTH, SHARD, K = 512, 100_000, 10


def make(folder: Path, rows: int, queries: int) -> None:
    """Shards and queries; every tenth query lies near a row."""
    draw = np.random.default_rng(0)
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    for start in range(0, rows, SHARD):
        block = draw.standard_normal(
            (min(SHARD, rows - start), WIDTH), dtype=np.float32
        ).astype(np.float16)
        np.save(folder / "shards" / f"img_emb_{start // SHARD:04d}.npy", block)
    asked = draw.standard_normal((queries, WIDTH), dtype=np.float32)
    near = np.load(folder / "shards" / "img_emb_0000.npy")[
        : len(asked[::10])
    ].astype(np.float32)
    asked[::10] = near + 0.3 * asked[::10]
    np.save(
        folder / "queries.npy",
        asked / np.linalg.norm(asked, axis=1, keepdims=True),
    )


def ours(folder: Path) -> np.ndarray:
    """The search of the step distinct."""
    from aobench.duplicates.neighbours import search_reference
    from aobench.duplicates.reference import open_reference

    return search_reference(
        np.load(folder / "queries.npy"),
        open_reference([str(folder / "shards")], WIDTH),
        K,
    ).score


def brute(folder: Path) -> np.ndarray:
    """One matrix product over everything, sorted."""
    corpus = np.concatenate(
        [
            np.load(p).astype(np.float32)
            for p in sorted((folder / "shards").glob("*.npy"))
        ]
    )
    corpus /= np.linalg.norm(corpus, axis=1, keepdims=True)
    asked = np.load(folder / "queries.npy")
    found = []
    # 100 queries at a time, or the scores alone fill the memory
    for start in range(0, len(asked), 100):
        score = asked[start : start + 100] @ corpus.T
        found.append(-np.sort(-np.partition(score, -K, axis=1)[:, -K:], axis=1))
    return np.concatenate(found)


def child(what: str, folder: Path) -> None:
    """Run one, and say seconds and peak."""
    function = {"ours": ours, "brute": brute}[what]
    if what == "ours":
        import faiss  # noqa: F401  (its loading is not the search's)
    began = time.perf_counter()
    score = function(folder)
    seconds = time.perf_counter() - began
    np.save(folder / f"{what}.npy", score)
    print(
        json.dumps(
            [seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
        )
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[100_000, 1_000_000]
    )
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child")
    args = parser.parse_args()
    if args.child:
        child(args.child, args.folder)
        return
    for rows in args.rows:
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            folder = Path(name)
            make(folder, rows, args.queries)
            took = {}
            for what in ("ours", "brute"):
                command = [
                    sys.executable,
                    __file__,
                    "--child",
                    what,
                    "--folder",
                    name,
                ]
                said = subprocess.run(
                    command, check=True, capture_output=True, text=True
                ).stdout
                took[what] = json.loads(said)
            apart = np.abs(
                np.load(folder / "ours.npy") - np.load(folder / "brute.npy")
            ).max()
        (mine, memory), (theirs, more) = took["ours"], took["brute"]
        print(
            f"{rows:,} x {WIDTH}, {args.queries:,} queries: ours {mine:.1f} s, peak {memory:,.0f} "
            "MB; brute force "
            f"{theirs:.1f} s, peak {more:,.0f} MB; ratio {theirs / mine:.2f} in time, "
            f"{more / memory:.1f} in memory; "
            f"scores differ by at most {apart:.1e}",
            flush=True,
        )
        print(
            f"  10 million rows on paper: ours {mine * 1e7 / rows / 60:.1f} min, {memory:,.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
