"""Security events by poll (RFC 8936), acknowledged once they are in the spool; and a spool that takes nothing."""

import json

import pytest
from conftest import CANARY
from testhost import couriers, pki, product
from testhost.broker import Broker
from testhost.guest import wait_for

ACCOUNT = "azsupport"
ISSUER = "https://caep.example.gov"
TOKEN = "secret-of-this-receiver"
SOURCE = {"type": "caep_poll", "url": "https://127.0.0.1:9444/poll/{host_id}", "ca": f"{pki.FOLDER}/broker.pem",
          "token_file": "/etc/broker-pki/token", "interval": "1s"}


@pytest.fixture(scope="module", autouse=True)
def transmitter(host):
    pki.authority(host, "broker")
    cert, key = pki.certificate(host, "broker", "poll")
    host.write(f"{pki.FOLDER}/token", TOKEN + "\n", 0o644)
    host.write("/root/poll_server.py", (product.FILES / "poll_server.py").read_text())
    couriers.start(host, "poll-server", "python3", "/root/poll_server.py", "9444", cert, key, TOKEN)
    wait_for(lambda: ":9444" in host.run("ss -ltn").out, 5, "the transmitter")
    yield
    couriers.restore(host)
    couriers.stop(host, "poll-server")


@pytest.fixture
def broker(host):
    """Its events wait at the transmitter, its lists come as files."""
    host.run("systemctl stop escort-courier; rm -f /run/sets/* /run/sets.log")
    couriers.use(host, SOURCE)
    couriers.state(host, "working")
    made = Broker(host, ISSUER)
    yield made
    Broker(host, ISSUER).publish()


AT_TRANSMITTER = 'cp "/root/broker/$3.jws" "/run/sets/.$3" && mv "/run/sets/.$3" "/run/sets/$3"'


def requests(host) -> list[dict]:
    return [json.loads(line) for line in host.read("/run/sets.log").splitlines()]


def test_a_session_is_revoked_and_the_event_acknowledged(host, broker):
    jti = broker.approve(ACCOUNT)
    login = host.login(ACCOUNT, f"touch {CANARY}; exec cat")
    wait_for(lambda: host.exists(CANARY), 10, "the session")
    broker.deliver = AT_TRANSMITTER
    broker.set_event(jti)
    wait_for(lambda: not host.processes(ACCOUNT), 5, "the session's end")
    login.close()
    wait_for(lambda: not host.run("ls /run/sets").out, 5, "its acknowledgement")
    assert [len(each["ack"]) for each in requests(host) if "ack" in each] == [1]
    assert requests(host)[-1]["maxEvents"] > 0


def test_it_is_asked_at_leisure_and_held(host, broker):
    wait_for(lambda: len(requests(host)) >= 4, 15, "four requests")
    assert [each["returnImmediately"] for each in requests(host)][:1] == [True]
    assert not requests(host)[-1]["returnImmediately"]


def test_what_is_no_set_is_told_and_not_asked_for_again(host, broker):
    host.write("/run/sets/junk", "junk")
    wait_for(lambda: not host.run("ls /run/sets").out, 8, "its refusal")
    errors = [each["setErrs"] for each in requests(host) if "setErrs" in each]
    assert errors == [{"junk": {"err": "invalid_request", "description": "not a compact JWS"}}]
    assert couriers.sources(host)[0]["state"] == "working"


def test_a_wrong_token(host, broker):
    host.write(f"{pki.FOLDER}/other-token", "wrong\n", 0o644)
    couriers.use(host, SOURCE | {"token_file": f"{pki.FOLDER}/other-token"})
    assert "client_cert, token_file" in couriers.failing(host, "the server answers 401")["last_error"]


@pytest.fixture
def small_spool(host):
    """One of a few pages, full but for nothing."""
    host.run(f"systemctl stop escortd escort-courier && mount -t tmpfs -o size=16k,mode=1770 tmpfs {product.SPOOL} && "
             f"chgrp escort-courier {product.SPOOL} && head -c 16k /dev/zero >{product.SPOOL}/.ballast")
    yield
    host.run(f"systemctl stop escortd escort-courier; umount {product.SPOOL}; systemctl start escortd escort-courier")


def test_a_full_disk_loses_no_event(host, broker, small_spool):
    jti = broker.approval(ACCOUNT)
    couriers.use(host, SOURCE)
    couriers.state(host, "working")
    broker.deliver = AT_TRANSMITTER
    broker.set_event(jti["jti"], expect="")
    couriers.failing(host, "No space left on device")
    assert host.run("ls /run/sets").out, "not acknowledged"
    begin = host.journal_end()
    host.run(f"rm {product.SPOOL}/.ballast")
    wait_for(lambda: host.journal("document_accepted", after=begin, issuer=ISSUER), 30, "the event")
    wait_for(lambda: not host.run("ls /run/sets").out, 10, "its acknowledgement")
    assert not host.journal("document_refused", after=begin)


def test_the_courier_can_do_nothing_else(host, broker):
    """Its user: no other folder, no socket of the daemon's, no file of others in the spool."""
    host.write(f"{product.SPOOL}/.another", "another's")
    as_courier = ["setpriv", "--reuid", "escort-courier", "--regid", "escort-courier", "--clear-groups", "sh", "-c"]
    for attempt in (f"rm {product.SPOOL}/.another", f"mv {product.SPOOL}/.another {product.SPOOL}/x.jws",
                    "cat /var/lib/escortd/state/time", "ls /var/lib/escortd/state", "touch /var/lib/escortd/x",
                    "touch /run/escortd/x", "echo >/run/escortd/principals", "touch /etc/escortd/trust.d/x.pem",
                    "escortctl status"):
        assert not host.run([*as_courier, attempt], check=False).ok, attempt
    assert host.run([*as_courier, f"touch {product.SPOOL}/.mine && rm {product.SPOOL}/.mine"]).ok
    host.run(f"rm {product.SPOOL}/.another")
    score = host.run("systemd-analyze security escort-courier | tail -n 1").out
    assert float(score.split(":")[1].split()[0]) < 1.5, score
    status = host.run("cat /proc/$(systemctl show -P MainPID escort-courier)/status").out
    assert "CapEff:\t0000000000000000" in status and "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
