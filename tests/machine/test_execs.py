"""What a session runs is in the journal, whoever it runs as; what is over its budget is counted; nothing of tenants."""

import pytest
from testhost import product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
SCRIPT = "/usr/local/bin/job"
DASH = "/usr/bin/dash"


def recording(**keys) -> str:
    rules = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return product.policy("enforce") + (f"record: {{{rules}}}\n" if rules else "")


@pytest.fixture
def ran(host):
    """The entries of programs that the account's sessions started since the test began, once these are there."""
    begin = host.journal_end()

    def entries(*paths: str) -> list[dict]:
        def started() -> list[dict]:
            return host.journal("session_exec", after=begin, account=ACCOUNT)
        if paths:
            wait_for(lambda: set(paths) <= {each.get("ESCORT_EXE") for each in started()}, 10, f"records of {paths}")
        return started()
    entries.begin = begin
    return entries


def of(entries: list[dict], path: str) -> dict:
    return next(each for each in entries if each["ESCORT_EXE"] == path)


def test_every_program_with_its_place_and_uid(host, ran):
    host.write(SCRIPT, "#!/bin/sh\nexit 0\n", 0o755)
    jti = product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, f"cd /usr/share && /bin/ls . >/dev/null && {SCRIPT}").ok
    entries = ran("/usr/bin/ls", DASH)
    uid = host.run(["id", "-u", ACCOUNT]).out.strip()
    ls = of(entries, "/usr/bin/ls")
    assert ls["ESCORT_CWD"] == "/usr/share"
    assert ls["ESCORT_UID"] == ls["ESCORT_EUID"] == uid
    assert ls["ESCORT_APPROVAL"] == jti
    assert ls["ESCORT_ENGINEER"] == "eng-42"
    assert ls["ESCORT_SESSION"] and ls["ESCORT_ENTRY"] == "sshd"
    assert int(ls["OBJECT_PID"]) > 0
    assert abs(int(ls["ESCORT_AT"]) - int(ls["__REALTIME_TIMESTAMP"])) < 10_000_000
    assert "ESCORT_ROSE" not in ls
    assert not any("ESCORT_ARGUMENTS" in each for each in entries), "off by default"
    assert SCRIPT in [each.get("ESCORT_SCRIPT") for each in entries]
    assert {each["ESCORT_SESSION"] for each in entries} == {ls["ESCORT_SESSION"]}


def test_sudo_is_a_rise_and_what_it_runs_is_recorded(host, ran):
    product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "sudo", "/usr/bin/id").out.startswith("uid=0")
    entries = ran("/usr/bin/sudo", "/usr/bin/id")
    sudo, command = of(entries, "/usr/bin/sudo"), of(entries, "/usr/bin/id")
    assert sudo["ESCORT_ROSE"] == "1"
    assert sudo["ESCORT_EUID"] == "0"
    assert sudo["ESCORT_UID"] != "0"
    assert sudo["PRIORITY"] == "5"
    assert command["ESCORT_UID"] == command["ESCORT_EUID"] == "0"
    assert command["ESCORT_SESSION"] == sudo["ESCORT_SESSION"]


def test_arguments_where_the_policy_asks_for_them(host, ran):
    product.set_policy(host, recording(arguments="true"))
    product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "/usr/bin/printf '%s\\n' 'two words' $'a\\tb'").ok
    entry = of(ran("/usr/bin/printf"), "/usr/bin/printf")
    assert entry["ESCORT_ARGUMENTS"] == r"/usr/bin/printf '%s\n' 'two words' 'a\x09b'"


def test_over_the_budget_is_counted_with_the_sessions_name(host, ran):
    product.set_policy(host, recording(exec_per_minute=20))
    product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "for i in $(seq 100); do /bin/true; done").ok
    dropped = wait_for(lambda: host.journal("events_dropped", after=ran.begin, account=ACCOUNT), 10, "the count")
    wait_for(lambda: not product.sessions(host, ACCOUNT), 10, "the session's end")
    entries = ran()
    dropped = host.journal("events_dropped", after=ran.begin, account=ACCOUNT)
    assert 10 < len(entries) <= 40, "the login's own first programs came before the verdict"
    assert len(entries) + sum(int(each["ESCORT_DROPPED"]) for each in dropped) >= 100
    assert {each["ESCORT_SESSION"] for each in dropped} == {entries[0]["ESCORT_SESSION"]}


@pytest.fixture
def strict_journald(host):
    """One that takes a few lines of a unit in half a minute."""
    conf = "/run/systemd/journald.conf.d/zz-tests.conf"
    host.write(conf, "[Journal]\nRateLimitIntervalSec=30s\nRateLimitBurst=2\n")
    host.run("systemctl restart systemd-journald")
    yield
    host.run(f"rm {conf} && systemctl restart systemd-journald")


def test_journald_limits_others_not_the_trail(host, ran, strict_journald):
    """Or many execs push a verdict out: journald counts by unit, and says nothing of what it left out."""
    product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "for i in $(seq 300); do /bin/true; done").ok
    wait_for(lambda: len(host.journal("session_exec", after=ran.begin, account=ACCOUNT)) >= 300, 10, "every record")


def test_off_is_off(host, ran):
    product.set_policy(host, recording(exec_per_minute=0))
    product.approve(host, ACCOUNT)
    assert host.ssh(ACCOUNT, "/bin/ls / >/dev/null").ok
    wait_for(lambda: host.journal("session_ended", after=ran.begin, account=ACCOUNT), 10, "the session's end")
    assert ran() == []
    assert not host.journal("events_dropped", after=ran.begin)


def test_watched_only_is_recorded_and_tenants_never(host, ran):
    product.set_policy(host, product.policy("observe"))
    assert host.ssh("alice", "/usr/bin/uptime").ok
    assert host.ssh(ACCOUNT, "/bin/ls / >/dev/null").ok
    entries = ran("/usr/bin/ls")
    assert "ESCORT_APPROVAL" not in of(entries, "/usr/bin/ls")
    everything = host.journal("session_exec", after=ran.begin)
    assert {each["ESCORT_ACCOUNT"] for each in everything} == {ACCOUNT}
