"""What the broker hears of sessions: signed by the host, at least once, in order, whatever is down meanwhile."""

import hashlib

import pytest
from conftest import CANARY
from testhost import couriers, event_stream, product
from testhost.broker import Broker
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
ISSUER = "https://nats.example.gov"
LOCAL = "nats://127.0.0.1:4222"
OUTBOX = "/var/lib/escortd/outbox"


@pytest.fixture(scope="module", autouse=True)
def restored(host):
    yield
    couriers.restore(host)


@pytest.fixture(autouse=True)
def withdrawn(host):
    yield
    Broker(host, ISSUER).publish()
    couriers.stop(host, "broker-nats")


@pytest.fixture
def broker(host):
    """A server that has nothing yet, a bucket and a stream."""
    host.run(f"rm -rf /srv/broker-nats; find {OUTBOX} -name '*.jws' -delete")
    couriers.start_nats(host)
    couriers.use(host, couriers.NATS)
    made = Broker(host, ISSUER, deliver=couriers.publish(LOCAL, "--create", "1"))
    made.publish(expect="")
    couriers.state(host, "working")
    return made


def waiting(host) -> list[str]:
    return sorted(name for name in host.run(["ls", OUTBOX]).out.split() if name.endswith(".jws"))


def a_session(host, broker) -> tuple[str, str]:
    """One that was approved and has ended by itself: its id and the approval's."""
    jti = broker.approve(ACCOUNT)
    assert host.ssh(ACCOUNT, "true").ok
    entry = wait_for(lambda: host.journal("session_ended", approval=jti), 10, "its end")[0]
    return entry["ESCORT_SESSION"], jti


def test_a_broker_knows_whether_an_approval_is_in_use(host, broker):
    session, jti = a_session(host, broker)
    event_stream.wait_for_events(host, session, ["session_opened", "session_approved", "session_ended"])
    messages = [each for each in event_stream.messages(host) if event_stream.claims_of(each)["session"] == session]
    assert [each["subject"] for each in messages] == [
        f"escort.events.{host.machine_id}.session_{word}" for word in ("opened", "approved", "ended")]
    claims = [event_stream.verified(host, each) for each in messages]
    for each, message in zip(claims, messages):
        assert each["iss"] == f"host:{host.machine_id}"
        assert message["id"] == f"{host.machine_id}.{hashlib.sha256(message['data'].encode()).hexdigest()[:32]}"
        assert (each["account"], each["approval"], each["issuer"]) == (ACCOUNT, jti, ISSUER)
    assert [each["seq"] for each in claims] == list(range(claims[0]["seq"], claims[0]["seq"] + 3))
    assert claims[1]["verdict"] == "approved"
    assert claims[2]["ended"] >= claims[2]["started"]
    wait_for(lambda: not waiting(host), 10, "the outbox to be empty")
    status = host.ask("status")["events"]
    assert (status["waiting"], status["dropped"], status["last_error"]) == (0, 0, "")
    assert status["sent"] >= 3


def test_a_revoked_session_and_a_refused_one(host, broker):
    jti = broker.approve(ACCOUNT)
    login = host.login(ACCOUNT, f"touch {CANARY}; exec cat")
    wait_for(lambda: host.exists(CANARY), 10, "the session")
    session = product.sessions(host, ACCOUNT)[0]["id"]
    broker.set_event(jti)
    wait_for(lambda: not host.processes(ACCOUNT), 5, "the session's end")
    login.close()
    event_stream.wait_for_events(host, session, ["session_opened", "session_approved", "session_denied", "session_killed"])
    killed = event_stream.verified(host, [each for each in event_stream.messages(host)
                                          if event_stream.claims_of(each)["session"] == session][-1])
    assert (killed["reason"], killed["approval"]) == ("revoked", jti)
    assert not host.ssh(ACCOUNT, "true").ok
    wait_for(lambda: any(claims["event"] == "session_denied" and "approval" not in claims
                         for claims in map(event_stream.claims_of, event_stream.messages(host))), 10, "the refused login")


def test_while_the_broker_is_down_they_wait_on_the_disk(host, broker):
    approval = broker.approve(ACCOUNT)
    couriers.stop(host, "broker-nats")
    assert host.ssh(ACCOUNT, "true").ok
    session = wait_for(lambda: host.journal("session_ended", approval=approval), 10, "its end")[0]["ESCORT_SESSION"]
    wait_for(lambda: len(waiting(host)) >= 3, 5, "three events in the outbox")
    before = waiting(host)
    host.run("systemctl restart escortd escort-courier")
    assert waiting(host)[:len(before)] == before
    couriers.start_nats(host)
    event_stream.wait_for_events(host, session, ["session_opened", "session_approved", "session_ended"], 30)
    wait_for(lambda: not waiting(host), 10, "the outbox to be empty")
    claims = [event_stream.claims_of(each) for each in event_stream.messages(host)]
    numbers = [each["seq"] for each in claims]
    assert numbers == sorted(set(numbers)), "each once, in order"


def test_a_courier_killed_again_and_again_loses_none(host, broker):
    jti = broker.approve(ACCOUNT)
    for turn in range(8):
        assert host.ssh(ACCOUNT, "true").ok
        host.run(f"sleep 0.{turn * 11:02}; systemctl kill -s KILL escort-courier; systemctl start escort-courier")
    ended = wait_for(lambda: len(found := host.journal("session_ended", approval=jti)) == 8 and found, 10, "8 sessions")
    wait_for(lambda: not waiting(host), 20, "the outbox to be empty")
    for entry in ended:
        assert event_stream.of_session(host, entry["ESCORT_SESSION"]) == ["session_opened", "session_approved", "session_ended"]


def test_a_daemon_killed_goes_on_with_its_numbers(host, broker):
    first, _ = a_session(host, broker)
    event_stream.wait_for_events(host, first, ["session_opened", "session_approved", "session_ended"])
    begin = host.journal_end()
    host.run("systemctl kill -s KILL escortd")
    wait_for(lambda: host.journal("agent_started", after=begin), 10, "the next daemon")
    second, _ = a_session(host, broker)
    event_stream.wait_for_events(host, second, ["session_opened", "session_approved", "session_ended"])
    claims = [event_stream.claims_of(each) for each in event_stream.messages(host)]
    assert len({each["jti"] for each in claims}) == len(claims)
    numbers = [each["seq"] for each in claims]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "none given twice, none missing"


def test_no_stream_is_an_error_in_words_and_documents_come_all_the_same(host):
    host.run(f"rm -rf /srv/broker-nats; find {OUTBOX} -name '*.jws' -delete")
    couriers.start_nats(host)
    couriers.use(host, couriers.NATS | {"events": "ELSEWHERE"})
    broker = Broker(host, ISSUER, deliver=couriers.publish(LOCAL, "--create", "1"))
    broker.publish(expect="")
    a_session(host, broker)
    wait_for(lambda: "stream" in host.ask("status")["events"]["last_error"].lower(), 10, "an error of the stream")
    couriers.state(host, "working")
    assert "session events:" in host.run("journalctl -u escort-courier -o cat -n 20").out
    assert len(waiting(host)) >= 3
    couriers.use(host, couriers.NATS)
    wait_for(lambda: not waiting(host), 20, "delivery, once the settings are right")


def test_a_full_disk_holds_up_nobody_and_loses_nothing(host, broker):
    """threats.md's faults: what can't be written waits in memory; logins go on, and the journal has all of it."""
    host.run(f"mount -t tmpfs -o size=16k,mode=750,gid=escort-courier tmpfs {OUTBOX}")
    try:
        couriers.stop(host, "broker-nats")
        couriers.use(host, couriers.NATS)
        local = Broker(host, ISSUER)
        jti = local.approve(ACCOUNT)
        for _ in range(4):
            assert host.ssh(ACCOUNT, "true").ok
        ended = wait_for(lambda: len(found := host.journal("session_ended", approval=jti)) == 4 and found, 10, "four sessions")
        status = host.ask("status")
        assert [each["what"] for each in status["degraded"]] == ["events"]
        assert "No space left" in status["degraded"][0]["why"]
        couriers.start_nats(host)
        for entry in ended:
            event_stream.wait_for_events(host, entry["ESCORT_SESSION"], ["session_opened", "session_approved", "session_ended"], 30)
        wait_for(lambda: not host.ask("status")["degraded"], 10, "health")
        assert host.ask("status")["events"]["dropped"] == 0
    finally:
        host.run(f"systemctl stop escort-courier; umount {OUTBOX}; systemctl restart escortd")


def test_more_than_may_wait_is_counted(host, broker, denied):
    """As many files as may wait lie there already: those that nobody needs go, and the next ones are counted."""
    host.run("systemctl stop escort-courier escortd")
    host.run(f"cd {OUTBOX} && for i in $(seq 8192); do printf -v name %016d $i; echo >$name-00000000.session_ended.jws; done")
    host.run("systemctl start escortd")
    assert not host.ssh(ACCOUNT, "true").ok
    assert int(denied("events_dropped")[0]["ESCORT_DROPPED"]) > 0
    status = host.ask("status")
    assert status["events"]["dropped"] > 0
    assert [each["what"] for each in status["degraded"]] == ["events"]
    host.run("systemctl start escort-courier")
    wait_for(lambda: not waiting(host), 60, "an empty outbox: what is no event is not kept")
    session, _ = a_session(host, broker)
    event_stream.wait_for_events(host, session, ["session_opened", "session_approved", "session_ended"])
    assert event_stream.claims_of(event_stream.messages(host)[-1])["seq"] > 8192 + status["events"]["dropped"]
    wait_for(lambda: not host.ask("status")["degraded"], 10, "health")


def test_without_a_source_that_takes_them_nothing_is_written(host, broker):
    couriers.use(host, couriers.NATS | {"events": "none"})
    before = waiting(host)
    a_session(host, broker)
    assert host.ask("status")["events"] is None
    assert waiting(host) == before


def test_the_courier_may_only_read_there(host, broker):
    couriers.stop(host, "broker-nats")
    a_session(host, Broker(host, ISSUER))
    event = f"{OUTBOX}/{wait_for(lambda: waiting(host), 10, 'an event that waits')[0]}"
    key = f"/var/lib/escortd/state/event-{host.machine_id}.key"
    as_courier = ["runuser", "-u", "escort-courier", "--", "sh", "-c"]
    assert host.run([*as_courier, f"cat {event}"]).out.count(".") == 2
    for attempt in (f"touch {OUTBOX}/x", f"rm -f {event}", f"mv {event} {event}x", f"echo x >>{event}", f"cat {key}"):
        assert not host.run([*as_courier, attempt], check=False).ok, attempt
    assert host.run(f"stat -c '%U %a' {key} /run/escortd/event-key.pem").out == "root 600\nroot 644\n"


def test_a_host_speaks_as_itself_alone(host):
    """packaging's example of a server: this host's key may publish this host's events, and no other's."""
    deliver, source = couriers.start_guarded_nats(host)
    broker = Broker(host, ISSUER, deliver=deliver)
    broker.publish(expect="")
    couriers.use(host, source)
    couriers.state(host, "working")
    a_session(host, broker)
    wait_for(lambda: not waiting(host) and host.ask("status")["events"]["sent"] >= 3, 15, "delivery")
    # A server that lets this host speak as another one alone.
    own = f'"escort.events.{host.machine_id}.*"'
    config = couriers.nats_with_permissions(host)
    assert own in config
    couriers.start_nats(host, config=config.replace(own, '"escort.events.i-other.*"'))
    a_session(host, broker)
    wait_for(lambda: "Permissions Violation" in host.ask("status")["events"]["last_error"], 20, "a refusal")
    assert waiting(host)
    couriers.state(host, "working")
    couriers.use(host, couriers.NATS)
