"""``python -m aobench.layouts PATH`` prints what a folder, a zip or a list is taken for."""

from __future__ import annotations

import argparse
import json
import sys

from aobench.errors import UserError
from aobench.layouts.table import LAYOUTS, read_layout


def main(arguments: list[str] | None = None) -> int:
    """Print the report of one's own data. Returns the exit status: 2 where it can't be read."""
    parser = argparse.ArgumentParser(
        prog="python -m aobench.layouts", description=__doc__
    )
    parser.add_argument(
        "path", help="a folder, a zip, or a list (.csv, .jsonl, .parquet)"
    )
    parser.add_argument(
        "--layout", help=f"one of {', '.join(x.name for x in LAYOUTS)}"
    )
    parser.add_argument(
        "--attributes", help="text file of the attributes, one a line"
    )
    parser.add_argument(
        "--objects", help="text file of the objects, one a line"
    )
    parser.add_argument(
        "--with-train", action="store_true", help="take training pictures too"
    )
    parser.add_argument(
        "--columns", help="what a list calls its columns: file=path"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON"
    )
    args = parser.parse_args(arguments)
    try:
        data = read_layout(
            args.path,
            args.layout,
            args.attributes,
            args.objects,
            args.with_train,
            args.columns,
        )
    except UserError as error:
        print(f"aobench.layouts: {error}", file=sys.stderr)
        return 2
    report = data.report
    print(
        json.dumps(report.as_dict(), indent=2)
        if args.json
        else "\n".join(report.lines())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
