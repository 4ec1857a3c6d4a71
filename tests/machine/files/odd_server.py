"""A broker that does not behave: odd_server.py PORT CERTIFICATE KEY HOW. Counts requests in /run/odd_server.count."""

import gzip
import http.server
import json
import ssl
import sys
import time

PORT, CERTIFICATE, KEY, HOW = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
MIB = 1 << 20


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def start(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def whole(self, status: int, body: bytes, **headers: str) -> None:
        self.start(status, len(body), **headers)
        self.wfile.write(body)

    def do_GET(self) -> None:
        with open("/run/odd_server.count", "a", encoding="ascii") as count:
            count.write(f"{time.monotonic():.3f} {self.path} {self.headers.get('Prefer', '-')}\n")
        getattr(self, HOW)()

    def stuck(self) -> None:
        self.start(200, 100)
        time.sleep(300)

    def slow(self) -> None:
        self.start(200, 10 * MIB)
        for _ in range(300):
            self.wfile.write(b"a")
            self.wfile.flush()
            time.sleep(1)

    def huge(self) -> None:
        self.start(200, None)
        for _ in range(200):
            self.wfile.write(b"a" * MIB)

    def bomb(self) -> None:
        self.whole(200, gzip.compress(b"a" * (200 * MIB)), Content_Encoding="gzip")

    def headers_without_end(self) -> None:
        self.send_response(200)
        self.flush_headers()
        for number in range(100_000):
            self.wfile.write(f"X-{number}: {'a' * 1000}\r\n".encode())

    def web_page(self) -> None:
        self.whole(200, b"<html>Sign in</html>", Content_Type="text/html")

    def page_with_etag(self) -> None:
        self.whole(200, b"<html>Sign in</html>", ETag='"1"')

    def nothing_with_etag(self) -> None:
        self.whole(204, b"", ETag='"1"')

    def says_it_held(self) -> None:
        self.whole(304 if self.headers.get("If-None-Match") else 200, b"" if self.headers.get("If-None-Match") else b"[]",
                   ETag='"1"', Preference_Applied="wait")

    def list_of_numbers(self) -> None:
        self.whole(200, json.dumps([1, 2]).encode())

    def elsewhere(self) -> None:
        self.whole(301, b"", Location="https://localhost:9443/other")

    def round_and_round(self) -> None:
        self.whole(302, b"", Location=self.path + "x")

    def within(self) -> None:
        if self.path == "/moved":
            return self.whole(200, b"[]")
        self.whole(307, b"", Location="/moved")

    def rest(self) -> None:
        self.whole(429, b"", Retry_After="3")

    def held(self) -> None:
        """RFC 7240: honours Prefer: wait, after the first answer."""
        if self.headers.get("Prefer"):
            time.sleep(float(self.headers["Prefer"].split("=")[1]))
            return self.whole(304, b"", Preference_Applied="wait", ETag='"1"')
        self.whole(200, b"[]", ETag='"1"')

    def log_message(self, *_) -> None:
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
if HOW == "old_tls":
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
context.load_cert_chain(CERTIFICATE, KEY)
server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
