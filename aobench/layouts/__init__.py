"""One's own pictures of attribute-object pairs, in any of the known layouts, read into one form.

    from aobench.layouts import read_layout
    data = read_layout("my-pictures")          # a folder, a zip, or a list
    print("\\n".join(data.report.lines()))      # what it was taken for, and what was left out

`aobench.layouts.table` has one line for each layout, and each layout is one file that says what it
takes. ``load_dataset("imagenet_ao", "folder", data_dir=...)`` serves the same rows.
"""

from aobench.layouts.form import LayoutData
from aobench.layouts.report import LayoutReport
from aobench.layouts.table import LAYOUTS, read_layout

__all__ = ["LAYOUTS", "LayoutData", "LayoutReport", "read_layout"]
