"""A page on this machine that shows two futures and takes the answer."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from wm_planner.commands.labelling.futures import Future
from wm_planner.commands.labelling.page import PAGE
from wm_planner.commands.labelling.session import Session
from wm_planner.errors import WmPlannerError

HOST = "127.0.0.1"  # nobody else's business
LONGEST_ANSWER = 1000  # bytes

Pictures = Callable[[Future], np.ndarray]


def open_server(session: Session, pictures: Pictures, port: int) -> ThreadingHTTPServer:
    """Return a server that is ready for `serve_forever`.

    Args:
        session: what is asked.
        pictures: frames (n, h, w, 3) uint8 of a future.
        port: 0 for a free one.
    """
    lock = threading.Lock()  # answers and pictures come from several threads

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            url = urlsplit(self.path)
            if url.path == "/":
                self._send(PAGE.encode(), "text/html; charset=utf-8")
            elif url.path == "/pair":
                with lock:
                    self._send_json(_describe(session))
            elif url.path == "/strip":
                self._strip(parse_qs(url.query))
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def do_POST(self) -> None:  # the name is http.server's
            # A page of another origin cannot send this type without asking first.
            if self.headers.get("Content-Type") != "application/json":
                self.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
                return
            length = min(int(self.headers.get("Content-Length") or 0), LONGEST_ANSWER)
            try:
                said = json.loads(self.rfile.read(length))
                with lock:
                    session.answer(int(said["number"]), str(said["choice"]))
                    self._send_json(_describe(session))
            except (ValueError, KeyError, TypeError, WmPlannerError) as error:
                self.send_error(HTTPStatus.BAD_REQUEST, explain=str(error))
            except OSError as error:  # the same question stays, and can be answered again
                said = f"the answer could not be written: {error.strerror}"
                self.send_error(HTTPStatus.INSUFFICIENT_STORAGE, explain=said)

        def _strip(self, query: dict[str, list[str]]) -> None:
            with lock:
                future = session.side(query.get("side", ["left"])[0])
                if future is None or query.get("number") != [str(session.number)]:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                try:
                    frames = pictures(future)
                except WmPlannerError as error:
                    self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, explain=str(error))
                    return
            self._send(_png(np.concatenate(list(frames), axis=1)), "image/png", len(frames))

        def _send_json(self, content: Any) -> None:
            self._send(json.dumps(content).encode(), "application/json")

        def _send(self, data: bytes, kind: str, frames: int = 0) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            if frames:
                self.send_header("X-Frames", str(frames))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the page tells how far one is."""

    return ThreadingHTTPServer((HOST, port), Handler)


def _describe(session: Session) -> dict[str, Any]:
    left = session.side("left")
    return {
        "number": session.number,
        "count": len(session),
        "done": left is None,
        "instruction": left.instruction if left else "",
        "what": left.what if left else "",
    }


def _png(picture: np.ndarray) -> bytes:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(data, format="png")
    return data.getvalue()
