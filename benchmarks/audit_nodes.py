"""The Ray engine on two local nodes of unlike speed, one of which is killed in the middle: the counts
must be those of one machine.

    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_nodes.py [--files 40]

Prints the seconds that files took on the quicker and on the slower node (tenths of the files from
either end), and how many were done before the kill. Exit status 1 where the counts differ.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from audit_speed import captions

from aobench.audit.api import audit


def write_shards(folder: Path, files: int) -> list[Path]:
    """The captions dealt out to so many text files, thirty times over, so that each takes a while."""
    texts, paths = captions(), []
    for number in range(files):
        path = folder / f"{number:04d}.txt"
        lines = texts[number::files] * 30
        path.write_text(
            "".join(f"{line.strip()}\n" for line in lines), encoding="utf-8"
        )
        paths.append(path)
    return paths


def slow_down(address: str) -> None:
    """Give the processes of a node the least share of the processor."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.Error):
            if address in " ".join(process.info["cmdline"] or []):
                process.nice(15)


def main() -> None:
    """Start two nodes, count, kill one when a third of the files is done, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=40)
    files = parser.parse_args().files
    import ray
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "captions").mkdir()
        paths = write_shards(folder / "captions", files)
        alone = audit(paths, folder / "alone", hash_files=False)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        second = cluster.add_node(num_cpus=1)
        os.environ["RAY_ADDRESS"] = cluster.address
        slow_down(second.raylet_socket_name)
        killed: list[int] = []

        def kill() -> None:
            parts = folder / "ray" / "parts"
            while len(done := list(parts.glob("*.safetensors"))) < files // 3:
                time.sleep(0.05)
            killed.append(len(done))
            cluster.remove_node(second, allow_graceful=False)

        threading.Thread(target=kill, daemon=True).start()
        began = time.perf_counter()
        found = audit(paths, folder / "ray", engine="ray", hash_files=False)
        seconds = time.perf_counter() - began
        same = all(
            np.array_equal(alone.matrix(r), found.matrix(r))
            for r in alone.counts
        )
        took = [record["seconds"] for record in found.manifest["files"]]
        quick, slow = np.quantile(took, (0.1, 0.9))
        print(
            f"{files} files, {found.manifest['totals']['rows']:,} captions in {seconds:.1f} s, a "
            f"file in {quick:.2f} to {slow:.2f} s; a node was killed when {killed or 'no'} files "
            f"were done; the same counts: {same}; load {os.getloadavg()[0]:.1f}"
        )
        ray.shutdown()
        cluster.shutdown()
    sys.exit(0 if same and killed else 1)


if __name__ == "__main__":
    main()
