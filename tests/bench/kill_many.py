"""tools/bench kill: 100 approved sessions of 10 processes, revoked at once by one list, beside what the kernel needs.

Timed from the list's arrival in the spool to the last death of each session; the floors are the same sessions
killed by bare signals, and as many sleepers killed by cgroup.kill writes. Asserts nothing.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "machine"))

from testhost import Host, product  # noqa: E402
from testhost.broker import Broker  # noqa: E402
from testhost.guest import wait_for  # noqa: E402

ACCOUNT = "azsupport"
CROWD = "/usr/local/bin/crowd"
FLOOR = "/sys/fs/cgroup/test.slice/floor"


def build_crowd() -> Path:
    crowd = REPO / "build" / "crowd"
    crowd.parent.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", crowd, REPO / "tests/bench/crowd.c"], check=True)
    return crowd


def spread(took_us: list[float]) -> str:
    took = sorted(each / 1000 for each in took_us)
    return f"{took[len(took) // 2]:>8.1f} {took[int(len(took) * 0.99) - 1]:>8.1f} {took[-1]:>8.1f}"


def open_all(host: Host, sessions: int, processes: int) -> tuple[Broker, list, str]:
    """So many sessions: the broker that approved them, their clients, and the lines `GROUP PID` of their processes."""
    broker = Broker(host)
    broker.approvals = [broker.approval(ACCOUNT, f"eng-{i}", max_sessions=1) for i in range(sessions)]
    broker.publish()
    hold = f"for i in $(seq {processes - 1}); do sleep 9000 & done; wait"
    logins = []
    for count in range(1, sessions + 1):
        logins.append(host.login(ACCOUNT, hold))
        if count % 10 == 0:
            wait_for(lambda wanted=count: len(product.sessions(host, ACCOUNT)) >= wanted, 60, f"{count} sessions")
    wait_for(lambda: len(host.run(["pgrep", "-U", ACCOUNT, "-x", "sleep"], check=False).out.split())
             >= sessions * (processes - 1), 60, "their processes")
    own = set(host.run(["pgrep", "-U", ACCOUNT]).out.split())
    members: dict[str, list[int]] = {}
    for line in host.run("grep -s session- /proc/[0-9]*/cgroup", check=False).out.splitlines():
        _, _, pid, rest = line.split("/", 3)
        if pid in own:
            members.setdefault(rest.rsplit("/", 1)[-1], []).append(int(pid))
    groups = "".join(f"{index} {pid}\n" for index, pids in enumerate(members.values()) for pid in pids)
    return broker, logins, groups


def close_all(host: Host, logins: list) -> None:
    for login in logins:
        login.close()
    wait_for(lambda: not product.sessions(host, ACCOUNT), 60, "the end of all sessions")


def kill_all(host: Host, sessions: int, processes: int) -> dict:
    """The same sessions killed by bare signals."""
    _, logins, groups = open_all(host, sessions, processes)
    answer = json.loads(host.run([CROWD, "kill"], stdin=groups, timeout=120).out)
    close_all(host, logins)
    return answer


def revoke_all(host: Host, sessions: int, processes: int) -> dict:
    broker, logins, groups = open_all(host, sessions, processes)
    claims = broker.claims(exp=int(time.time()) + 3600, seq=time.time_ns() // 1_000_000, approvals=[],
                           revoked=[])  # a whole list: what it no longer has is over
    host.write("/root/revoke.json", json.dumps(claims))
    host.escortctl("document", "sign", "--key", product.KEY, "--type", "approvals", "--out", "/root/revoke.jws",
                   "/root/revoke.json")
    host.run(f"mv /root/revoke.jws {Path(product.SPOOL).parent}/revoke.jws")  # one filesystem: a rename
    answer = json.loads(host.run([CROWD, "reap", f"{Path(product.SPOOL).parent}/revoke.jws",
                                  f"{product.SPOOL}/revoke.jws"], stdin=groups, timeout=120).out)
    close_all(host, logins)
    return answer


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/bench kill")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--processes", type=int, default=10)
    options = parser.parse_args(words)
    crowd = build_crowd()
    with Host() as host:
        product.install(host)
        product.found_broker(host)
        # One approval, one session: what a hundred engineers have.
        product.set_policy(host, product.policy("enforce"))
        host.run("mkdir -p /etc/ssh/sshd_config.d && echo MaxStartups 200 >/etc/ssh/sshd_config.d/bench.conf && "
                 "systemctl reload ssh")
        host.send(crowd, CROWD)
        host.run(["chmod", "755", CROWD])
        print(f"{'ms':<52} {'p50':>8} {'p99':>8} {'longest':>8}   target")
        answer = revoke_all(host, options.sessions, options.processes)
        what = f"{len(answer['last_us'])} sessions, {answer['processes']} processes: last death"
        print(f"{what:<52} {spread(answer['last_us'])}   p99 below 50")
        since = [each - answer["first_us"] for each in answer["last_us"]]
        print(f"{'  the same since the first death of all':<52} {spread(since)}")
        bare = kill_all(host, options.sessions, options.processes)
        print(f"{'  the same sessions, by bare SIGKILLs':<52} {spread(bare['last_us'])}")
        host.run(["mkdir", FLOOR])
        floor = json.loads(host.run([CROWD, "floor", FLOOR, str(options.sessions), str(options.processes)],
                                    timeout=120).out)
        print(f"{'  the floor: as many cgroup.kill writes':<52} {spread(floor['last_us'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
