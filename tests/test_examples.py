"""The examples run as they are, in this process and on few pictures."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture
def run_example(monkeypatch, tmp_path):
    """Calls an example's ``main`` with a folder and what makes it small."""

    def run(name, **small):
        monkeypatch.syspath_prepend(str(EXAMPLES))
        return importlib.import_module(name).main(tmp_path / "out", **small)

    return run


def test_evaluating_a_model_leaves_a_result_and_a_plot(
    run_example, tmp_path, capsys
):
    result = run_example("evaluate_a_model", limit=24)
    assert result.scores["composition"]["splits"]["ood"]["n"] == 24
    assert "<svg" in (tmp_path / "out" / "accuracies.svg").read_text()
    assert "novel pairs: " in capsys.readouterr().out


def test_a_folder_of_ones_own_is_recognised(run_example, capsys):
    result = run_example("own_folder", images=2)
    recognised = result.content["dataset"]["recognised"]
    assert recognised["layout"] == "label-folders"
    rates = result.scores["composition"]["splits"]
    assert {name: one["n"] for name, one in rates.items()} == {
        "id": 16,
        "ood": 16,
    }
    assert rates["ood"]["composition_top1"] > 0.8, (
        "drawings that the model knows"
    )


def test_the_audit_keeps_what_no_caption_shows(run_example, capsys):
    unseen = set(run_example("audit_and_filter", images=1)["composition"])
    assert "floral strawberry" not in unseen
    assert "orange banana" not in unseen
    assert "golden violin" in unseen
    assert "wooden ambulance" in unseen


def test_a_model_without_colours_is_told_apart(run_example, capsys):
    found = run_example("compare_two_models", images=1)
    assert found.first > found.second + 0.2
    assert found.p < 0.05


def test_the_first_set_has_matched_controls(run_example, capsys):
    result = run_example("new_set")
    splits = result.scores["composition"]["splits"]
    assert {name: one["n"] for name, one in splits.items()} == {
        "id": 24,
        "ood": 24,
    }
    assert "controls: 12 of 12" in capsys.readouterr().out


def test_every_example_is_run_and_listed():
    own = Path(__file__).read_text()
    listed = (EXAMPLES / "README.md").read_text()
    for name in SCRIPTS:
        assert f"{name}.py" in listed, f"examples/README.md lacks {name}.py"
        shared = name == "drawn_pictures"
        assert shared or f'run_example("{name}"' in own, (
            f"no test runs {name}.py"
        )
