"""The questions for other harnesses: what they ask, and that inspect-ai and lmms-eval's functions
score them so.
"""

import base64
import importlib.util
import io
from collections import Counter
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import yaml
from PIL import Image

from aobench.cli import main
from aobench.errors import UserError
from aobench.evaluation.data import Source, open_splits
from aobench.images import image_data
from aobench.mini.render import render
from aobench.publish.choice_set import balanced_rows, data_uri, write_choice_set
from aobench.results.candidates import ask_task
from aobench.results.tasks import find_task

COUNT = 12


@pytest.fixture(scope="module")
def splits():
    return open_splits(Source("mini"), limit=60)


@pytest.fixture(scope="module")
def written(splits, tmp_path_factory):
    """In a folder that datasets finds as org/set from where it lies."""
    root = tmp_path_factory.mktemp("questions")
    counts = write_choice_set(
        splits, root / "org" / "set", COUNT, "org/set", "mini"
    )
    assert counts == {"id": COUNT, "ood": COUNT}
    return root / "org" / "set"


@pytest.fixture(scope="module")
def rows(written):
    return datasets.load_dataset(str(written), "choice", split="ood")


def test_questions_are_the_tasks_own_with_their_pixels(rows, splits):
    split = splits[1]
    asked = ask_task(
        find_task("choice"),
        {one.name: one.pairs for one in splits},
        split.attribute_names,
        split.object_names,
    )["ood"]
    for row in rows:
        place = split.sample_ids.index(row["sample_id"])
        offered = {asked.candidates.names[one] for one in asked.choices[place]}
        assert set(row["choices"]) == offered
        assert len(row["choices"]) == 9
        right = row["choices"]["ABCDEFGHI".index(row["answer"])]
        assert right == f"{row['attribute']} {row['object']}"
        head, _, text = row["image"].partition(",")
        assert head in ("data:image/webp;base64", "data:image/jpeg;base64")
        ours = Image.open(io.BytesIO(image_data(split.rows[place]["image"])))
        theirs = Image.open(io.BytesIO(base64.b64decode(text)))
        assert (
            np.asarray(ours.convert("RGB")) == np.asarray(theirs.convert("RGB"))
        ).all()
    assert len(set(rows["answer"])) > 4


def test_a_jpeg_stays_as_it_is():
    stream = io.BytesIO()
    picture = render("red", "teapot", np.random.default_rng(0))
    Image.fromarray(picture).save(stream, "JPEG")
    uri = data_uri(stream.getvalue())
    assert base64.b64decode(uri.partition(",")[2]) == stream.getvalue()


def test_rows_are_balanced_over_attributes_and_objects():
    draw = np.random.default_rng(0)
    attributes = draw.choice(6, 900, p=[0.5, 0.3, 0.1, 0.05, 0.03, 0.02])
    objects = draw.choice(10, 900)
    ids = [str(i) for i in range(900)]
    chosen = balanced_rows(attributes, objects, ids, 60)
    assert len(set(chosen)) == 60
    for part in (attributes, objects):
        counts = Counter(part[chosen]).values()
        assert max(counts) - min(counts) <= 3, counts
    assert len(balanced_rows(attributes, objects, ids, 5000)) == 900


def test_a_folder_with_another_dataset_is_left_alone(tmp_path, capsys):
    (tmp_path / "README.md").write_text("mine")
    command = ["questions", str(tmp_path), "--data", "mini", "--count", "0"]
    assert main(command) == 2
    assert "--count is 0" in capsys.readouterr().err
    with pytest.raises(UserError, match="holds another dataset"):
        write_choice_set([], tmp_path, 1, "org/set", "mini")
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_files_of_the_harnesses_name_what_is_there(written, rows):
    content = yaml.safe_load((written / "eval.yaml").read_text())
    assert content["evaluation_framework"] == "inspect-ai"
    assert [one["id"] for one in content["tasks"]] == [
        "choice",
        "choice_seen",
        "choice_blind",
    ]
    for task in content["tasks"]:
        fields = task["field_spec"]
        named = [
            fields["input"],
            fields["target"],
            fields["choices"],
            *fields["metadata"],
        ]
        named += [fields["input_image"]] if "input_image" in fields else []
        assert set(named) <= set(rows.column_names)
    assert "input_image" not in content["tasks"][2]["field_spec"]
    assert "[" not in (written / "README.md").read_text().split("## Asking")[1]


def lmms_functions(written):
    path = written / "lmms_eval" / "imagenet_ao_choice" / "utils.py"
    spec = importlib.util.spec_from_file_location("lmms_utils", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lmms_evals_functions_score_letters(written, rows):
    functions = lmms_functions(written)
    row = rows[0]
    assert functions.doc_to_visual(row)[0].mode == "RGB"
    text = functions.doc_to_text(row)
    assert f"{row['answer']}. {row['attribute']} {row['object']}" in text
    wrong = "A" if row["answer"] != "A" else "B"
    for said, score in (
        (row["answer"], 1),
        (f"({row['answer']})", 1),
        (f"{row['answer']}. {row['attribute']}", 1),
        (wrong, 0),
        ("Apple", 0),
        ("", 0),
    ):
        assert functions.process_results(row, [said])["accuracy"] == score, said

    class Loader(yaml.SafeLoader):
        """lmms-eval's tag."""

    Loader.add_constructor("!function", lambda loader, node: node.value)
    folder = written / "lmms_eval" / "imagenet_ao_choice"
    for path in folder.glob("*.yaml"):
        task = yaml.load(path.read_text(), Loader)
        assert task["dataset_path"] == "org/set"
        assert hasattr(
            functions, task["process_results"].removeprefix("utils.")
        )


def test_inspect_runs_the_written_tasks(written, rows, monkeypatch, tmp_path):
    """End to end, offline, with its mock model: always right, always wrong, always A."""
    inspect_ai = pytest.importorskip("inspect_ai")
    import huggingface_hub
    from inspect_ai._eval.task.hf import task_create_from_hf
    from inspect_ai.model import ModelOutput, get_model

    # it counts tokens by a vocabulary that it fetches
    words = SimpleNamespace(encode=lambda text, **_: text.split())
    monkeypatch.setattr("tiktoken.get_encoding", lambda _: words)
    monkeypatch.chdir(written.parents[1])
    monkeypatch.setattr(
        huggingface_hub,
        "hf_hub_download",
        lambda **_: str(written / "eval.yaml"),
    )
    right = [row["answer"] for row in rows]
    wrong = ["B" if letter == "A" else "A" for letter in right]
    share_of_a = right.count("A") / len(right)
    for letters, wanted in (
        (right, 1.0),
        (wrong, 0.0),
        (["A"] * COUNT, share_of_a),
    ):
        outputs = [
            ModelOutput.from_content("mockllm/model", f"ANSWER: {one}")
            for one in letters
        ]
        model = get_model(
            "mockllm/model", custom_outputs=outputs, memoize=False
        )
        task = task_create_from_hf("hf/org/set/choice")[0]
        assert len(task.dataset) == COUNT
        logs = inspect_ai.eval(
            task,
            model=model,
            log_dir=str(tmp_path),
            display="none",
            max_connections=1,
            max_samples=1,
        )
        assert logs[0].status == "success", logs[0].error
        metrics = logs[0].results.scores[0].metrics
        assert metrics["accuracy"].value == pytest.approx(wanted)
        message = logs[0].samples[0].messages[0].content
        assert {part.type for part in message} == {"text", "image"}
    blind = task_create_from_hf("hf/org/set/choice_blind")[0]
    assert isinstance(blind.dataset[0].input, str)


def mock_of_lmms(letters):
    """A model of lmms-eval that answers ``letters`` in the order of the questions."""
    from lmms_eval.api.model import lmms

    class Mock(lmms):
        """Sees the picture and the question that lmms-eval's own code puts to it."""

        def loglikelihood(self, requests):
            raise NotImplementedError

        def generate_until_multi_round(self, requests):
            raise NotImplementedError

        def generate_until(self, requests):
            said = []
            for one in requests:
                text, _, doc_to_visual, number, task, split = one.args
                shown = doc_to_visual(self.task_dict[task][split][number])
                assert shown[0].mode == "RGB"
                assert text.endswith("Answer with the letter alone.")
                said.append(letters[number])
            return said

    return Mock()


def test_lmms_eval_runs_the_written_task(written, rows, monkeypatch):
    """Its own loader and evaluator, offline: always right, always wrong, always A, no letter."""
    pytest.importorskip("lmms_eval")
    from lmms_eval.evaluator import evaluate as evaluate_tasks
    from lmms_eval.tasks import TaskManager, get_task_dict

    monkeypatch.chdir(written.parents[1])
    name = "imagenet_ao_choice"
    folder = str(written / "lmms_eval")
    manager = TaskManager(include_path=folder, include_defaults=False)
    assert set(manager.all_tasks) == {name, f"{name}_seen"}
    right = [row["answer"] for row in rows]
    wrong = ["B" if letter == "A" else "A" for letter in right]
    share_of_a = right.count("A") / len(right)
    for letters, wanted in (
        (right, 1.0),
        (wrong, 0.0),
        (["A"] * COUNT, share_of_a),
        (["none of them"] * COUNT, 0.0),
    ):
        tasks = get_task_dict([name], manager, task_type="simple")
        model = mock_of_lmms(letters)
        model.task_dict[name] = tasks[name].dataset
        made = evaluate_tasks(
            model,
            tasks,
            bootstrap_iters=0,
            cli_args=SimpleNamespace(process_with_media=False),
        )
        assert made["results"][name]["accuracy,none"] == pytest.approx(wanted)
        assert made["n-samples"][name]["effective"] == COUNT
