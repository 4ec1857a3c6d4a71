"""Every way into an account, with the real programs: dead at birth without an approval, alive with one.

The canary is a file that only an instruction of the support person's choosing could have made.
"""

import pytest
from conftest import CANARY
from testhost import product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"
PASSWORD = "correct horse battery"


def ssh_command(host, account):
    host.ssh(account, "touch", CANARY)


def ssh_shell(host, account):
    login = host.login(account)
    login.say(f"touch {CANARY}; exit")
    login.wait(20)
    login.close()


def sftp(host, account):
    host.run(["sftp", "-q", "-b", "-", f"{account}@127.0.0.1"], stdin=f"put /etc/hostname {CANARY}\n", check=False)


def scp(host, account):
    host.run(["scp", "-q", "/etc/hostname", f"{account}@127.0.0.1:{CANARY}"], check=False)


def scp_legacy(host, account):
    host.run(["scp", "-q", "-O", "/etc/hostname", f"{account}@127.0.0.1:{CANARY}"], check=False)


def tunnel(host, account):
    """No program is executed: sshd itself acts as the account. The canary is made when bytes come through."""
    forwarded_by(host, account, "-L", "127.0.0.1:9022:127.0.0.1:22")


def tunnel_back(host, account):
    forwarded_by(host, account, "-R", "127.0.0.1:9022:127.0.0.1:22")


def tunnel_socks(host, account):
    forwarded_by(host, account, "-D", "127.0.0.1:9022")


def forwarded_by(host, account, *how: str):
    login = host.login(account, options=["-N", "-o", "ExitOnForwardFailure=yes", *how])
    # By SOCKS the address is asked for (RFC 1928: no authentication, CONNECT, IPv4), and two answers come first.
    ask = r'printf "\5\1\0\5\1\0\1\177\0\0\1\0\26" >&3; head -c 12 <&3 >/dev/null; ' if how[0] == "-D" else ""
    through = f"timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9022; {ask}head -c 4 <&3' 2>/dev/null"
    try:
        wait_for(lambda: login.over() or host.run(through, check=False).out == "SSH-", 10, "the tunnel or its end")
        if host.run(through, check=False).out == "SSH-":
            host.run(["touch", CANARY])
    finally:
        login.close()


def su(host, account):
    host.run(["su", account, "-c", f"touch {CANARY}"], check=False)


def su_login(host, account):
    host.run(["su", "-", account, "-c", f"touch {CANARY}"], check=False)


def su_from_tenant(host, account):
    host.ssh("alice", "sudo", "su", account, "-c", f"'touch {CANARY}'")


def sudo(host, account):
    host.run(["sudo", "-u", account, "touch", CANARY], check=False)


def sudo_from_tenant(host, account):
    host.ssh("alice", "sudo", "-u", account, "touch", CANARY)


def su_with_a_password(host, account):
    """From another account, as people do it: nothing of it is root's but su itself."""
    host.run(["chpasswd"], stdin=f"{account}:{PASSWORD}\n")
    host.ssh("alice", "su", account, "-c", f"'touch {CANARY}'", stdin=f"{PASSWORD}\n")


def runuser(host, account):
    host.run(["runuser", "-u", account, "--", "touch", CANARY], check=False)


def setpriv(host, account):
    host.run(["setpriv", "--reuid", account, "--regid", account, "--clear-groups", "touch", CANARY], check=False)


def setpriv_in_pid_namespace(host, account):
    host.run(["unshare", "-pf", "setpriv", "--reuid", account, "--clear-groups", "touch", CANARY], check=False)


def cron(host, account):
    """A @reboot job: cron runs it as soon as it starts, the same way as any other."""
    host.write("/etc/cron.d/support", f"@reboot {account} touch {CANARY}\n")
    host.run("rm -f /run/crond.reboot && systemctl restart cron")


def at(host, account):
    """A job file as `at` leaves it, due: atd looks at it when it starts."""
    uid, gid = host.run(f"id -u {account}; id -g {account}").out.split()
    host.run(f"systemctl stop atd && cd /tmp && echo touch {CANARY} | at now && cd /var/spool/cron/atjobs && "
             f"sed -i 's/^# atrun uid=0 gid=0/# atrun uid={uid} gid={gid}/' a* && chown {account} a* && "
             "systemctl start atd")


def console(host, account):
    """agetty and login, as on a serial line; the person types until somebody listens."""
    host.run(f"for i in $(seq 100); do echo 'touch {CANARY}; exit'; sleep 0.2; done | "
             f"timeout 30 script -qec 'setsid -c -w agetty -a {account} - linux' /dev/null", check=False)


def set_user_id(host, account):
    """A program of the account's own that anybody may run."""
    host.run(f"install -o {account} -m 4755 /usr/bin/touch /usr/local/bin/touch-as")
    host.ssh("alice", "touch-as", CANARY)


def machinectl_shell(host, account):
    # Its terminal goes with the end of its input: that is held until the program has been started.
    host.run(f"sleep 3 | timeout 20 machinectl -q shell {account}@ /usr/bin/touch {CANARY}", check=False)


def systemd_run(host, account):
    host.run(["systemd-run", "-q", "--wait", f"--uid={account}", "touch", CANARY], check=False)


WAYS = [(ssh_command, "sshd"), (ssh_shell, "sshd"), (sftp, "sshd"), (scp, "sshd"), (scp_legacy, "sshd"),
        (tunnel, "sshd"), (tunnel_back, "sshd"), (tunnel_socks, "sshd"), (su, "su"), (su_login, "su"), (su_from_tenant, "su"), (sudo, "sudo"),
        (sudo_from_tenant, "sudo"), (cron, "cron"), (setpriv, "other"), (setpriv_in_pid_namespace, "other"),
        (systemd_run, "systemd"), (machinectl_shell, "systemd"), (at, "at"),
        (console, "login"), (su_with_a_password, "su"), (runuser, "other"), (set_user_id, "other")]
ADMITTED = ("sshd", "su", "sudo", "login")  # require.entries of the policy under test


def by_name(ways):
    return [pytest.param(way, entry, id=way.__name__) for way, entry in ways]


@pytest.mark.parametrize("way, entry", by_name(WAYS))
def test_dead_at_birth_without_an_approval(host, denied, way, entry):
    way(host, NEVER_APPROVED)
    entries = denied(account=NEVER_APPROVED, entry=entry)
    assert not host.exists(CANARY)
    assert {line["ESCORT_REASON"] for line in entries} == {"no_approval"}
    assert {line["ESCORT_VERDICT"] for line in entries} == {"denied"}
    wait_for(lambda: not product.sessions(host, NEVER_APPROVED), 5, "the session's end")
    assert not host.processes(NEVER_APPROVED)


@pytest.mark.parametrize("way, entry", by_name([each for each in WAYS if each[1] in ADMITTED]))
def test_alive_with_an_approval(host, denied, way, entry):
    approval = product.approve(host, ACCOUNT)
    way(host, ACCOUNT)
    wait_for(lambda: host.exists(CANARY), 5, "the canary")
    opened = denied(event="session_approved", account=ACCOUNT, entry=entry)
    assert {line["ESCORT_APPROVAL"] for line in opened} == {approval}
    assert {line["ESCORT_ENGINEER"] for line in opened} == {"eng-42"}
    assert {line["ESCORT_TICKET"] for line in opened} == {"INC0000001"}


@pytest.mark.parametrize("way, entry", by_name([each for each in WAYS if each[1] not in ADMITTED]))
def test_no_job_rides_on_an_engineers_window(host, denied, way, entry):
    product.approve(host, ACCOUNT)
    way(host, ACCOUNT)
    entries = denied(account=ACCOUNT, entry=entry)
    assert not host.exists(CANARY)
    assert {line["ESCORT_REASON"] for line in entries} == {"entry_denied"}


@pytest.mark.parametrize("account", ["azsupport", "vendor-two"])
def test_named_and_globbed_accounts_are_principals(host, denied, account):
    assert not host.ssh(account, "touch", CANARY).ok
    denied(account=account)
    assert not host.exists(CANARY)


@pytest.mark.parametrize("account", ["alice", "root"])
def test_everybody_else_comes_in(host, account):
    assert host.ssh(account, "touch", CANARY).ok
    assert host.exists(CANARY)
    assert not host.journal("session_denied", account=account)


def test_next_approved_login_works_after_many_denied_ones(host):
    for _ in range(8):
        assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)
    product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "touch", CANARY).ok
    assert host.exists(CANARY)
