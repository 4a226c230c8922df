"""What a matrix says: bounds, NMI by hand and against chance, corpora of different size side by
side.
"""

import csv
from math import comb

import numpy as np
import pytest
from helpers.plots import bar_heights

from aobench.audit.diversity import adjusted_nmi, thin_matrix
from aobench.audit.statistics import matrix_nmi, upper_bound
from aobench.cli import main
from aobench.errors import UserError


def test_bounds():
    assert upper_bound(0, 1_000_000) == pytest.approx(
        3e-6, rel=0.002
    )  # the rule of three
    assert upper_bound(0, 10) == pytest.approx(1 - 0.05**0.1)
    assert upper_bound(10, 10) == 1
    assert upper_bound(3, 100) == pytest.approx(0.0757, abs=2e-4)
    with pytest.raises(UserError):
        upper_bound(3, 2)


def test_nmi_by_hand_and_its_baseline():
    assert matrix_nmi(np.array([[5, 0], [0, 5]])).nmi == pytest.approx(1)
    assert matrix_nmi(np.array([[4, 4], [4, 4]])).nmi == pytest.approx(0)
    # p = [[1/2, 1/4], [0, 1/4]]: I = H(3/4) + H(1/2) - 1.5 bits
    bits = 0.8112781 + 1 - 1.5
    found = matrix_nmi(np.array([[20, 10], [0, 10]]), "min")
    assert found.nmi == pytest.approx(bits / 0.8112781, rel=1e-6)
    sparse = np.zeros((30, 40), int)
    draw = np.random.default_rng(0)
    np.add.at(sparse, (draw.integers(0, 30, 300), draw.integers(0, 40, 300)), 1)
    found = matrix_nmi(sparse)
    assert found.nmi == pytest.approx(
        found.shuffled, abs=5 * found.shuffled_sd
    ), "independent draws stand out"
    assert found.shuffled > 0.3, "with few counts the baseline is far above 0"
    with pytest.raises(UserError, match="no composition"):
        matrix_nmi(np.zeros((2, 2), int))


def test_thinning_keeps_what_does_not_depend_on_size():
    draw = np.random.default_rng(1)
    matrix = np.zeros((20, 30), int)
    np.add.at(
        matrix, (draw.integers(0, 20, 50_000), draw.integers(0, 30, 50_000)), 1
    )
    small = np.zeros_like(matrix)
    np.add.at(
        small, (draw.integers(0, 20, 1_000), draw.integers(0, 30, 1_000)), 1
    )
    assert matrix_nmi(matrix).nmi < matrix_nmi(small).nmi / 5, (
        "the bias of small samples should be plain here"
    )
    thinned = thin_matrix(matrix, 1_000, draws=40)
    assert thinned.nmi_low < matrix_nmi(small).nmi < thinned.nmi_high, (
        "two samples of one source differ at equal size"
    )
    # Hurlbert 1971: the expected number of cells seen in a draw without replacement
    left = np.array(
        [
            comb(50_000 - int(c), 1_000) / comb(50_000, 1_000)
            for c in matrix.ravel()
        ]
    )
    assert thinned.seen == pytest.approx((1 - left).sum(), rel=0.01)
    whole = thin_matrix(small, 1_000, draws=40)
    assert (whole.nmi, whole.draws) == (pytest.approx(matrix_nmi(small).nmi), 1)
    with pytest.raises(UserError, match="from 1 to 1,000"):
        thin_matrix(small, 1_001, draws=1)


def independent_draws(attributes, objects, n, seed=0):
    draw, matrix = (
        np.random.default_rng(seed),
        np.zeros((attributes, objects), int),
    )
    np.add.at(
        matrix,
        (draw.integers(0, attributes, n), draw.integers(0, objects, n)),
        1,
    )
    return matrix


def test_adjusted_for_chance_independent_corpora_are_alike():
    for shape in ((10, 10), (60, 300), (129, 1000)):
        found = matrix_nmi(independent_draws(*shape, 3_000))
        assert found.adjusted == pytest.approx(0, abs=0.006), shape
    assert found.nmi > 0.5, "plain NMI takes a rich vocabulary for dependence"
    assert matrix_nmi(np.array([[5, 0], [0, 5]])).adjusted == pytest.approx(1)
    assert matrix_nmi(np.eye(4, dtype=int)).adjusted == 0, (
        "chance alone gives 1"
    )


def test_the_interval_of_adjusted_nmi_is_that_of_other_captions():
    rng = np.random.default_rng(3)
    share = (np.ones((8, 12)) + 6 * np.eye(8, 12)).ravel()
    share /= share.sum()
    found = [
        adjusted_nmi(
            rng.multinomial(120, share, 16).reshape(16, 8, 12), shuffles=5
        )
        for _ in range(60)
    ]
    values = np.array([one.value for one in found])
    errors = np.array([(one.high - one.low) / 2 / 2.131 for one in found])
    assert errors.mean() == pytest.approx(values.std(), rel=0.25), (
        "t of 15: 2.131"
    )
    centre = values.mean()
    assert np.mean([one.low < centre < one.high for one in found]) > 0.88
    few = adjusted_nmi(rng.multinomial(120, share, 4).reshape(4, 8, 12))
    assert np.isnan(few.low), "four groups say nothing of their spread"


def test_corpora_side_by_side(tmp_path, capsys):
    names = [
        "--attributes",
        str(tmp_path / "attributes"),
        "--objects",
        str(tmp_path / "objects"),
    ]
    (tmp_path / "attributes").write_text("red\nwooden\n")
    (tmp_path / "objects").write_text("bus\ncart\n")
    corpora = {
        "free": "a red bus\na red cart\na wooden bus\na wooden cart\n" * 50,
        "bound": "a red bus\na wooden cart\n" * 20,
        "none": "a bus\n",
    }
    for corpus, text in corpora.items():
        (tmp_path / f"{corpus}.txt").write_text(text)
        assert (
            main(
                [
                    "audit",
                    str(tmp_path / f"{corpus}.txt"),
                    "--out",
                    str(tmp_path / "audits" / corpus),
                    *names,
                ]
            )
            == 0
        )
    capsys.readouterr()
    folders = [
        str(tmp_path / "audits" / corpus) for corpus in ("bound", "free")
    ]
    out = tmp_path / "out"
    assert main(["diversity", *folders, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.index("free") < said.index("bound"), (
        "the table begins with the corpus that combines most freely"
    )
    with (out / "diversity.csv").open() as stream:
        rows = {row["corpus"]: row for row in csv.DictReader(stream)}
    assert [
        (row["co-occurrences"], row["thinned to"]) for row in rows.values()
    ] == [
        ("40", "40"),
        ("200", "40"),
    ]
    assert float(rows["bound"]["NMI thinned"]) == pytest.approx(1)
    assert float(rows["free"]["NMI"]) == pytest.approx(0, abs=1e-9)
    assert 0 < float(rows["free"]["NMI thinned"]) < 0.2
    # NMI is 1 for "bound", thinned or whole, and near 0 for "free"
    [thinned] = bar_heights(out / "diversity.png", "#0072B2")
    [whole] = bar_heights(out / "diversity.png", "#56B4E9")
    assert thinned == pytest.approx(whole, abs=2), (
        "bars as high as the table's numbers"
    )
    assert whole > 300
    for extra, told in (
        ([str(tmp_path / "audits" / "none")], "saw no composition"),
        (["--at", "41"], "fewer than --at 41"),
        (["--rule", "adjacent"], "has no counts of rule 'adjacent'"),
        ([folders[0]], "named twice"),
        ([str(tmp_path)], "holds no audit"),
    ):
        assert main(["diversity", *folders, *extra, "--out", str(out)]) == 2
        assert told in capsys.readouterr().err
    (tmp_path / "objects").write_text("cart\nbus\n")
    assert (
        main(
            [
                "audit",
                str(tmp_path / "free.txt"),
                "--out",
                str(tmp_path / "other"),
                *names,
            ]
        )
        == 0
    )
    assert (
        main(
            [
                "diversity",
                folders[0],
                str(tmp_path / "other"),
                "--out",
                str(out),
            ]
        )
        == 2
    )
    assert "looked for other names" in capsys.readouterr().err
