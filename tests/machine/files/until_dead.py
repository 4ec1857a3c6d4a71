"""until_dead.py PID... -- COMMAND...: runs the command and prints, as JSON, its exit code, how many milliseconds
after its start the last of the processes was dead (null: not within 10 s), and how many were then alive.

The host has only Debian's python3-minimal: no module json."""

import os
import select
import subprocess
import sys
import time

split = sys.argv.index("--")
poll = select.poll()
alive = set()
for pid in sys.argv[1:split]:
    descriptor = os.pidfd_open(int(pid))
    poll.register(descriptor, select.POLLIN)
    alive.add(descriptor)
if not alive:
    sys.exit("no process to wait for")

start = time.monotonic()
command = subprocess.Popen(sys.argv[split + 1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
last = None
while alive and time.monotonic() < start + 10:
    for descriptor, _ in poll.poll(100):
        poll.unregister(descriptor)
        alive.discard(descriptor)
        last = time.monotonic()
code = command.wait(10)
ms = "null" if alive else round((last - start) * 1000, 1)
print(f'{{"code": {code}, "alive": {len(alive)}, "ms": {ms}}}')
