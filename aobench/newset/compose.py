"""Step 1: which compositions the corpora don't show, balanced; every other one with the reason
why it is left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aobench.analysis.power import SetDesign, plan_line
from aobench.audit.vocabulary import Vocabulary, read_names
from aobench.errors import UserError
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.balance import balanced_choice
from aobench.newset.config import ComposeOptions, located_path
from aobench.newset.corpora import corpus_marks, count_corpora
from aobench.newset.exclusions import excluded_pairs, refuse_unfit, same_words
from aobench.newset.manifests import step_folder, table_digest, write_table
from aobench.newset.reasons import ReasonGrid, reason_columns, reason_of
from aobench.newset.step import Build, Step, StepResult, removed_lines

TABLE = "compositions.parquet"


class ComposeStep(Step):
    """Writes compositions.parquet: one row a pair, ``kept``, its reason, and its count in each
    corpus.
    """

    name = "compose"

    def __init__(self, build: Build) -> None:
        self.build = build
        self._options = build.config.compose

    def options(self) -> dict[str, Any]:
        """The part ``compose`` of the configuration, and the seed."""
        return {
            "options": dataclasses.asdict(self._options),
            "seed": self.build.config.seed,
        }

    def outside_inputs(self) -> dict[str, Any]:
        """Captions or audits, lists of names, exclusions, and the language model's weights."""
        options, config_path = self._options, self.build.config_path
        where = step_folder(self.build.out, self.name)
        marks = corpus_marks(options.corpora, where, config_path)
        for name in (options.attributes, options.objects, options.exclude):
            if isinstance(name, str) and name != "published":
                path = located_path(config_path, name)
                if not path.is_file():
                    raise UserError(
                        f"{path} is missing or no file, which the configuration names"
                    )
                marks[name] = table_digest(path)
        inputs: dict[str, Any] = {"inputs": marks}
        if options.plausibility:
            model = placed_model(config_path, options.plausibility.model)
            inputs["weights"] = weights_mark(model)
        return inputs

    def run(self, made_from: Mapping[str, Any]) -> StepResult:
        """Mark what can't be taken, draw from the rest, write the table."""
        import imagenet_ao

        options, config_path = self._options, self.build.config_path
        attributes = names_of(options.attributes, imagenet_ao.ATTRIBUTES, config_path)
        objects = names_of(options.objects, tuple(imagenet_ao.OBJECTS), config_path)
        vocabulary = Vocabulary(attributes, objects)
        refuse_unfit(vocabulary)
        where = step_folder(self.build.out, self.name)
        reasons = ReasonGrid(vocabulary.shape)
        reasons.mark(same_words(vocabulary), reason_of("same-word"))
        if options.exclude is not None:
            exclusions = located_path(config_path, options.exclude)
            for pair, why in excluded_pairs(exclusions, vocabulary).items():
                reasons.mark_one(pair, reason_of("excluded", why=why))
        counts, corpora = count_corpora(
            options, vocabulary, reasons, where, config_path
        )
        scores = _plausibility_scores(options, vocabulary, reasons, config_path)
        chosen = balanced_choice(
            reasons.free,
            options.count,
            options.per_attribute,
            options.per_object,
            self.build.config.seed,
        )
        reasons.mark(~chosen, reason_of("balance"))
        table = _write_compositions(where / TABLE, vocabulary, reasons, counts, scores)
        if not chosen.any():
            raise UserError(
                f"no composition is left; {table} says why each of the {chosen.size:,} is left out"
            )
        facts = {
            "compositions": int(chosen.size),
            "kept": int(chosen.sum()),
            "asked": options.count,
            "removed": reasons.counts(),
            "corpora": corpora,
            "per_attribute": _spread(chosen.sum(1)),
            "per_object": _spread(chosen.sum(0)),
            "parts": [int(chosen.any(1).sum()), int(chosen.any(0).sum())],
            "vocabulary": vocabulary.hash,
        }
        return StepResult([table], facts)

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """How many are kept, why the others are not, and what a sample leaves open."""
        lines = [
            f"compose: {facts['kept']:,} of {facts['compositions']:,} compositions kept",
            *removed_lines(facts["removed"]),
        ]
        if facts["asked"] and facts["kept"] < facts["asked"]:
            lines.append(
                f"  count asks for {facts['asked']:,}: there are no more under these exclusions "
                "and caps"
            )
        if min(facts.get("parts", [0])) > 1:
            images = self.build.config.generate.images
            design = SetDesign(*facts["parts"], facts["kept"], images)
            lines.append(f"  {plan_line(design)}")
        for name, corpus in facts["corpora"].items():
            if "sample" in corpus:
                bound = corpus["unseen_share_at_most_95"]
                lines.append(
                    f"  {name} was audited by a sample of {corpus['sample']:g}: what it doesn't "
                    f"show may still be in up to {bound:.2g} of the captions (95 %)"
                )
        return lines


def names_of(
    names: Any, published: tuple[str, ...], config_path: Path
) -> tuple[str, ...]:
    """Names from 'published', a list or a file."""
    if names == "published":
        return published
    if isinstance(names, list):
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise UserError(
                    f"compose: {name!r} is no name; YAML reads yes, no, on and numbers as such: "
                    "quote them"
                )
        return tuple(name.strip() for name in names)
    return read_names(located_path(config_path, str(names)))


def _write_compositions(
    path: Path,
    vocabulary: Vocabulary,
    reasons: ReasonGrid,
    counts: Mapping[str, np.ndarray],
    scores: Mapping[tuple[int, int], float],
) -> Path:
    rows = [
        {
            "attribute": attribute,
            "object": name,
            "kept": reasons.at((a, o)) is None,
            **reason_columns(reasons.at((a, o))),
            **{
                f"captions_{corpus}": int(count[a, o])
                for corpus, count in counts.items()
            },
            "plausibility": scores.get((a, o)),
        }
        for a, attribute in enumerate(vocabulary.attributes)
        for o, name in enumerate(vocabulary.objects)
    ]
    schema = [
        ("attribute", "string"),
        ("object", "string"),
        ("kept", "bool"),
        ("reason_code", "string"),
        ("reason", "string"),
        *((f"captions_{corpus}", "int64") for corpus in counts),
        ("plausibility", "double"),
    ]
    return write_table(path, rows, schema)


def _spread(counts: np.ndarray) -> dict[str, int]:
    return {"least": int(counts.min()), "most": int(counts.max())}


def _plausibility_scores(
    options: ComposeOptions,
    vocabulary: Vocabulary,
    reasons: ReasonGrid,
    config_path: Path,
) -> dict[tuple[int, int], float]:
    """Scores of the compositions still in, and the reason of those below the least."""
    if options.plausibility is None:
        return {}
    from aobench.newset.plausibility import mean_log_probability

    pairs = [(int(a), int(o)) for a, o in np.argwhere(reasons.free)]
    texts = [
        f"a photo of a {vocabulary.attributes[a]} {vocabulary.objects[o]}"
        for a, o in pairs
    ]
    model = placed_model(config_path, options.plausibility.model)
    scores = dict(zip(pairs, mean_log_probability(model, texts), strict=True))
    for pair, score in scores.items():
        if score < options.plausibility.least:
            reason = reason_of(
                "implausible",
                model=options.plausibility.model,
                least=options.plausibility.least,
            )
            reasons.mark_one(pair, reason)
    return scores


def image_seed(seed: int, attribute: str, name: str, index: int) -> int:
    """63 bits from the build's seed, the composition and the image's number: an image can be
    made again alone.
    """
    text = f"{seed}\0{attribute}\0{name}\0{index}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
