"""Speed of the audit from Parquet to matrix, rule ``words``, beside other ways to count the same.

    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_speed.py make --rows 5000000
    captions.parquet python benchmarks/audit_speed.py product captions.parquet
    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_speed.py others --limit 155070
    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_speed.py loop
    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_speed.py merge --files 1000 --captions 5000

``make`` repeats the folder's captions (text files, one a line) and writes them without dictionary
encoding. Nothing in the audit remembers a caption that it met before: each is decoded, cut and
looked up anew. What repeats do help is the count of different captions, whose sketches stop
growing; with ``--distinct`` a running number ends each caption, so that all differ. ``product``
starts a new process with the kernel compiled before, and prints wall and CPU seconds, the load and
the peak of memory. The others are timed in CPU seconds too, which a busy machine changes less.
``merge`` counts many files once, then times what a second run does with their parts: find each and
check it, add them up, and the whole call with its tables.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

CHILD = """
import resource, sys, time
began = time.perf_counter()
from aobench.audit.api import audit
result = audit(sys.argv[1], sys.argv[2], workers=int(sys.argv[3]), hash_files=sys.argv[4] == "1", rules=sys.argv[5:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(result.manifest["totals"]["rows"], result.manifest["seconds"], time.perf_counter() - began,
      used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, int(result.matrix().sum()))
"""


def captions() -> list[str]:
    """The captions of the folder that IMAGENET_AO_CAPTIONS names."""
    from aobench.audit.files import find_caption_files
    from aobench.audit.readers import read_chunks

    paths = find_caption_files([os.environ["IMAGENET_AO_CAPTIONS"]]).paths
    return [
        chunk.text(i)
        for path in paths
        for chunk in read_chunks(path)
        for i in range(len(chunk))
    ]


def make(args: argparse.Namespace) -> None:
    """Write ``args.rows`` captions, a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts, schema = captions(), pa.schema([("TEXT", pa.string())])
    with pq.ParquetWriter(
        args.path, schema, compression="zstd", use_dictionary=False
    ) as writer:
        for start in range(0, args.rows, 250_000):
            rows: Iterable[int] = range(start, min(start + 250_000, args.rows))
            if args.distinct:
                column = pa.array(
                    [f"{texts[r % len(texts)]} {r}" for r in rows]
                )
            else:
                column = pa.array([texts[r % len(texts)] for r in rows])
            writer.write_table(pa.table({"TEXT": column}, schema=schema))
    print(
        f"{args.path}: {args.rows:,} rows, {Path(args.path).stat().st_size / 1e6:,.0f} MB"
    )


def product(args: argparse.Namespace) -> None:
    """Time whole runs in new processes; the first one, which may have to compile, is not
    printed.
    """
    for number in range(args.repeat + 1):
        out = tempfile.mkdtemp()
        command = [
            sys.executable,
            "-c",
            CHILD,
            args.path,
            out,
            str(args.workers),
            str(int(args.hash)),
            *args.rules,
        ]
        load = os.getloadavg()[0]
        before = time.perf_counter()
        said = subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.split()
        wall = time.perf_counter() - before
        shutil.rmtree(out)
        rows, seconds, inside, cpu, peak, total = (float(x) for x in said)
        if number:
            print(
                f"{rows:,.0f} captions: {seconds:.2f} s from file to counts, "
                f"{rows / seconds / 1e6:.2f} M captions/s; "
                f"process {wall:.2f} s ({inside:.2f} s inside), CPU {cpu:.2f} s = "
                f"{rows / cpu / 1e6:.2f} M captions a "
                f"core second; peak {peak:,.0f} MB; sum {total:,.0f}; load before {load:.1f}",
                flush=True,
            )


def _rules_side_by_side(chunk: Any, names: Any, rounds: int = 7) -> None:
    """The kernel with one rule each, in turn, so that the machine's moods hit all alike."""
    from aobench.audit.counter import CaptionCounter, CountingPlan
    from aobench.audit.rules import WORD_RULES

    counters = {
        rule: CaptionCounter(CountingPlan(names, (rule,)))
        for rule in WORD_RULES
    }
    used: dict[str, list[float]] = {rule: [] for rule in WORD_RULES}
    for _ in range(rounds):
        for rule, counter in counters.items():
            began = time.thread_time()
            counter.count(chunk)
            used[rule].append(time.thread_time() - began)
            counter.take()
    for rule, seconds in used.items():
        rate = len(chunk) / float(np.median(seconds[1:]))
        print(
            f"rule {rule}, 1 thread, in memory: {rate:,.0f} captions a CPU second"
        )


def others(args: argparse.Namespace) -> None:
    """pyahocorasick, polars and DuckDB with the same semantics; their matrices are compared with
    ours. The rules are timed side by side in the same rounds.
    """
    from audit_others import by_ahocorasick, by_duckdb, by_polars

    from aobench.audit.chunks import CaptionChunk
    from aobench.audit.counter import CaptionCounter, CountingPlan
    from aobench.audit.vocabulary import published_vocabulary

    texts, names = captions()[: args.limit], published_vocabulary()
    plan = CountingPlan(names)
    chunk = CaptionChunk.of(texts)
    _rules_side_by_side(chunk, names)
    counter = CaptionCounter(plan)
    counter.count(chunk)  # compiled, and its memory touched
    counter.take()
    seconds, cpu, part = timed(
        lambda: (counter.count(chunk), counter.take())[1]
    )
    ours = np.zeros(plan.cells("words"), np.int64)
    ours[part.rules["words"].cells] = part.rules["words"].counts
    report("this kernel, 1 thread, in memory", len(texts), seconds, cpu, "")
    for name, count in (
        ("pyahocorasick, 1 core", by_ahocorasick),
        ("polars contains_any and extract_many, 2 threads", by_polars),
        ("DuckDB, 2 threads", by_duckdb),
    ):
        seconds, cpu, matrix = timed(lambda count=count: count(texts, names))
        differ = int((matrix.ravel() != ours).sum())
        report(
            name,
            len(texts),
            seconds,
            cpu,
            f"; {differ} of {matrix.size:,} pairs differ from ours",
        )


def loop(args: argparse.Namespace) -> None:
    """The authors' loop, pair by pair over all captions, with its early exit; on a sample of
    pairs.
    """
    from aobench.audit.vocabulary import published_vocabulary

    names, texts = (
        published_vocabulary(),
        [c.lower() for c in captions()][: args.limit],
    )
    every = [f"{a} {o}" for a in names.attributes for o in names.objects]
    pairs = random.Random(0).sample(every, args.pairs)

    def run() -> int:
        seen = 0
        for pair in pairs:
            words = pair.split()
            for caption in texts:
                if words[0] in caption and words[1] in caption:
                    seen += 1
                    break
        return seen

    seconds, cpu, seen = timed(run)
    for total in (12_000, len(every)):
        rate = len(texts) / (cpu * total / len(pairs))
        print(
            f"the authors' loop: {len(pairs):,} pairs ({seen:,} seen) x {len(texts):,} captions in "
            f"{seconds:.1f} s "
            f"({cpu:.1f} CPU s); for {total:,} pairs {rate:,.1f} captions a CPU second; load "
            f"{os.getloadavg()[0]:.1f}"
        )


def write_text_files(folder: Path, files: int, size: int) -> list[Path]:
    """So many text files of ``size`` captions each, which begin at other places of the corpus."""
    texts, paths = [text.replace("\n", " ") for text in captions()], []
    for number in range(files):
        start = number * 7919 % len(texts)
        lines = [texts[(start + k) % len(texts)] for k in range(size)]
        path = folder / f"{number:05d}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def merge(args: argparse.Namespace) -> None:
    """Time the second run over files that are all counted."""
    from aobench.audit.api import audit
    from aobench.audit.counter import CountingPlan
    from aobench.audit.output import merge_files
    from aobench.audit.rules import DEFAULT_RULES
    from aobench.audit.scan import scan_files
    from aobench.audit.vocabulary import published_vocabulary

    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        (folder / "captions").mkdir()
        paths = write_text_files(folder / "captions", args.files, args.captions)
        plan = CountingPlan(published_vocabulary(), DEFAULT_RULES)
        parts, files = folder / "out" / "parts", [str(path) for path in paths]
        scan_files(files, plan, parts)
        size = sum(part.stat().st_size for part in parts.iterdir())
        print(
            f"{args.files:,} files of {args.captions:,} captions; their parts take "
            f"{size / 1e6:,.0f} MB"
        )
        for _ in range(args.repeat):
            before, cpu_before, outcome = timed(
                lambda: scan_files(files, plan, parts)
            )
            after, cpu_after, _ = timed(
                lambda outcome=outcome: merge_files(plan, outcome, parts)
            )
            whole, cpu_whole, counts = timed(
                lambda: audit(folder / "captions", folder / "out")
            )
            print(
                f"check {before:.2f} s ({cpu_before:.2f} CPU s), merge {after:.2f} s "
                f"({cpu_after:.2f} CPU s), the whole call {whole:.2f} s ({cpu_whole:.2f} CPU s); "
                f"sum {int(counts.matrix().sum()):,}; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


def timed(call: Any) -> tuple[float, float, Any]:
    """Seconds, CPU seconds of all threads, and the result."""
    began, used = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - began, time.process_time() - used, result


def report(name: str, n: int, seconds: float, cpu: float, more: str) -> None:
    """One line."""
    print(
        f"{name}: {n:,} captions in {seconds:.2f} s, {n / seconds:,.0f} captions/s; {cpu:.2f} CPU "
        f"s, {n / cpu:,.0f} "
        f"captions a CPU second{more}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    """Choose."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True)
    m = verbs.add_parser("make")
    m.add_argument("path")
    m.add_argument("--rows", type=int, default=5_000_000)
    m.add_argument("--distinct", action="store_true")
    m.set_defaults(run=make)
    p = verbs.add_parser("product")
    p.add_argument("path")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument(
        "--hash",
        action="store_true",
        help="hash the file too, as the command line does",
    )
    p.add_argument("--rules", nargs="+", default=["words"])
    p.set_defaults(run=product)
    o = verbs.add_parser("others")
    o.add_argument("--limit", type=int)
    o.set_defaults(run=others)
    q = verbs.add_parser("loop")
    q.add_argument("--limit", type=int, default=20_000)
    q.add_argument("--pairs", type=int, default=500)
    q.set_defaults(run=loop)
    g = verbs.add_parser("merge")
    g.add_argument("--files", type=int, default=1_000)
    g.add_argument("--captions", type=int, default=5_000)
    g.add_argument("--repeat", type=int, default=3)
    g.add_argument("--folder", help="where files are written for it")
    g.set_defaults(run=merge)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
