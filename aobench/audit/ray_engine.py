"""The same scan over many machines: Ray Data shares out the files, each task counts one with the
same kernel.

The parts lie in a folder that all machines see; nothing but their keys travels. So the result
doesn't depend on who counted what, and a killed scan goes on as on one machine.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aobench.audit.checkpoints import (
    part_key,
    plan_hash,
    write_part,
)
from aobench.audit.counter import CountingPlan
from aobench.audit.layouts import ColumnError
from aobench.audit.scan import (
    CounterPool,
    ReadOptions,
    ScanOutcome,
    bad_file,
    facts_of,
    scan_file,
)
from aobench.audit.streams import BadFileError
from aobench.errors import UserError
from aobench.extras import need_extra
from aobench.files import remove_scratch_files


class _Scanner:
    """One of Ray's workers: holds the compiled vocabulary, and counts file after file in one
    thread.
    """

    def __init__(
        self, plan: CountingPlan, source: ReadOptions, parts: str, digest: str
    ) -> None:
        self.counters = CounterPool(plan, 1)
        self.source, self.parts, self.digest = source, Path(parts), digest

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Count the batch's files; gives the place of each in the list, and why it was given up
        ("": it wasn't).
        """
        errors = []
        for path in batch["path"]:
            facts = facts_of(path, replace(self.source, on_bad_file="skip"))
            try:
                part, record = scan_file(path, self.counters, self.source)
            except (BadFileError, ColumnError) as error:
                errors.append(str(error))
            except UserError as error:
                errors.append(f"{_REFUSED}{error}")
            else:
                write_part(
                    self.parts,
                    part_key(facts, self.digest),
                    part,
                    {**record, "node": os.uname().nodename},
                )
                errors.append("")
        return {"index": batch["index"], "error": errors}


#: Marks an error that is the user's, not the file's: it stops the scan in any case.
_REFUSED = "\0"


def scan_with_ray(
    paths: Sequence[str],
    plan: CountingPlan,
    parts: Path,
    source: ReadOptions | None = None,
    workers: int | None = None,
) -> ScanOutcome:
    """As `aobench.audit.scan.scan_files`; ``workers``: files counted at a time, each on one core
    (default: all of them).

    Joins the cluster that RAY_ADDRESS names, or starts one on this machine. UserError where ray
    isn't installed.
    """
    ray = need_extra("ray")
    source = source or ReadOptions()
    parts = parts.absolute()
    digest = plan_hash(plan, source.column, source.layout)
    facts = [facts_of(path, source) for path in paths]
    keys = [part_key(fact, digest) for fact in facts]
    remove_scratch_files(parts)
    outcome = ScanOutcome()
    known = {
        i: outcome.held.known_record(parts, key, facts[i])
        for i, key in enumerate(keys)
    }
    todo = [
        i
        for i in range(len(paths))
        if known[i] is None and "error" not in facts[i]
    ]
    if todo:
        if not ray.is_initialized():
            ray.init(
                log_to_driver=False,
                include_dashboard=False,
                logging_level=logging.WARNING,
                num_cpus=workers,
            )
        places = [
            p if "://" in p else str(Path(p).absolute())
            for p in (paths[i] for i in todo)
        ]
        for index, error in _run(
            places, todo, plan, source, parts, digest, workers
        ):
            if error.startswith(_REFUSED):
                raise UserError(error.removeprefix(_REFUSED))
            if error:
                facts[index] |= bad_file(paths[index], error, source)
    for i, (fact, key) in enumerate(zip(facts, keys, strict=True)):
        record = known[i]
        if record is None and "error" not in fact:
            record = outcome.held.read_record(parts, key)
        resumed = known[i] is not None
        outcome.records.append(
            {**fact, **record, "resumed": resumed} if record else fact
        )
        outcome.keys.append(key if record else None)
    return outcome


def _run(
    places: list[str],
    todo: list[int],
    plan: CountingPlan,
    source: ReadOptions,
    parts: Path,
    digest: str,
    workers: int | None,
) -> list[tuple[int, str]]:
    """(place in the list, error or "") of each file."""
    import ray

    context = ray.data.DataContext.get_current()
    # Its first use sets up ray's own logging, so only now: a line an executor is nothing to read.
    for name in ("ray.data", "ray.data._internal.execution.streaming_executor"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context.enable_progress_bars = os.isatty(2)
    count = min(
        len(places), workers or int(ray.cluster_resources().get("CPU", 1))
    )
    rows = [
        {"path": path, "index": index}
        for path, index in zip(places, todo, strict=True)
    ]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _Scanner,
        fn_constructor_args=(plan, source, str(parts), digest),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=count),
        num_cpus=1,
    )
    return [(int(row["index"]), str(row["error"])) for row in done.take_all()]
