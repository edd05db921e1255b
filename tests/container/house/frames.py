# SPDX-License-Identifier: GPL-3.0-or-later
"""coral-protocol(7) by hand, over the stock ssh client: what a test says is what the agent hears."""
import contextlib
import json
import os
import select
import struct
import subprocess
import time

(OPEN, STDIN, STDIN_EOF, WINCH, SIGNAL, BYE, PING, DETACH, HANGUP, KEYBOARD, WHO, REPAINT) = range(1, 13)
(OPENED, STDOUT, STDERR, CREDIT, NOTICE, RESULT, ERROR, DATA, END, RESUMED, SCREEN, LEFT) = range(32, 44)
RECEIVED = 64

VERBS = {"exec": 1, "shell": 2, "sessions": 4, "show": 5, "attach": 8, "watch": 9,
         "join": 10, "kill": 11, "freeze": 12, "thaw": 13}
TAGS = {"pid": 7, "argv": 8, "variables": 9, "tty": 10, "size": 11, "term": 12, "on_disconnect": 17, "id": 21,
        "resumable": 24, "token": 25, "received": 26}
DISCONNECT = {"detach": 1, "hangup": 2, "kill": 3}


def frame(kind, data=b""):
    return struct.pack(">I", kind << 24 | len(data)) + data


def field(tag, data):
    return struct.pack(">BI", tag, len(data)) + data


def winch(rows, cols):
    return struct.pack(">4H", rows, cols, 0, 0)


def request(verb, version=1, extra=b"", **what):
    """FR_OPEN's payload; fields in the order of their tags."""
    number = VERBS[verb] if isinstance(verb, str) else verb
    parts = [bytes([version]), field(1, bytes([number]))]
    for name, tag in TAGS.items():
        v = what.pop(name, None)
        if v is None or v is False or v == 0:
            continue
        if name in ("argv", "variables"):
            parts += [field(tag, a.encode()) for a in v]
        elif v is True:
            parts.append(field(tag, b""))
        elif name == "size":
            parts.append(field(tag, winch(*v)))
        elif name == "pid":
            parts.append(field(tag, struct.pack(">I", v)))
        elif name == "received":
            parts.append(field(tag, struct.pack(">Q", v)))
        elif name == "on_disconnect":
            parts.append(field(tag, bytes([DISCONNECT[v]])))
        else:
            parts.append(field(tag, v.encode()))
    assert not what, what
    return b"".join([*parts, extra])


class Lost(Exception):
    """The agent ended the stream."""


class Speaker:
    """One connection that asked for something, and everything that came on it."""

    def __init__(self, how, env, verb, **what):
        self.proc = subprocess.Popen(how, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
        self.sent = b""      # after FR_OPEN
        self.arrived = 0     # bytes after FR_OPENED or its like
        self.raw = b""
        self.frames = []
        self.opened = None
        self.told = 0
        self.acknowledges = False
        self.write(frame(OPEN, request(verb, **what)))

    def write(self, data):
        self.proc.stdin.write(data)
        self.proc.stdin.flush()

    def send(self, kind, data=b""):
        self.sent += frame(kind, data)
        self.write(frame(kind, data))

    def type(self, text):
        self.send(STDIN, text.encode())

    def tell(self):
        """As a client does, every 64 KiB."""
        if self.acknowledges and self.arrived - self.told >= 65536:
            self.told = self.arrived
            self.send(RECEIVED, struct.pack(">Q", self.received))

    def last(self):
        return [(kind, data[-60:]) for kind, data in self.frames[-9:]]

    def read_frame(self, timeout=10):
        end = time.monotonic() + timeout
        while True:
            if len(self.raw) >= 4:
                n = int.from_bytes(self.raw[1:4], "big")
                if len(self.raw) >= 4 + n:
                    got = (self.raw[0], self.raw[4:4 + n])
                    self.raw = self.raw[4 + n:]
                    if self.opened is not None:
                        self.arrived += 4 + n
                    self.frames.append(got)
                    self.tell()
                    return got
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.proc.stdout], [], [], left)[0]:
                raise AssertionError(f"waited {timeout} s for a frame; {self.last()}")
            data = os.read(self.proc.stdout.fileno(), 65536)
            if not data:
                raise Lost(self.last())
            self.raw += data

    def wait(self, kind, timeout=10):
        """The next frame of that kind; those before it are kept in .frames."""
        while True:
            got = self.read_frame(timeout)
            if got[0] == kind:
                return got[1]
            assert got[0] != ERROR, error(got[1])

    def open(self):
        """FR_OPENED's object."""
        self.opened = json.loads(self.wait(OPENED))
        self.acknowledges = "resume" in self.opened
        return self.opened

    @property
    def received(self):
        """Bytes of the agent's stream that are here."""
        return self.arrived + len(self.raw)

    def go_on(self, old):
        """In the place of a connection that was lost, after FR_RESUMED."""
        count = int.from_bytes(self.wait(RESUMED), "big")
        self.opened, self.acknowledges = old.opened, old.acknowledges
        self.raw = old.raw + self.raw
        self.arrived, self.sent, self.frames = old.arrived, old.sent, old.frames
        self.write(self.sent[count:])
        return count

    def refused(self):
        while True:
            kind, data = self.read_frame()
            if kind == ERROR:
                return error(data)
            assert kind != OPENED, "it was let in"

    def wait_text(self, text, kinds=(STDOUT,), timeout=10):
        """Everything of those kinds up to and with `text`."""
        got, tail, want = [], b"", text.encode()
        while want not in tail:
            kind, data = self.read_frame(timeout)
            assert kind != ERROR, error(data)
            if kind in kinds:
                got.append(data)
                tail = tail[-len(want):] + data
        return b"".join(got).decode()

    def notice(self, text, timeout=10):
        return self.wait_text(text, (NOTICE,), timeout)

    def left(self):
        return json.loads(self.wait(LEFT))

    def result(self):
        """FR_RESULT's object; as a client does, say that it arrived."""
        result = json.loads(self.wait(RESULT))
        with contextlib.suppress(BrokenPipeError):
            self.send(BYE)
        return result

    def of(self, *kinds):
        return b"".join(data for kind, data in self.frames if kind in kinds)

    def cut(self):
        """The network goes: nothing is said."""
        self.proc.kill()
        self.proc.wait()

    def close(self):
        self.proc.kill()
        with contextlib.suppress(BrokenPipeError):
            self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc.wait()


def error(data):
    """FR_ERROR's three strings, a line each."""
    at, parts = 6, []
    for _ in range(3):
        n = int.from_bytes(data[at:at + 2], "big")
        parts.append(data[at + 2:at + 2 + n].decode())
        at += 2 + n
    return "\n".join(parts)
