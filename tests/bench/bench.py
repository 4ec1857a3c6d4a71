"""tools/bench: boots a test host, installs the package, measures what the README promises, prints a table.

Nothing is asserted: the machine is noisy. The targets stand beside the figures for whoever reads them.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "machine"))

from testhost import Host, product  # noqa: E402
from testhost.guest import wait_for  # noqa: E402

ACCOUNT = "azsupport"
PROBE = "/usr/local/bin/probe"
STARTS = 10_000
REVOCATIONS = 20
PROCESSES = 50
HOLD = f"for i in $(seq {PROCESSES - 1}); do sleep 9000 & done; wait"


def build_probe() -> Path:
    probe = REPO / "build" / "probe"
    probe.parent.mkdir(exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", probe, REPO / "tests/bench/probe.c"], check=True)
    return probe


def row(what: str, figure: str, target: str) -> None:
    print(f"{what:<58} {figure:>24}   {target}", flush=True)


def unapproved_starts(host: Host) -> None:
    uid = host.run(["id", "-u", ACCOUNT]).out.strip()
    answer = json.loads(host.run([PROBE, "starts", str(STARTS), uid, "/tmp/bench-canary"], timeout=300).out)
    canaries = answer["lived"] + int(host.exists("/tmp/bench-canary"))
    row(f"{STARTS} unapproved starts, 2 at a time: canaries", str(canaries), "0")
    row("  system call to reaped, p50 / p99",
        f"{answer['p50_us']:.0f} / {answer['p99_us']:.0f} µs", "p99 below 1,000 µs (verdict to dead)")
    drops = host.ask("status")["drops"]
    row("  journal and ring records dropped meanwhile", str(drops), "counted; see status")


def revocations(host: Host) -> None:
    took = []
    for _ in range(REVOCATIONS):
        approval = product.approve(host, ACCOUNT)
        login = host.login(ACCOUNT, HOLD)
        wait_for(lambda: len(sleepers(host)) >= PROCESSES, 20, "the session's processes")
        name = revoking_document(host, approval)
        pids = " ".join(sleepers(host))
        out = host.run(f"{PROBE} reap /root/{name} {product.SPOOL}/{name} {pids}", timeout=30).out
        took.append(json.loads(out)["took_us"] / 1000)
        login.close()
    took.sort()
    row(f"revocation in the spool to the last of {PROCESSES} processes dead, p50",
        f"{took[len(took) // 2]:.1f} ms", "")
    row(f"  the longest of {REVOCATIONS}", f"{took[-1]:.1f} ms", "p99 below 20 ms")
    killed = sorted(int(each["ESCORT_LATENCY_US"]) / 1000 for each in host.journal("session_killed", reason="revoked"))
    row("  of it from the first signal to the last exit, p50", f"{killed[len(killed) // 2]:.1f} ms", "")
    row("  50 sleepers under nobody's eye, cgroup.kill alone", f"{bare_kill(host):.1f} ms", "what the kernel takes")


def bare_kill(host: Host) -> float:
    """The same processes in a cgroup of a tenant's, killed by one write: nothing of ours is in the way."""
    host.run(f"systemd-run -q --unit=bare --uid=alice bash -c {shlex.quote(HOLD)}")
    pids = wait_for(lambda: (found := host.run("pgrep -u alice -x 'sleep|bash'", check=False).out.split())
                    and len(found) >= PROCESSES and found, 20, "the bare processes")
    kill = "/sys/fs/cgroup/system.slice/bare.service/cgroup.kill"
    return json.loads(host.run([PROBE, "write", kill, *pids]).out)["took_us"] / 1000


def sleepers(host: Host) -> list[str]:
    return host.run(["pgrep", "-U", ACCOUNT, "-x", "sleep|bash"], check=False).out.split()


def revoking_document(host: Host, approval: str) -> str:
    """A signed list that revokes, beside the spool: dropping it is what is timed."""
    newest = next(each for each in host.ask("status")["documents"] if each["subject"] == "local")
    now = int(time.time())
    payload = {"iss": newest["issuer"], "aud": newest["audience"], "sub": "local", "iat": now, "exp": now + 600,
               "seq": newest["seq"] + 1, "approvals": [], "revoked": [approval]}
    host.write("/root/revoke.yaml", json.dumps(payload))
    host.escortctl("document", "sign", "--key", product.KEY, "--type", "approvals", "--out", "/root/revoke.jws",
                   "/root/revoke.yaml")
    host.run("mv /root/revoke.jws /root/bench.jws")
    return "bench.jws"


def memory(host: Host) -> None:
    now = int(time.time())
    approvals = [{"jti": f"bench-{i}", "account": ACCOUNT, "nbf": now, "exp": now + 3600,
                  "engineer": {"id": f"eng-{i}", "citizenship": ["US"], "screening": ["tier3"]},
                  "ticket": {"system": "servicenow", "id": f"INC{i:07}"}, "approvers": ["iso-3"]}
                 for i in range(1000)]
    host_id = host.ask("status")["host_id"]
    host.write("/root/thousand.yaml", json.dumps(
        {"iss": "bench", "aud": f"host:{host_id}", "iat": now, "exp": now + 3600, "seq": 1, "approvals": approvals}))
    host.escortctl("document", "sign", "--key", product.KEY, "--type", "approvals", "--out", "/root/thousand.jws",
                   "/root/thousand.yaml")
    host.run(f"mv /root/thousand.jws {product.SPOOL}/")
    wait_for(lambda: any(each["issuer"] == "bench" for each in host.ask("status")["documents"]), 10, "the list")
    time.sleep(2)
    pid = daemon(host)
    resident = host.run(f"grep VmRSS /proc/{pid}/status").out.split()[1]
    own = host.run(f"grep RssAnon /proc/{pid}/status").out.split()[1]
    row("daemon with 1,000 approvals: resident (of it its own)",
        f"{int(resident) / 1024:.1f} ({int(own) / 1024:.1f}) MiB", "below 16 MiB")


def daemon(host: Host) -> str:
    return host.run(["systemctl", "show", "-p", "MainPID", "--value", "escortd"]).out.strip()


def start(host: Host) -> None:
    for kind, before in (("adopting its pins", "true"), ("with no pins", "rm -rf /sys/fs/bpf/escortd")):
        host.run(f"systemctl stop escortd; {before}; systemctl start escortd")
        shown = host.run("systemctl show escortd -p ExecMainStartTimestampMonotonic -p ActiveEnterTimestampMonotonic")
        values = dict(line.split("=") for line in shown.out.split())
        took = int(values["ActiveEnterTimestampMonotonic"]) - int(values["ExecMainStartTimestampMonotonic"])
        row(f"start to enforcing, {kind}", f"{took / 1000:.0f} ms", "below 500 ms")


def idle(host: Host) -> None:
    def switches() -> int:
        text = host.run(f"grep ^voluntary_ctxt /proc/{daemon(host)}/status").out
        return int(text.split()[1])
    time.sleep(3)
    before = switches()
    time.sleep(20)
    row("idle: wake-ups a second", f"{(switches() - before) / 20:.2f}", "1 (the tick)")


def main() -> int:
    probe = build_probe()
    with Host() as host:
        product.install(host)
        product.found_broker(host)
        host.send(probe, PROBE)
        host.run(["chmod", "755", PROBE])
        product.set_policy(host, product.policy("enforce"))
        print(f"{'':<58} {'measured':>24}   target")
        start(host)
        idle(host)
        unapproved_starts(host)
        revocations(host)
        memory(host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
