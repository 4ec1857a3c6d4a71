"""escort-courier on a host under test: its settings, and the servers that it asks."""

import json
import shlex

from . import pki, product
from .guest import Guest, wait_for
from .image import REPO

EXAMPLES = REPO / "packaging" / "examples"

SETTINGS = "/etc/escortd/escortd.yaml"
ASIDE = "/root/escortd.yaml.aside"
FILES = "/srv/broker"  # what nginx offers
# packaging's example site, within what nginx wants around it.
NGINX = f"""
user root;
pid /run/broker-nginx.pid;
error_log stderr;
events {{}}
http {{
    log_format courier '$status $ssl_client_s_dn $request_uri';
    access_log /run/broker-nginx.log courier;
    include /root/nginx-documents.conf;
}}
"""
HTTPS = {"type": "https", "url": "https://127.0.0.1:8443/hosts/{host_id}/documents", "ca": f"{pki.FOLDER}/broker.pem",
         "client_cert": f"{pki.FOLDER}/client.pem", "client_key": f"{pki.FOLDER}/client.key", "interval": "1s", "wait": "0s"}
NATS = {"type": "nats", "servers": ["nats://127.0.0.1:4222"]}


def use(host: Guest, *sources: dict, stale_after: str = "5m", **settings) -> None:
    """The host's settings name these sources; daemon and courier run with them, the courier with no memory."""
    if not host.exists(ASIDE):
        host.run(["cp", SETTINGS, ASIDE])
    courier = {"stale_after": stale_after, "sources": sources}
    host.write(SETTINGS, json.dumps({"version": 1, "courier": courier} | settings))
    host.run("systemctl restart escortd && systemctl restart escort-courier || { journalctl -n 20 -u escortd >&2; exit 1; }")


def restore(host: Guest) -> None:
    host.run(f"systemctl stop escort-courier; mv {ASIDE} {SETTINGS}; systemctl restart escortd")


def start(host: Guest, unit: str, *command: str) -> None:
    """A server, for as long as the test wants it."""
    stop(host, unit)
    host.run(["systemd-run", "-q", "--collect", f"--unit={unit}", *command])


def stop(host: Guest, unit: str) -> None:
    host.run(f"systemctl kill -s KILL {unit}", check=False)
    wait_for(lambda: host.run(["systemctl", "show", "-P", "LoadState", unit]).out.strip() == "not-found", 10, f"the end of {unit}")


def start_nginx(host: Guest) -> None:
    for name in ("broker", "clients"):
        pki.authority(host, name)
    if not host.exists(f"{pki.FOLDER}/server.pem"):
        pki.certificate(host, "broker", "server")
        pki.certificate(host, "clients", "client", subject=host.machine_id)
    site = (EXAMPLES / "nginx-documents.conf").read_text()
    for shipped, here in (("listen 443", "listen 127.0.0.1:8443"), ("/srv/escort-documents", FILES),
                          ("/etc/nginx/broker", f"{pki.FOLDER}/server"), ("/etc/nginx/hosts-ca", f"{pki.FOLDER}/clients")):
        assert shipped in site
        site = site.replace(shipped, here)
    host.write("/root/nginx-documents.conf", site)
    host.write("/root/nginx.conf", NGINX)
    host.run(f"mkdir -p {FILES} && rm -f /run/broker-nginx.log")
    start(host, "broker-nginx", "nginx", "-c", "/root/nginx.conf", "-g", "daemon off;")
    wait_for(lambda: ":8443" in host.run("ss -ltn").out, 5, "nginx")


def nats_with_permissions(host: Guest) -> str:
    """packaging's example of a nats-server, with this host's keys and certificates."""
    config = (EXAMPLES / "nats-server.conf").read_text()
    for shipped, here in (("0.0.0.0:4222", "127.0.0.1:4222"), ("/etc/nats/server", f"{pki.FOLDER}/server"),
                          ("/etc/nats/hosts-ca", f"{pki.FOLDER}/clients"), ("/var/lib/nats", "/srv/nats-permissions"),
                          ("NKEY_BROKER", pki.nkey(host, "nkey-broker")), ("NKEY_HOST", pki.nkey(host, "nkey-host")),
                          ("HOST_ID", host.machine_id)):
        assert shipped in config
        config = config.replace(shipped, here)
    return config


def start_guarded_nats(host: Guest) -> tuple[str, dict]:
    """Packaging's example, with nothing in it yet: how its broker delivers, and this host's source."""
    for name in ("broker", "clients"):
        pki.authority(host, name)
    pki.certificate(host, "broker", "server")
    pki.certificate(host, "clients", "client")
    host.run("rm -rf /srv/nats-permissions")
    start_nats(host, config=nats_with_permissions(host))
    address = "tls://127.0.0.1:4222"
    files = {"ca": f"{pki.FOLDER}/broker.pem", "client_cert": f"{pki.FOLDER}/client.pem", "client_key": f"{pki.FOLDER}/client.key"}
    options = [word for key, path in files.items() for word in ("--" + key.replace("_", "-"), path)]
    return (publish(address, "--create", "1", "--credentials", f"{pki.FOLDER}/nkey-broker", *options),
            {"type": "nats", "servers": [address], "api_prefix": "escort.api", "credentials": f"{pki.FOLDER}/nkey-host"} | files)


def start_nats(host: Guest, name: str = "broker-nats", config: str = "", port: int = 4222) -> None:
    """JetStream's files stay from one start to the next."""
    host.write(f"/root/{name}.conf", config or f'listen: "127.0.0.1:{port}"\njetstream {{store_dir: "/srv/{name}"}}\n')
    start(host, name, "nats-server", "-c", f"/root/{name}.conf")
    wait_for(lambda: f":{port}" in host.run("ss -ltn").out, 5, "nats-server")


def sources(host: Guest) -> list[dict]:
    return host.ask("status")["sources"]


def state(host: Guest, wanted: str, number: int = 0, timeout: float = 10) -> dict:
    """Waits until the source is in that state; what status says of it."""
    def look():
        there = sources(host)
        return there[number] if len(there) > number and there[number]["state"] == wanted else None
    return wait_for(look, timeout, f"source {number} {wanted}")


def failing(host: Guest, words: str, number: int = 0, timeout: float = 15) -> dict:
    """Waits until it fails with these words."""
    def look():
        there = sources(host)
        return there[number] if len(there) > number and there[number]["state"] == "failing" and \
            words in there[number]["last_error"] else None
    try:
        return wait_for(look, timeout, f"source {number} failing: {words}")
    except TimeoutError as reason:
        raise TimeoutError(f"{reason}; instead {sources(host)}") from None


def in_force(host: Guest, account: str, jti: str, timeout: float = 10) -> None:
    wait_for(lambda: jti in product.approvals_in_force(host, account), timeout, f"{jti} in force")


def publish(to: str, *options: str) -> str:
    """How a Broker delivers: by the product's own command."""
    return f"escortctl document publish --to {shlex.quote(to)} {shlex.join(options)} \"/root/broker/$3.jws\""
