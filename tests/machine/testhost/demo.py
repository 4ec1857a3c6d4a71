"""What tools/demo shows: the package installed on a fresh host, and the story."""

import signal
import sys
import time

from . import Host, product
from .guest import Failed
from .story import Story, Wrong


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Host() as host:
            print(f"         booted in {host.boot_seconds:.1f} s")
            begin = time.monotonic()
            host.install(product.package())
            print(f"         {product.package().name} installed by apt in {time.monotonic() - begin:.1f} s; "
                  f"escortd.service is {host.run('systemctl is-active escortd', check=False).out.strip()}")
            product.found_broker(host)
            Story(host).play()
    except (Wrong, Failed, TimeoutError, RuntimeError) as wrong:
        print(f"\nWRONG: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\nEvery step was what it should be.\n")
    return 0


sys.exit(main())
