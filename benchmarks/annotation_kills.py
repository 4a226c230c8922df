"""Fifty kills while four people judge: is any verdict that was told to be saved lost, or there twice?

Four clients speak to the server of `imagenet-ao annotate` over HTTP as the page does (one at a time, in grids, with undo); it is
killed (SIGKILL) at random moments and started again on its port. Run: python benchmarks/annotation_kills.py [--kills 50] [--whole]
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from aobench.annotation.verdict_file import existing_store

#: Imported once, before the servers' processes begin.
MODULES = [
    "uvicorn",
    "starlette.applications",
    "starlette.concurrency",
    "pyarrow.parquet",
    "aobench.annotation.app",
]
ATTRIBUTES, OBJECTS = (
    ("red", "striped", "wooden"),
    ("fox", "kettle", "lemon", "drum"),
)


def make_set(folder: Path, count: int) -> Path:
    """A table of ``count`` small images."""
    (folder / "p").mkdir(parents=True)
    rows = []
    for index in range(count):
        file = f"p/{index:04}.png"
        Image.new("RGB", (8, 8), (index % 256, index // 256, 0)).save(
            folder / file
        )
        names = {
            "attribute": ATTRIBUTES[index % 3],
            "object": OBJECTS[index % 4],
        }
        rows.append({"image_id": f"i{index:04}", **names, "file": file})
    pq.write_table(pa.Table.from_pylist(rows), folder / "images.parquet")
    return folder / "images.parquet"


def serve_whole(table: Path, verdicts: Path, port: int) -> None:
    """The command, with Gradio's page."""
    import aobench.cli

    words = [
        "annotate",
        str(table),
        "--verdicts",
        str(verdicts),
        "--no-practice",
    ]
    sys.exit(aobench.cli.main([*words, "--port", str(port)]))


def serve_messages(table: Path, verdicts: Path, port: int) -> None:
    """What the page speaks to, without the page: begins in a fraction of the time."""
    import uvicorn
    from starlette.applications import Starlette

    from aobench.annotation.gate import RequestGate
    from aobench.annotation.images import read_images_to_judge
    from aobench.annotation.service import AnnotationService, add_routes
    from aobench.annotation.verdict_file import open_store

    images, app = read_images_to_judge(table), Starlette()
    with open_store(verdicts, images) as store:
        add_routes(app, AnnotationService(store, images))
        gate = RequestGate(app, "127.0.0.1")
        uvicorn.run(gate, host="127.0.0.1", port=port, log_level="error")


class Server:
    """The command on a port that it keeps, in processes that begin at once."""

    def __init__(self, table: Path, verdicts: Path, whole: bool) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.words = (table, verdicts, self.port)
        self.serve = serve_whole if whole else serve_messages
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(
            MODULES + ["gradio", "fastapi"] * whole
        )
        self.start()

    def start(self) -> None:
        self.process = self.context.Process(target=self.serve, args=self.words)
        self.process.start()

    def answers(self) -> bool:
        try:
            socket.create_connection(
                ("127.0.0.1", self.port), timeout=1
            ).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class Client(threading.Thread):
    """One annotator; ``kept``: by trial what the server said is saved."""

    def __init__(self, name: str, server: Server, pace: float) -> None:
        super().__init__()
        self.annotator, self.server, self.pace = name, server, pace
        self.kept: dict[str, tuple[str, str]] = {}
        self.order: list[str] = []
        self.random = random.Random(name)
        self.undone = self.repeated = 0
        self.broken = False

    def ask(self, verb: str, **body: object) -> dict:
        """The answer; asked again until there is one, as the page does."""
        message = json.dumps({"annotator": self.annotator, **body}).encode()
        url = f"http://127.0.0.1:{self.server.port}/annotation/{verb}"
        while True:
            request = urllib.request.Request(
                url, message, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=20) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise RuntimeError(
                        f"{self.annotator}, {verb}: {error.read()!r}"
                    ) from error
            except (OSError, http.client.HTTPException):
                pass  # killed, perhaps in the middle of its reply
            self.repeated += 1
            time.sleep(0.1)

    def run(self) -> None:
        try:
            self.judge()
        except RuntimeError as error:
            self.broken = True
            print(error)

    def judge(self) -> None:
        said = self.ask("start")
        while said["trial"]:
            draw = self.random.random()
            if draw < 0.1 and self.order:
                count = min(self.random.randint(1, 4), len(self.order))
                said = self.ask("undo", turn=said["turn"], count=count)
                self.undone += count
                for trial in self.order[-count:]:
                    del self.kept[trial]
                del self.order[-count:]
                continue
            count = 6 if draw < 0.3 else 1
            due = self.ask("grid", count=count)["grid"]
            answers = [{"trial": one["id"], **self._answer()} for one in due]
            said = self.ask(
                "verdicts", turn=said["turn"], seconds=1.0, answers=answers
            )
            for one in answers:
                self.kept[one["trial"]] = (one["attribute"], one["object"])
                self.order.append(one["trial"])
            time.sleep(self.pace)

    def _answer(self) -> dict[str, str]:
        words = ("yes", "no", "unsure")
        return {
            part: self.random.choice(words) for part in ("attribute", "object")
        }


def main() -> None:
    """Run it, and compare what was told with what is on disk."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument(
        "--whole",
        action="store_true",
        help="the whole command, with Gradio's page",
    )
    options = parser.parse_args()
    began, kills = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        verdicts = Path(folder) / "v.sqlite"
        server = Server(
            make_set(Path(folder) / "set", options.images),
            verdicts,
            options.whole,
        )
        chance = random.Random(0)
        # slow enough for the work to last until the last kill
        clients = [
            Client(f"ann {n}", server, 0.2) for n in range(options.clients)
        ]
        for client in clients:
            client.start()
        while kills < options.kills:
            while not server.answers():
                time.sleep(0.05)
            time.sleep(chance.uniform(0.1, 1.0))
            server.kill()
            kills += 1
            server.start()
        at_work = sum(client.is_alive() for client in clients)
        for client in clients:
            client.pace = 0.0
            client.join()
        broken = sum(client.broken for client in clients)
        server.kill()
        lost, twice, other = compare(verdicts, clients)
    saved = sum(len(client.kept) for client in clients)
    undone = sum(client.undone for client in clients)
    repeated = sum(client.repeated for client in clients)
    print(
        f"{kills} kills, {len(clients)} clients ({at_work} at work at the last kill), {time.monotonic() - began:.0f} s"
    )
    print(
        f"{saved} verdicts told to be saved, {undone} undone, {repeated} messages asked again"
    )
    print(f"lost {lost}, twice {twice}, other than told {other}")
    if broken:
        print(f"{broken} clients stopped before the end")
    sys.exit(bool(lost or twice or other or broken))


def compare(verdicts: Path, clients: list[Client]) -> tuple[int, int, int]:
    """Verdicts that were told and are not there, that are there twice, or are not as told."""
    lost = twice = other = 0
    with existing_store(verdicts) as store:
        every = store.verdicts() + store.verdicts(catch=True)
        for client in clients:
            mine = [v for v in every if v.annotator == client.annotator]
            there = {
                v.trial.trial: (v.attribute_answer, v.object_answer)
                for v in mine
            }
            twice += len(mine) - len(there)
            lost += len(client.kept.keys() - there.keys())
            other += len(there.keys() - client.kept.keys())
            other += sum(
                there.get(key, value) != value
                for key, value in client.kept.items()
            )
    return lost, twice, other


if __name__ == "__main__":
    main()
