"""A store that takes every write, whatever its condition: the fault of some test servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def careless_store() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Its endpoint, and what it holds by path."""
    contents: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            contents[self.path] = self.rfile.read(int(self.headers["content-length"]))
            self._answer(200, etag='"1"')

        def do_GET(self) -> None:
            if "list-type" in self.path:
                body = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
                self._answer(200, body)
            elif self.path in contents:
                self._answer(
                    200, contents[self.path], etag='"1"', **{"last-modified": "Mon, 30 Nov 2026 10:00:00 GMT"}
                )
            else:
                self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            for name in [one for one in contents if "probe" in one]:
                del contents[name]
            self._answer(200, b"<DeleteResult><Deleted><Key>probe</Key></Deleted></DeleteResult>")

        def do_DELETE(self) -> None:
            contents.pop(self.path, None)
            self._answer(204)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", contents
        finally:
            server.shutdown()
            thread.join()
