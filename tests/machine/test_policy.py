"""Policies on a live host: watched only, refused as a whole, explained."""

import subprocess

from conftest import CANARY
from testhost import product

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"


def test_observe_touches_nothing_and_says_what_it_would_have_done(host, denied):
    product.set_policy(host, product.policy("observe"))
    assert host.ssh(NEVER_APPROVED, "touch", CANARY).ok
    assert host.exists(CANARY)
    seen = denied(account=NEVER_APPROVED, verdict="observed")
    assert {line["ESCORT_REASON"] for line in seen} == {"no_approval"}
    assert {line["ESCORT_MODE"] for line in seen} == {"observe"}
    assert not host.journal("session_killed", session=seen[0]["ESCORT_SESSION"])


def test_observe_leaves_a_session_past_its_end_alone(host):
    product.set_policy(host, product.policy("observe"))
    approval = product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "cat")
    product.revoke(host, approval)
    login.say("still here")
    assert login.process.stdout.readline() == "still here\n"
    login.close()


def test_a_refused_policy_fails_the_reload_and_changes_nothing(host):
    before = host.ask("status")["policy"]["sha256"]
    host.write(product.POLICY, product.policy("refused"))
    reload = host.run(["systemctl", "reload", "escortd"], check=False)
    assert not reload.ok
    log = host.run(["journalctl", "-q", "-u", "escortd", "-o", "cat", "-n", "20", "--no-pager"]).out
    assert f"{product.POLICY}:6:3: error:" in log
    by_hand = host.escortctl("reload", check=False)
    assert by_hand.code == 1
    assert f"{product.POLICY}:6:3: error:" in by_hand.out + by_hand.err
    status = host.ask("status")
    assert status["policy"]["sha256"] == before
    assert status["policy"]["error"]
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)
    assert host.journal("policy_refused")


def test_the_last_good_policy_outlives_a_restart(host):
    before = host.ask("status")["policy"]["sha256"]
    host.write(product.POLICY, product.policy("refused"))
    host.run("systemctl restart escortd")
    assert host.ask("status")["policy"]["sha256"] == before
    assert not host.ssh(ACCOUNT, "touch", CANARY).ok
    assert not host.exists(CANARY)


def test_an_emptied_folder_counts_as_refused(host):
    host.run(f"mkdir -p /root/aside && mv {product.POLICY} {product.EXAMPLE} /root/aside/")
    try:
        assert host.escortctl("reload", check=False).code == 1
        assert not host.ssh(ACCOUNT, "touch", CANARY).ok
        assert not host.exists(CANARY)
    finally:
        host.run("mv /root/aside/*.yaml /etc/escortd/policies.d/")


def test_policy_check_needs_no_daemon_and_no_privileges(host):
    good = host.ssh("alice", "escortctl", "policy", "check", product.POLICY)
    assert good.ok, good.err
    host.write("/tmp/refused.yaml", product.policy("refused"))
    bad = host.ssh("alice", "escortctl", "policy", "check", "/tmp/refused.yaml")
    assert bad.code == 1
    assert "/tmp/refused.yaml:6:3: error:" in bad.out + bad.err


def test_the_example_is_valid_and_only_watches(host):
    assert host.escortctl("policy", "check", product.EXAMPLE).ok
    assert "\nmode: observe" in host.read(product.EXAMPLE)


def test_explain_says_what_a_login_then_gets(host):
    before = host.ask("explain", NEVER_APPROVED)
    assert (before["verdict"], before["reason"]) == ("denied", "no_approval")
    assert host.escortctl("explain", NEVER_APPROVED, check=False).code == 1
    assert not host.ssh(NEVER_APPROVED, "true").ok
    approval = product.approve(host, ACCOUNT)
    after = host.ask("explain", ACCOUNT)
    assert (after["verdict"], after["reason"], after["approval"]) == ("approved", "approved", approval)
    assert host.escortctl("explain", ACCOUNT, check=False).code == 0
    assert host.ssh(ACCOUNT, "true").ok


def test_an_exempt_unit_may_switch_to_the_account(host, denied):
    text = product.policy("enforce") + "exempt:\n  - {unit: dotfiles.service, accounts: [azsupport]}\n"
    product.set_policy(host, text)
    switch = ["setpriv", "--reuid", ACCOUNT, "--clear-groups", "touch", CANARY]
    assert host.run(["systemd-run", "-q", "--wait", "--unit=dotfiles", *switch], check=False).ok
    assert host.exists(CANARY)
    host.run(["rm", CANARY])
    assert not host.run(["systemd-run", "-q", "--wait", "--unit=other", *switch], check=False).ok
    assert not host.exists(CANARY)
    denied(account=ACCOUNT, entry="systemd")


def test_nobody_slips_in_while_policies_are_loaded(host):
    """Rules are changed at once: an intruder who tries all the time finds no moment without them."""
    host.run("rm -f /tmp/tried && touch /tmp/go")
    intruder = host.popen(f"while [ -e /tmp/go ]; do setpriv --reuid={NEVER_APPROVED} --clear-groups touch /tmp/canary; "
                          "echo >>/tmp/tried; done", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for policy in ("enforce", "gate_unbound", "operator", "enforce") * 5:
            product.set_policy(host, product.policy(policy))
    finally:
        host.run(["rm", "-f", "/tmp/go"])
        intruder.wait(20)
    assert int(host.run("wc -l </tmp/tried").out) > 20, "it hardly tried"
    assert not host.exists("/tmp/canary")
