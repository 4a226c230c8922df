"""What to compare with what, and where near begins.

About the thresholds. The paper that describes the images says that near-duplicates were looked for
by nearest neighbours, but states neither its k nor its embedding nor its threshold. The defaults
here are ours. The hash's were measured on mini's pictures (see ``hashes``). A cosine means nothing
apart from its model: by the bundled one 22 of 499,500 pairs of different pictures are at 0.95 or
more, and 200 copies in JPEG 50 all above 0.99; another model has other figures. So
``cosine_in_set`` is off unless given, and ``reference_cosine`` (0.95) is a place to begin. To
choose: run once, open report.html, see in the histogram where the bulk ends, look through the
borderline pairs, move the threshold to where they stop being the same picture, and run again:
embeddings, hashes and neighbours in the reference are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from aobench.duplicates.decide import NearThresholds
from aobench.duplicates.hashes import COLOUR, DISTANCE
from aobench.errors import UserError


@dataclass(frozen=True)
class DuplicateOptions:
    """What to compare with what, and where near begins.

    ``model``: a name that the runner takes, None to compare by hash alone. ``hash_distance``: bits
    of 64 that near images may differ in, ``colour`` what their colours may (0..255).
    ``cosine_in_set``, ``reference_cosine``: near from this cosine on; None measures without
    deciding. ``reference``: folders or globs of .npy shards. ``k``: neighbours listed of each
    image, in the set and in the reference. The widths: how far from a threshold a pair is
    borderline. ``index``: a faiss factory string or an index file, for an approximate search of the
    reference. ``report_pairs``: most pairs shown in each part of the page.
    """

    model: str | None = None
    hash_distance: int = DISTANCE
    colour: int = COLOUR
    cosine_in_set: float | None = None
    reference: tuple[str, ...] = ()
    reference_cosine: float | None = 0.95
    k: int = 10
    hash_width: int = 2
    colour_width: int = 6
    cosine_width: float = 0.02
    reference_width: float = 0.02
    batch_size: int = 64
    index: str | None = None
    report_pairs: int = 40

    def check(self) -> None:
        """Raise UserError for a number out of its range, or a wish that needs another."""
        limits = {
            "hash_distance": (0, 16),
            "colour": (0, 255),
            "k": (1, 1000),
            "hash_width": (0, 16),
            "colour_width": (0, 255),
            "cosine_width": (0, 1),
            "reference_width": (0, 1),
            "cosine_in_set": (-1, 1),
            "reference_cosine": (-1, 1),
            "batch_size": (1, 65_536),
            "report_pairs": (0, 10_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UserError(
                    f"{name} is {value}; it goes from {low} to {high}"
                )
        if self.model is None and (
            self.reference or self.cosine_in_set is not None
        ):
            wish = "a reference" if self.reference else "cosine_in_set"
            raise UserError(
                f"{wish} compares embeddings: name the model that makes them, for instance mini"
            )
        if self.index is not None and not self.reference:
            raise UserError(
                "an index searches a reference: name the reference's shards too"
            )

    @property
    def thresholds(self) -> NearThresholds:
        """What ``decide`` takes."""
        names = NearThresholds.__dataclass_fields__
        return NearThresholds(**{name: getattr(self, name) for name in names})
