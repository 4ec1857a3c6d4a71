"""tools/bench courier: from a document to its effect on one host, by file and by NATS; a large list; what a courier needs.

The session is real (ssh, a gate, a shell), the documents are signed and published by the product's own command before the
clock starts: measured is from the rename, or from the put into the bucket, to the last death. Asserts nothing.
"""

import json
import statistics
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "machine"))

from testhost import Host, couriers, product  # noqa: E402
from testhost.broker import Broker  # noqa: E402
from testhost.guest import wait_for  # noqa: E402

ACCOUNT = "azsupport"
ROUNDS = 40
LARGE = 10_000
# On the host: does $1 (a line of shell), then waits until nothing of uid $2 is alive; prints milliseconds from before the
# act to the last death, and those that the act itself took.
TIMER = r"""
import os, subprocess, sys, time
begin = time.monotonic()
subprocess.run(sys.argv[1], shell=True, check=True, stdout=subprocess.DEVNULL)
acted = time.monotonic()
def alive():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/status") as status:
                    text = status.read()
            except OSError:
                continue
            if f"\nUid:\t{sys.argv[2]}\t" in text and "State:\tZ" not in text:
                return True
    return False
while alive():
    pass
end = time.monotonic()
print(1000 * (end - begin), 1000 * (acted - begin))
"""


def spread(values: list[float]) -> str:
    values = sorted(values)
    return f"p50 {statistics.median(values):.1f} ms, p90 {values[len(values) * 9 // 10]:.1f} ms, longest {values[-1]:.1f} ms"


def revocations(host: Host, broker: Broker, what: str, act: str, target: str) -> None:
    """act: how the signed document /root/broker/NAME.jws is sent on its way; {} is its path."""
    uid = host.run(["id", "-u", ACCOUNT]).out.strip()
    from_start, without_act = [], []
    for _ in range(ROUNDS):
        broker.deliver = f'mv "/root/broker/$3.jws" "{product.SPOOL}/$3.jws"'
        jti = broker.approve(ACCOUNT)
        login = host.login(ACCOUNT, "exec sleep 900")
        wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the session")
        broker.deliver = 'mv "/root/broker/$3.jws" /root/next.jws'
        broker.set_event(jti, expect="")
        total, acted = map(float, host.run(["python3", "-c", TIMER, act, uid]).out.split())
        from_start.append(total)
        without_act.append(total - acted)
        login.close()
        broker.approvals = []
    print(f"{what}: {spread(from_start)}; after the command has returned {spread(without_act)}   target: {target}", flush=True)


def rss_mib(host: Host, unit: str) -> float:
    pid = host.run(["systemctl", "show", "-P", "MainPID", unit]).out.strip()
    return int(host.run(f"grep VmRSS /proc/{pid}/status").out.split()[1]) / 1024


def large_list(host: Host, broker: Broker) -> None:
    entry = broker.approval(ACCOUNT)
    broker.approvals = [entry | {"jti": f"apr-{number}"} for number in range(LARGE)]
    broker.deliver = 'mv "/root/broker/$3.jws" /root/large.jws'
    times = []
    for _ in range(7):
        broker.publish(expect="")
        before = daemon_ms(host)
        host.run(f"mv /root/large.jws {product.SPOOL}/large.jws")
        wait_for(lambda: not host.exists(f"{product.SPOOL}/large.jws"), 10, "its acceptance")
        wait_for(lambda: any(each["seq"] == broker._seq for each in host.ask("status")["documents"]), 10, "its acceptance")
        times.append(daemon_ms(host) - before)
    print(f"list of {LARGE} approvals ({host.run('stat -c %s /root/broker/*.json | sort -n | tail -n 1').out.strip()} bytes of "
          f"claims): daemon's processor time {statistics.median(times):.0f} ms from spool to force (median of 7)"
          f"   target: below 100 ms", flush=True)
    print(f"daemon resident afterwards: {rss_mib(host, 'escortd'):.1f} MiB   target: below 48", flush=True)


def daemon_ms(host: Host) -> float:
    pid = host.run(["systemctl", "show", "-P", "MainPID", "escortd"]).out.strip()
    return int(host.read(f"/proc/{pid}/schedstat").split()[0]) / 1e6


def main(_: list[str]) -> int:
    with Host() as host:
        product.install(host)
        product.found_broker(host)
        product.set_policy(host, product.policy("enforce"))
        broker = Broker(host, "https://bench.example.gov")
        revocations(host, broker, "file: rename into the spool to session dead", f"mv /root/next.jws {product.SPOOL}/next.jws",
                    "20 ms p99 to the verdict")
        couriers.start_nats(host)
        couriers.use(host, couriers.NATS)
        broker.deliver = couriers.publish("nats://127.0.0.1:4222", "--create", "1")
        broker.publish(expect="")
        couriers.state(host, "working")
        revocations(host, broker, "NATS: publish to session dead",
                    "escortctl document publish --to nats://127.0.0.1:4222 /root/next.jws", "30 ms p99")
        time.sleep(20)  # cnats looks at each event that was sent once more, 10 s later
        begin = time.monotonic()
        pid = host.run(["systemctl", "show", "-P", "MainPID", "escort-courier"]).out.strip()
        switches = "cat /proc/" + pid + "/task/*/status | awk '/ctxt_switches/ {n += $2} END {print n}'"
        before = int(host.run(switches).out)
        time.sleep(30)
        print(f"courier, idle: {(int(host.run(switches).out) - before) / (time.monotonic() - begin):.1f} wake-ups a second, "
              f"{rss_mib(host, 'escort-courier'):.1f} MiB resident   target: below 16", flush=True)
        large_list(host, broker)
        print(json.dumps({"sources": couriers.sources(host)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
