"""Documents by NATS JetStream, from a real nats-server: killed, restarted, cut off, in a cluster, with permissions."""

import json
import re
import time

import pytest
from conftest import CANARY
from testhost import couriers, pki, product
from testhost.broker import Broker
from testhost.guest import wait_for

pytestmark = pytest.mark.once

ACCOUNT = "azsupport"
ISSUER = "https://nats.example.gov"
LOCAL = "nats://127.0.0.1:4222"
CLUSTER = {f"node-{number}": (4230 + number, 6230 + number) for number in (1, 2, 3)}
BESIDE = """
ip netns add broker
ip link add cable type veth peer name socket netns broker
ip addr add 10.77.0.1/24 dev cable && ip link set cable up
ip -n broker addr add 10.77.0.2/24 dev socket && ip -n broker link set socket up && ip -n broker link set lo up
"""


@pytest.fixture(scope="module", autouse=True)
def restored(host):
    yield
    couriers.restore(host)


@pytest.fixture
def nats(host):
    couriers.start_nats(host)
    couriers.use(host, couriers.NATS)
    yield
    couriers.stop(host, "broker-nats")


@pytest.fixture
def broker(host, nats):
    made = Broker(host, ISSUER, deliver=couriers.publish(LOCAL, "--create", "1"))
    made.publish(expect="")
    couriers.state(host, "working")
    yield made


@pytest.fixture(autouse=True)
def withdrawn(host):
    """Afterwards no list of this issuer approves anything, whatever became of its server."""
    yield
    Broker(host, ISSUER).publish()


def test_an_approval_opens_the_door_and_its_revocation_shuts_it(host, broker):
    jti = broker.approve(ACCOUNT)
    login = host.login(ACCOUNT, f"touch {CANARY}; exec cat")
    wait_for(lambda: host.exists(CANARY), 10, "the session")
    broker.set_event(jti)
    wait_for(lambda: not host.processes(ACCOUNT), 5, "the session's end")
    login.close()
    source = couriers.state(host, "working")
    assert source["name"] == "nats 127.0.0.1:4222"
    assert source["documents"] >= 2
    assert source["next_try_seconds"] is None


def test_a_bucket_that_is_made_later(host):
    host.run("rm -rf /srv/broker-nats")
    couriers.start_nats(host)
    couriers.use(host, couriers.NATS)
    assert "does the bucket exist" in couriers.failing(host, "stream not found")["last_error"]
    broker = Broker(host, ISSUER, deliver=couriers.publish(LOCAL, "--create", "1"))
    broker.publish(expect="")
    couriers.state(host, "working", timeout=20)
    couriers.in_force(host, ACCOUNT, broker.approve(ACCOUNT))
    couriers.stop(host, "broker-nats")


def test_killed_and_restarted_it_catches_up(host, broker):
    couriers.stop(host, "broker-nats")
    assert "the connection is lost" in couriers.failing(host, "")["last_error"] or \
        couriers.failing(host, "no server can be reached")
    couriers.start_nats(host)
    jti = broker.approval(ACCOUNT)
    broker.approvals.append(jti)
    broker.publish(expect="")  # it may not be connected yet: the bucket keeps it
    couriers.in_force(host, ACCOUNT, jti["jti"], 20)
    couriers.state(host, "working")


def test_a_courier_that_was_down_catches_up(host, broker):
    host.run("systemctl stop escort-courier")
    approval = broker.approval(ACCOUNT)
    broker.approvals.append(approval)
    for _ in range(3):
        broker.publish(expect="")
    begin = host.journal_end()
    host.run("systemctl start escort-courier")
    couriers.in_force(host, ACCOUNT, approval["jti"])
    time.sleep(1)
    assert len(host.journal("document_accepted", after=begin, issuer=ISSUER)) == 1, "the last of the key, and no other"


def test_cut_off_it_hears_what_it_missed(host):
    host.run(BESIDE)
    try:
        couriers.stop(host, "broker-nats")
        host.run("rm -rf /srv/broker-nats")
        host.write("/root/broker-nats.conf", 'listen: "0.0.0.0:4222"\njetstream {store_dir: "/srv/broker-nats"}\n')
        couriers.start(host, "broker-nats", "ip", "netns", "exec", "broker", "nats-server", "-c", "/root/broker-nats.conf")
        couriers.use(host, {"type": "nats", "servers": ["nats://10.77.0.2:4222"]})
        inside = "ip netns exec broker " + couriers.publish("nats://10.77.0.2:4222", "--create", "1")
        broker = Broker(host, ISSUER, deliver=inside)
        wait_for(lambda: host.run("ip netns exec broker ss -ltn").out.count(":4222"), 5, "the server")
        broker.publish(expect="")
        couriers.state(host, "working", timeout=20)
        host.run("ip link set cable down")
        approval = broker.approval(ACCOUNT)
        broker.approvals.append(approval)
        broker.publish(expect="")
        time.sleep(2)
        assert not product.approvals_in_force(host, ACCOUNT)
        host.run("ip link set cable up")
        couriers.in_force(host, ACCOUNT, approval["jti"], 30)
    finally:
        couriers.stop(host, "broker-nats")
        host.run("ip netns delete broker; ip link delete cable", check=False)


def start_node(host, name: str) -> None:
    client, route = CLUSTER[name]
    routes = ", ".join(f'"nats://127.0.0.1:{other}"' for _, other in CLUSTER.values())
    config = (f'server_name: {name}\nlisten: "127.0.0.1:{client}"\njetstream {{store_dir: "/srv/{name}"}}\n'
              f'cluster {{name: tests, listen: "127.0.0.1:{route}", routes: [{routes}]}}\n')
    couriers.start_nats(host, name, config, client)


def test_a_cluster_of_three_with_one_killed(host):
    host.run(f"rm -rf {' '.join(f'/srv/{name}' for name in CLUSTER)}")
    addresses = {name: f"nats://127.0.0.1:{client}" for name, (client, _) in CLUSTER.items()}
    for name in CLUSTER:
        start_node(host, name)
    try:
        couriers.use(host, {"type": "nats", "servers": list(addresses.values())})
        broker = Broker(host, ISSUER, deliver=couriers.publish(addresses["node-2"], "--create", "3"))

        def published() -> bool:  # once there is a leader
            try:
                broker.publish(expect="")
                return True
            except Exception:  # noqa: BLE001
                return False
        wait_for(published, 30, "a bucket on three servers")
        couriers.state(host, "working", timeout=30)
        for dead, to in (("node-1", "node-2"), ("node-3", "node-1")):
            couriers.stop(host, dead)
            broker.deliver = couriers.publish(addresses[to])
            approval = broker.approval(ACCOUNT)
            broker.approvals.append(approval)
            wait_for(published, 60, "a document while one server is dead")
            couriers.in_force(host, ACCOUNT, approval["jti"], 90)
            start_node(host, dead)
        wait_for(published, 30, "all three again")
    finally:
        for name in CLUSTER:
            couriers.stop(host, name)


@pytest.fixture
def guarded(host):
    """packaging's example: TLS both ways, an NKey a host, its own keys alone."""
    deliver, source = couriers.start_guarded_nats(host)
    made = Broker(host, ISSUER, deliver=deliver)
    made.publish(expect="")
    made.source = source
    yield made
    couriers.stop(host, "broker-nats")


def test_tls_and_an_nkey(host, guarded):
    couriers.use(host, guarded.source)
    couriers.state(host, "working")
    jti = guarded.approve(ACCOUNT)
    couriers.in_force(host, ACCOUNT, jti)


def test_a_host_reads_its_own_keys_alone(host, guarded):
    couriers.use(host, guarded.source, host_id="i-other")
    assert couriers.failing(host, "Permissions Violation")["documents"] == 0
    couriers.use(host, guarded.source, groups=["other"])
    couriers.failing(host, "Permissions Violation")
    couriers.use(host, guarded.source, groups=["prod"])
    couriers.state(host, "working")


# What a taken-over courier may try with its host's rights: $1 the host, $2 another one, $3 the certificates. All that it
# may publish, with answers sent, and consumers delivering, to where they would do harm. Prints what each stream held
# before and after, by subject, and what the host heard.
HARM = r"""
import json, re, socket, ssl, sys, time
own, other, folder = sys.argv[1:]
context = ssl.create_default_context(cafile=f"{folder}/broker.pem")
context.load_cert_chain(f"{folder}/client.pem", f"{folder}/client.key")

class Client:
    def __init__(self, user, inbox):
        plain = socket.create_connection(("127.0.0.1", 4222))
        plain.recv(4096)
        self.server, self.heard, self.inbox = context.wrap_socket(plain, server_hostname="127.0.0.1"), b"", inbox
        self.server.settimeout(5)
        self.say(b'CONNECT {"verbose":false,"user":"%s","pass":"word","headers":true}' % user.encode())
        self.say(f"SUB {inbox}.> 1".encode())
    def say(self, line):
        self.server.sendall(line + b"\r\nPING\r\n")
        begin = len(self.heard)
        while b"PONG" not in self.heard[begin:]:
            got = self.server.recv(65536)
            assert got, f"hung up: {self.heard}"
            self.heard += got
    def publish(self, subject, reply, body):
        self.say(f"PUB {subject} {reply} {len(body)}\r\n{body}".encode())
    def ask(self, subject, body):
        reply = f"{self.inbox}.{len(self.heard)}"
        self.publish(subject, reply, body)
        while not (found := re.search(rb"MSG %s 1 (\d+)\r\n" % re.escape(reply.encode()), self.heard)) or \
                len(self.heard) < found.end() + int(found[1]):
            self.heard += self.server.recv(65536)
        return json.loads(self.heard[found.end():found.end() + int(found[1])])

broker, host = Client("broker", "_INBOX.b"), Client("host", f"escort.inbox.{own}")
def held():
    return {stream: broker.ask(f"$JS.API.STREAM.INFO.{stream}", '{"subjects_filter":">"}')["state"].get("subjects", {})
            for stream in ("KV_escort_documents", "ESCORT_EVENTS")}
key = f"$KV.escort_documents.host.{own}"
for each in (key, f"$KV.escort_documents.host.{other}"):
    broker.publish(each, "_INBOX.b.put", "a.b.c")
before = held()
create = "escort.api.CONSUMER.CREATE.KV_escort_documents"
aims = [f"$KV.escort_documents.host.{other}", f"escort.events.{other}.session_killed", "$JS.API.STREAM.PURGE.KV_escort_documents",
        "$JS.API.STREAM.DELETE.ESCORT_EVENTS"]
for number, aim in enumerate(aims):
    host.publish(f"escort.events.{own}.x", aim, "x")
    for name, deliver, reply in ((f"a{number}", f"escort.inbox.{own}.d", aim), (f"b{number}", aim, f"escort.inbox.{own}.made")):
        config = {"name": name, "filter_subject": key, "ack_policy": "none", "deliver_policy": "last_per_subject",
                  "deliver_subject": deliver, "idle_heartbeat": 100_000_000, "flow_control": True, "max_deliver": 1}
        host.publish(f"{create}.{name}.{key}", reply, json.dumps({"stream_name": "KV_escort_documents", "config": config}))
    host.publish(aim, f"escort.inbox.{own}.no", "")
time.sleep(1)
host.say(b"PING")
print(json.dumps({"before": before, "after": held(), "heard": host.heard.decode()}))
"""


def test_a_taken_over_courier_harms_no_other_host(host, guarded):
    """threats.md A4, with its host's own rights at packaging's example of a server. A server doesn't ask for permission
    where answers go: what keeps them in is the hosts' account."""
    config = couriers.nats_with_permissions(host)
    for user in ("broker", "host"):  # in the order of the file
        config, found = re.subn(r'nkey: "U[A-Z0-9]{55}"', f'user: "{user}", password: "word"', config, count=1)
        assert found
    couriers.start_nats(host, config=config)
    told = json.loads(host.run(["python3", "-c", HARM, host.machine_id, "i-other", pki.FOLDER]).out)
    assert told["before"]["KV_escort_documents"]["$KV.escort_documents.host.i-other"] == 1
    assert told["after"]["KV_escort_documents"] == told["before"]["KV_escort_documents"], told["heard"]
    assert set(told["after"]["ESCORT_EVENTS"]) == {f"escort.events.{host.machine_id}.x"}, told["heard"]
    assert told["heard"].count("Permissions Violation") == 4
    assert '"stream_name":"KV_escort_documents"' in told["heard"], "a consumer that delivers elsewhere is made: it reaches nobody"


@pytest.mark.parametrize(("change", "words"), [
    ({"credentials": f"{pki.FOLDER}/nkey-broker.none"}, "No such file"),
    ({"credentials": f"{pki.FOLDER}/client.key"}, "there is none of a user"),
    ({"ca": f"{pki.FOLDER}/clients.pem"}, "certificate"),
    ({"client_cert": "", "client_key": ""}, ""),
])
def test_wrong_credentials(host, guarded, change, words):
    couriers.use(host, {key: value for key, value in (guarded.source | change).items() if value})
    couriers.failing(host, words)


# A value put as any NATS client may: $1 the subject.
PUT = r"""
import socket, sys
server = socket.create_connection(("127.0.0.1", 4222))
server.recv(4096)
server.sendall(b'CONNECT {"verbose":false}\r\nPUB %s 4\r\njunk\r\nPING\r\n' % sys.argv[1].encode())
server.recv(4096)
"""


def test_a_value_that_is_no_document(host, broker):
    host.run(["python3", "-c", PUT, f"$KV.escort_documents.host.{host.machine_id}.junk"])
    wait_for(lambda: "is no compact JWS" in couriers.sources(host)[0]["last_error"], 10, "its mention")
    assert couriers.sources(host)[0]["state"] == "working"
    assert "courier-" not in host.run(f"ls -A {product.SPOOL}").out
    couriers.in_force(host, ACCOUNT, broker.approve(ACCOUNT))


def test_a_courier_that_is_gone_is_believed_no_longer(host, broker, denied):
    couriers.use(host, couriers.NATS, stale_after="2s")
    couriers.state(host, "working")
    host.run("systemctl kill -s KILL escort-courier && systemctl stop escort-courier")
    assert couriers.state(host, "unknown")["last_error"] == "escort-courier does not run"
    assert "escort-courier does not run" in denied("agent_degraded")[0]["MESSAGE"]
    host.run("systemctl start escort-courier")
    couriers.state(host, "working")
    wait_for(lambda: host.ask("status")["healthy"], 10, "health")


def test_killed_at_any_point_no_half_document_is_seen(host, broker):
    """threats.md A5: the courier killed with 9, again and again, while lists of a megabyte come."""
    entry = broker.approval(ACCOUNT)
    broker.approvals = [entry | {"jti": f"apr-{number}-{'x' * 200}"} for number in range(2000)]
    begin = host.journal_end()
    for turn in range(12):
        broker.publish(expect="")
        host.run(f"sleep 0.{turn * 7:02}; systemctl kill -s KILL escort-courier; systemctl start escort-courier")
    wait_for(lambda: len(product.approvals_in_force(host, ACCOUNT)) == 2000, 15, "the last list in force")
    assert not host.journal("document_refused", after=begin)
    assert "courier-" not in host.run(f"ls -A {product.SPOOL}").out
