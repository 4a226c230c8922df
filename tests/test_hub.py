"""Whatever the Hub answers, or does not: one line, status 2. A bug of ours keeps its traceback."""

import json
import socket
import threading
from types import SimpleNamespace

import pytest
from helpers.loopback import Loopback, Quiet

from aobench.errors import UserError
from aobench.hub import hub_in_one_line

HTML = b"<!doctype html><html><body>Please log in to the guest network</body></html>"


class Answer(Quiet):
    """Answers each request as its owner's ``way`` says."""

    def do_GET(self):  # noqa: N802 (the name that http.server calls)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        way = self.owner.way
        if isinstance(way, int):
            return self.answer(
                way,
                json.dumps({"error": "no"}).encode(),
                Content_Type="application/json",
            )
        if way == "silent":
            return self.owner.closing.wait(20)
        self.close_connection = True
        if way == "dead":
            return self.connection.shutdown(socket.SHUT_RDWR)
        if way == "half":
            return self.answer(200, b'{"id": "org', Content_Length="4000")
        if way == "page":
            return self.answer(200, HTML, Content_Type="text/html")
        if way == "no protocol":
            return self.wfile.write(b"SSH-2.0-OpenSSH_9\r\n")
        return self.answer(200, way.encode(), Content_Type="application/json")

    do_POST = do_HEAD = do_GET  # noqa: N815 (the names that http.server calls)


@pytest.fixture(scope="module")
def server():
    owner = Loopback(Answer)
    owner.closing = threading.Event()
    yield owner
    owner.closing.set()
    owner.close()


WAYS = {
    400: "answers 400",
    401: "HF_TOKEN",
    403: "the token may not do this",
    404: "no such repository",
    409: "busy",
    429: "too many requests",
    500: "try again later",
    503: "try again later",
    "dead": "no connection",
    "half": "no connection",
    "page": "not what was asked for",
    "no protocol": "no connection",
    "[]": "not what was asked for",
    "{}": "not what was asked for",
    "nobody": "no connection",
    "silent": "no connection",
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_fail_is_one_line(way, server, monkeypatch):
    from huggingface_hub import CommitOperationAdd, HfApi

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    # between tries
    monkeypatch.setattr(
        "huggingface_hub.utils._http.time.sleep", lambda seconds: None
    )
    monkeypatch.setattr("aobench.hub.WAIT", 0.2)
    server.way = way
    api = HfApi(
        endpoint="http://127.0.0.1:9" if way == "nobody" else server.url,
        token="hf_secretsecret",
    )
    operations = [CommitOperationAdd("a.txt", b"a")]
    with (
        pytest.raises(UserError) as caught,
        hub_in_one_line("nothing was sent"),
    ):
        api.create_commit(
            "org/model", operations, commit_message="m", create_pr=True
        )
    assert str(caught.value).startswith("nothing was sent: ")
    assert WAYS[way] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize(
    "way", [401, 404, 503, "dead", "half", "page", "nobody"]
)
def test_fingerprints_that_cannot_be_had_are_one_line(
    way, server, monkeypatch, tmp_path
):
    from aobench.publish.submit import known_fingerprints

    server.way = way
    # between tries
    monkeypatch.setattr(
        "huggingface_hub.utils._http.time.sleep", lambda seconds: None
    )
    url = "http://127.0.0.1:9" if way == "nobody" else server.url
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"fingerprints of v2 are unknown"):
        known_fingerprints("v2", "org/data")


OTHER = [
    "[]",
    "{",
    '{"v2": []}',
    '{"v2": {"ood": {}}}',
    '{"v2": {"ood": {"fingerprint": 3}}}',
    '{"v2": null}',
]


@pytest.mark.parametrize("content", OTHER)
def test_fingerprints_of_another_shape_are_one_line(
    content, monkeypatch, tmp_path
):
    from aobench.publish.submit import known_fingerprints

    (tmp_path / "fingerprints.json").write_text(content)
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download",
        lambda *_, **__: str(tmp_path / "fingerprints.json"),
    )
    with pytest.raises(UserError, match=r"fingerprints\.json of org/data"):
        known_fingerprints("v2", "org/data", offline=True)


BUGS = [
    KeyError("a"),
    TypeError("b"),
    ValueError("c"),
    ZeroDivisionError(),
    FileNotFoundError("x"),
]


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_of_ours_keeps_its_traceback(bug):
    with pytest.raises(type(bug)), hub_in_one_line("nothing was sent"):
        raise bug


def test_a_user_error_stays_as_it_is():
    with (
        pytest.raises(UserError, match=r"^other$"),
        hub_in_one_line("nothing was sent"),
    ):
        raise UserError("other")


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("nobody", "no network: [Errno 111] Connection refused"),
        ("offline", "offline mode is on (HF_HUB_OFFLINE)"),
    ],
)
def test_a_model_that_could_not_be_looked_up_is_not_called_missing(
    way, told, monkeypatch, tmp_path
):
    """A closed port, or offline: nothing is known of the model, and that is said."""
    from aobench.models.registry import resolve

    constants = "huggingface_hub.constants"
    monkeypatch.setattr(
        "huggingface_hub.utils._http.time.sleep", lambda seconds: None
    )
    monkeypatch.setattr(f"{constants}.HF_HUB_OFFLINE", way == "offline")
    monkeypatch.setattr(f"{constants}.ENDPOINT", "http://127.0.0.1:9")
    address = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", address)
    monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as caught:
        resolve("openai/clip-vit-base-patch-32")
    assert f"was not reached ({told}" in str(caught.value)
    assert "did you mean 'openai/clip-vit-base-patch32'?" in str(caught.value)
    assert "no model" not in str(caught.value)


def test_a_folder_that_is_damaged_is_no_matter_of_the_network(tmp_path):
    from aobench.models.registry import resolve

    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match="can be read"):
        resolve(str(tmp_path))


def test_offline_no_session_is_made(monkeypatch):
    """It would read all certificates, a twentieth of a second of each command."""
    import huggingface_hub

    made = []
    session = SimpleNamespace(timeout=None)
    monkeypatch.setattr(
        huggingface_hub, "get_session", lambda: made.append(1) or session
    )
    for offline in (True, False):
        monkeypatch.setattr(
            huggingface_hub.constants, "HF_HUB_OFFLINE", offline
        )
        with hub_in_one_line("nothing"):
            assert len(made) == (not offline)
    assert session.timeout is None, "the user's own is given back"
