"""Pictures of ImageNet's classes, as seen pictures beside novel pairs: the split ``id``.

    from aobench.layouts.imagenet import read_imagenet
    data = read_imagenet("imagenet/val")        # a folder, a zip, a tar, Parquet, or a Hub id
    print("\\n".join(data.report.lines()))

`aobench.layouts.imagenet.table` has one line for each form. ``load_dataset("imagenet_ao",
id_data=...)`` serves the same rows.
"""

from aobench.layouts.imagenet.form import ClassData, ClassReport
from aobench.layouts.imagenet.table import FORMS, read_imagenet

__all__ = ["FORMS", "ClassData", "ClassReport", "read_imagenet"]
