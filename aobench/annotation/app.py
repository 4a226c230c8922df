"""The web app: a Gradio page of one image a screen, served on this machine only, with nothing
fetched from outside.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from aobench.annotation.gate import RequestGate, is_local
from aobench.annotation.service import (
    AnnotationService,
    PageOptions,
    add_routes,
)
from aobench.annotation.verdict_store import VerdictStore
from aobench.errors import UserError
from aobench.image_table import ImageTable

HERE = Path(__file__).parent


def _gradio() -> Any:
    # Before the import: Gradio reads these then, and calls home unless told not to.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise UserError(
            "the annotation page needs Gradio: pip install 'imagenet-ao[annotate]'"
        ) from error
    if int(gradio.__version__.split(".")[0]) < 6:
        raise UserError(
            f"Gradio {gradio.__version__} is too old: pip install 'imagenet-ao[annotate]'"
        )
    return gradio


def annotation_page() -> Any:
    """The page as Gradio Blocks: its markup; style and script come with ``application``."""
    gr = _gradio()
    with gr.Blocks(title="Judge images", analytics_enabled=False) as page:
        gr.HTML(
            (HERE / "page.html").read_text(encoding="utf-8"), elem_id="ao-root"
        )
    return page


def annotation_app(
    store: VerdictStore,
    images: ImageTable,
    host: str,
    options: PageOptions | None = None,
) -> Any:
    """The ASGI application: the Gradio page at /, our messages and pictures beside it, and
    nothing else.
    """
    gr = _gradio()
    from fastapi import FastAPI

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_routes(app, AnnotationService(store, images, options))
    # the default theme asks Google for its fonts
    system = ["system-ui", "Segoe UI", "Roboto", "sans-serif"]
    whole = gr.mount_gradio_app(
        app,
        annotation_page(),
        path="/",
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        theme=gr.themes.Default(
            font=system, font_mono=["ui-monospace", "monospace"]
        ),
        css=(HERE / "page.css").read_text(encoding="utf-8"),
        head=f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>",
    )
    return RequestGate(whole, host)


def serve_annotation(
    store: VerdictStore,
    images: ImageTable,
    host: str,
    port: int,
    options: PageOptions | None = None,
) -> None:
    """Serve until interrupted. Raises UserError where Gradio is absent or the port is taken."""
    app = annotation_app(store, images, host, options)
    import uvicorn

    listening = _listen(host, port)
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    print(
        f"Judge {len(images.rows)} images at http://{shown}:{port} (Ctrl-C ends it)",
        flush=True,
    )
    if not is_local(host):
        print(
            f"Anyone who reaches {host}:{port} can answer, under any name.",
            flush=True,
        )
    config = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=2
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
    print(f"Stopped; the verdicts are in {store.path}.", flush=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
    except (
        OSError,
        ValueError,
    ) as error:  # ValueError: NUL, or a label that is too long for a name
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"--host {host[:80]!r} is no address to listen on ({reason})"
        ) from error
    listening = socket.socket(family, kind, protocol)
    try:
        # else a killed server blocks its port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror}); give another --port or --host"
        ) from error
    return listening
