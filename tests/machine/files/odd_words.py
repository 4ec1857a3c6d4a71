"""Says odd things to the daemon's two sockets and prints what came of each: {"gate": {case: outcome}, "control": ...}.

Outcomes of the gate: "closed", "admit", "refuse", "ignore"; of the control socket: "ok", "failed CODE", "closed". What waits
longer than 5 s is "silence".
"""

import array
import json
import os
import socket
import struct
import subprocess
import sys

GATE, CONTROL = "/run/escortd/gate.sock", "/run/escortd/control.sock"
ACCOUNT, TENANT = "vendor-new", "alice"


def gate_message(user: str, *, phase: int = 1, version: int = 1, kind: int = 1, magic: bytes = b"escg", rhost: str = "") -> bytes:
    fields = ["sshd", user, rhost, "", "", ""]
    return magic + bytes([version, kind, phase]) + b"".join(struct.pack("<I", len(each)) + each.encode() for each in fields)


def gate(message: bytes, *fds: int, after: bytes | None = None) -> str:
    """One question on a connection of its own; `after` follows the answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(5)
        connection.connect(GATE)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            connection.sendmsg([message], rights)
            if after is not None:
                connection.sendmsg([after], rights)
            answer = connection.recv(65536)
        except TimeoutError:
            return "silence"
        except (ConnectionResetError, BrokenPipeError):
            return "closed"
        if not answer:
            return "closed"
        return {1: "admit", 2: "refuse", 3: "ignore"}[answer[6]] if answer[:6] == b"escg\1\2" else f"odd {answer!r}"


def gate_cases() -> dict[str, str]:
    me, other = os.pidfd_open(os.getpid()), os.pidfd_open(1)
    null = os.open("/dev/null", os.O_RDONLY)
    child = subprocess.Popen(["sleep", "60"])
    ended = os.pidfd_open(child.pid)
    child.kill()
    child.wait()
    good = gate_message(ACCOUNT)
    cases = {
        "a principal": gate(good, me),
        "a tenant": gate(gate_message(TENANT), me),
        "nobody": gate(gate_message("no-such-user"), me),
        "garbage": gate(b"\x00\xff garbage", me),
        "text": gate(b"GET / HTTP/1.1\r\n\r\n", me),
        "doubled in one": gate(good + good, me),
        "two at once": gate(good, me, after=good),
        "one byte more": gate(good + b"\0", me),
        "70 KiB": gate(good + b"x" * 70 * 1024, me),
        "a field of 70 KiB": gate(gate_message(ACCOUNT, rhost="x" * 60_000), me),
        "a length that isn't so": gate(good[:7] + b"\xff\xff\xff\xff" + good[11:], me),
        "a control character": gate(gate_message("vendor-new\n"), me),
        "another version": gate(gate_message(ACCOUNT, version=2), me),
        "an answer": gate(gate_message(ACCOUNT, kind=2), me),
        "phase 0": gate(gate_message(ACCOUNT, phase=0), me),
        "phase 4": gate(gate_message(ACCOUNT, phase=4), me),
        "another magic": gate(gate_message(ACCOUNT, magic=b"escf"), me),
        "no pidfd": gate(good),
        "PID 1's pidfd": gate(good, other),
        "an ended process's pidfd": gate(good, ended),
        "no pidfd but a file": gate(good, null),
        "two pidfds": gate(good, me, me),
        "a hundred descriptors": gate(good, *[me] * 100),
    }
    cut = {gate(good[:size], me) for size in range(1, len(good))}
    cases["cut anywhere"] = ", ".join(sorted(cut))
    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(40)]
    for each in silent:
        each.connect(GATE)
    cases["beside 40 who say nothing"] = gate(good, me)
    silent[0].settimeout(5)
    try:
        cases["says nothing"] = "closed" if not silent[0].recv(10) else "odd"
    except TimeoutError:
        cases["says nothing"] = "silence"
    for each in silent:
        each.close()
    for each in (me, other, null, ended):
        os.close(each)
    return cases


def control(*pieces: bytes) -> str:
    """What is sent, piece by piece, on a connection of its own; the first answer. After a last piece b"" the end."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(CONTROL)
        try:
            for piece in pieces:
                if piece:
                    connection.sendall(piece)
                else:
                    connection.shutdown(socket.SHUT_WR)
            line = connection.makefile("rb").readline()
        except TimeoutError:
            return "silence"
        except (ConnectionResetError, BrokenPipeError):
            return "closed"
        if not line:
            return "closed"
        answer = json.loads(line)
        return "ok" if answer["ok"] else f"failed {answer['code']}"


def control_cases() -> dict[str, str]:
    good = b'{"request": "status"}\n'
    return {
        "good": control(good),
        "in pieces": control(*[bytes([each]) for each in good]),
        "garbage": control(b"\xff\xfe\x00garbage\n"),
        "an empty line": control(b"\n"),
        "no object": control(b'["status"]\n'),
        "cut": control(good[:9], b""),
        "cut, with its line end": control(good[:9] + b"\n"),
        "doubled in one": control(good + good),
        "70 KiB": control(b'{"request": "' + b"x" * 70 * 1024 + b'"}\n'),
        "70 KiB without an end": control(b"x" * 70 * 1024),
        "deep": control(b'{"request": "status", "params": ' + b"[" * 30_000 + b"\n"),
        "unknown request": control(b'{"request": "shell"}\n'),
        "unknown key": control(b'{"request": "status", "uid": 0}\n'),
        "params of another type": control(b'{"request": "status", "params": []}\n'),
        "a param of another type": control(b'{"request": "kill", "params": {"id": 7, "reason": []}}\n'),
        "a param missing": control(b'{"request": "kill"}\n'),
        "an id that is none": control(b'{"request": "session", "params": {"id": "' + b"9" * 5000 + b'"}}\n'),
        "numbers beyond all": control(b'{"request": "explain", "params": {"account": "vendor-new", "at": 1e999}}\n'),
        "the answer not taken": control_untaken(good),
    }


def control_untaken(good: bytes) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(CONTROL)
        connection.sendall(good)
    return "closed"


json.dump({"gate": gate_cases(), "control": control_cases()}, sys.stdout)
