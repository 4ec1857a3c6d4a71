"""A test host by hand: `python3 -m testhost [--deb FILE]` boots one, says how to enter it, ends it on Ctrl-C."""

import argparse
import shlex
import signal
import subprocess
import sys

from . import Host


def main() -> int:
    parser = argparse.ArgumentParser(prog="testhost", description=__doc__)
    parser.add_argument("--deb", help="install this package first")
    parser.add_argument("--shell", action="store_true", help="a shell in the host; the host ends with it")
    parser.add_argument("--run", metavar="COMMAND", help="run this line of shell as root, then end the host")
    arguments = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Host() as host:
        print(f"booted in {host.boot_seconds:.1f} s; enter: {shlex.join(host.enter_command())}", flush=True)
        if arguments.deb:
            host.install(arguments.deb)
        if arguments.shell:
            return subprocess.call(host.enter_command())
        if arguments.run:
            result = host.run(arguments.run, check=False, timeout=600)
            print(result.out, end="")
            print(result.err, end="", file=sys.stderr)
            return result.code
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
    return 0


sys.exit(main())
