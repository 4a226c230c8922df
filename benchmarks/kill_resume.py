"""Kill -9 at random moments, with one, two and three processes by turns; the table ends with the
same bytes.

    python benchmarks/kill_resume.py --kills 10

The bundled model on 1,500 images of each split of mini; each kill waits for some progress.
Prints what each kill left and whether the end is the same.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "ACCELERATE_USE_CPU": "true",
    "OMP_NUM_THREADS": "1",
}


def command(processes: int, out: Path, images: int) -> list[str]:
    """The runner under torchrun."""
    launch = [sys.executable]
    if processes > 1:
        launch += [
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            str(processes),
            "--standalone",
        ]
    arguments = [
        "mini",
        "--data",
        "mini",
        "--limit",
        str(images),
        "--shard-size",
        "16",
        "--cpu",
        "--out",
        str(out),
    ]
    return [*launch, str(ROOT / "evaluate_models.py"), *arguments]


def processes_of(pid: int) -> list[psutil.Process]:
    """The process and all below it: torchrun puts its workers into groups of their own."""
    try:
        whole = psutil.Process(pid)
        return [*whole.children(recursive=True), whole]
    except psutil.NoSuchProcess:
        return []


def shards_in(folder: Path) -> int:
    """Shards that are whole."""
    return len(list(folder.rglob("*.safetensors")))


def main() -> None:
    """One run in peace, one that is killed again and again."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, default=Path("/tmp/imagenet-ao-benchmarks/kill")
    )
    args = parser.parse_args()
    shutil.rmtree(args.folder, ignore_errors=True)
    began = time.perf_counter()
    subprocess.run(
        command(1, args.folder / "peace", args.images),
        env=ENVIRONMENT,
        check=True,
    )
    whole = time.perf_counter() - began
    print(f"in peace, one process: {whole:.1f} s")
    draw, out = random.Random(args.seed), args.folder / "killed"
    for number in range(args.kills):
        processes = 1 + number % 3
        had = shards_in(out)
        running = subprocess.Popen(
            command(processes, out, args.images),
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        began = time.perf_counter()
        while running.poll() is None and shards_in(out) == had:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.1) * whole)
        ended = running.poll() is not None
        for process in processes_of(running.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        running.wait()
        span, there, parts = (
            time.perf_counter() - began,
            shards_in(out),
            len(list(out.rglob("*.part"))),
        )
        table = out / "mini" / "predictions.parquet"
        print(
            f"kill {number + 1}: {processes} processes, after {span:.1f} "
            f"s{' (had ended)' if ended else ''}: shards "
            f"{had} -> {there}, {parts} half-written, table "
            f"{'there' if table.exists() else 'not yet'}"
        )
        if there < had:
            sys.exit("A FINISHED SHARD WAS LOST")
    subprocess.run(
        command(2, out, args.images),
        env=ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    same = [
        (p / "mini" / "predictions.parquet").read_bytes()
        for p in (args.folder / "peace", out)
    ]
    print("same bytes" if same[0] == same[1] else "THE BYTES DIFFER")
    sys.exit(same[0] != same[1])


if __name__ == "__main__":
    main()
