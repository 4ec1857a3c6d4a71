"""Documents that must not open a door: for somebody else, from another time, or from the past."""

import json
import time

import pytest
from conftest import CANARY
from testhost import product
from testhost.guest import wait_for

ACCOUNT = "azsupport"
NEVER_APPROVED = "vendor-new"
ISSUER = "https://broker.example.gov"


def approvals(host, seq: int, *entries: dict, audience: str = "", exp: int = 3600, iat: int = 0) -> dict:
    now = int(host.run(["date", "+%s"]).out)
    return {"iss": ISSUER, "aud": audience or f"host:{host.machine_id}", "iat": now + iat, "exp": now + exp,
            "seq": seq, "approvals": [{"nbf": now - 3600, "exp": now + 3600, "engineer": {"id": "eng-7"}} | entry
                                      for entry in entries]}


def signed(host, payload: dict) -> str:
    """The compact JWS; a JSON text is YAML too."""
    host.write("/root/list.yaml", json.dumps(payload))
    return host.escortctl("document", "sign", "--key", product.KEY, "--type", "approvals", "/root/list.yaml").out


def drop(host, document: str, name: str) -> None:
    """Into the spool by rename, as a courier does."""
    host.write(f"{product.SPOOL}/.{name}", document)
    host.run(["mv", f"{product.SPOOL}/.{name}", f"{product.SPOOL}/{name}.jws"])


@pytest.fixture
def seq() -> int:
    """Grows from test to test, as lists of one identity must."""
    return time.time_ns() // 1_000_000


@pytest.fixture
def since(host):
    begin = host.journal_end()

    def wait(event: str) -> list[dict]:
        return wait_for(lambda: host.journal(event, after=begin), 10, event)
    return wait


@pytest.fixture(autouse=True)
def withdrawn(host):
    """Afterwards an empty list of this issuer is in force."""
    yield
    drop(host, signed(host, approvals(host, time.time_ns() // 1_000_000)), "withdrawn")
    wait_for(lambda: not product.approvals_in_force(host, ACCOUNT), 10, "no approval in force")


def refused(host, account: str = ACCOUNT) -> None:
    assert not host.ssh(account, "touch", CANARY).ok
    assert not host.exists(CANARY)


def test_a_signed_list_in_the_spool_opens_the_door(host, seq, since):
    drop(host, signed(host, approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT})), "good")
    accepted = since("document_accepted")
    assert (accepted[0]["ESCORT_ISSUER"], accepted[0]["ESCORT_SEQ"]) == (ISSUER, str(seq))
    assert host.ssh(ACCOUNT, "touch", CANARY).ok
    assert host.exists(CANARY)


def test_approval_for_another_account(host, seq, since, denied):
    drop(host, signed(host, approvals(host, seq, {"jti": f"apr-{seq}", "account": "vendor-two"})), "account")
    since("document_accepted")
    refused(host, NEVER_APPROVED)
    assert denied(account=NEVER_APPROVED)[0]["ESCORT_REASON"] == "no_approval"


def test_list_for_another_host(host, seq, since, denied):
    payload = approvals(host, seq, {"jti": f"apr-{seq}", "account": NEVER_APPROVED}, audience="host:i-another")
    drop(host, signed(host, payload), "aud")
    since("document_refused")
    refused(host, NEVER_APPROVED)
    assert denied(account=NEVER_APPROVED)[0]["ESCORT_REASON"] == "no_approval"


def test_expired_approval(host, seq, since, denied):
    past = int(host.run(["date", "+%s"]).out) - 10
    payload = approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT, "nbf": past - 60, "exp": past})
    drop(host, signed(host, payload), "expired")
    since("document_accepted")
    refused(host)
    assert denied(account=ACCOUNT, entry="sshd")[0]["ESCORT_REASON"] == "expired"


def test_approval_of_tomorrow(host, seq, since, denied):
    later = int(host.run(["date", "+%s"]).out) + 3000
    payload = approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT, "nbf": later, "exp": later + 60})
    drop(host, signed(host, payload), "tomorrow")
    since("document_accepted")
    refused(host)
    assert denied(account=ACCOUNT, entry="sshd")[0]["ESCORT_REASON"] == "not_yet_valid"


def test_expired_list(host, seq, since):
    payload = approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT}, iat=-7200, exp=-3600)
    drop(host, signed(host, payload), "stale")
    since("document_refused")
    refused(host)


def test_replay_of_an_older_list(host, seq, since, denied):
    older = signed(host, approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT}))
    drop(host, older, "one")
    since("document_accepted")
    assert host.ssh(ACCOUNT, "true").ok
    drop(host, signed(host, approvals(host, seq + 1)), "two")
    wait_for(lambda: not product.approvals_in_force(host, ACCOUNT), 10, "the newer list")
    drop(host, older, "again")
    assert since("document_refused")[0]["ESCORT_SEQ"] == str(seq)
    refused(host)
    # Nor after a restart: what was accepted is remembered.
    host.run("systemctl restart escortd")
    refused(host)
    assert denied(account=ACCOUNT, entry="sshd")[-1]["ESCORT_REASON"] == "revoked"


def test_same_sequence_number_with_other_content(host, seq, since):
    drop(host, signed(host, approvals(host, seq)), "one")
    since("document_accepted")
    drop(host, signed(host, approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT})), "two")
    since("document_refused")
    refused(host)


def test_key_that_nobody_trusts(host, seq, since):
    host.run("rm -f /root/stranger.*")
    host.escortctl("keygen", "/root/stranger")
    host.write("/root/list.yaml", json.dumps(approvals(host, seq, {"jti": f"apr-{seq}", "account": ACCOUNT})))
    document = host.escortctl("document", "sign", "--key", "/root/stranger.key", "--type", "approvals",
                              "/root/list.yaml").out
    drop(host, document, "stranger")
    since("document_refused")
    refused(host)


@pytest.mark.parametrize("content", ["", "not.a.jws", "x" * 100_000, "\x80\x81"], ids=["empty", "dots", "long", "bytes"])
def test_garbage_in_the_spool(host, since, content):
    drop(host, content, "garbage")
    assert "garbage" in since("document_refused")[0]["MESSAGE"]
    refused(host)
    assert host.escortctl("status", check=False).code in (0, 1)


def test_revoked_approval_never_grants_again(host, seq, denied):
    entry = {"jti": f"apr-{seq}", "account": ACCOUNT}
    drop(host, signed(host, approvals(host, seq, entry)), "one")
    wait_for(lambda: product.approvals_in_force(host, ACCOUNT), 10, "the approval")
    drop(host, signed(host, approvals(host, seq + 1) | {"revoked": [f"apr-{seq}"]}), "two")
    wait_for(lambda: not product.approvals_in_force(host, ACCOUNT), 10, "the revocation")
    drop(host, signed(host, approvals(host, seq + 2, entry)), "three")
    refused(host)
    assert denied(account=ACCOUNT, entry="sshd")[0]["ESCORT_REASON"] == "revoked"
