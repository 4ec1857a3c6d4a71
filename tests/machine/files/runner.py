"""A guest agent in small: runs as root what is asked of it over a socket, without PAM, as the real ones do.

A request is a JSON line {"argv": [...], "memfd": PATH?, "stay": bool?}, the answer the exit code (negative: the signal)
or, with "stay", the pid. `memfd`: the program is a copy of PATH without a name.
"""

import json
import os
import socket
import socketserver
import sys


def run(request: dict) -> int:
    argv, program = request["argv"], request["argv"][0]
    if "memfd" in request:
        with open(request["memfd"], "rb") as source:
            memory = os.memfd_create("x", 0)
            os.write(memory, source.read())
        program = f"/proc/self/fd/{memory}"
    child = os.fork()
    if child == 0:
        try:
            if request.get("stay"):
                os.setsid()
            os.execv(program, argv)
        except OSError as error:
            os._exit(100 + error.errno % 100)
    if request.get("stay"):
        return child
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(f"{run(json.loads(self.rfile.readline()))}\n".encode())


if sys.argv[1:] == ["--child"]:  # half of it that it starts itself
    sys.exit(42)
if os.path.exists("/run/runner.sock"):
    os.unlink("/run/runner.sock")
with socketserver.UnixStreamServer("/run/runner.sock", Handler) as server:
    # It listens now: sd_notify(3), so that who started it need not guess.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    server.serve_forever()
