"""What the broker hears of sessions: the stream ESCORT_EVENTS of a nats-server, read by the protocol itself."""

import base64
import json

from .guest import Guest, wait_for

KEYS = "/root/event-keys"

# Prints the messages of the stream as a list of {subject, id, data}; nothing where there is no stream. $1: the port.
READ = r"""
import base64, json, socket, sys
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
file = server.makefile("rwb")
file.readline()
file.write(b'CONNECT {"verbose":false,"headers":true}\r\nSUB answers 1\r\n')
def ask(subject, body):
    file.write(b"PUB %s answers %d\r\n%s\r\n" % (subject.encode(), len(body), body))
    file.flush()
    while True:
        words = file.readline().split()
        if words and words[0] == b"PING":
            file.write(b"PONG\r\n")
        if words and words[0] in (b"MSG", b"HMSG"):
            return json.loads(file.read(int(words[-1]) + 2)[:-2] or b"{}") if words[0] == b"MSG" else {}
info = ask("$JS.API.STREAM.INFO.ESCORT_EVENTS", b"")
state = info.get("state", {})
found = []
for number in range(state.get("first_seq", 1), state.get("last_seq", 0) + 1):
    message = ask("$JS.API.STREAM.MSG.GET.ESCORT_EVENTS", json.dumps({"seq": number}).encode()).get("message")
    if message:
        headers = base64.b64decode(message.get("hdrs", "")).decode()
        found.append({"subject": message["subject"], "data": base64.b64decode(message["data"]).decode(),
                      "id": next((line[13:].strip() for line in headers.split("\r\n") if line.startswith("Nats-Msg-Id:")), "")})
print(json.dumps(found))
"""


def messages(host: Guest, port: int = 4222) -> list[dict]:
    return json.loads(host.run(["python3", "-c", READ, str(port)]).out)


def claims_of(message: dict) -> dict:
    """Unverified."""
    payload = message["data"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def of_session(host: Guest, session: str, port: int = 4222) -> list[str]:
    """The events of one session, in the order in which they were sent."""
    return [claims["event"] for claims in map(claims_of, messages(host, port)) if claims["session"] == session]


def wait_for_events(host: Guest, session: str, wanted: list[str], timeout: float = 15) -> None:
    try:
        wait_for(lambda: of_session(host, session) == wanted, timeout, f"{wanted} of {session}")
    except TimeoutError as reason:
        raise TimeoutError(f"{reason}; instead {of_session(host, session)}, {host.ask('status')['events']}") from None


def verified(host: Guest, message: dict) -> dict:
    """The claims, as the product's own command verifies them with the host's public key alone."""
    host.run(f"mkdir -p {KEYS} && cp /run/escortd/event-key.pem {KEYS}/")
    host.write("/root/event.jws", message["data"])
    return json.loads(host.run(["escortctl", "document", "verify", "--json", "--trust", KEYS, "/root/event.jws"]).out)["claims"]
