"""The inspection passes a page that is in order, and names each fault of another."""

import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

HEAD = """<!doctype html><html lang=en><title>t</title>
    <meta name=viewport content='width=device-width'>"""
GOOD = HEAD + "<main><h1>A</h1><label>Name <input name=a></label> <button>Go</button><svg><text fill=#333>1</text></svg></main>"
BAD = (
    HEAD
    + """<script>1</script>
    <main><input name=a id=b><input name=e placeholder=Name><details><summary>more</summary><input name=c id=b></details>
    <pre>a line that is not broken and is far too long for the narrow window of a telephone</pre>
    <div style='width: 4ch; overflow-wrap: anywhere'>tenant</div>
    <svg><text fill=#999>1</text></svg>
    <p style='color: #999'>pale
    <style>
    .phone, .tablet { display: none }
    @media (width < 350px) { .phone { display: block; width: 340px } }
    @media (700px < width < 900px) { .tablet { display: block; width: 800px } }
    @media (prefers-color-scheme: dark) { .dark { color: #888 } }
    </style>
    <p class=phone>narrow<p class=tablet>wide<p class=dark>dark</main>"""
)
POLICY = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
STYLED = HEAD + "<link rel=icon href='data:,'><link rel=stylesheet href=late.css><main><h1>A</h1><pre>"
STYLED += "a line that is not broken and is far too long for the narrow window of a telephone</pre></main>"


class LateStylesheet(BaseHTTPRequestHandler):
    """A page that is read before its stylesheet arrives."""

    def do_GET(self):
        is_page = self.path == "/"
        if not is_page:
            time.sleep(1)
        body = STYLED if is_page else "pre { white-space: pre-wrap }"
        self.send_response(200)
        self.send_header("content-type", "text/html" if is_page else "text/css")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        """Nothing: pytest shows what is wrong."""


@contextmanager
def served(handler):
    """The address of a server, which ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def show(page, html):
    # Chromium asks for it where a page names no icon.
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    answer = {"body": html, "headers": POLICY, "content_type": "text/html"}
    page.route("http://inspected/", lambda route: route.fulfill(**answer))
    page.goto("http://inspected/")


def test_a_page_in_order_passes(page, inspector):
    show(page, GOOD)
    inspector.inspect("good")


def test_every_fault_of_a_page_is_named(page, inspector, stack):
    show(page, BAD)
    with pytest.raises(AssertionError) as found:
        inspector.inspect("bad")
    wrong = str(found.value)
    faults = [
        "Content Security Policy",
        "scrolls sideways",
        "wider than 390: <pre>",
        'wider than 320: <p class="phone">',
        'wider than 768: <p class="tablet">',
        "insufficient color contrast of 3.54",
        "0 main headings",
        "twice: #b",
        'no label: <input name="e" placeholder="Name">',
        "a torn word: tenant",
        'axe: label (critical): <input name="a" id="b">',
        'axe: label (critical): <input name="c" id="b">',
        "insufficient color contrast of 2.84",
        'contrast 2.8: <text fill="#999">',
    ]
    assert [fault for fault in faults if fault not in wrong] == []
    for name in ["01-good", "01-good-phone", "01-good-dark", "02-bad", "02-bad-phone-dark"]:
        screenshot = stack.folder / "screens" / "test_inspection" / f"{name}.png"
        assert screenshot.read_bytes().startswith(b"\x89PNG")


def test_a_page_is_inspected_once_its_stylesheet_has_arrived(page, inspector):
    with served(LateStylesheet) as address:
        page.goto(address, wait_until="commit")
        inspector.inspect("styled")
