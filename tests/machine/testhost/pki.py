"""Authorities and certificates, made by openssl on the host, in /root/pki."""

from .guest import Guest

FOLDER = "/root/pki"
_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


def authority(host: Guest, name: str) -> str:
    """A self-signed one; its certificate's path. What is there already stays."""
    path = f"{FOLDER}/{name}"
    if not host.exists(f"{path}.pem"):
        host.run(f"mkdir -p -m 755 {FOLDER} && openssl req -x509 {_KEY} -subj /CN={name} -days 2 "
                 f"-keyout {path}.key -out {path}.pem")
    return f"{path}.pem"


def certificate(host: Guest, of: str, name: str, *, san: str = "IP:127.0.0.1", days: int = 2) -> tuple[str, str]:
    """Signed by the authority `of`: paths of certificate and key. days=0: it expires this very second."""
    path = f"{FOLDER}/{name}"
    host.run(f"openssl req -new {_KEY} -subj /CN={name} -keyout {path}.key -out {path}.csr && "
             f"openssl x509 -req -in {path}.csr -CA {FOLDER}/{of}.pem -CAkey {FOLDER}/{of}.key -CAcreateserial "
             f"-days {days} -extfile <(echo subjectAltName={san}) -out {path}.pem && chmod 644 {path}.pem {path}.key")
    return f"{path}.pem", f"{path}.key"
