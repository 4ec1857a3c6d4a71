"""tools/bench: boots a test host, installs the package, measures what the README promises, prints a table.

Nothing is asserted: the machine is noisy. The targets stand beside the figures for whoever reads them.
"""

import json
import shlex
import statistics
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
PROBE = "/usr/local/bin/probe"
STARTS = 10_000
REVOCATIONS = 20
PROCESSES = 50
QUESTIONS = 1000
LOGINS = 50  # with the gate, and as many without, of two accounts: 200
WINDOWS = 100
FROZEN = 200
FREEZES = 20
FOUND = 5
LIVE = 1000
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


def found(host: Host) -> None:
    """threats.md I11: sessions that were there before the daemon, with no kernel program attached."""
    took = []
    for _ in range(FOUND):
        host.run("systemctl stop escortd; rm -rf /sys/fs/bpf/escortd")
        left = host.popen(["setpriv", "--reuid", ACCOUNT, "--clear-groups", "sleep", "9000"])
        wait_for(lambda: sleepers(host), 10, "a session from before")
        begin = host.journal_end()
        host.run("systemctl start escortd")
        left.wait(10)
        killed = wait_for(lambda: host.journal("session_killed", after=begin), 10, "its entry")[0]
        started = host.run("systemctl show escortd -P ActiveEnterTimestampMonotonic").out
        took.append((int(killed["__MONOTONIC_TIMESTAMP"]) - int(started)) / 1000)
    row(f"a session from before the start, from ready to told of its end, median of {FOUND}",
        f"{statistics.median(took):.0f} ms", "the same as any: 20 ms")


def idle(host: Host) -> None:
    def switches() -> int:
        text = host.run(f"grep ^voluntary_ctxt /proc/{daemon(host)}/status").out
        return int(text.split()[1])
    time.sleep(3)
    before = switches()
    time.sleep(20)
    row("idle: wake-ups a second", f"{(switches() - before) / 20:.2f}", "1 (the tick)")


def gate_answers(host: Host) -> None:
    """The daemon's side of a login: a question to the gate socket, with the asker's own pidfd, to the answer."""
    product.approve(host, ACCOUNT)
    host.write("/root/ask_gate.py", (REPO / "tests/bench/ask_gate.py").read_text(encoding="utf-8"))
    took = json.loads(host.run(["python3", "/root/ask_gate.py", ACCOUNT, str(QUESTIONS)], timeout=120).out)
    row(f"gate: {QUESTIONS} answers, p50 / p99", f"{took['p50_us'] / 1000:.2f} / {took['p99_us'] / 1000:.2f} ms",
        "p99 below 5 ms")


def gate_logins(host: Host) -> None:
    """The same tenant's and support account's logins, with the module in the PAM stacks and without, in turn."""
    stacks = ("common-auth", "common-account", "common-session", "common-session-noninteractive")
    for which, edit in (("with", "cat"), ("without", "grep -v pam_escort")):
        host.run(f"mkdir -p /root/pam-{which} && cd /etc/pam.d && " +
                 " && ".join(f"{edit} {stack} >/root/pam-{which}/{stack}" for stack in stacks))
    took: dict[str, list[float]] = {}
    try:
        for _ in range(LOGINS):
            for which in ("with", "without"):
                host.run(f"cp /root/pam-{which}/* /etc/pam.d/")
                for account in ("alice", ACCOUNT):
                    begin = time.monotonic()
                    login = host.ssh(account, "true")
                    assert login.ok, f"{account} {which}: {login.err}"
                    took.setdefault(f"{account} {which}", []).append(time.monotonic() - begin)
    finally:
        host.run("cp /root/pam-with/* /etc/pam.d/")
    for account in ("alice", ACCOUNT):
        ratio = statistics.median(took[f"{account} with"]) / statistics.median(took[f"{account} without"])
        row(f"{2 * LOGINS} ssh logins of {account}, half with the gate: medians' ratio", f"{ratio:.3f}", "at most 1.05")


def window_verdicts(host: Host) -> None:
    """admission: window, and no gate: from the session's first instant in the kernel to the daemon's verdict."""
    product.approve(host, ACCOUNT)
    begin = host.journal_end()
    host.run(f"cp /etc/pam.d/su /root/su.pam && printf 'auth sufficient pam_rootok.so\\nauth required pam_deny.so\\n"
             f"account required pam_permit.so\\nsession required pam_permit.so\\n' >/etc/pam.d/su")
    try:
        for _ in range(WINDOWS):
            host.run(["su", ACCOUNT, "-c", "true"])
    finally:
        host.run("cp /root/su.pam /etc/pam.d/su")
    took = sorted(int(each["ESCORT_LATENCY_US"]) / 1000
                  for each in host.journal("session_approved", after=begin, account=ACCOUNT))
    row(f"verdict after a window admission, {len(took)} times: p50 / p99",
        f"{took[len(took) // 2]:.2f} / {took[int(len(took) * 0.99)]:.2f} ms", "p99 below 10 ms")


def freezes(host: Host) -> None:
    approval = product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, f"for i in $(seq {FROZEN - 2}); do sleep 9001 & done; wait", options=("-T",))
    wait_for(lambda: len(host.run(["pgrep", "-U", ACCOUNT, "-x", "sleep"], check=False).out.split()) >= FROZEN - 2, 60,
             "the session's processes")
    name = next(each["id"] for each in host.ask("sessions") if each["approval"] == approval)
    took = []
    for _ in range(FREEZES):
        took.append(json.loads(host.escortctl("freeze", name, "--json").out)["elapsed_us"] / 1000)
        host.escortctl("thaw", name)
    took.sort()
    row(f"freeze of {FROZEN} processes, {FREEZES} times: p50 / longest", f"{took[len(took) // 2]:.1f} / {took[-1]:.1f} ms",
        "p99 below 100 ms")
    product.revoke(host, approval)
    login.close()


def rejudging(host: Host) -> None:
    """CPU time of the daemon for a new list of 1,000 approvals, with live sessions and without."""
    broker = Broker(host, key=product.KEY)
    product.set_policy(host, product.policy("enforce").replace("entries: [sshd, login, su, sudo]",
                                                               "entries: [sshd, su]"))
    broker.approvals = [broker.approval(ACCOUNT, f"eng-{i}", max_sessions=1) for i in range(LIVE)]
    broker.publish()

    def cost() -> float:
        def spent() -> int:
            return int(host.run(["cat", f"/proc/{daemon(host)}/schedstat"]).out.split()[0])
        costs = []
        for _ in range(5):
            before = spent()
            broker.publish()
            costs.append((spent() - before) / 1e6)
        return sorted(costs)[2]
    without = cost()
    # By a program of the name su, without PAM: a thousand logins would take minutes.
    host.run(f"mkdir -p /root/bin && cp {PROBE} /root/bin/su && setsid /root/bin/su hold {LIVE} $(id -u {ACCOUNT}) "
             ">/dev/null 2>&1 </dev/null", timeout=120)
    live = wait_for(lambda: (n := host.ask("status")["sessions"]) and n > LIVE * 0.95 and n, 120, "the live sessions")
    row(f"a new list of {LIVE} approvals with {live} live sessions: CPU of the daemon more than without",
        f"{cost() - without:.1f} ms", "below 50 ms")
    broker.withdraw()


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
        found(host)
        idle(host)
        unapproved_starts(host)
        revocations(host)
        gate_answers(host)
        gate_logins(host)
        window_verdicts(host)
        freezes(host)
        memory(host)
        rejudging(host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
