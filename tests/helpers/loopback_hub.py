"""A server on 127.0.0.1 that speaks as much of the Hub's protocol as downloads, commits and
leaderboards need.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from helpers.loopback import Loopback, Quiet

TOKEN = "hf_" + "SecretSecretSecretSecretSecret0000"
COMMIT = "c0ffee" + "0" * 34
REVISION = r"(?:refs/pr/\d+|[^/]+)"


class Hub(Loopback):
    """Repositories are folders below ``root``: models/org/name, datasets/org/name,
    spaces/org/name.
    """

    def __init__(self, root: Path, token: str, port: int = 0) -> None:
        self.root, self.token = root, token
        self.requests: list[tuple[str, str]] = []
        self.pull_requests: list[dict] = []
        super().__init__(_Handler, port)

    def folder(self, kind: str, repo: str) -> Path:
        return self.root / kind / repo


class _Handler(Quiet):
    owner: Hub

    def _json(self, content, status=200, **headers):
        body = json.dumps(content).encode()
        self.answer(
            status, body, **{"Content-Type": "application/json", **headers}
        )

    def _missing(self, code="EntryNotFound"):
        self._json(
            {"error": code}, 404, X_Error_Code=code, X_Error_Message=code
        )

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_HEAD(self):  # noqa: N802 (the name that http.server calls)
        self.do_GET()

    def do_GET(self):  # noqa: N802 (the name that http.server calls)
        path = unquote(urlsplit(self.path).path)
        self.owner.requests.append((self.command, path))
        if found := re.fullmatch(
            rf"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/{REVISION}/(.+)",
            path,
        ):
            return self._file(found[1] or "models", found[2], found[3])
        if found := re.fullmatch(
            r"/api/datasets/([^/]+/[^/]+)/leaderboard", path
        ):
            return self._leaderboard(found[1])
        if found := re.fullmatch(
            r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/tree/[^/]+(?:/(.*))?",
            path,
        ):
            return self._tree(found[1], found[2], found[3] or "")
        if found := re.fullmatch(
            r"/api/(models|datasets|spaces)/([^/]+/[^/]+)(?:/revision/[^/]+)?",
            path,
        ):
            folder = self.owner.folder(found[1], found[2])
            if not folder.is_dir():
                return self._missing("RepoNotFound")
            files = [
                {"rfilename": str(f.relative_to(folder))}
                for f in sorted(folder.rglob("*"))
                if f.is_file()
            ]
            return self._json(
                {
                    "id": found[2],
                    "sha": COMMIT,
                    "siblings": files,
                    "tags": [],
                    "private": False,
                }
            )
        return self._missing("RepoNotFound")

    def _file(self, kind, repo, name):
        folder = self.owner.folder(kind, repo)
        if not folder.is_dir():
            return self._missing("RepoNotFound")
        path = folder / name
        if not path.is_file():
            return self._missing()
        data = path.read_bytes()
        low, high = 0, len(data)
        if found := re.fullmatch(
            r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")
        ):
            low, high = int(found[1]), int(found[2] or len(data) - 1) + 1
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        if "Range" in self.headers:
            self.send_header(
                "Content-Range", f"bytes {low}-{high - 1}/{len(data)}"
            )
        self.send_header("Content-Length", str(len(data[low:high])))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[low:high])
        return None

    def _tree(self, kind, repo, below):
        folder = self.owner.folder(kind, repo)
        if not (folder / below).is_dir():
            return self._missing(
                "RepoNotFound" if not folder.is_dir() else "EntryNotFound"
            )
        deep = (
            "recursive=true" in self.path.lower()
            or "recursive=1" in self.path.lower()
        )
        found = sorted(
            (folder / below).rglob("*") if deep else (folder / below).iterdir()
        )
        return self._json([_entry(folder, path) for path in found])

    def _leaderboard(self, dataset):
        """The rows that the pull requests hold for ``dataset``, best first, as the Hub answers."""
        import yaml

        rows = []
        for number, given in enumerate(self.owner.pull_requests, start=1):
            text = given["files"].get(".eval_results/imagenet_ao.yaml", b"[]")
            for row in yaml.safe_load(text):
                if row["dataset"]["id"] == dataset and row["dataset"][
                    "task_id"
                ].endswith("composition_top1"):
                    owner = given["repo"].split("/")[0]
                    rows.append(
                        {
                            "modelId": given["repo"],
                            "value": row["value"],
                            "filename": ".eval_results/imagenet_ao.yaml",
                            "verified": False,
                            "source": row.get("source"),
                            "pullRequest": number,
                            "notes": row["notes"],
                            "author": {
                                "type": "org",
                                "name": owner,
                                "fullname": owner,
                                "avatarUrl": "",
                            },
                        }
                    )
        rows.sort(key=lambda row: -row["value"])
        return self._json(
            [{**row, "rank": place} for place, row in enumerate(rows, start=1)]
        )

    def do_POST(self):  # noqa: N802 (the name that http.server calls)
        path, body = unquote(urlsplit(self.path).path), self._body()
        self.owner.requests.append((self.command, path))
        if found := re.fullmatch(
            rf"/api/(models|datasets|spaces)/([^/]+/[^/]+)/paths-info/{REVISION}",
            path,
        ):
            folder = self.owner.folder(found[1], found[2])
            wanted = re.findall(r"paths=([^&]+)", body.decode()) or json.loads(
                body
            ).get("paths", [])
            there = [folder / unquote(name) for name in wanted]
            return self._json([_entry(folder, f) for f in there if f.exists()])
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {self.owner.token}":
            return self._json(
                {"error": "Invalid credentials"},
                401,
                X_Error_Message="Invalid credentials",
            )
        if path == "/api/repos/create":
            given = json.loads(body)
            repo = f"{given['organization']}/{given['name']}"
            self.owner.folder(given.get("type", "model") + "s", repo).mkdir(
                parents=True, exist_ok=True
            )
            return self._json({"url": f"{self.owner.url}/{repo}", "name": repo})
        found = re.fullmatch(
            r"/api/(models|datasets|spaces)/([^/]+/[^/]+)/(preupload|commit)/([^/]+)",
            path,
        )
        if not found or not self.owner.folder(found[1], found[2]).is_dir():
            return self._missing("RepoNotFound")
        if found[3] == "preupload":
            files = json.loads(body)["files"]
            answer = [
                {
                    "path": f["path"],
                    "uploadMode": "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for f in files
            ]
            return self._json({"files": answer})
        return self._commit(
            found[1], found[2], [json.loads(line) for line in body.splitlines()]
        )

    def _commit(self, kind, repo, lines):
        head = next(line["value"] for line in lines if line["key"] == "header")
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        answer = {
            "commitUrl": f"{self.owner.url}/{repo}/commit/{COMMIT}",
            "commitOid": COMMIT,
        }
        if "create_pr=1" in self.path:
            self.owner.pull_requests.append(
                {"repo": repo, "files": files, **head}
            )
            number = len(self.owner.pull_requests)
            answer["pullRequestUrl"] = (
                f"{self.owner.url}/{repo}/discussions/{number}"
            )
        else:
            for name, content in files.items():
                path = self.owner.folder(kind, repo) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return self._json(answer)


def _entry(folder, path):
    name = str(path.relative_to(folder))
    if path.is_dir():
        return {
            "type": "directory",
            "path": name,
            "oid": hashlib.sha1(name.encode()).hexdigest(),
        }
    data = path.read_bytes()
    return {
        "type": "file",
        "path": name,
        "size": len(data),
        "oid": hashlib.sha1(data).hexdigest(),
    }
