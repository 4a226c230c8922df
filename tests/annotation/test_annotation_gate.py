"""What the annotation server gives to anyone but its own page, and to messages that no page
sends: by real HTTP.
"""

import http.client
import importlib.util
import json
import sqlite3
import uuid

import pytest
from helpers.annotation_browser import Server
from helpers.annotation_tools import make_set

from aobench.annotation.gate import RequestGate, host_name
from aobench.annotation.images import read_images_to_judge
from aobench.annotation.service import AnnotationService
from aobench.annotation.verdict_file import existing_store, open_store
from aobench.cli import main
from aobench.errors import UserError

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, warm_gradio):
    where = tmp_path_factory.mktemp("gate")
    table = make_set(where / "set", 6)
    running = Server(table, where / "v.sqlite", warm_gradio)
    yield running
    running.kill()
    assert running.log.read_text() == "", "a request ended in a traceback"


def ask(server, method, path, body=None, headers=None, host=None):
    """Status, headers and body; the path is sent as it is."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=30
    )
    try:
        connection.putrequest(
            method, path, skip_host=True, skip_accept_encoding=True
        )
        every = {"Host": host or f"127.0.0.1:{server.port}", **(headers or {})}
        if body is not None:
            every["Content-Length"] = str(len(body))
        for name, value in every.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def post(server, verb, body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(server, "POST", f"/annotation/{verb}", raw, {**JSON, **headers})


def begin(server):
    """A new annotator's verdict, ready to be sent."""
    name = f"ann {uuid.uuid4().hex[:8]}"
    said = json.loads(post(server, "start", {"annotator": name})[2])
    return {
        "annotator": name,
        "trial": said["trial"]["id"],
        "turn": said["turn"],
        "attribute": "yes",
        "object": "no",
        "seconds": 1.5,
    }


def test_nobody_can_put_a_file_on_the_server_or_get_one_of_the_machine(server):
    """The smallest input: Gradio takes an HTML file from anyone, and serves it on the page's own
    origin.
    """
    mark = b"<script>alert(1)</script>"
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.html"\r\n\r\n'
        + mark
        + b"\r\n--x--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for path in (
        "/gradio_api/upload",
        "/gradio_api/upload/",
        "//gradio_api/upload",
        "/assets/../gradio_api/upload",
    ):
        assert ask(server, "POST", path, body, kind)[0] in (404, 405), path
    files = (
        "/gradio_api/file=/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
    )
    outside = (
        "/static/../../../etc/passwd",
        "/assets/..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/x",
    )
    for path in (*files, *outside):
        assert ask(server, "GET", path)[0] == 404, path


def test_every_route_of_gradio_that_the_page_does_not_use_is_closed(server):
    import re
    from pathlib import Path

    package = Path(importlib.util.find_spec("gradio").origin).parent
    source = (package / "routes.py").read_text(encoding="utf-8")
    routes = re.findall(
        r'@(app|router)\.(get|post|head|put|delete)\(\s*"([^"]*)"', source
    )
    used = {
        "/",
        "/assets/{path:path}",
        "/static/{path:path}",
        "/favicon.ico",
        "/manifest.json",
        "/theme.css",
    }
    closed = {
        (m, ("/gradio_api" if which == "router" else "") + path)
        for which, m, path in routes
    } - {(m, path) for m in ("get", "head") for path in used}
    assert len(closed) > 60, "the routes were not found in Gradio's source"
    for method, path in sorted(closed):
        filled = re.sub(r"\{[^}]*\}", "x", path)
        assert ask(
            server,
            method.upper(),
            filled,
            b"{}" if method == "post" else None,
            JSON,
        )[0] in (404, 405), path


def test_the_page_and_what_it_needs_are_there(server):
    status, headers, page = ask(server, "GET", "/")
    assert status == 200
    assert b"annotation/" in page
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    for path in ("/theme.css", "/favicon.ico", "/manifest.json"):
        assert ask(server, "GET", path)[0] == 200, path


WRONG = {
    "seconds": [10**400, -(10**400), -1, 1e300, "1", None, True, [], {}],
    "turn": [-1, 10**400, 1.0, "0", None, True, [], 1 << 31],
    "annotator": ["", None, 5, [], "x" * 65, "a\0b", "\ud800", "a\u202eb"],
    "trial": ["", None, 5, {}, "x" * 10_000, "a\0b", "\ud800", "0" * 16],
    "attribute": ["Yes", "", None, True, ["yes"], "yes\0", "\ud800"],
    "object": ["maybe", None, 1, {"yes": 1}],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_verdict_with_a_wrong_value_is_one_line_of_400(server, key):
    whole = begin(server)
    lacking = {name: value for name, value in whole.items() if name != key}
    for body in (lacking, *({**whole, key: value} for value in WRONG[key])):
        status, _, said = post(server, "verdict", body)
        assert status in (400, 409), (
            f"{key} {body.get(key)!r:.50} gave {status}: {said[:200]}"
        )
        message = json.loads(said)["message"]
        assert message
        assert "\n" not in message
        assert len(message) < 300
    assert post(server, "verdict", whole)[0] == 200, (
        "after all that the right one is not taken"
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"\xff\xfe",
        b"[" * 8000,
        b'{"a":' * 2000,
        b'{"annotator": NaN}',
        b'{"annotator": "a", "annotator": "b"}',
        b'{"annotator": "\xff"}',
        b'{"annotator": 1' + b"0" * 5000 + b"}",
    ],
)
@pytest.mark.parametrize("verb", ["start", "verdict", "undo"])
def test_what_is_no_message_is_400(server, verb, raw):
    status, _, said = post(server, verb, raw)
    assert status == 400, said
    assert "\n" not in json.loads(said)["message"]


def test_numbers_that_json_does_not_have_are_400(server):
    whole = begin(server)
    for number in (
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"1" + b"0" * 400,
    ):
        raw = (
            json.dumps({**whole, "seconds": 12321})
            .encode()
            .replace(b"12321", number)
        )
        assert post(server, "verdict", raw)[0] == 400, number[:20]


def test_a_message_that_is_too_long_is_413_and_of_another_kind_415(server):
    assert (
        post(server, "start", b'{"annotator": "' + b"x" * 1_000_000 + b'"}')[0]
        == 413
    )
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ):
        assert (
            ask(
                server,
                "POST",
                "/annotation/start",
                b'{"annotator": "eve"}',
                {"Content-Type": kind},
            )[0]
            == 415
        ), kind


def test_other_sites_pages_are_refused(server):
    body = {"annotator": "eve"}
    own = f"127.0.0.1:{server.port}"
    assert post(server, "start", body, Origin=f"http://{own}")[0] == 200, (
        "the page itself"
    )
    for origin in (
        "https://evil.test",
        "null",
        "http://127.0.0.1:1",
        f"http://{own}.evil.test",
        "file://",
    ):
        assert post(server, "start", body, Origin=origin)[0] == 403, origin
    for site in ("cross-site", "same-site"):
        assert (
            post(server, "start", body, **{"Sec-Fetch-Site": site})[0] == 403
        ), site
    for host in (
        "evil.test",
        f"evil.test:{server.port}",
        "127.0.0.1.evil.test",
        "",
        "127.0.0.1:x",
        "127.0.0.2",
    ):
        assert ask(server, "GET", "/", host=host or " ")[0] == 400, host
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"):
        assert ask(
            server,
            method,
            "/annotation/start",
            b"",
            {"Origin": "https://evil.test"},
        )[0] in (404, 405), method


@pytest.mark.parametrize(
    "path",
    [
        "",
        "..",
        "..%2f..%2fv.sqlite",
        "%00",
        "0" * 15,
        "0" * 17,
        "0" * 16,
        "G" * 16,
        "a/b",
        "%ff",
        "x" * 5000,
    ],
)
def test_pictures_come_by_their_trial_alone(server, path):
    for name in ("ann", "", "%00", "%ff", "x" * 200):
        status, _, said = ask(
            server, "GET", f"/annotation/picture/{path}?annotator={name}"
        )
        assert status == 404, said


def test_the_name_in_a_host_header_is_read_as_it_is_written():
    read = {
        "[::1]:7860": "::1",
        "[::1]": "::1",
        "Localhost:80": "localhost",
        "127.0.0.1": "127.0.0.1",
    }
    assert {header: host_name(header) for header in read} == read
    for header in ("", "a b", "[::1", "a@b", "a:b:c", "a/b", "::1", "a:999999"):
        assert host_name(header) == "", header


def test_where_anyone_may_ask_any_name_of_the_machine_will_do():
    gate = RequestGate(None, "0.0.0.0")
    assert gate.refusal("GET", "/", [(b"Host", b"lab.example:7860")]) is None
    assert (
        gate.refusal(
            "GET", "/gradio_api/upload", [(b"Host", b"lab.example:7860")]
        )[0]
        == 404
    )
    post_ = [(b"host", b"lab.example"), (b"origin", b"https://evil.test")]
    assert gate.refusal("POST", "/annotation/start", post_)[0] == 403


# Files of verdicts that are old, damaged or of another shape


@pytest.fixture
def verdicts(tmp_path):
    """A file with one verdict; and its images."""
    images = read_images_to_judge(make_set(tmp_path / "set", 4))
    with open_store(tmp_path / "v.sqlite", images) as store:
        service = AnnotationService(store, images)
        trial = service.start({"annotator": "ann"})[1]["trial"]["id"]
        answer = {
            "annotator": "ann",
            "trial": trial,
            "turn": 0,
            "attribute": "yes",
            "object": "yes",
            "seconds": 1,
        }
        assert service.verdict(answer)[0] == 200
    return tmp_path / "v.sqlite", images


DAMAGE = {
    "no hash": "DELETE FROM settings WHERE key = 'images_sha256'",
    "no seed": "DELETE FROM settings WHERE key = 'seed'",
    "no settings": "DELETE FROM settings",
    "a seed of words": "UPDATE settings SET value = 'many' WHERE key = 'seed'",
    "a rate of words": "UPDATE settings SET value = '1.2.3' WHERE key = 'catch_rate'",
    "a rate of nan": "UPDATE settings SET value = 'nan' WHERE key = 'catch_rate'",
    "no table of verdicts": "DROP TABLE verdicts",
    "no table of settings": "DROP TABLE settings",
    "another column": "ALTER TABLE trials RENAME COLUMN wrong TO catch",
    "another word": "UPDATE images SET attribute = 'other' WHERE image_id = 'img-000'",
    "an image gone": "DELETE FROM images WHERE image_id = 'img-001'",
    "trials gone": "DELETE FROM trials",
    "another version": "PRAGMA user_version = 2",
    "another program": "PRAGMA application_id = 7",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_of_another_shape_is_one_line(verdicts, damage, capsys):
    path, images = verdicts
    with sqlite3.connect(path) as connection:
        connection.execute(DAMAGE[damage])
    connection.close()
    assert main(["agreement", str(path)]) == 2, "it was believed"
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1
    assert "v.sqlite" in told
    with pytest.raises(UserError, match=r"v\.sqlite"), open_store(path, images):
        pass


@pytest.mark.parametrize(
    "damage",
    [
        "junk",
        "cut",
        "zeros",
        "a folder",
        "a pipe",
        "a link to itself",
        "missing",
        "NUL",
    ],
)
def test_a_file_that_is_none_is_one_line(verdicts, damage, capsys):
    import os

    path, images = verdicts
    whole = path.read_bytes()
    path.unlink()
    content = {
        "junk": b"no database" * 500,
        "cut": whole[: len(whole) // 2],
        "zeros": whole[:4096] + b"\0" * 8192,
    }
    if damage in content:
        path.write_bytes(content[damage])
    elif damage != "missing":
        make = {
            "a folder": path.mkdir,
            "a link to itself": lambda: path.symlink_to(path),
        }
        make.get(damage, lambda: os.mkfifo(path))()
    name = path.with_name("a\0b") if damage == "NUL" else path
    if damage != "NUL":  # which the command line itself refuses
        assert main(["agreement", str(name)]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    with pytest.raises(UserError):
        existing_store(name)
    if damage != "missing":
        with pytest.raises(UserError), open_store(name, images):
            pass


def test_a_file_without_the_table_of_pictures_is_an_old_one_and_is_read(
    verdicts,
):
    path, images = verdicts
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE pictures")
    connection.close()
    with existing_store(path) as store:
        assert len(store.verdicts()) + len(store.verdicts(catch=True)) == 1
    with open_store(path, images, seed=0, catch_rate=0.05) as store:
        assert store.pictures() == {}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--seed", "-1"], "--seed"),
        (["--seed", str(10**400)], "--seed"),
        (["--seed", "1e9"], "--seed"),
        (["--catch-rate", "nan"], "--catch-rate"),
        (["--catch-rate", "inf"], "--catch-rate"),
        (["--catch-rate", "-0.1"], "--catch-rate"),
        (["--port", "-1"], "--port"),
        (["--port", "70000"], "--port"),
        (["--host", ""], "--host"),
        (["--host", "a\0b"], "--host"),
        (["--host", "x" * 100_000], "--host"),
    ],
)
def test_a_value_that_no_server_can_use_is_one_line(
    tmp_path, capsys, flags, told
):
    table = make_set(tmp_path / "set", 4)
    command = [
        "annotate",
        str(table),
        "--verdicts",
        str(tmp_path / "v.sqlite"),
        "--port",
        "0",
        *flags,
    ]
    try:
        status = main(command)
    except SystemExit as end:
        status = end.code
    assert status == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert len(err) < 2000
