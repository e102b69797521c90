"""Runs a program in a pseudo-terminal.

Prints the program's output as JSON strings, one per read, and sends lines of the standard input to the program as keys. At the
end it prints the exit code, and whether the program has restored the terminal's settings.
"""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios

terminal, inner = pty.openpty()
fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
before = termios.tcgetattr(inner)


def control():
    os.setsid()
    fcntl.ioctl(inner, termios.TIOCSCTTY, 0)


child = subprocess.Popen(sys.argv[1:], stdin=inner, stdout=inner, stderr=inner, preexec_fn=control)
print(f"pid {child.pid}", flush=True)
keys = True
while True:
    ready, _, _ = select.select([terminal] + ([0] if keys else []), [], [], 0.02)
    if terminal in ready:
        print("out " + json.dumps(os.read(terminal, 65536).decode(errors="replace")), flush=True)
        continue
    if 0 in ready:
        key = os.read(0, 1024)
        keys = bool(key)
        # A line per key; `^C` is the key Ctrl-C.
        for name in key.decode().splitlines():
            os.write(terminal, b"\x03" if name == "^C" else name.encode())
    if not ready and child.poll() is not None:
        break
restored = termios.tcgetattr(inner) == before
print(f"exit {child.returncode} {'restored' if restored else 'changed'}", flush=True)
