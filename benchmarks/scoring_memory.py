"""Memory and time of scoring 60,000 images against the open world of 129,000 compositions.

    python benchmarks/scoring_memory.py

Random embeddings. The peak is that of the whole process (Linux: VmHWM, set back before scoring)
less what it held when scoring began.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from aobench.evaluation.scoring import rank_embeddings


def memory(field: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return (
        int(next(line for line in lines if line.startswith(field)).split()[1])
        / 1024
    )


def main() -> None:
    """Score shard by shard, as the runner does, and print memory and rate."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--candidates", type=int, default=129_000)
    parser.add_argument("--dimensions", type=int, default=512)
    args = parser.parse_args()
    draw = torch.Generator().manual_seed(0)
    classifier = torch.nn.functional.normalize(
        torch.randn(args.candidates, args.dimensions, generator=draw)
    )
    images = torch.nn.functional.normalize(
        torch.randn(args.images, args.dimensions, generator=draw)
    )
    gold = torch.randint(0, args.candidates, (args.images,), generator=draw)
    rank_embeddings(images[:1], classifier[:64], gold[:1] % 64)
    Path("/proc/self/clear_refs").write_text("5")
    held, began, ranks = memory("VmRSS"), time.perf_counter(), 0
    for start in range(0, args.images, 256):
        part = rank_embeddings(
            images[start : start + 256], classifier, gold[start : start + 256]
        )
        ranks += int(part.rank.sum())
    seconds, peak = time.perf_counter() - began, memory("VmHWM")
    mean = ranks / args.images
    print(
        f"{args.images:,} images x {args.candidates:,} candidates, {args.dimensions} dimensions: "
        f"{peak - held:.0f} MiB over the {held:.0f} MiB held; {seconds:.0f} s, "
        f"{args.images / seconds:.0f} images/s; "
        f"mean rank {mean:.0f} "
        f"(half of the candidates is chance)"
    )


if __name__ == "__main__":
    main()
