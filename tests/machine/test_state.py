"""State, settings and keys that can't be read: the agent starts all the same, admits nobody by what it doesn't know, and says so.

A start that failed would leave the host open once it has booted anew: nothing is pinned then, and the gate knows nobody.
"""

import pytest
from conftest import CANARY
from testhost import product
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT, NEVER_APPROVED = "azsupport", "vendor-new"
STATE = "/var/lib/escortd/state"
SETTINGS = "/etc/escortd/escortd.yaml"
PINS = "/sys/fs/bpf/escortd"


@pytest.fixture(autouse=True)
def as_it_was(host, fresh):
    host.run(f"rm -rf /root/state && cp -a {STATE} /root/state && cp -a {SETTINGS} /root/settings && cp -a /etc/escortd/trust.d /root/")
    yield
    host.run(f"cp -a /root/settings {SETTINGS} && rm -rf /etc/escortd/trust.d && mv /root/trust.d /etc/escortd/ && systemctl restart escortd")
    product.wait_for_daemon(host)


def boot_with(host, change: str) -> None:
    """What a reboot leaves: no pinned programs, an empty run folder. The daemon starts on what `change` has made."""
    host.run("systemctl stop escortd")
    host.run(f"rm -rf {PINS} /run/escortd/principals /run/escortd/running && {change} && systemd-tmpfiles --create --prefix=/run/escortd escortd.conf")
    host.run("systemctl start escortd", timeout=60)
    product.wait_for_daemon(host)


def conditions(host) -> dict[str, dict]:
    return {each["what"]: each for each in host.ask("status")["degraded"]}


def gets_in(host, account: str, command: str = "ssh {}@127.0.0.1 touch /tmp/canary") -> bool:
    host.run(["rm", "-f", CANARY])
    host.run(command.format(account), check=False)
    return host.exists(CANARY)


def nobody_of_support_gets_in(host) -> None:
    for account in (ACCOUNT, NEVER_APPROVED):
        assert not gets_in(host, account) and not gets_in(host, account, "setpriv --reuid={} --clear-groups touch /tmp/canary")
    assert gets_in(host, "alice")


@pytest.mark.parametrize("file", ["ledger.json", "denials.json", "trusted_time.json"])
def test_a_damaged_memory_of_documents(host, file):
    product.approve(host, ACCOUNT)
    assert gets_in(host, ACCOUNT)
    host.escortctl("deny", "engineer", "eng-nobody")
    boot_with(host, f"cp {STATE}/{file} /root/{file} && echo '{{' >{STATE}/{file}")
    nobody_of_support_gets_in(host)
    told = conditions(host)["state: documents"]
    assert file in told["why"] and "no approval counts" in told["why"] and "operations.md" in told["hint"], told
    assert host.run(["cat", f"{STATE}/{file}"]).out == "{\n", "what is damaged is left for a person to look at"
    boot_with(host, f"cp /root/{file} {STATE}/{file}")
    assert "state: documents" not in conditions(host)
    assert gets_in(host, ACCOUNT), "the approval is in force again"
    host.escortctl("undeny", "engineer", "eng-nobody")


def test_documents_wait_until_the_memory_is_put_right(host):
    boot_with(host, f"mv {STATE}/ledger.json /root/ledger.json && echo '{{' >{STATE}/ledger.json")
    product.sign(host, ACCOUNT, check=False, timeout=60)
    assert host.run(f"ls {product.SPOOL}").out.split(), "it waits in the spool"
    nobody_of_support_gets_in(host)
    boot_with(host, f"mv /root/ledger.json {STATE}/ledger.json")
    wait_for(lambda: gets_in(host, ACCOUNT), 10, "the document that waited to count")


def test_a_damaged_memory_of_sessions(host, denied):
    """They are judged afresh: what the gate once cleared can't be proven any more."""
    product.set_policy(host, product.policy("gate_unbound"))
    product.approve(host, ACCOUNT)
    login = host.login(ACCOUNT, "cat")
    wait_for(lambda: product.sessions(host, ACCOUNT), 10, "the session")
    begin = host.journal_end()
    host.run(f"systemctl stop escortd && echo '{{' >{STATE}/sessions.json && systemctl start escortd")
    product.wait_for_daemon(host)
    told = wait_for(lambda: [each for each in host.journal("agent_degraded", after=begin) if "sessions.json" in each["MESSAGE"]], 10, "its word")
    assert "judged afresh" in told[0]["MESSAGE"] and host.exists(f"{STATE}/sessions.json.unread")
    assert "state: sessions" not in conditions(host), "it has been written anew"
    assert denied("session_killed")[0]["ESCORT_REASON"] == "ungated"
    assert gets_in(host, ACCOUNT) and not gets_in(host, NEVER_APPROVED)
    login.close()


def test_invalid_settings(host):
    """Those of the last start that had valid ones count: as with policies, a bad push changes nothing."""
    host.write(SETTINGS, "version: 1\nhost_id: i-0abc\n")
    host.run("systemctl restart escortd")
    boot_with(host, f"echo 'versoin: 1' >{SETTINGS}")
    nobody_of_support_gets_in(host)
    assert host.ask("status")["host_id"] == "i-0abc"
    told = conditions(host)["settings"]
    assert SETTINGS in told["why"] and "--check" in told["hint"], told
    host.write(SETTINGS, "version: 1\n")
    host.run("systemctl restart escortd")
    assert "settings" not in conditions(host)


def test_no_folder_of_keys(host):
    product.approve(host, ACCOUNT)
    boot_with(host, "rm -rf /etc/escortd/trust.d")
    nobody_of_support_gets_in(host)
    assert "trust.d" in conditions(host)["trust"]["why"]
    host.run("cp -a /root/trust.d /etc/escortd/")
    host.escortctl("reload")
    assert gets_in(host, ACCOUNT), "what counted before counts again"


def test_documents_wait_for_keys(host):
    """Refused for want of a key they would be gone."""
    boot_with(host, "rm -rf /etc/escortd/trust.d")
    product.sign(host, ACCOUNT, check=False, timeout=60)
    assert host.run(f"ls {product.SPOOL}").out.split() and not gets_in(host, ACCOUNT)
    host.run("cp -a /root/trust.d /etc/escortd/")
    host.escortctl("reload")
    wait_for(lambda: gets_in(host, ACCOUNT), 10, "what has waited to count")


@pytest.mark.parametrize("damage", ["version: 1\npolicy: p\nprincpals: {}\n", "version: 1\npolicy: p\nbreak_glas: deny\n"])
def test_no_valid_policies_and_none_kept(host, damage):
    """Whom the last valid ones governed is refused, by the gate and by the kernel; nobody else notices."""
    host.write("/root/policy.aside", host.read(product.POLICY))
    try:
        boot_with(host, f"printf '{damage}' >{product.POLICY} && rm -rf {STATE}/policies")
        nobody_of_support_gets_in(host)
        assert "refused" in conditions(host)["policy"]["hint"]
        boot_with(host, "true")  # and again: what was known is not forgotten
        nobody_of_support_gets_in(host)
    finally:
        host.run(f"cp /root/policy.aside {product.POLICY}")
        host.escortctl("reload")
    product.approve(host, ACCOUNT)
    assert "policy" not in conditions(host) and gets_in(host, ACCOUNT)


def test_the_group_removed(host):
    """Its unit names the group: without it systemd could not start it."""
    boot_with(host, "groupdel escortd")
    nobody_of_support_gets_in(host)


def test_a_boot_without_the_daemon(host):
    """The gate knows support by the last boot's file, which systemd-tmpfiles puts there."""
    product.approve(host, ACCOUNT)
    host.run("systemctl stop escortd")
    host.run(f"rm -rf {PINS} /run/escortd/principals && systemd-tmpfiles --create --prefix=/run/escortd escortd.conf")
    try:
        refused = host.ssh(ACCOUNT, "touch", CANARY, options=("-o", "LogLevel=INFO"))
        assert "can't be checked on this host now" in refused.err and not host.exists(CANARY)
        assert gets_in(host, "alice") and gets_in(host, "root")
    finally:
        host.run("systemctl start escortd")
