"""Every count of the audit against the slow oracle of the tests, on a whole file of captions.

    IMAGENET_AO_CAPTIONS=folder python benchmarks/audit_oracle.py [--limit N]

The folder holds text files, plain or gzipped, one caption a line. Takes minutes for 150,000
captions.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.audit_oracle import by_authors, by_words

from aobench.audit.api import audit
from aobench.audit.files import find_caption_files
from aobench.audit.readers import read_chunks
from aobench.audit.rules import VERSIONS
from aobench.audit.vocabulary import published_vocabulary


def main() -> None:
    """Compare all rules; the exit status is 1 where a pair differs."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--limit", type=int)
    limit = parser.parse_args().limit
    paths = find_caption_files([os.environ["IMAGENET_AO_CAPTIONS"]]).paths
    captions = [
        chunk.text(i)
        for path in paths
        for chunk in read_chunks(path)
        for i in range(len(chunk))
    ][:limit]
    names = published_vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.txt"
        path.write_text("".join(c + "\n" for c in captions), encoding="utf-8")
        found = audit(str(path), Path(folder) / "out", rules=tuple(VERSIONS))
    began = time.perf_counter()
    expected = {
        **by_words(captions, names),
        "authors": by_authors(captions, names),
    }
    wrong = 0
    for rule, counts in expected.items():
        matrix = np.zeros(names.shape, np.int64)
        for pair, n in counts.items():
            matrix[pair] = n
        differ = int((matrix != found.counts[rule]).sum())
        wrong += differ
        print(
            f"{rule}: {len(counts):,} pairs seen, sum {matrix.sum():,}; {differ} of "
            f"{matrix.size:,} pairs differ"
        )
    print(
        f"{len(captions):,} captions; the oracle took {time.perf_counter() - began:.0f} s"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
