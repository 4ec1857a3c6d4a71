"""Authorities and certificates, made by openssl on the host, in a folder of their own."""

import base64
import binascii
import os

from .guest import Guest

FOLDER = "/etc/broker-pki"
_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


def authority(host: Guest, name: str) -> str:
    """A self-signed one; its certificate's path. What is there already stays."""
    path = f"{FOLDER}/{name}"
    if not host.exists(f"{path}.pem"):
        host.run(f"mkdir -p -m 755 {FOLDER} && openssl req -x509 {_KEY} -subj /CN={name} -days 2 "
                 f"-keyout {path}.key -out {path}.pem")
    return f"{path}.pem"


def certificate(host: Guest, of: str, name: str, *, san: str = "IP:127.0.0.1", days: int = 2,
                subject: str = "") -> tuple[str, str]:
    """Signed by the authority `of`: paths of certificate and key. days=0: it expires this very second."""
    path = f"{FOLDER}/{name}"
    host.run(f"openssl req -new {_KEY} -subj /CN={subject or name} -keyout {path}.key -out {path}.csr && "
             f"openssl x509 -req -in {path}.csr -CA {FOLDER}/{of}.pem -CAkey {FOLDER}/{of}.key -CAcreateserial "
             f"-days {days} -extfile <(echo subjectAltName={san}) -out {path}.pem && chmod 644 {path}.pem {path}.key")
    return f"{path}.pem", f"{path}.key"


def nkey(host: Guest, name: str) -> str:
    """A NATS user's NKey: its seed in a file of that name, readable by all; its public half."""
    seed = os.urandom(32)
    host.write(f"{FOLDER}/{name}", _nkey_text(bytes([18 << 3 | 20 >> 2, (20 << 3 & 0x1f) << 3]) + seed) + "\n", 0o644)
    der = bytes.fromhex("302e020100300506032b657004220420") + seed  # RFC 8410 section 7
    line = f"base64 -d <<<{base64.b64encode(der).decode()} | openssl pkey -inform DER -pubout -outform DER | tail -c 32 | base64"
    return _nkey_text(bytes([20 << 3]) + base64.b64decode(host.run(line).out))


def _nkey_text(body: bytes) -> str:
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")
