"""tools/bench fleet: one nats-server and many watching hosts; and what polls over HTTPS cost an nginx.

Simulated hosts (fleet.cpp) on the loopback of one test host: a document published until each has it; the server killed
and started again, until each watches again and has the last document. Then 304s a second and bytes for each. The machine
is client and server at once: what it shows is an upper bound. Asserts nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "machine"))

from testhost import Host, couriers, product  # noqa: E402
from testhost.broker import Broker  # noqa: E402
from testhost.guest import wait_for  # noqa: E402

FLEET = "/usr/local/bin/fleet"
BUCKET = "escort_documents"
GROUP = "all"
MESSAGES = 10
PORT = 4222

# One connection that asks $5 times for $1 with the ETag of the first answer; what a request and an answer are in bytes.
POLLS = r"""
import json, socket, ssl, sys
path, ca, cert, key, number = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(cert, key)
stream = context.wrap_socket(socket.create_connection(("127.0.0.1", 8443)), server_hostname="127.0.0.1")
def ask(etag):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/jose, application/json\r\n"
    request += "User-Agent: escort-courier/0.1.0\r\nAccept-Encoding: gzip\r\n" + (f"If-None-Match: {etag}\r\n" if etag else "") + "\r\n"
    stream.sendall(request.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += stream.recv(65536)
    return len(request), answer
_, first = ask("")
etag = next(line.split(b": ", 1)[1].decode() for line in first.split(b"\r\n") if line.lower().startswith(b"etag:"))
length = next((int(line.split(b": ")[1]) for line in first.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
body = len(first.split(b"\r\n\r\n", 1)[1])
while body < length:
    body += len(stream.recv(65536))
for _ in range(int(number)):
    sent, answer = ask(etag)
    assert answer.startswith(b"HTTP/1.1 304"), answer
    if b"keepalive" in answer or b"Connection: close" in answer:
        stream = context.wrap_socket(socket.create_connection(("127.0.0.1", 8443)), server_hostname="127.0.0.1")
print(json.dumps({"sent": sent, "got": len(answer)}))
"""


class Watchers:
    """Some processes of so many hosts; what they print."""

    def __init__(self, host: Host, count: int, processes: int) -> None:
        self.host, self.count = host, count
        self.lines: list[dict] = []
        self.running = []
        each = count // processes
        for number in range(processes):
            process = host.popen([FLEET, str(PORT), str(number * each), str(each), BUCKET, GROUP], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, text=True)
            self.running.append(process)
            threading.Thread(target=self._read, args=(process,), daemon=True).start()
        self.count = each * processes

    def _read(self, process) -> None:
        for line in process.stdout:
            self.lines.append(json.loads(line))

    def of(self, key: str, since: int = 0, timeout: float = 300) -> list[dict]:
        wait_for(lambda: len([line for line in self.lines[since:] if key in line]) >= len(self.running), timeout, key)
        return [line for line in self.lines[since:] if key in line]

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


def usage(host: Host, unit: str) -> tuple[float, float]:
    """MiB resident, and seconds of processor time so far."""
    pid = host.run(["systemctl", "show", "-P", "MainPID", unit]).out.strip()
    fields = host.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    rss = int(host.run(f"grep VmRSS /proc/{pid}/status").out.split()[1])
    return rss / 1024, (int(fields[11]) + int(fields[12])) / 100


def published(host: Host, watchers: Watchers) -> None:
    results = []
    for number in range(MESSAGES):
        before = len(watchers.lines)
        host.run([FLEET, "publish", str(PORT), BUCKET, f"group.{GROUP}.revocation.{number % 3}"])
        results.append(watchers.of("t", before))
        time.sleep(0.5)
    received = min(sum(line["received"] for line in each) for each in results)
    p50 = statistics.median(statistics.median(line["p50_ms"] for line in each) for each in results)
    p99 = statistics.median(max(line["p99_ms"] for line in each) for each in results)
    last = statistics.median(max(line["last_ms"] for line in each) for each in results)
    print(f"{watchers.count:>6} hosts  published to received: p50 {p50:.1f} ms, p99 {p99:.1f} ms, last {last:.1f} ms "
          f"({received} of {watchers.count} each time; median of {MESSAGES})", flush=True)


def fleet(host: Host, count: int) -> None:
    watchers = Watchers(host, count, 2)
    try:
        ready = watchers.of("ready")
        rss, _ = usage(host, "broker-nats")
        print(f"{watchers.count:>6} hosts  watching after {max(each['seconds'] for each in ready):.1f} s, "
              f"{sum(each['peak_per_second'] for each in ready)} connections a second at most; nats-server {rss:.0f} MiB",
              flush=True)
        published(host, watchers)
        before = usage(host, "broker-nats")[1]
        time.sleep(10)
        print(f"{watchers.count:>6} hosts  idle: nats-server {(usage(host, 'broker-nats')[1] - before) * 10:.1f} % of a core",
              flush=True)
        since = len(watchers.lines)
        couriers.start_nats(host)  # kills the one before
        ready = watchers.of("ready", since)
        print(f"{watchers.count:>6} hosts  server killed and restarted: all watch again after "
              f"{max(each['seconds'] for each in ready):.1f} s, "
              f"{sum(each['peak_per_second'] for each in ready)} connections a second at most", flush=True)
    finally:
        watchers.end()


def https(host: Host) -> None:
    couriers.start_nginx(host)
    broker = Broker(host, "https://fleet.example.gov", deliver=couriers.publish(couriers.FILES))
    broker.publish(expect="")
    files = couriers.HTTPS
    path = f"/hosts/{host.machine_id}/documents"
    cpu = "cat /proc/$(pgrep -f 'nginx: worker' | head -n 1)/stat | cut -d')' -f2 | awk '{print $12 + $13}'"
    before = int(host.run(cpu).out)
    number = 20_000
    answer = json.loads(host.run(["python3", "-c", POLLS, path, files["ca"], files["client_cert"], files["client_key"], str(number)],
                                 timeout=300).out)
    spent = (int(host.run(cpu).out) - before) / 100
    day = 86400 // 30
    print(f"HTTPS: {number / spent:.0f} answers 304 a second of nginx's processor time (one connection, TLS); request "
          f"{answer['sent']} bytes, answer {answer['got']}: {(answer['sent'] + answer['got']) * day / 1e6:.2f} MB a day and host "
          f"at 30 s, without TLS' own", flush=True)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench fleet")
    parser.add_argument("--hosts", default="100,1000,10000")
    options = parser.parse_args(words)
    binary = REPO / "build" / "fleet"
    binary.parent.mkdir(exist_ok=True)
    subprocess.run(["g++", "-std=c++20", "-O2", "-static", f"-I{REPO}/agent", "-o", binary, REPO / "tests/bench/fleet.cpp",
                    REPO / "agent/courier/backoff.cpp"], check=True)
    with Host() as host:
        product.install(host)
        product.found_broker(host)
        host.send(binary, FLEET)
        host.run(["chmod", "755", FLEET])
        host.run("sysctl -qw net.ipv4.ip_local_port_range='10000 65000' net.core.somaxconn=4096", check=False)
        couriers.start_nats(host)
        Broker(host, "https://fleet.example.gov", deliver=couriers.publish(f"nats://127.0.0.1:{PORT}", "--create", "1")).publish(expect="")
        for count in map(int, options.hosts.split(",")):
            fleet(host, count)
        couriers.stop(host, "broker-nats")
        https(host)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
