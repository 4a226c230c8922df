"""The audit in one call: files in, a folder of results out."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aobench.audit.checkpoints import plan_hash
from aobench.audit.counter import CountingPlan
from aobench.audit.files import find_caption_files
from aobench.audit.layouts import LAYOUTS
from aobench.audit.output import write_results
from aobench.audit.result import Audit
from aobench.audit.rules import DEFAULT_RULES, check_rules
from aobench.audit.scan import ReadOptions, ScanOutcome, scan_files
from aobench.audit.tally import GROUPS
from aobench.audit.vocabulary import (
    Vocabulary,
    make_vocabulary,
    published_vocabulary,
)
from aobench.audit.words import HASH_VERSION
from aobench.errors import UserError
from aobench.extras import need_extra
from aobench.files import alone_in
from aobench.versions import package_versions

ENGINES = ("polars", "ray")
#: Whose versions the manifest names.
PACKAGES = ("imagenet-ao", "polars", "pyarrow", "numpy", "numba", "ray")
MOST_EXAMPLES, MOST_SKETCH, MOST_WORKERS = 1000, 1 << 16, 4096


def audit(
    captions: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    rules: Sequence[str] = DEFAULT_RULES,
    vocabulary: Vocabulary | None = None,
    column: str | None = None,
    layout: str | None = None,
    engine: str = "polars",
    workers: int | None = None,
    examples: int = 3,
    sketch: int = 32,
    sample: float = 1.0,
    on_bad_file: str = "stop",
    hash_files: bool = True,
) -> Audit:
    """Count the compositions that captions show, and write matrices, marginals, examples and a
    manifest.

    A second call with the same ``out`` reads only files that are new or were changed.

    Args:
        captions: files, folders, globs or URLs.
        out: the folder that is written.
        rules: what counts as showing a composition; see `aobench.audit.rules`.
        vocabulary: the attributes and objects (default: the published 129 and 1,000).
        column: the caption column (default: found by name).
        layout: how the files hold captions, such as ``laion`` (default: found).
        engine: ``polars``, or ``ray`` for several machines.
        workers: threads, or Ray's tasks (default: one a core).
        examples: captions kept per composition.
        sketch: different captions counted exactly per composition; beyond, they are estimated (0:
            not counted).
        sample: the share of rows counted, drawn by file name and row.
        on_bad_file: ``stop`` or ``skip``.
        hash_files: whether the manifest tells the files' SHA-256.

    Returns:
        The counts: ``matrix(rule)``, ``novel(rule, threshold)``.

    Raises:
        UserError: for bad input, for captions of which none is left to count, and for a broken file
            unless it is skipped.

    Example:
        >>> import aobench
        >>> from pathlib import Path
        >>> _ = Path("captions.txt").write_text("a red wooden banana\\na photo of a lion\\n")
        >>> counts = aobench.audit("captions.txt", out="audit")
        >>> int(counts.matrix("words").sum())
        2
    """
    began = time.perf_counter()
    if (
        isinstance(sample, bool)
        or not isinstance(sample, int | float)
        or not 0 < sample <= 1
    ):
        raise UserError(
            f"the sample is a share above 0 and at most 1; got {sample!r}"
        )
    for what, value, least, most in (
        ("examples", examples, 0, MOST_EXAMPLES),
        ("sketch", sketch, 0, MOST_SKETCH),
        ("workers", 1 if workers is None else workers, 1, MOST_WORKERS),
    ):
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not least <= value <= most
        ):
            raise UserError(
                f"{what} takes a whole number from {least:,} to {most:,}; got {value!r}"
            )
    if sketch in (1, 2):
        raise UserError(
            "a sketch of 1 or 2 gives no estimate of different captions; use 0, or 3 and more"
        )
    need_extra("polars")
    asked = check_rules([rules] if isinstance(rules, str) else rules)
    plan = CountingPlan(
        vocabulary or published_vocabulary(), asked, sketch, examples, sample
    )
    if plan.vocabulary.note and set(asked) != {"authors"}:
        print(plan.vocabulary.note, file=sys.stderr)
    if layout is not None and layout not in LAYOUTS:
        raise UserError(
            f"unknown layout {layout!r}; the layouts are: {', '.join(LAYOUTS)}"
        )
    _refuse_too_large(
        plan, (workers or os.cpu_count() or 1) if engine == "polars" else 1
    )
    if on_bad_file not in ("stop", "skip"):
        raise UserError(f"on_bad_file is 'stop' or 'skip', not {on_bad_file!r}")
    _refuse_no_path(Path(out))
    named = [captions] if isinstance(captions, str | Path) else captions
    files = find_caption_files([str(one) for one in named], Path(out))
    source = ReadOptions(column, layout, hash_files, on_bad_file)
    parts = Path(out) / "parts"
    run = _engine(engine)
    with alone_in(out, "audit"):
        outcome = run(files.paths, plan, parts, source, workers)
        seconds = time.perf_counter() - began
        manifest = _manifest(plan, source, outcome, engine, workers, seconds)
        return write_results(
            Path(out),
            plan,
            outcome,
            parts,
            {**manifest, "left_out": files.left_out},
        )


def _refuse_too_large(plan: CountingPlan, workers: int) -> None:
    """UserError where the tallies of so many workers, and the one that they are merged into,
    don't fit this machine.
    """
    cells = (
        len(plan.rules) * plan.vocabulary.shape[0] * plan.vocabulary.shape[1]
    )
    needed = (
        (workers + 1)
        * cells
        * (24 + 8 * GROUPS + 8 * plan.sketch + 16 * plan.examples)
    )
    there = (
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if hasattr(os, "sysconf")
        else needed
    )
    if needed > 4 * there:  # cells that are never seen take none
        raise UserError(
            f"this would take up to {needed / 1e9:,.1f} GB of memory, and the machine has "
            f"{there / 1e9:,.1f}: ask for fewer workers, examples, rules or names, or a smaller "
            "sketch"
        )


def _refuse_no_path(out: Path) -> None:
    try:
        if b"\0" in os.fsencode(out):
            raise ValueError("embedded null byte")
    except ValueError as error:  # NUL, or half a character
        raise UserError(
            f"{str(out)!a} can't be a folder's name ({error}); name another with --out"
        ) from error


def _engine(name: str) -> Any:
    if name == "polars":
        return scan_files
    if name == "ray":
        from aobench.audit.ray_engine import scan_with_ray

        return scan_with_ray
    raise UserError(
        f"unknown engine {name!r}; the engines are: {', '.join(ENGINES)}"
    )


def _spoken_names(names: Vocabulary) -> dict[str, Any]:
    """The objects' synonyms, where they aren't WordNet's, which can be looked up again."""
    if not names.synonyms:
        return {}
    usual = make_vocabulary(names.attributes, names.objects, True)
    return (
        {}
        if usual.hash == names.hash
        else {"spoken": list(map(list, names.synonyms))}
    )


def _manifest(
    plan: CountingPlan,
    source: ReadOptions,
    outcome: ScanOutcome,
    engine: str,
    workers: int | None,
    seconds: float,
) -> dict[str, Any]:
    """What made the counts; `write_results` adds the totals and the rules."""
    names = plan.vocabulary
    read = [
        r for r in outcome.records if "error" not in r and not r.get("resumed")
    ]
    rows = sum(r["rows"] for r in read)
    return {
        "made_by": {
            **package_versions(PACKAGES),
            "python": platform.python_version(),
        },
        "engine": engine,
        "workers": workers,
        "vocabulary": {
            "hash": names.hash,
            "attributes": len(names.attributes),
            "objects": len(names.objects),
            "synonyms": bool(names.synonyms),
            **_spoken_names(names),
        },
        "hash_version": HASH_VERSION,
        "plan_hash": plan_hash(plan, source.column, source.layout),
        "sample": plan.sample,
        "sketch": plan.sketch,
        "examples": plan.examples,
        "seconds": round(seconds, 3),
        "captions_per_second": round(rows / seconds) if rows else None,
        "files": outcome.records,
        "skipped_files": [r["path"] for r in outcome.records if "error" in r],
    }
