"""Images judged by key presses in a real browser; browsers and servers are killed, tabs doubled,
keys slip.
"""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from helpers.annotation_browser import (
    KEYS,
    READY,
    Annotator,
    Server,
    together,
)
from helpers.annotation_tools import (
    check_complete,
    make_questions,
    make_set,
    right,
)
from helpers.browser import Browser

import aobench.cli as cli
from aobench.annotation.naming import NamingStore
from aobench.annotation.verdict_file import existing_store

SHOTS = os.environ.get("IMAGENET_AO_SHOTS")


@pytest.fixture
def server(tmp_path, warm_gradio, request):
    """A server of 16 images, or of as many as a test asks for; "new" ones in a Python of their own."""
    count, *new = getattr(request, "param", (16,))
    table = make_set(tmp_path / "set", count)
    # the new one begins with practice, as it does where nothing else is asked for
    more = () if new else ("--no-practice",)
    warm = None if new else warm_gradio
    running = Server(table, tmp_path / "v.sqlite", warm, more)
    yield running
    running.kill()


@pytest.fixture
def browse(browser, server):
    """Opens a window for an annotator; all are closed at the end."""
    opened = []

    def browse(name=None, another=browser, **more):
        opened.append(Annotator(another, server, name, **more))
        return opened[-1]

    yield browse
    for page in opened:
        page.close()


@pytest.fixture
def verdicts(tmp_path, server):
    with existing_store(tmp_path / "v.sqlite") as store:
        yield store


def _picture(page, name, width=1280, height=900, phone=False):
    if SHOTS:
        size = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": phone,
        }
        page.send("Emulation.setDeviceMetricsOverride", **size)
        page.picture(Path(SHOTS) / f"annotation_{name}.png")
        page.send(
            "Emulation.setDeviceMetricsOverride",
            width=1280,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )


SCREEN = "document.getElementById('ao') ? document.getElementById('ao').dataset.screen : ''"
MESSAGE = "document.getElementById('ao') ? document.getElementById('ao-message').textContent : ''"


def _practise(page, verdicts):
    """Four examples by keys, one of them wrongly at first."""
    guide = "document.querySelectorAll('#ao-examples li').length"
    for number in range(4):
        page.wait(lambda ready, n=number: ready == f"practice-{n}", READY)
        assert page.run("document.getElementById('ao-guide').open")
        assert page.run(guide) == 4
        shown = "document.getElementById('ao-examples').offsetParent !== null"
        assert not page.run(shown), (
            "beside the practice they would tell its answers"
        )
        if number == 1:
            _picture(page, "practice")
        for key in "aj":
            page.press(key)
        said = page.wait(bool, "document.getElementById('ao-said').textContent")
        page.wait(lambda ready: ready == "feedback", READY)
        assert said.startswith("Right." if number == 0 else "Not quite")
        if number == 1:
            _picture(page, "feedback", 390, 844, phone=True)
        page.press("n" if number % 2 else "Enter")
        page.run("document.getElementById('ao-said').textContent = ''; 0")
    assert [one.right for one in verdicts.practice()] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("server", [(30, "new")], ids=["30"], indirect=True)
def test_thirty_images_by_keys_with_slips_and_undo(
    server, browse, verdicts, capsys
):
    page = browse(slips=True)
    page.wait(lambda screen: screen == "name", SCREEN)
    page.wait(
        lambda shown: shown == 0,
        "document.querySelectorAll('#ao-people li').length",
    )
    _picture(page, "name")
    _picture(page, "name_phone", 390, 844, phone=True)
    for key in (
        "ada skull"
    ):  # among them the keys that answer: in a text field they are letters
        page.press(key)
    assert (
        page.run("document.getElementById('ao-annotator').value") == "ada skull"
    )
    page.press("Enter")
    _practise(page, verdicts)
    now, undone = page.seen(), 0
    assert now["progress"] == "1 of 32"
    assert page.run("location.search") == "?annotator=ada+skull"
    for number in range(32):
        assert now["progress"] == f"{number + 1} of 32"
        assert now["pressed"] == 0, "a new image starts without answers"
        if (
            number % 10 == 3
        ):  # wrong on both, seen too late, undone with either key
            page.press("d")
            page.press("l")
            page.wait(
                lambda value, old=now: value and value["trial"] != old["trial"]
            )
            page.press("u" if number % 20 == 3 else "Backspace")
            again = page.wait(
                lambda value, old=now: value and value["trial"] == old["trial"]
            )
            assert again["progress"] == now["progress"]
            undone += 1
        if number % 10 == 5:  # half an answer taken back, another one changed
            page.press("l")
            page.press("u")
            assert (
                page.run(
                    "document.querySelectorAll('#ao [aria-pressed=true]').length"
                )
                == 0
            )
            page.press("d")
            page.press("s")
            page.press(
                KEYS["attribute"][
                    right(now["index"], now["attribute"], now["object"])[0]
                ]
            )
        if number == 7:
            page.press(
                KEYS["attribute"][
                    right(now["index"], now["attribute"], now["object"])[0]
                ]
            )
            _picture(page, "trial")
            _picture(page, "trial_phone", 390, 844, phone=True)
        if number % 10 == 8:  # every key bounces, and is held too long

            def bouncing(key):
                page.press(key, held=5)
                page.press(key)
                page.press(key)

            now = page.judge(now, bouncing)
        else:
            now = page.judge(now)
    assert now == {"done": True}
    _picture(page, "done")
    page.press("u")
    back = page.wait(lambda value: value and "trial" in value)
    assert back["progress"] == "32 of 32"
    assert page.judge(back) == {"done": True}
    check_complete(verdicts, ["ada skull"], 30)
    withdrawn = verdicts.verdicts(withdrawn=True) + verdicts.verdicts(
        catch=True, withdrawn=True
    )
    assert len(withdrawn) == undone + 1
    assert all(0.25 <= v.seconds < 30 for v in verdicts.verdicts())
    assert (
        cli.main(["agreement", str(verdicts.path), "--json", "--draws", "20"])
        == 0
    )
    catch = json.loads(capsys.readouterr().out)["annotators"][0]["catch"]
    assert catch["failed"] == 0
    assert catch["passed"] + catch["unsure"] == 2
    page.check()
    server.check_log()


def test_a_killed_browser_goes_on_where_it_was(
    tmp_path, browse, verdicts, server
):
    doomed = Browser(tmp_path / "profile")
    page = browse("ann", doomed)
    page.judge_all(limit=7)
    page.press("a")  # half an answer is not kept
    half = page.seen()["trial"]
    doomed.kill()
    assert verdicts.standing("ann").done == 7
    page = browse("ann")
    now = page.seen()
    assert (now["trial"], now["progress"], now["pressed"]) == (
        half,
        "8 of 17",
        0,
    )
    page.judge_all(limit=2)
    page.open(
        server.url + "?annotator=Ann"
    )  # a reload, and the name spelt otherwise
    assert page.seen()["progress"] == "10 of 17"
    assert page.judge_all() == {"done": True}
    check_complete(verdicts, ["ann"], 16)
    page.check()
    server.check_log()


def test_a_killed_server_loses_nothing(browse, verdicts, server):
    page = browse("ann")
    now = page.judge_all(limit=5)
    server.kill()
    for key in "dl":
        page.press(key)
    page.wait(lambda text: "does not answer" in text, MESSAGE)
    _picture(page, "server_gone")
    for key in "ajskdlu":  # while the last answer is under way, keys do nothing
        page.press(key)
    server.start()
    after = page.seen_after(now)
    assert after["progress"] == "7 of 17", (
        "the answer that was under way arrives once the server is back"
    )
    assert after["message"] == ""
    page.press("u")
    page.wait(
        lambda value: value is not None and value["trial"] == now["trial"]
    )
    now = page.judge_all(limit=4)
    server.kill()
    server.start()
    page.open(server.url + "?annotator=ann")
    assert page.seen()["trial"] == now["trial"]
    assert page.judge_all() == {"done": True}
    check_complete(verdicts, ["ann"], 16)
    page.check(dead=True)
    server.check_log()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_a_dead_server_is_told_in_sight(browse, server, width, height):
    """On a phone the buttons and the help fill the screen; whoever judges there must not have to
    scroll to be told.
    """
    page = browse("ann", width=width, height=height, phone=width < 500)
    page.seen()
    server.kill()
    for key in "aj":
        page.press(key)
    page.wait(lambda text: "does not answer" in text, MESSAGE)
    for down in (0, 300):
        page.run(f"window.scrollTo(0, {down})")
        box = page.run(
            "(b => [b.top, b.bottom, b.left, b.right])(document.getElementById('ao-message')"
            ".getBoundingClientRect())"
        )
        assert 0 <= box[0] < box[1] <= height, (
            f"the message lies out of sight: {box}"
        )
        assert 0 <= box[2] < box[3] <= width, (
            f"the message is wider than the window: {box}"
        )
    server.start()
    page.wait(lambda text: text == "", MESSAGE)
    page.check(dead=True)


@pytest.mark.parametrize("server", [(24,)], ids=["24"], indirect=True)
def test_two_annotators_at_once(browse, verdicts, server):
    pages = [browse("ann"), browse("bob", width=390, height=844, phone=True)]
    assert pages[1].run("document.documentElement.scrollWidth") <= 390
    assert pages[0].seen()["trial"] != pages[1].seen()["trial"]
    together(*(page.judge_all for page in pages))
    for name, other in (("ann", "bob"), ("bob", "ann")):
        mine, theirs = (
            [v.answered_at for v in verdicts.verdicts() if v.annotator == n]
            for n in (name, other)
        )
        assert mine[0] < theirs[-1], "they were at work at the same time"
    check_complete(verdicts, ["ann", "bob"], 24)
    for page in pages:
        page.check()
    server.check_log()


def test_two_tabs_of_one_annotator_write_no_verdict_twice(
    browse, verdicts, server
):
    one, two = browse("ann"), browse("ann")
    old = two.seen()
    assert one.seen()["trial"] == old["trial"]
    one.judge_all(limit=2)
    two.press(
        "d"
    )  # an answer to the trial on this tab's screen, which was given in the other
    two.press("l")
    now = two.seen_after(old)
    assert "Nothing was saved" in now["message"]
    assert now["trial"] == one.seen()["trial"]
    two.judge(now)
    one.press(
        "u"
    )  # the second tab has gone on: this undo is not about what its user sees
    one.wait(
        lambda value: (
            value is not None and "Nothing was saved" in value["message"]
        )
    )
    assert verdicts.standing("ann").done == 3
    together(one.judge_all, two.judge_all)
    check_complete(verdicts, ["ann"], 16)
    assert verdicts.verdicts(withdrawn=True) == []
    for page in (one, two):
        # The browser notes each 409 as a failed load; nothing else may go wrong.
        page.problems = [p for p in page.problems if "409" not in p]
        page.check()


def test_a_lagging_server_and_impatient_fingers(browse, verdicts):
    page = browse("ann", slips=True)
    page.seen()
    network = {
        "offline": False,
        "downloadThroughput": -1,
        "uploadThroughput": -1,
    }
    page.send("Network.emulateNetworkConditions", latency=400, **network)

    def impatient(key):
        for _ in range(6):
            page.press(key)

    now = page.seen()
    for _ in range(5):
        now = page.judge(now, impatient)
    assert now["progress"] == "6 of 17"
    page.send("Network.emulateNetworkConditions", latency=0, **network)
    page.judge_all()
    check_complete(verdicts, ["ann"], 16)
    page.check()


def test_buttons_by_mouse_and_by_keyboard(browse, verdicts):
    page = browse("ann")
    now = page.seen()
    buttons = "Array.from(document.querySelectorAll('#ao-trial button'))"
    labels = page.run(
        f"{buttons}.filter(b => b.offsetParent).map(b => b.innerText.replace(/\\s+/g, ' ').trim())"
    )
    assert labels == [
        "Grid",
        "Change name",
        "Yes A",
        "No S",
        "Unsure D",
        "Yes J",
        "No K",
        "Unsure L",
        "Undo U",
    ]
    assert page.run(
        "Array.from(document.querySelectorAll('#ao img')).every(i => i.alt)"
    )
    page.run(
        "document.querySelector('[data-question=attribute] [data-answer=no]').click()"
    )
    page.run(
        "document.querySelector('[data-question=object] [data-answer=no]').focus()"
    )
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    page.key("Tab")
    assert page.run(ring) == "solid", "the focus is to be seen"
    # held down on a button, Enter must not answer the images that follow
    page.press("Enter", held=20)
    page.seen_after(now)
    (given,) = verdicts.verdicts() + verdicts.verdicts(catch=True)
    assert (given.attribute_answer, given.object_answer) == ("no", "unsure")
    page.run("document.querySelector('#ao-trial [data-act=undo]').click()")
    page.wait(
        lambda value: value is not None and value["trial"] == now["trial"]
    )
    _judge_a_grid(page, verdicts)
    page.run("document.querySelector('[data-act=leave]').click()")
    assert page.run(SCREEN) == "name"
    assert page.run("location.search") == "?view=grid", "the view is kept"
    page.check()


def _judge_a_grid(page, verdicts):
    """From one at a time to a grid and back: what is pressed is wrong, the rest is yes."""
    page.run("document.getElementById('ao-to-grid').click()")
    turn = verdicts.standing("ann").turn
    page.wait(lambda ready: ready == f"grid-{turn}", READY)
    assert "view=grid" in page.run("location.search"), "a link keeps the view"
    assert page.run("document.querySelectorAll('#ao-tiles li').length") == 12
    tile = "document.querySelectorAll('#ao-tiles li')[3]"
    page.run(f"{tile}.querySelector('[data-wrong=object]').focus()")
    page.press(" ")
    pressed = f"{tile}.querySelector('[data-wrong=object]').ariaPressed"
    assert page.run(pressed) == "true", "by keyboard, too"
    for width, height in ((390, 844), (1280, 900)):
        _picture(page, f"grid_{width}", width, height, phone=width < 500)
    wanted = verdicts.awaiting("ann", 12)
    page.run("document.querySelector('[data-act=save]').click()")
    page.wait(lambda ready: ready == f"grid-{turn + 12}", READY)
    given = {
        v.trial.trial: v
        for v in verdicts.verdicts() + verdicts.verdicts(catch=True)
    }
    answers = [
        (given[one.trial].attribute_answer, given[one.trial].object_answer)
        for one in wanted
    ]
    assert answers == [
        ("yes", "no" if place == 3 else "yes") for place in range(12)
    ]
    page.run("document.querySelector('#ao-grid [data-act=undo]').click()")
    page.wait(lambda ready: ready == f"grid-{turn + 24}", READY)
    assert verdicts.standing("ann").done == 0, (
        "a grid is undone as it was saved"
    )


def test_a_broken_image_takes_no_guess(tmp_path, browse, verdicts, server):
    first = verdicts.enrol("ann").trial
    file = tmp_path / "set" / f"pictures/{first.image_id}.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:40])
    page = browse("ann")
    page.wait(lambda text: "cannot be shown" in text, MESSAGE)
    page.wait(
        lambda ready: ready == first.trial,
        "document.getElementById('ao').dataset.ready",
    )
    for key in "ajsk":
        page.press(key)
    assert verdicts.standing("ann").done == 0
    for key in "dl":
        page.press(key)
    page.wait(lambda value: value is not None and value["trial"] != first.trial)
    (given,) = verdicts.verdicts() + verdicts.verdicts(catch=True)
    assert (given.attribute_answer, given.object_answer) == ("unsure", "unsure")


@pytest.mark.parametrize(
    ("view", "place"), [("one", 0), ("one", 1), ("grid", 7)]
)
def test_a_picture_that_was_lost_on_its_way_is_fetched_again(
    browse, verdicts, server, view, place
):
    verdicts.enrol("ann")
    lost = verdicts.awaiting("ann", 12)[place].trial
    page = browse()
    page.send("Network.setBlockedURLs", urls=[f"*/annotation/picture/{lost}*"])
    page.open(f"{server.url}?annotator=ann&view={view}")
    if place == 1:  # it was fetched ahead, beside the first
        page.judge_without_waiting(page.seen())
    page.wait(lambda text: "did not arrive" in text, MESSAGE)
    for key in "dl":  # what nobody sees is not answered
        page.press(key)
    assert page.run(READY) == ""
    page.send("Network.setBlockedURLs", urls=[])
    page.wait(lambda ready: ready, READY)
    assert page.run(MESSAGE) == ""
    assert verdicts.standing("ann").done == (place == 1)
    if view == "one":
        assert page.judge_all() == {"done": True}
        check_complete(verdicts, ["ann"], 16)
    else:
        tiles = "Array.from(document.querySelectorAll('#ao-tiles img'))"
        assert page.run(f"{tiles}.filter(i => i.naturalWidth > 9).length") == 12


def test_examples_that_were_lost_on_their_way_are_fetched_again(
    tmp_path, warm_gradio, browser
):
    table = make_set(tmp_path / "set", 6)
    server = Server(table, tmp_path / "p.sqlite", warm_gradio, ())
    page = Annotator(browser, server)
    try:
        page.send("Network.setBlockedURLs", urls=["*/annotation/example/*"])
        page.open(f"{server.url}?annotator=ann")
        page.wait(lambda text: "did not arrive" in text, MESSAGE)
        assert page.run(READY) == "", "the first practice"
        page.send("Network.setBlockedURLs", urls=[])
        page.wait(lambda ready: ready == "practice-0", READY)
        shown = "Array.from(document.querySelectorAll('#ao-examples img'))"
        page.wait(
            lambda number: number == 4,
            f"{shown}.filter(i => i.naturalWidth > 9).length",
        )
    finally:
        page.close()
        server.kill()


def _status(url, data=None, **headers):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers)
        ) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def test_what_other_sites_and_the_curious_get(server, verdicts, tmp_path):
    trial = verdicts.enrol("ann").trial.trial
    picture = f"{server.url}annotation/picture/{trial}"
    assert _status(f"{picture}?annotator=ann") == 200
    assert _status(f"{picture}?annotator=bob") == 404
    assert (
        _status(
            f"{server.url}annotation/picture/..%2f..%2fv.sqlite?annotator=ann"
        )
        == 404
    )
    start = f"{server.url}annotation/start"
    assert (
        _status(
            start, b'{"annotator": "eve"}', **{"Content-Type": "text/plain"}
        )
        == 415
    ), "a foreign form"
    assert (
        _status(
            start,
            b'{"annotator": "eve"}',
            **{"Content-Type": "application/json", "Host": "evil.test"},
        )
        == 400
    )
    assert _status(start, b"{}", **{"Content-Type": "application/json"}) == 400
    for path in ("set/images.parquet", "v.sqlite", "set/pictures/img-000.png"):
        assert _status(f"{server.url}gradio_api/file={tmp_path / path}") in (
            403,
            404,
        ), "only pictures, only by trial"
    server.check_log()


def test_a_taken_port_is_one_line(server, tmp_path, capsys):
    command = [
        "annotate",
        str(tmp_path / "set" / "images.parquet"),
        "--verdicts",
        str(tmp_path / "other.sqlite"),
    ]
    assert cli.main([*command, "--port", str(server.port)]) == 2
    assert "another --port" in capsys.readouterr().err


@pytest.mark.parametrize("width", [390])
def test_images_are_named_by_keys_and_buttons(
    tmp_path, warm_gradio, browser, width
):
    """The page of names, on a phone: nine names, the keys 1 to 9, 0, and undo."""
    questions = make_questions(tmp_path / "q", 4)
    server = Server(questions, tmp_path / "n.sqlite", warm_gradio, ())
    page = None
    try:
        page = Annotator(
            browser,
            server,
            "ann",
            width=width,
            height=844,
            phone=True,
        )
        ready = page.wait(bool, READY)
        names = page.run("document.querySelectorAll('#ao-names button').length")
        assert names == 10
        assert page.run("document.documentElement.scrollWidth") <= width
        assert (
            page.run("document.querySelector('fieldset').offsetParent") is None
        )
        _picture(page, "naming", width, 844, phone=True)
        page.press("0")
        ready = page.wait(lambda now, old=ready: now and now != old, READY)
        page.press("u")
        ready = page.wait(lambda now, old=ready: now and now != old, READY)
        for press in ("1", "9", "click", "0"):
            if press == "click":
                page.run(
                    "document.querySelectorAll('#ao-names button')[1].click()"
                )
            else:
                page.press(press)
            ready = page.wait(lambda now, old=ready: now and now != old, READY)
        assert ready == "done"
        page.check()
        with existing_store(tmp_path / "n.sqlite", NamingStore) as store:
            given = store.named()
            places = [
                store.choices(one.sample_id).index(one.answer)
                for one in given[:3]
            ]
        assert places == [0, 8, 1]
        assert given[3].answer == "unsure"
        server.check_log()
    finally:
        if page:
            page.close()
        server.kill()
