"""The command itself: its version, what it shows of errors, options that contradict each other,
values of no use.
"""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import aobench.cli as cli
from aobench import arguments
from aobench.cli import main
from aobench.errors import UserError
from aobench.files import alone_in
from aobench.processes import Together

ROOT = Path(__file__).parents[1]


def said(capsys, *words):
    """Status, and the lines on stderr."""
    capsys.readouterr()
    try:
        status = main([str(word) for word in words])
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().err.strip().splitlines()


def test_the_version_is_printed():
    done = subprocess.run(
        [sys.executable, "-m", "aobench", "--version"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.startswith("imagenet-ao ")
    assert done.stderr == ""


def test_the_module_and_the_script_are_the_command():
    for words in (["-m", "aobench"], ["-m", "aobench.cli"]):
        done = subprocess.run(
            [sys.executable, *words, "score", "/none"],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_every_verb_has_a_function_and_a_group():
    shown = [name for names in arguments.GROUPS.values() for name in names]
    verbs = arguments.verbs_of(cli.command_parser()).choices
    assert sorted(shown) == sorted(verbs), "name a new verb in GROUPS"
    for name, parser in verbs.items():
        assert callable(parser.get_default("run")), (
            f"{name} has no set_defaults(run=...)"
        )


def test_help_has_the_verbs_in_groups_and_those_of_no_group_too(monkeypatch):
    text = cli.command_parser().format_help()
    titles = [s for s in text.splitlines() if s.endswith(":") and s[0] != " "]
    assert titles == [*(f"{title}:" for title in arguments.GROUPS), "options:"]
    monkeypatch.delitem(arguments.GROUPS, "publish")
    rest = cli.command_parser().format_help().split("\nmore:\n")[1]
    assert rest.lstrip().startswith("card"), "a verb is lost"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_verbs_options_and_files(capsys, shell):
    pytest.importorskip("shtab", reason="shtab is absent")
    with pytest.raises(SystemExit) as end:
        main(["--print-completion", shell])
    script = capsys.readouterr().out
    assert end.value.code == 0
    for word in ("disentangle", "on-bad-image", "bfloat16"):
        assert word in script


def test_bash_itself_completes(tmp_path):
    pytest.importorskip("shtab", reason="shtab is absent")
    (tmp_path / "some.parquet").touch()
    script = (
        f"source <({sys.executable} -m aobench --print-completion bash)\n"
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()\n'
        "  _shtab_imagenet_ao; echo ${COMPREPLY[@]}; }\n"
        "try imagenet-ao lead; try imagenet-ao score som\n"
        "try imagenet-ao evaluate mini --dtype bf"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["leaderboard", "some.parquet", "bfloat16"], (
        done.stderr
    )


def test_without_the_library_of_completion_it_says_what_to_install(
    capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "shtab", None)
    status, lines = said(capsys, "--print-completion", "bash")
    assert (status, len(lines)) == (2, 1), lines
    assert "pip install 'imagenet-ao[completion]'" in lines[0]


@pytest.mark.parametrize(
    "words",
    [
        ["score", "none.parquet"],
        ["build", "none.yaml"],
        ["agreement", "none.sqlite"],
        ["annotate", "none.parquet", "--verdicts", "v"],
        ["study", "--workers", "0"],
    ],
)
def test_debug_shows_where_an_error_comes_from_before_and_after_the_verb(
    capsys, tmp_path, monkeypatch, words
):
    monkeypatch.chdir(tmp_path)
    status, plain = said(capsys, *words)
    assert (status, len(plain)) == (2, 1)
    for both in (["--debug", *words], [*words, "--debug"]):
        status, lines = said(capsys, *both)
        assert status == 2
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-1] == plain[0], "the line itself is gone"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        AttributeError("x"),
        TypeError("x"),
        OSError("x"),
    ],
)
@pytest.mark.parametrize("verb", ["prepare", "install"])
def test_a_bug_is_no_user_error(monkeypatch, tmp_path, verb, error):
    """The smallest input: `prepare` told every ValueError as if the user had done something
    wrong.
    """
    import imagenet_ao
    from aobench import installation

    def buggy(*_, **__):
        raise error

    monkeypatch.setattr(imagenet_ao, "prepare", buggy)
    monkeypatch.setattr(installation, "install_dataset", buggy)
    monkeypatch.setattr(installation, "install_metric", lambda: "")
    with pytest.raises(type(error)):
        main(
            ["prepare", str(tmp_path / "x"), "--data", "mini"]
            if verb == "prepare"
            else ["install", "--data", "mini"]
        )


def test_bad_data_is_still_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x.zip").write_bytes(b"no zip")
    for verb in (["prepare", tmp_path / "out"], ["install"]):
        status, lines = said(capsys, *verb, "--data", tmp_path / "x.zip")
        assert (status, len(lines)) == (2, 1), lines


def test_the_library_does_not_end_the_process(monkeypatch):
    """Where another process failed this one stops by SystemExit, which a notebook survives."""
    import accelerate.utils

    monkeypatch.setattr(
        accelerate.utils,
        "gather_object",
        lambda mine: [((True, "it failed"), None), *mine],
    )
    monkeypatch.setattr(
        os, "_exit", lambda status: pytest.fail("the library ended the process")
    )

    class Accelerator:
        process_index, num_processes, is_main_process, device = (
            1,
            2,
            False,
            "cpu",
        )

        def wait_for_everyone(self):
            pass

    together = Together(Accelerator())
    with pytest.raises(SystemExit) as end, together.failing_as_one():
        together.wait_for_everyone()
    assert end.value.code == 2
    with pytest.raises(SystemExit), together.failing_as_one():
        raise UserError("here")


def test_only_the_command_ends_a_process_of_several(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["score", "/none"]) == 2
    assert ended == []
    cli.command(["score", "/none"])
    assert ended == [2]
    cli.command(["--version"])
    assert ended == [2, 0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["evaluate", "mini", "--data", "mini", "--id-data", "e"],
            "(--id-data) is of no use here: mini is drawn",
        ),
        (
            ["prepare", "out", "--data", "mini", "--layout", "list"],
            "mini is drawn",
        ),
        (["install", "--data", "e"], "there is no dataset 'e'"),
        (
            ["install", "--data", "org/set"],
            "--data takes mini or the published",
        ),
        (
            ["agreement", "v", "--export", "a.csv", "--decisions", "a.csv"],
            "--export and --decisions name one file",
        ),
        (
            [
                "agreement",
                "v",
                "--export",
                "a.csv",
                "--decisions",
                "./x/../a.csv",
            ],
            "name one file",
        ),
        (
            ["agreement", "a.csv", "--export", "a.csv"],
            "VERDICTS and --export name one file",
        ),
        (
            ["annotate", "a.parquet", "--verdicts", "a.parquet"],
            "IMAGES and --verdicts name one file",
        ),
        (
            ["study", "--from-bundled", "--dry-run"],
            "--dry-run is of the training",
        ),
        (
            ["study", "--from-bundled", "--runs", "x"],
            "--runs is of the training",
        ),
        (
            ["study", "--from-bundled", "--workers", "2"],
            "--workers is of the training",
        ),
        (
            ["study", "--runs", "x", "--out", "x", "--dry-run"],
            "--runs and --out name one folder",
        ),
        (
            ["build", "set.yaml", "--allow-code", "json:dumps"],
            "names no such class",
        ),
    ],
)
def test_options_that_contradict_each_other_are_one_line(
    capsys, tmp_path, monkeypatch, words, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "set.yaml").write_text(
        "{out: o, compose: {corpora: [{name: a, captions: [c.txt]}]}, generate: {generator: "
        "renderer},"
        " validate: {judges: [{kind: redraw}]}, package: {name: p}}"
    )
    status, lines = said(capsys, *words)
    assert (status, len(lines)) == (2, 1), lines
    assert told in lines[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["evalute", "mini"], "no verb 'evalute' (did you mean 'evaluate'?);"),
        (["evaluate", "mini", "--limt", "3"], "(did you mean '--limit'?)"),
        (["evaluate", "mini", "--limt=3"], "no option --limt (did you mean"),
        (["evaluate", "mini", "-limit", "3"], "(did you mean '--limit'?)"),
        (
            ["evaluate", "mini", "--Batch_Size", "3"],
            "(did you mean '--batch-size'?)",
        ),
        (
            ["evaluate", "mini", "--dtype", "bfloat"],
            "(did you mean 'bfloat16'?)",
        ),
        (["card", "x", "--datset", "a/b"], "(did you mean '--dataset'?)"),
        (["--versoin"], "(did you mean '--version'?)"),
        (["score", "x", "--qqq"], "there is no option --qqq;"),
        (["qqq"], "there is no verb 'qqq'; choose from evaluate, score,"),
        (["card", "x", "--dataset", "a/b", "y"], "unrecognized arguments: y"),
    ],
)
def test_a_slip_of_the_hand_is_told_with_what_was_meant(capsys, words, told):
    status, lines = said(capsys, *words)
    assert (status, len(lines)) == (2, 1), lines
    assert told in lines[0]


@pytest.mark.parametrize(
    "words", [["--", "--odd"], ["a", "-1"], ["a b", "- x"]]
)
def test_what_is_no_option_is_none(capsys, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, lines = said(capsys, "score", *words)
    assert "option" not in lines[0]


def test_what_stands_behind_an_option_belongs_to_the_list(
    fresh_parser, monkeypatch
):
    taken = []
    monkeypatch.setattr(
        "aobench.evaluation.commands.run_score",
        lambda args: taken.append(args.tables),
    )
    assert main(["score", "a", "--json", "b", "c"]) == 0
    assert main(["score", "--json", "a"]) == 0
    assert taken == [["a", "b", "c"], ["a"]]


VALUES = {
    "-1": "-1",
    "1e9": "1000000000",
    "1e18": "1" + "0" * 18,
    "1e400": "1" + "0" * 400,
    "1e5000": "1" + "0" * 5000,
    "nan": "nan",
    "inf": "inf",
    "power": "1e9",
    "empty": "",
    "blank": " ",
    "NUL": "a\0b",
    "long": "x" * 10**6,
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "option",
    [
        ["evaluate", "mini", "--batch-size"],
        ["evaluate", "mini", "--workers"],
        ["evaluate", "mini", "--draft"],
        ["study", "--from-bundled", "--workers"],
        ["agreement", "v.sqlite", "--draws"],
        ["agreement", "v.sqlite", "--min-annotators"],
        ["agreement", "v.sqlite", "--min-catch"],
    ],
)
def test_a_number_that_is_none_is_one_line(
    capsys, tmp_path, monkeypatch, option, value
):
    monkeypatch.chdir(tmp_path)
    status, lines = said(capsys, *option, VALUES[value])
    assert (status, len(lines)) == (2, 1), lines
    assert len(lines[0]) < 1500


@pytest.mark.parametrize(
    "words",
    [["score", "x"], ["audit", "x.txt"], ["leaderboard", "x", "--out", "y"]],
)
def test_a_working_folder_that_is_gone_is_one_line(
    capsys, monkeypatch, tmp_path, words
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    status, lines = said(capsys, *words)
    assert (status, len(lines)) == (2, 1)
    assert "the working folder does not exist any more" in lines[0]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_name_that_the_terminal_cannot_show_is_no_error(encoding):
    code = (
        "import sys; from aobench import cli; from aobench.evaluation import commands; "
        "commands.run_score = lambda args: print('caf\\u00e9 \\u732b'); "
        "sys.exit(cli.command(['score', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding, "WORLD_SIZE": "many"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\\u732b\n")


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_disk_that_fills_while_a_set_is_prepared_is_one_line(
    capsys, monkeypatch, tmp_path, reason
):
    import datasets

    import imagenet_ao

    def fill(*_, **__):
        full = OSError(reason, os.strerror(reason))
        raise datasets.exceptions.DatasetGenerationError("generating") from full

    monkeypatch.setattr(imagenet_ao, "prepare", fill)
    status, lines = said(
        capsys, "prepare", tmp_path / "out", "--data", tmp_path
    )
    assert (status, len(lines)) == (2, 1)
    assert "could not be written" in lines[0]
    assert "free some space" in lines[0]


def test_a_copy_that_fails_names_where_it_goes(
    fresh_parser, capsys, monkeypatch
):
    def copy(_):
        raise OSError(
            errno.ENOSPC, "No space left on device", "from", None, "to"
        )

    monkeypatch.setattr("aobench.evaluation.commands.run_score", copy)
    status, lines = said(capsys, "score", "x")
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("imagenet-ao: to: No space left")


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["score", "model_cards/mini"]]
)
def test_an_output_that_can_not_be_written_is_one_line(words):
    environment = {
        k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"
    }
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "aobench.cli", *words],
            cwd=ROOT,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "imagenet-ao: the output could not be written: No space left on device; send it "
        "to another place"
    ]


def test_a_result_folder_takes_one_run_at_a_time(capsys, tmp_path):
    out = tmp_path / "out"
    words = ["evaluate", "mini", "--limit", "4", "--cpu", "--out", out]
    with alone_in(out / "mini"):
        status, lines = said(capsys, *words)
    assert (status, len(lines)) == (2, 1), lines
    assert f"another run is writing to {out / 'mini'}" in lines[0]
    assert not (out / "mini").exists(), "a folder that stays empty goes"


class TwoProcesses:
    """The accelerator of the second of two processes."""

    process_index, num_processes, is_main_process, device = 1, 2, False, "cpu"

    def wait_for_everyone(self):
        """The other is here, too."""


def test_what_one_process_alone_meets_is_told_to_the_others(
    monkeypatch, capsys, tmp_path
):
    """Where the other waits in a run, this one's error answers it, and both end."""
    import accelerate.utils

    import aobench.models.registry as registry
    import aobench.processes as processes

    exchanged = []

    def gather(mine):
        exchanged.extend(mine)
        return [(None, str(tmp_path)), *mine]

    def load(*_):
        raise UserError("here it is not; bring it")

    one = registry.ResolvedModel("mini", load)
    monkeypatch.setattr(accelerate.utils, "gather_object", gather)
    monkeypatch.setattr(
        processes, "start_processes", lambda cpu: TwoProcesses()
    )
    monkeypatch.setattr(registry, "resolve", lambda name: one)
    words = [
        "evaluate",
        "mini",
        "--cpu",
        "--limit",
        "4",
        "--out",
        tmp_path / "out",
    ]
    status, lines = said(capsys, *words)
    assert status == 2
    assert lines == ["imagenet-ao: here it is not; bring it"]
    assert exchanged[-1][0] == (True, "here it is not; bring it"), (
        "the others hear"
    )


def test_a_model_of_a_list_that_one_process_can_not_have_is_left_out_of_all(
    monkeypatch, capsys
):
    """The other process failed while this one waits in the midst: both go on to the next."""
    import accelerate.utils

    from aobench.evaluation.listed import ListProgress, Workload
    from aobench.models.model_lists import read_model_list

    failed = iter([(True, "no room"), None, (True, "gone")])
    monkeypatch.setattr(
        accelerate.utils,
        "gather_object",
        lambda mine: [(next(failed), "x"), *mine],
    )
    together = Together(TwoProcesses())
    progress = ListProgress(read_model_list("paper"), Workload(1, 1))
    first, second = progress.models.names[:2]

    def waits():
        with together.as_one():
            return together.from_main(lambda: None)

    assert progress.attempt(first, waits) is None
    assert (
        progress.attempt(second, lambda: together.from_main(lambda: None))
        == "x"
    )
    assert progress.missing == {first: "no room"}
    with pytest.raises(SystemExit), together.failing_as_one():
        waits()
    assert "gone" not in capsys.readouterr().err, "the other tells it"
