"""A transmitter of SETs that is polled (RFC 8936): poll_server.py PORT CERTIFICATE KEY TOKEN.

SETs wait as /run/sets/JTI until they are acknowledged; each request's body is a line of /run/sets.log.
"""

import http.server
import json
import os
import ssl
import sys
import time

PORT, CERTIFICATE, KEY, TOKEN = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
SETS = "/run/sets"
HOLD = 3  # seconds, where the receiver allows it


def waiting() -> dict[str, str]:
    return {name: open(f"{SETS}/{name}", encoding="ascii").read().strip() for name in os.listdir(SETS)
            if not name.startswith(".") and not name.endswith("~")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("/run/sets.log", "a", encoding="ascii") as log:
            log.write(json.dumps(request) + "\n")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {})
        for jti in request.get("ack", []) + list(request.get("setErrs", {})):
            if os.path.exists(f"{SETS}/{jti}"):
                os.unlink(f"{SETS}/{jti}")
        until = time.monotonic() + (0 if request.get("returnImmediately") else HOLD)
        while not waiting() and time.monotonic() < until:
            time.sleep(0.02)
        self.answer(200, {"sets": waiting()})

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_) -> None:
        pass


os.makedirs(SETS, exist_ok=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
