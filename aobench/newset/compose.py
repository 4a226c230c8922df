"""Step 1: which compositions the corpora don't show, balanced; every other one with the reason
why it is left out. Where controls are asked for, seen compositions that match the novel ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from aobench.analysis.power import SetDesign, plan_line
from aobench.audit.vocabulary import Vocabulary, read_names
from aobench.errors import UserError
from aobench.models.weights import placed_model, weights_mark
from aobench.newset.balance import balanced_choice
from aobench.newset.config import ComposeOptions, located_path
from aobench.newset.controls import (
    CONTROLS,
    NOVEL,
    control_facts,
    control_lines,
    fit_controls,
    matched_controls,
)
from aobench.newset.corpora import CorpusCounts, corpus_marks, count_corpora
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
            "options": self._options.as_in_manifest(),
            "seed": self.build.config.seed,
        }

    def outside_inputs(self) -> dict[str, Any]:
        """Captions or audits, lists of names, exclusions, and the language model's weights."""
        options, config_path = self._options, self.build.config_path
        where = step_folder(self.build.out, self.name)
        marks = corpus_marks(options, where, config_path)
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
        attributes = names_of(
            options.attributes, imagenet_ao.ATTRIBUTES, config_path
        )
        objects = names_of(
            options.objects, tuple(imagenet_ao.OBJECTS), config_path
        )
        vocabulary = Vocabulary(attributes, objects)
        refuse_unfit(vocabulary)
        where = step_folder(self.build.out, self.name)
        reasons = self._listed_reasons(vocabulary)
        counted = count_corpora(
            options, vocabulary, reasons, where, config_path
        )
        score = partial(
            _plausibility_scores, options, vocabulary, reasons, config_path
        )
        scores = score(reasons.free)
        chosen = balanced_choice(
            reasons.free,
            options.count,
            options.per_attribute,
            options.per_object,
            self.build.config.seed,
        )
        reasons.mark(~chosen, reason_of("balance"))
        columns = _caption_columns("captions", counted.counts)
        controls: dict[str, Any] = {}
        if options.controls is not None:
            seen = counted.for_controls.values()
            scores |= score(fit_controls(seen, reasons, options.controls))
            fit = fit_controls(seen, reasons, options.controls)
            matched = matched_controls(chosen, fit, self.build.config.seed)
            reasons.clear(matched)
            columns |= _control_columns(chosen, matched, counted)
            controls = control_facts(
                vocabulary, chosen, fit, matched, options.controls
            )
        table = _write_compositions(
            where / TABLE, vocabulary, reasons, columns, scores
        )
        if not chosen.any():
            raise UserError(
                f"no composition is left; {table} says why each of the {chosen.size:,} is left out"
            )
        if controls and not controls["kept"]:
            raise UserError(
                f"no composition can be a control: {table} has the counts; lower "
                "least_captions, or leave controls out"
            )
        facts = {
            "compositions": int(chosen.size),
            "kept": int(chosen.sum()),
            "asked": options.count,
            "removed": reasons.counts(),
            "corpora": counted.facts,
            "per_attribute": _spread(chosen.sum(1)),
            "per_object": _spread(chosen.sum(0)),
            "parts": [int(chosen.any(1).sum()), int(chosen.any(0).sum())],
            "vocabulary": vocabulary.hash,
            **({"controls": controls} if controls else {}),
        }
        return StepResult([table], facts)

    def _listed_reasons(self, vocabulary: Vocabulary) -> ReasonGrid:
        """What needs no captions: names that share a word, and the file ``exclude``."""
        reasons = ReasonGrid(vocabulary.shape)
        reasons.mark(same_words(vocabulary), reason_of("same-word"))
        if self._options.exclude is not None:
            path = located_path(self.build.config_path, self._options.exclude)
            for pair, why in excluded_pairs(path, vocabulary).items():
                reasons.mark_one(pair, reason_of("excluded", why=why))
        return reasons

    def summary_lines(self, facts: Mapping[str, Any]) -> list[str]:
        """How many are kept, why the others are not, and what a sample leaves open."""
        lines = [
            f"compose: {facts['kept']:,} of {facts['compositions']:,} compositions kept",
            *removed_lines(facts["removed"]),
        ]
        if "controls" in facts:
            lines += control_lines(facts["controls"])
        if facts["asked"] and facts["kept"] < facts["asked"]:
            lines.append(
                f"  count asks for {facts['asked']:,}: there are no more under these exclusions "
                "and caps"
            )
        if min(facts.get("parts", [0])) > 1:
            images = self.build.config.generate.images
            attributes, objects = facts["parts"]
            design = SetDesign(attributes, objects, facts["kept"], images)
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
    columns: Mapping[str, np.ndarray],
    scores: Mapping[tuple[int, int], float],
) -> Path:
    """The table: ``columns`` hold a value for each composition (attributes, objects)."""
    rows = [
        {
            "attribute": attribute,
            "object": name,
            "kept": reasons.at((a, o)) is None,
            **reason_columns(reasons.at((a, o))),
            **{name: grid[a, o].item() for name, grid in columns.items()},
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
        *(
            (name, "int64" if grid.dtype.kind == "i" else "string")
            for name, grid in columns.items()
        ),
        ("plausibility", "double"),
    ]
    return write_table(path, rows, schema)


def _caption_columns(
    prefix: str, counts: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    return {f"{prefix}_{corpus}": count for corpus, count in counts.items()}


def _control_columns(
    novel: np.ndarray, controls: np.ndarray, counted: CorpusCounts
) -> dict[str, np.ndarray]:
    """The split of each composition, "" for none, and its captions by the controls' rule."""
    split = np.where(controls, CONTROLS, np.where(novel, NOVEL, ""))
    counts = _caption_columns("control_captions", counted.for_controls)
    return {"split": split, **counts}


def _spread(counts: np.ndarray) -> dict[str, int]:
    return {"least": int(counts.min()), "most": int(counts.max())}


def _plausibility_scores(
    options: ComposeOptions,
    vocabulary: Vocabulary,
    reasons: ReasonGrid,
    config_path: Path,
    wanted: np.ndarray,
) -> dict[tuple[int, int], float]:
    """Scores of the ``wanted`` compositions; marks those below the least."""
    if options.plausibility is None or not wanted.any():
        return {}
    from aobench.newset.plausibility import mean_log_probability

    pairs = [(int(a), int(o)) for a, o in np.argwhere(wanted)]
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
    return (
        int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    )
