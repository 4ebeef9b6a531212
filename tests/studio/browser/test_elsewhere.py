"""The page behind a proxy: under another name, at another port, below a path."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Browser, expect

from studio_page import visit


class _Proxy(BaseHTTPRequestHandler):
    """Hands on what is below /band/, with the Host as it is."""

    studio = ""

    def do_GET(self) -> None:
        prefix, rest = self.path[:6], self.path[5:]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if prefix != "/band/":
            self.send_error(404)
            return
        connection = http.client.HTTPConnection(self.studio, timeout=10)
        connection.request(self.command, rest, body, dict(self.headers))
        response = connection.getresponse()
        data = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        connection.close()

    do_POST = do_GET  # noqa: N815 (the server looks for this name)

    def log_message(self, *_: object) -> None:
        """It would go to the test's errors."""


@pytest.fixture
def proxied(url: str) -> Iterator[str]:
    """Where the studio is below a path of another server."""
    handler = type("Proxy", (_Proxy,), {"studio": urlsplit(url).netloc})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://music.test:{server.server_port}/band/"
        server.shutdown()
        thread.join()


def test_all_works_below_a_path_and_under_an_allowed_name(browser: Browser, proxied: str) -> None:
    context, studio = visit(browser, proxied)
    studio.generate(New_bars="1", Variations="1")
    assert studio.saved("MIDI: Variation 1").read_bytes()[:4] == b"MThd"
    studio.page.get_by_role("button", name="Keep Variation 1 as a favorite").click()
    expect(studio.page.get_by_role("article", name="Favorite 1")).to_be_visible()
    studio.open()
    expect(studio.page.get_by_role("article", name="Favorite 1")).to_be_visible()
    assert studio.rolls() == 1
    context.close()
    # A name that is no address of this machine makes browsers say so of a plain http page.
    assert [each for each in studio.complaints if "Cross-Origin-Opener-Policy" not in each] == []
