"""The miniature: its world keeps its promises, runs resume, the bundled results say what the
tables print.
"""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.plots import coloured_share

from aobench.cli import main
from aobench.errors import UserError
from aobench.mini.render import ATTRIBUTES
from aobench.mini.splits import pairs
from aobench.study import collecting, running, world
from aobench.study.design import (
    CENTRE,
    CONTROLS,
    DIVERSITIES,
    SCALES,
    SEEDS,
    SUPERVISIONS,
    Edition,
    Run,
    Settings,
    all_runs,
    design_points,
    every_run,
)
from aobench.study.statements import (
    all_statements,
    nmi_correlation,
    rank_correlation,
)
from aobench.study.summary import Estimate, Study, over_seeds

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def study():
    return Study(collecting.read_table())


def test_no_novel_pair_is_in_any_training_set():
    novel = set(world.novel_pairs())
    assert len(novel) == 240
    assert {(ATTRIBUTES[a], world.object_names()[o]) for a, o in novel} <= set(
        pairs(novel=True)
    )
    for diversity in DIVERSITIES:
        for seed in SEEDS:
            assert not novel & set(world.training_order(8000, diversity, seed))


def test_training_sets_nest_and_hold_the_core():
    core = set(world.training_pairs(world.CORE, 0))
    assert len(core) == 96
    for seed in SEEDS:
        nested = [set(world.training_pairs(d, seed)) for d in DIVERSITIES]
        assert core <= nested[0] <= nested[1] <= nested[2] <= nested[3]
        for d, chosen in zip(DIVERSITIES, nested, strict=True):
            assert set(Counter(o for _, o in chosen).values()) == {d}
            spread = Counter(a for a, _ in chosen).values()
            assert max(spread) - min(spread) <= 2
        assert world.training_order(8000, 8, seed)[
            :500
        ] == world.training_order(500, 8, seed)


def test_the_design_is_one_factor_at_a_time():
    assert len(design_points()) == 8
    assert all(n == CENTRE[0] or d == CENTRE[1] for n, d in design_points())
    assert len(all_runs()) == len(set(all_runs())) == 72
    assert len(every_run()) == 72 + len(CONTROLS) * len(SEEDS)
    assert len({run.name for run in every_run()}) == len(every_run())


def test_nmi_of_known_pairings():
    same = np.repeat(np.arange(6), 10)
    assert collecting.pair_nmi(np.column_stack([same, same])) == pytest.approx(
        1
    )
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(5)), -1).reshape(-1, 2)
    assert collecting.pair_nmi(grid) == pytest.approx(0, abs=1e-12)
    real, shuffled = collecting.caption_nmi(world.training_order(4000, 2, 0))
    assert real > 0.6 > 0.1 > shuffled


def test_counts_survive_packing():
    assert collecting.unpack_counts(
        collecting.pack_counts([0, 8, 20, 35])
    ).tolist() == [
        0,
        8,
        20,
        35,
    ]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder and an edition of three short runs."""
    torch = pytest.importorskip("torch")
    names = ("object", "two_head_cosine", "contrastive")
    runs = tuple(Run(0, 60, 8, s) for s in names)
    settings = dict.fromkeys(names, Settings(steps=2, batch=16))
    monkeypatch.setattr(
        running,
        "test_images",
        lambda split: world._render(list(world.novel_pairs())[:24] * 2, (9,)),
    )
    torch.manual_seed(0)
    return tmp_path, Edition(runs, settings, 60, 8, True)


def test_runs_resume_where_they_stopped(small):
    folder, edition = small
    runs = edition.runs
    said = []
    running.run_all(folder, 1, edition, said.append)
    assert running.done_runs(folder, edition) == set(runs)
    assert len(said) == 3
    first = json.loads((folder / f"{runs[2].name}.json").read_text())
    assert set(first["splits"]["ood"]) == {
        "n",
        "object",
        "attribute",
        "composition",
        "object_prompt",
        "object_seen",
    }
    (folder / f"{runs[2].name}.json").unlink()
    (folder / f"{runs[2].name}.claim").write_text(
        "999999999"
    )  # of a process that was killed
    running.run_all(folder, 1, edition, said.append)
    assert len(said) == 4
    again = json.loads((folder / f"{runs[2].name}.json").read_text())
    assert again["splits"] == first["splits"], (
        "a repeated run must give the same answers"
    )
    assert "0 of 3 runs left" in running.time_estimate(folder, 1, edition)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_files_of_a_study_that_were_damaged_or_swapped_are_made_again(
    small, capsys, monkeypatch
):
    folder, edition = small
    runs = edition.runs
    monkeypatch.setattr(
        collecting,
        "trunk_measures",
        lambda arrays: {"sum": float(arrays["ood_features"].sum())},
    )
    running.run_all(folder, 1, edition)
    first = collecting.collect_runs(folder, edition, quiet=True)["runs"]
    names = [run.name for run in runs]
    pictures = next((folder / "pictures").glob("train-*.npz"))

    def swap(*paths):
        contents = [path.read_bytes() for path in paths]
        for path, content in zip(paths, reversed(contents), strict=True):
            path.write_bytes(content)

    first_run = folder / f"{names[0]}.json"

    def by_hand():
        first_run.write_text(
            first_run.read_text().replace('"object": [', '"object": [9, ', 1)
        )

    def several():
        swap(
            *(folder / f"{name}.json" for name in names[:2])
        )  # each other's answers
        _flip(pictures)
        (folder / f"{names[2]}.measures.json").write_bytes(bytes(40))

    def features():
        _flip(folder / f"{names[1]}.npz")
        swap(
            *(folder / f"{name}.measures.json" for name in (names[0], names[2]))
        )

    damages = {
        by_hand: ([first_run.name], 1),
        several: (
            [
                first_run.name,
                f"{names[1]}.json",
                pictures.name,
                f"{names[2]}.measures.json",
            ],
            2,
        ),
        features: ([f"{names[1]}.npz", f"{names[0]}.measures.json"], 1),
    }
    for damage, (said, again) in damages.items():
        damage()
        done = []
        capsys.readouterr()
        running.run_all(folder, 1, edition, done.append)
        assert len(done) == again, damage
        found = collecting.collect_runs(folder, edition, quiet=True)["runs"]
        text = capsys.readouterr().err
        for name in said:
            assert f"{name} " in text, f"the damage to {name} was not said"
        for before, after in zip(first, found, strict=True):
            assert before | {"seconds": 0} == after | {"seconds": 0}, damage


def test_collecting_an_unfinished_study_is_refused(small):
    folder, edition = small
    with pytest.raises(UserError, match="lacks 3 runs"):
        collecting.collect_runs(folder, edition)


def test_the_bundled_table_is_whole(study):
    assert set(study.rows) == set(every_run())
    for run in study.rows:
        for split, count in (("id", 96), ("ood", 240)):
            right = study.right(run, split, "object")
            assert len(right) == count
            assert 0 <= right.min() <= right.max() <= study.images[split]
        assert (study.right(run, "ood", "composition") is None) == (
            run.supervision == "object"
        )


def test_seed_intervals_and_verdicts():
    e = over_seeds([0.1, 0.2, 0.3])
    assert e.value == pytest.approx(0.2)
    assert e.high - e.value == pytest.approx(
        4.302653 * 0.1 / np.sqrt(3), rel=1e-5
    )
    assert over_seeds([0.1, 0.2, 0.3], 0.1).high > e.high
    assert [
        Estimate(0, *v).verdict for v in ((0.1, 1), (-1, -0.1), (-1, 1))
    ] == [
        "borne out",
        "contradicted",
        "undecided",
    ]
    assert -Estimate(1, 0, 3) == Estimate(-1, -3, 0)


def test_rank_correlation_of_groups():
    x = np.arange(30.0)
    group = np.arange(30) // 3
    e = rank_correlation(x, x**3, group)
    assert e.value == e.low == e.high == pytest.approx(1)
    noise = np.random.default_rng(0).standard_normal(30)
    e = rank_correlation(x, noise, group)
    assert e.low < 0 < e.high
    assert np.isnan(rank_correlation(np.ones(30), x, group).value)


def test_the_baseline_lies_on_its_own_line(study):
    for kind, supervision in (
        ("object", "object"),
        ("composition", "two_head"),
    ):
        runs = [
            r
            for r in all_runs()
            if r.supervision == supervision and r.diversity == CENTRE[1]
        ]
        assert len(study.lines[kind].models) == 15
        assert abs(np.mean([study.rho(r, kind) for r in runs])) < 0.01


def test_each_statement_has_a_verdict(study):
    found = all_statements(study)
    assert [s.number for s in found] == [
        "1",
        "2a",
        "2b",
        "3",
        "4a",
        "4b",
        "5",
        "5b",
        "6a",
        "6b",
    ]
    written = written_statements()
    for s in found:
        assert f": {s.verdict}" in s.line
        numbers, verdict = written[s.number]
        shown = re.findall(r"[+-]\d+\.\d+", s.line)
        assert (shown, s.verdict) == (numbers, verdict), (
            f"docs/study_first.md says another thing of statement {s.number}"
        )
    fifth = next(s for s in found if s.number == "5")
    assert nmi_correlation(study) == -fifth.figure


def written_statements():
    """The statements' numbers and verdicts as docs/study_first.md prints them, by their number."""
    rows = re.findall(
        r"^\| (\d\w?) \| .* \| (.*) \| (.*) \|$",
        (ROOT / "docs" / "study_first.md").read_text(),
        flags=re.MULTILINE,
    )
    return {
        number: (re.findall(r"[+-]\d+\.\d+", figure), verdict)
        for number, figure, verdict in rows
    }


def test_the_table_has_every_condition(study):
    rows = study.table()
    assert len(rows) == len(design_points()) * len(SUPERVISIONS)
    for row in rows:
        assert row["seeds"] == 3
        assert (
            row["rho_object_low"] < row["rho_object"] < row["rho_object_high"]
        )
        assert row["nmi"] > row["nmi_shuffled"] > 0


def test_the_verb_draws_everything_from_the_bundle(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("IMAGENET_AO_PLOT_FILES", "svg png")
    assert (
        main(
            [
                "study",
                "--edition",
                "1",
                "--from-bundled",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    text = capsys.readouterr().out
    assert "Statements fixed before the runs" in text
    assert "Controls at the centre, added after the results: " in text
    for stem, words in {
        "scatter": ["OoD object accuracy, % (logit axis)", "two_head"],
        "factors": [
            "OoD object accuracy, %",
            "Attributes an object in training",
        ],
        "disentanglement": ["dci_disentanglement", "contrastive, captions"],
        "nmi": ["4,000, 8", "OoD composition accuracy, %"],
        "heat_map_contrastive": ["Accuracy, %", *ATTRIBUTES],
    }.items():
        drawn = (tmp_path / f"{stem}.svg").read_text()
        assert [word for word in words if f">{word}<" not in drawn] == [], stem
        assert coloured_share(tmp_path / f"{stem}.png") > 0.001, (
            f"{stem} is empty"
        )
    with (tmp_path / "runs.csv").open() as stream:
        runs = {row["run"]: row for row in csv.DictReader(stream)}
    assert set(runs) == {run.name for run in every_run()}
    with (tmp_path / "conditions.csv").open() as stream:
        [centre] = [
            row
            for row in csv.DictReader(stream)
            if (row["scale"], row["diversity"], row["supervision"])
            == ("4000", "8", "contrastive")
        ]
    rho = [
        100 * float(centre[f"rho_object{end}"]) for end in ("", "_low", "_high")
    ]
    assert [round(value, 1) for value in rho] == [31.3, 26.4, 36.2]


def test_lines_of_the_factors_run_from_left_to_right(study):
    from aobench.study.plots import factors_plot

    axes = factors_plot(study).axes
    assert len(axes) == 6
    for number, panel in enumerate(axes):
        levels = DIVERSITIES if number % 2 else SCALES
        lines = [
            line.get_xdata()
            for line in panel.lines
            if line.get_label()[0] != "_"
        ]
        drawn = [
            container.lines[0].get_xdata() for container in panel.containers
        ]
        assert len(drawn) >= 2, "a line a supervision"
        for x in [*lines, *drawn]:
            assert (np.diff(x) > 0).all(), f"panel {number} runs back"
            assert len(x) == len(levels)


def test_the_verb_says_what_it_will_take(tmp_path, capsys):
    command = ["study", "--edition", "1", "--dry-run", "--workers", "2"]
    assert main([*command, "--runs", str(tmp_path / "runs")]) == 0
    assert (
        f"{len(every_run())} of {len(every_run())} runs left"
        in capsys.readouterr().out
    )
    assert main(["study", "--workers", "0"]) == 2
    assert "--workers takes" in capsys.readouterr().err
