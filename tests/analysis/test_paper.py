"""The seed paper's experiment: contrasts, verdicts, the page, the command, killed and resumed."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.made_results import FLAT, family, inverse_logit, made_result
from helpers.published_folder import published_folder

from aobench.analysis.effective import fit_baseline
from aobench.analysis.effective_groups import by_group
from aobench.analysis.group_contrasts import group_contrast
from aobench.analysis.model_accuracies import ModelAccuracies, published_models
from aobench.analysis.model_groups import select_models
from aobench.analysis.paper import check_paper_list, paper_report
from aobench.analysis.paper_needs import measured_rate, needs_text, weigh_model
from aobench.analysis.paper_verdicts import reading
from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.listed import Workload
from aobench.models import registry
from aobench.models.model_lists import ListedModel, ModelList, read_model_list


def verdicts(folders, missing=None, models=None):
    report = paper_report(folders, missing, models, draws=500)
    return {one.key: one for one in report.verdicts}


def test_a_contrast_is_the_difference_of_the_groups_and_turns_with_them():
    clips = select_models(published_models(), "family=CLIP")
    line = fit_baseline(clips)
    means = {group.name: group for group in by_group(line, clips)}
    sides = [
        (n, select_models(clips, f"training_set={n}"))
        for n in ("laion400m", "yfcc15m")
    ]
    there, back = (
        group_contrast(line, *both, records=clips)
        for both in (sides, sides[::-1])
    )
    expected = means["laion400m"].rho - means["yfcc15m"].rho
    assert there.difference == pytest.approx(expected)
    assert back.difference == pytest.approx(-expected)
    assert there.odds_ratio == pytest.approx(1 / back.odds_ratio)
    assert there.low < expected < there.high
    assert back.low == pytest.approx(-there.high, abs=0.004)
    wide = means["laion400m"].high - means["yfcc15m"].low
    assert there.high - there.low < wide - (
        means["laion400m"].low - means["yfcc15m"].high
    )
    assert (there.n, there.runs, there.few) == ((10, 4), (4, 2), True)


def test_intervals_of_a_contrast_hold_the_truth():
    """Groups that lie on one line: 95 % intervals of their contrast hold 0 about as often."""
    held, rounds = 0, 60
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        records = []
        for number in range(24):
            x = rng.uniform(-1, 2)
            known = rng.binomial(3000, inverse_logit(x)) / 3000
            y = x - 1 + rng.normal(0, 0.15)
            novel = rng.binomial(3000, inverse_logit(y)) / 3000
            group = ("base", "one", "two")[number % 3]
            records.append(
                ModelAccuracies(
                    f"m{number}", group, group, known, 3000, novel, 3000
                )
            )
        sides = [
            (n, select_models(records, f"family={n}")) for n in ("one", "two")
        ]
        line = fit_baseline(select_models(records, "family=base"), draws=400)
        contrast = group_contrast(line, *sides, records=records)
        held += contrast.low <= 0 <= contrast.high
    assert held >= 0.87 * rounds, f"{held} of {rounds} intervals hold 0"


def test_verdicts_follow_the_intervals(tmp_path):
    better = verdicts(family(tmp_path / "better", {**FLAT, "large": 0.8}))
    assert better["better-than-supervised"].verdict == "borne out"
    assert better["better-than-small-objects"].verdict == "borne out"
    assert better["better-than-small-compositions"].verdict == "borne out"
    assert better["magnitude-supervised"].verdict == "contradicted"
    worse = verdicts(family(tmp_path / "worse", {**FLAT, "large": -0.8}))
    assert worse["better-than-supervised"].verdict == "contradicted"
    same = verdicts(family(tmp_path / "same", FLAT))
    assert same["better-than-supervised"].verdict == "undecided"
    assert same["better-than-supervised"].missing == (
        "more models, or more images: the interval holds the threshold",
    )
    far = verdicts(family(tmp_path / "far", {**FLAT, "large": 3.2}))
    assert far["magnitude-supervised"].verdict == "borne out"
    causes = [one for key, one in far.items() if key.startswith("cause-")]
    assert {one.verdict for one in causes} == {"undecided"}
    assert all(one.missing for one in causes)
    assert "rank correlation" not in str(far["cause-diversity"].evidence)


def test_a_column_nmi_gives_an_association(tmp_path):
    folders = family(tmp_path, {**FLAT, "large": 0.8})
    for folder in folders:
        content = json.loads((folder / "results.json").read_text())
        facts = content["model"]["facts"]
        facts["nmi"] = (
            "0.1" if facts["training_set"].startswith("laion") else "0.3"
        )
        (folder / "results.json").write_text(json.dumps(content))
    said = verdicts(folders)["cause-diversity"]
    assert re.search(
        r"rank correlation with nmi over CLIPs -0\.\d+", said.evidence[0]
    )
    assert said.verdict == "undecided"


def test_what_an_interval_cannot_say_is_undecided(tmp_path):
    few = verdicts(family(tmp_path / "few", {**FLAT, "large": 0.8}, runs=2))
    said = few["better-than-supervised"]
    assert said.verdict == "undecided"
    assert any("2 independent run(s)" in why for why in said.why)
    beyond = verdicts(
        family(tmp_path / "beyond", {**FLAT, "large": 0.8}, runs=4, wide=False)
    )["better-than-supervised"]
    assert beyond.verdict == "undecided"
    assert any(
        "4 of 4 lie beyond the ID accuracies" in why for why in beyond.why
    )
    folders = family(tmp_path / "unlike", {**FLAT, "large": 0.8})
    content = json.loads((folders[0] / "results.json").read_text())
    content["dataset"]["splits"]["ood"]["fingerprint"] = "another"
    (folders[0] / "results.json").write_text(json.dumps(content))
    unlike = verdicts(folders)["better-than-supervised"]
    assert unlike.verdict == "undecided"
    assert any("differ in dataset" in why for why in unlike.why)


def test_missing_groups_are_named_with_what_would_mend_them(tmp_path):
    folders = [
        f for f in family(tmp_path, FLAT) if not f.name.startswith("small")
    ]
    lost = dict.fromkeys(
        ("open_clip:RN50-quickgelu/cc12m", "timm:no"), "no connection"
    )
    clip = {"training_set": "cc12m", "supervision": "language"}
    other = {"training_set": "instagram1b", "supervision": "hashtags"}
    rows = zip(lost, (clip, other), strict=True)
    named = tuple(ListedModel(name, facts) for name, facts in rows)
    said = verdicts(folders, lost, ModelList("x", named))[
        "better-than-small-objects"
    ]
    assert said.verdict == "undecided"
    assert said.why == ("no result of small-data CLIPs",)
    assert said.missing == (
        "results of small-data CLIPs (cc12m, yfcc15m)",
        "a result of open_clip:RN50-quickgelu/cc12m (see below)",
    )


def test_models_that_guess_decide_nothing(tmp_path):
    folders = []
    for number, group in enumerate(("openai", "cc12m", "imagenet1k") * 5):
        supervision = "labels" if group == "imagenet1k" else "language"
        rate = 0.001 * (1 + number % 2 / 9) * (6 if group == "openai" else 1)
        facts = {
            "training_set": group,
            "supervision": supervision,
            "family": "made",
        }
        name = f"{group}-{number}"
        folders.append(made_result(tmp_path / name, name, rate, rate, **facts))
    said = verdicts(folders)["better-than-supervised"]
    assert said.verdict == "undecided"
    assert "supervised models: 5 of 5 are not above chance" in said.why
    assert "models that do better than a guess" in said.missing


def test_an_interval_on_the_threshold_decides_nothing():
    for low, high in ((0.0, 0.2), (-0.2, 0.0), (0.0, 0.0)):
        assert reading(low, high, 0.0) == "undecided"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page of a family with a name that holds markup, and a model without a result."""
    root = tmp_path_factory.mktemp("paper")
    folders = family(root / "results", {**FLAT, "large": 0.8})
    content = json.loads((folders[0] / "results.json").read_text())
    content["model"]["id"] = "<b>bold</b>"
    (folders[0] / "results.json").write_text(json.dumps(content))
    report = paper_report(folders, {"a <i>model</i>": "gone"}, draws=500)
    report.write(root / "site")
    return root / "site"


def test_the_page_is_whole_and_loads_nothing(site):
    page = (site / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!#|data:)|@import|url\((?!#)', page)
    assert page.count("<svg") == 2
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "two figures share an id"
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<i>model" not in page
    kept = json.loads((site / "verdicts.json").read_text())
    assert len(kept["verdicts"]) == 9
    assert page.count('<section class="claim"') == 9
    assert len((site / "object_models.csv").read_text().splitlines()) == 19


def test_the_page_fits_a_phone(site, page):
    page.open(f"file://{site}/index.html", width=390, height=800, phone=True)
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert page.problems == []


def test_the_command_takes_results_that_are_there(tmp_path, capsys):
    folders = family(
        tmp_path / "results", {**FLAT, "large": 0.8}, config="mini"
    )
    out = tmp_path / "out"
    assert main(["paper", *map(str, folders), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "BORNE OUT: CLIPs of large, diverse data" in said
    assert "This is not the published ImageNet-AO but mini" in said
    assert (out / "index.html").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "there is no data"),
        (
            ["--data", "mini", "--models", "{list}"],
            "has no supervision for mini",
        ),
        (
            ["--data", "nothing", "--models", "paper"],
            "there is no dataset 'nothing'",
        ),
        (["{list}", "--data", "mini"], "results that are there are named"),
        (["nothing"], "there is no nothing"),
    ],
)
def test_what_makes_no_experiment_is_one_line(words, message, tmp_path, capsys):
    path = tmp_path / "list.csv"
    path.write_text(
        "model,family,training_set,training_images\nmini,clip,drawn,5\n"
    )
    words = [word.replace("{list}", str(path)) for word in words]
    assert main(["paper", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_needs_are_told_without_running_anything(tmp_path):
    (tmp_path / "there").mkdir()
    models = [
        ListedModel("mini", {"parameters": 2_000_000, "image_gflops": 0.5}),
        ListedModel(str(tmp_path / "there"), {}),
        ListedModel("timm:local-dir:/nowhere", {"parameters": 100_000_000}),
        ListedModel(
            "someone/something", {"image_gflops": 1.0, "text_gflops": 2.0}
        ),
    ]
    work = Workload(images=100, texts=10)
    needs = [weigh_model(one, work, one.name == "mini") for one in models]
    assert [one.state for one in needs][::3] == [
        "its result is there",
        "to fetch",
    ]
    assert needs[1].state == "at hand"
    assert [one.gflops for one in needs] == [50.0, None, None, 120.0]
    text = needs_text(needs, work, 60.0)
    assert "4 models: 1 have their result, 1 are at hand, 2 are not" in text
    assert "About 2 s at 60 billion operations a second" in text
    assert "2 models of unknown size are not in it" in text


def test_the_rate_is_measured():
    import torch

    assert 0.1 < measured_rate(torch.device("cpu"), 0.05) < 1e6


def test_a_list_that_says_too_little_is_refused():
    check_paper_list(read_model_list("paper"))
    poor = ModelList("x", (ListedModel("mini", {"training_images": 4}),))
    with pytest.raises(UserError, match="has no supervision for mini"):
        check_paper_list(poor)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """A small archive and a list of three models, one of which can't be had."""
    root = tmp_path_factory.mktemp("experiment")
    published_folder(root / "data")
    lines = ["model,family,training_set,training_images,supervision"]
    for name, data in (("one", "openai"), ("two", "cc12m")):
        shutil.copytree(registry.BUNDLED, root / name)
        lines.append(f"{root / name},clip,{data},1000,language")
    lines.append("no/such-model,supervised,imagenet1k,1000,labels")
    (root / "list.csv").write_text("\n".join(lines) + "\n")
    (root / "templates.txt").write_text("a photo of a {}.\n")
    return root


def test_stopped_it_goes_on_and_a_missing_model_is_no_end(
    experiment, tmp_path, monkeypatch, capsys
):
    loaded, seen = registry._loaded, []

    def stopped_at_the_second(path, name, *arguments):
        seen.append(name)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return loaded(path, name, *arguments)

    monkeypatch.setattr(registry, "_loaded", stopped_at_the_second)
    command = [
        "paper",
        "--data",
        str(experiment / "data"),
        "--out",
        str(tmp_path),
    ]
    command += ["--models", str(experiment / "list.csv"), "--cpu"]
    command += ["--templates", str(experiment / "templates.txt")]
    assert main(command) == 130
    assert not (tmp_path / "index.html").exists()
    assert main([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "3 models: 1 have their result, 1 are at hand, 1 are not" in said
    assert main(command) == 2, "a model is missing, so the status says so"
    error = capsys.readouterr().err
    assert f"[1 of 3] {experiment / 'one'}: its result is there" in error
    assert "1 of 3 models have no result: no/such-model" in error
    assert seen == [str(experiment / n) for n in ("one", "two", "two")]
    kept = json.loads((tmp_path / "verdicts.json").read_text())
    assert list(kept["missing"]) == ["no/such-model"]
    assert {one["verdict"] for one in kept["verdicts"]} == {"undecided"}


def test_two_results_that_give_no_line_have_a_page_nevertheless(tmp_path):
    cards = Path(__file__).parents[2] / "model_cards"
    results = [str(cards / name) for name in ("mini", "efficientnet-lite0")]
    assert (
        main(["paper", *results, "--out", str(tmp_path / "new" / "out")]) == 0
    )
    assert (tmp_path / "new" / "out" / "index.html").is_file()
