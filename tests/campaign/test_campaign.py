"""A sample of the campaign of bad inputs: no traceback, no hang, no other result without a word."""

import json

import pytest

from aobench.cli import command_parser

from .campaign import COMMANDS, every_case, sample
from .damages import DAMAGES
from .verdicts import RIGHT

COUNT, SEED = 60, 0
#: As ``python -m tests.campaign``.
CAMPAIGN = (
    "import sys\nfrom tests.campaign.__main__ import main\nsys.exit(main())\n"
)
#: The first reads no file but the archive, by the function that `prepare` calls; the others read
#: results as `difficulty` and `compare` do, of more compositions than the campaign's small set has.
NOT_TRIED = {"install", "familiarity", "retest"}


@pytest.fixture(scope="module")
def reports(warm, tmp_path_factory):
    """What came of the sample, from a process of its own: one that has threads can't be forked."""
    path = tmp_path_factory.mktemp("campaign") / "reports.json"
    words = ["--sample", COUNT, "--seed", SEED, "--json", path]
    (done,) = warm.run(1, words, code=CAMPAIGN)
    assert path.exists(), (
        f"the campaign itself failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    )
    return json.loads(path.read_text())


def test_no_bad_input_of_the_sample_is_a_traceback_a_hang_or_a_silent_change(
    reports,
):
    wrong = [
        one for one in reports["reports"] if one["verdict"]["name"] not in RIGHT
    ]
    lines = [
        f"{one['id']}: {one['verdict']['name']}: {one['verdict']['line'][:300]}\n"
        f"    alone: python -m tests.campaign '{one['id']}'"
        for one in wrong
    ]
    assert not wrong, (
        f"{len(wrong)} of {len(reports['reports'])} cases:\n" + "\n".join(lines)
    )


def test_the_sample_was_carried_out(reports):
    assert len(reports["reports"]) + len(reports["skipped"]) >= COUNT
    assert all(":denied" in case for case in reports["skipped"]), (
        "only what can't be denied here is left out"
    )


def test_the_sample_shows_each_command_and_each_damage():
    cases = sample(every_case(), COUNT, SEED)
    assert {case.command.name for case in cases} == {
        command.name for command in COMMANDS
    }
    assert {damage.name for damage in DAMAGES} <= {
        case.damage.name for case in cases
    }


def test_the_campaign_has_every_verb_and_enough_cases():
    verbs = next(
        action for action in command_parser()._actions if action.dest == "verb"
    ).choices
    missing = set(verbs) - {command.verb for command in COMMANDS} - NOT_TRIED
    assert not missing, f"no case tries {', '.join(sorted(missing))}"
    cases = every_case()
    assert len(cases) >= 600
    assert len({case.id for case in cases}) == len(cases)


def test_a_verdict_tells_silence_from_what_was_said():
    from .children import Ended
    from .command import Holds, Input
    from .damages import BY_NAME
    from .verdicts import judge

    def ended(status=0, figures=1, out="", err=""):
        return Ended(
            status,
            out,
            err,
            0.1,
            {"figures": {"a.json": figures}, "marks": {}, "complaints": []},
        )

    own, flip = Input("folder/a.json", "results", Holds.OWN), BY_NAME["flip-1"]
    for end, verdict in (
        (ended(), "same"),
        (ended(figures=2), "silent"),
        (
            ended(figures=2, err="folder/a.json is damaged and computed again"),
            "said",
        ),
        (
            ended(2, err="imagenet-ao: folder/a.json is damaged; delete it"),
            "refused",
        ),
        (ended(2, err="imagenet-ao: no such thing"), "untidy"),
        (ended(2, err="imagenet-ao: folder/a.json\nis damaged"), "untidy"),
        (
            ended(1, err="Traceback (most recent call last)\nKeyError: 'a'"),
            "traceback",
        ),
        (ended(-11), "crash"),
        (ended(None), "hang"),
    ):
        assert judge(end, ended(), own, flip).name == verdict, end
    another = Input("folder/a.csv", "tables", Holds.CONTENT)
    assert judge(ended(figures=2), ended(), another, flip).name == "content"
    assert (
        judge(ended(figures=2), ended(), another, BY_NAME["junk"]).name
        == "silent"
    )
