"""Documents over HTTPS: from a real nginx with client certificates, and from servers that don't behave."""

import time

import pytest
from conftest import CANARY
from testhost import couriers, pki, product
from testhost.broker import Broker
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
ISSUER = "https://nginx.example.gov"
ODD = {"type": "https", "url": "https://127.0.0.1:9443/{host_id}", "ca": f"{pki.FOLDER}/broker.pem", "interval": "1s",
       "wait": "0s"}
MEMORY_KIB = 80 << 10  # at the worst moment


@pytest.fixture(scope="module", autouse=True)
def nginx(host):
    couriers.start_nginx(host)
    yield
    couriers.restore(host)
    couriers.stop(host, "broker-nginx")


@pytest.fixture
def broker(host):
    made = Broker(host, ISSUER, deliver=couriers.publish(couriers.FILES))
    made.publish(expect="")  # or the first request may come before there is anything, and its 404 stays the last error
    couriers.use(host, couriers.HTTPS)
    made.publish()
    yield made


def answers(host) -> list[str]:
    """What nginx has answered: "200 CN=client /path"."""
    return host.read("/run/broker-nginx.log").splitlines()


@pytest.fixture(autouse=True)
def withdrawn(host):
    """Afterwards no list of this issuer approves anything, whatever became of its server."""
    yield
    Broker(host, ISSUER).publish()


def peak_kib(host) -> int:
    pid = host.run(["systemctl", "show", "-P", "MainPID", "escort-courier"]).out.strip()
    return int(host.run(f"grep VmHWM /proc/{pid}/status").out.split()[1])


def test_an_approval_opens_the_door_and_its_revocation_shuts_it(host, broker):
    jti = broker.approve(ACCOUNT)
    couriers.in_force(host, ACCOUNT, jti)
    login = host.login(ACCOUNT, f"touch {CANARY}; exec cat")
    wait_for(lambda: host.exists(CANARY), 10, "the session")
    broker.set_event(jti)
    wait_for(lambda: not host.processes(ACCOUNT), 10, "the session's end")
    login.close()
    source = couriers.state(host, "working")
    assert source["name"].endswith(f"/hosts/{host.machine_id}/documents")
    assert source["documents"] >= 2
    assert source["last_list_seconds"] < 60
    assert source["last_error"] == ""


def test_what_has_not_changed_is_not_sent_again(host, broker):
    couriers.state(host, "working")
    wait_for(lambda: answers(host)[-1].startswith("304"), 10, "an answer without content")
    before = couriers.sources(host)[0]["documents"]
    time.sleep(3)
    assert answers(host)[-2:] == [f"304 CN={host.machine_id} /hosts/{host.machine_id}/documents"] * 2
    assert couriers.sources(host)[0]["documents"] == before


def test_a_new_client_certificate_is_taken_up_without_a_restart(host, broker):
    couriers.state(host, "working")
    pki.certificate(host, "clients", "renewed", subject=f"{host.machine_id}/OU=renewed")
    host.run(f"cd {pki.FOLDER} && cp client.pem kept.pem && cp client.key kept.key")
    host.run(f"cd {pki.FOLDER} && cp renewed.key client.key && cp renewed.pem client.pem")
    wait_for(lambda: "renewed" in answers(host)[-1], 10, "a request with the new certificate")
    host.run(f"cd {pki.FOLDER} && mv kept.key client.key && mv kept.pem client.pem")
    wait_for(lambda: "renewed" not in answers(host)[-1], 10, "a request with the old one")


def test_a_client_certificate_of_nobody(host, broker):
    pki.authority(host, "nobody")
    cert, key = pki.certificate(host, "nobody", "stranger")
    couriers.use(host, couriers.HTTPS | {"client_cert": cert, "client_key": key})
    couriers.failing(host, "the server answers 400")
    couriers.use(host, couriers.HTTPS | {"client_key": f"{pki.FOLDER}/absent.key"})
    couriers.failing(host, "")


def test_an_address_that_the_server_does_not_know(host, broker):
    couriers.use(host, couriers.HTTPS | {"url": "https://127.0.0.1:8443/nobody/{host_id}"})
    couriers.failing(host, "the server answers 404: it knows nothing of this host")


def test_a_host_is_given_its_own_documents_alone(host, broker):
    couriers.use(host, couriers.HTTPS | {"url": "https://127.0.0.1:8443/hosts/i-other/documents"})
    couriers.failing(host, "the server answers 403: it does not let this host in")


def test_a_pin_that_fits_and_one_that_does_not(host, broker):
    pin = host.run(f"openssl x509 -in {pki.FOLDER}/server.pem -pubkey -noout | openssl pkey -pubin -outform DER | "
                   "openssl dgst -sha256 -binary | base64").out.strip()
    couriers.use(host, couriers.HTTPS | {"pin": pin})
    couriers.state(host, "working")
    couriers.use(host, couriers.HTTPS | {"pin": pin[::-1].replace("=", "") + "="})
    couriers.failing(host, "pinned public key")


def test_a_broker_that_is_gone(host, broker, denied):
    """Its last list holds until its end, then the door is shut; before that the agent says that nothing comes."""
    couriers.use(host, couriers.HTTPS, stale_after="2s")
    entry = broker.approval(ACCOUNT)
    broker.approvals.append(entry)
    now = int(time.time())
    short = broker.claims(iat=now - 100, exp=now - 46, seq=broker._next(), approvals=broker.approvals)
    broker.send("approvals", short)  # 60 s of skew are allowed: 14 are left
    couriers.in_force(host, ACCOUNT, entry["jti"])
    couriers.stop(host, "broker-nginx")
    assert host.ssh(ACCOUNT, "true").ok
    degraded = denied("agent_degraded")
    assert "no source has worked for 2 s" in degraded[0]["MESSAGE"]
    assert host.ssh(ACCOUNT, "true").ok, "and still"
    assert not host.ask("status")["healthy"]
    wait_for(lambda: not product.approvals_in_force(host, ACCOUNT), 30, "the list's end")
    assert not host.ssh(ACCOUNT, "true").ok
    couriers.start_nginx(host)
    couriers.state(host, "working", timeout=70)
    broker.publish()
    couriers.in_force(host, ACCOUNT, entry["jti"])
    wait_for(lambda: host.ask("status")["healthy"], 10, "health")


def test_an_older_list_of_another_source(host, broker):
    """threats.md A4: the newest of an issuer wins, once, whichever source it came from."""
    older = broker.approval(ACCOUNT, "eng-old")
    host.run(f"rm -rf {couriers.FILES}/groups && mkdir -p {couriers.FILES}/groups/other")
    claims = broker.claims(exp=int(time.time()) + 600, seq=broker._next(), approvals=[older])
    broker.send("approvals", claims, expect="document_accepted")
    host.run(f"cp {couriers.FILES}/hosts/{host.machine_id}/documents {couriers.FILES}/groups/other/documents")
    newest = broker.approve(ACCOUNT)
    begin = host.journal_end()
    couriers.use(host, couriers.HTTPS, couriers.HTTPS | {"url": "https://127.0.0.1:8443/groups/other/documents"})
    couriers.state(host, "working", 1)
    time.sleep(3)
    assert product.approvals_in_force(host, ACCOUNT) == [newest]
    refused = host.journal("document_refused", after=begin)
    assert len(refused) <= 1, "told once"


def test_documents_of_another_host_change_nothing(host, broker):
    jti = broker.approve(ACCOUNT)
    couriers.in_force(host, ACCOUNT, jti)
    begin = host.journal_end()
    claims = broker.claims(exp=int(time.time()) + 600, seq=broker._next(), approvals=[]) | {"aud": "host:i-other"}
    broker.deliver = couriers.publish(couriers.FILES) + f" && cp {couriers.FILES}/hosts/i-other/documents " \
                                                        f"{couriers.FILES}/hosts/{host.machine_id}/documents"
    broker.send("approvals", claims, expect="")
    wait_for(lambda: host.journal("document_refused", after=begin, reason="not_for_this_host"), 10, "its refusal")
    assert product.approvals_in_force(host, ACCOUNT) == [jti]
    host.run(f"rm -rf {couriers.FILES}/hosts")
    broker.deliver = couriers.publish(couriers.FILES)


# --- servers that don't behave ---

@pytest.fixture
def odd(host):
    """Starts one, and the courier with it as its only source."""
    def start(how: str, *, san: str = "IP:127.0.0.1", days: int = 2, of: str = "broker", **changes) -> None:
        pki.authority(host, of)
        cert, key = pki.certificate(host, of, "odd", san=san, days=days)
        host.run("systemctl stop escort-courier; rm -f /run/odd_server.count")
        couriers.start(host, "odd-server", "python3", "/root/odd_server.py", "9443", cert, key, how)
        wait_for(lambda: ":9443" in host.run("ss -ltn").out, 5, "the server")
        couriers.use(host, ODD | changes)
    host.write("/root/odd_server.py", (product.FILES / "odd_server.py").read_text())
    yield start
    couriers.stop(host, "odd-server")


def requests(host) -> list[list[str]]:
    if not host.exists("/run/odd_server.count"):
        return []
    return [line.split() for line in host.read("/run/odd_server.count").splitlines()]


@pytest.mark.parametrize(("how", "words"), [
    ("huge", "the answer is larger than 20971520 bytes"),
    ("bomb", "the answer is larger than 20971520 bytes"),
    ("headers_without_end", "larger than"),
    ("web_page", "is no compact JWS"),
    ("list_of_numbers", "is a JSON list of something else than strings"),
    ("elsewhere", "sends us to https://localhost:9443/other: no other host is asked"),
    ("round_and_round", "the server answers 302"),
    ("stuck", "Operation too slow"),
    ("slow", "Operation too slow"),
    ("old_tls", "alert"),
])
def test_an_answer_that_is_none(host, odd, how, words):
    odd(how)
    couriers.failing(host, words, timeout=40)
    assert peak_kib(host) < MEMORY_KIB
    spool = host.run(f"ls {product.SPOOL}").out
    assert "courier" not in spool


@pytest.mark.parametrize(("kind", "words"), [
    ({"of": "somebody"}, "certificate"),
    ({"san": "IP:127.0.0.2"}, "127.0.0.1"),
    ({"days": 0}, "expired"),
])
def test_a_server_that_is_not_the_one(host, odd, kind, words):
    odd("web_page", **kind)
    couriers.failing(host, words)
    assert not requests(host), "nothing was asked of it"


def test_a_redirect_within_the_host(host, odd):
    odd("within")
    couriers.state(host, "working")
    assert [each[1] for each in requests(host)[:2]] == [f"/{host.machine_id}", "/moved"]


def test_a_server_that_asks_for_rest(host, odd):
    odd("rest")
    couriers.failing(host, "the server answers 429, and asks for 3 s of rest")
    wait_for(lambda: len(requests(host)) >= 3, 20, "three requests")
    times = [float(each[0]) for each in requests(host)]
    assert min(after - before for before, after in zip(times, times[1:])) > 2.9


def test_a_server_that_holds_the_request(host, odd):
    odd("held", wait="2s", interval="30s")
    couriers.state(host, "working")
    wait_for(lambda: len(requests(host)) >= 3, 12, "three requests, without the interval between them")
    assert [each[2] for each in requests(host)[:3]] == ["-", "wait=2", "wait=2"]
    assert couriers.sources(host)[0]["state"] == "working"


@pytest.mark.parametrize("how", ["page_with_etag", "nothing_with_etag", "says_it_held"])
def test_a_server_that_holds_nothing_is_not_asked_in_a_row(host, odd, how):
    odd(how, wait="25s", interval="30s")
    wait_for(lambda: requests(host), 10, "the first request")
    time.sleep(6)
    assert len(requests(host)) <= 3


def test_a_key_that_comes_later(host, broker):
    """What the daemon has refused for want of it is offered once more."""
    host.escortctl("keygen", "/root/broker/late")
    entry = broker.approval(ACCOUNT)
    begin = host.journal_end()
    broker.key = "/root/broker/late.key"
    broker.approvals.append(entry)
    broker.publish(expect="")
    wait_for(lambda: host.journal("document_refused", after=begin, reason="untrusted_key"), 10, "its refusal")
    host.run("cp /root/broker/late.pem /etc/escortd/trust.d/ && escortctl reload")
    couriers.in_force(host, ACCOUNT, entry["jti"])
    host.run("rm /etc/escortd/trust.d/late.pem && escortctl reload")
