# SPDX-License-Identifier: GPL-3.0-or-later
"""A transport that is taken over: what tests/hostile/transport.c does for whoever connects."""
import base64
import contextlib
import os
import pathlib
import socket
import struct
import subprocess

from .util import BUILD, alive, wait_for

HOSTILE = BUILD / "hostile" / "coral"

PM_HEARTBEAT, PM_SIGN, PM_KEY, PM_VERIFY, PM_OPEN = range(1, 6)
PM_YES, PM_NO, PM_SIGNED, PM_STREAM, PM_REFUSED = range(64, 69)
FR_OPEN, FR_STDIN, FR_STDIN_EOF, FR_WINCH, FR_SIGNAL, FR_BYE = range(1, 7)
FR_OPENED, FR_STDOUT, FR_STDERR, FR_CREDIT, FR_NOTICE, FR_RESULT, FR_ERROR, FR_DATA, FR_END = \
    range(32, 41)
(VERB, WORD, SERVICE, POD, NS, CONTAINER, PID, ARG, ENV, TTY, SIZE, TERM, USER, WORKDIR, NAMESPACES,
 TIMEOUT, DISCONNECT, PRIVILEGED, NO_RECORD, REASON, ID, CLIENT, SECCOMP) = range(1, 24)
EXEC, SHELL, PS, SESSIONS, SHOW, READ, REMOVE = range(1, 8)


def string(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(data)) + data


def short(data):
    return struct.pack(">H", len(data)) + data


def frame(kind, data=b""):
    return struct.pack(">I", kind << 24 | len(data)) + data


def request(verb, *fields):
    """fields: (tag, bytes, str or int for a pid)"""
    out = b"\x01" + struct.pack(">BIB", VERB, 1, verb)
    for tag, value in fields:
        if isinstance(value, int):
            value = struct.pack(">I", value)
        out += struct.pack(">B", tag) + string(value)
    return out


def run_in(pid, *argv, extra=()):
    return request(EXEC, (PID, pid), *[(ARG, a) for a in argv], *extra)


class Signer:
    """The private half of a key of ssh-keygen, for any data at all."""

    def __init__(self, key):
        text = "".join(key.path.read_text().splitlines()[1:-1])
        self.blob = base64.b64decode(key.public.split()[1])
        seed = base64.b64decode(text).split(self.blob[-32:])[-2][-32:]
        self.der = key.path.with_suffix(".der")
        self.der.write_bytes(bytes.fromhex("302e020100300506032b657004220420") + seed)

    def sign(self, data):
        path = self.der.with_suffix(".data")
        path.write_bytes(data)
        raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey",
                              self.der, "-in", path], capture_output=True, check=True).stdout
        return string("ssh-ed25519") + string(raw)


def signed_data(session_id, blob, user="x", service="ssh-connection", alg="ssh-ed25519", flag=1):
    return (string(session_id) + b"\x32" + string(user) + string(service) + string("publickey") +
            bytes([flag]) + string(alg) + string(blob))


class Ended(Exception):
    """The broker ended the transport."""


class Taken:
    """One connection to an agent of tests/hostile, and the transport behind it."""

    def __init__(self, agent, tcp=False):
        before = set(agent.transports())
        if tcp:
            self.sock = socket.create_connection(("127.0.0.1", agent.port), 20)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(20)
            self.sock.connect(str(agent.socket))
        self.inbox = []
        self.pid = wait_for("the transport",
                            lambda: sorted(set(agent.transports()) - before))[0]

    def close(self):
        self.sock.close()

    def order(self, op, a=0, data=b""):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(struct.pack(">cII", op.encode(), a, len(data)) + data)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            try:
                more = self.sock.recv(n - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Ended
            data += more
        return data

    def report(self, *ops, of=None):
        """The next report of one of these kinds, `of` one stream; others wait."""
        def wanted(op, a, _):
            return op in ops and of in (None, a)

        for i, got in enumerate(self.inbox):
            if wanted(*got):
                return self.inbox.pop(i)
        while True:
            op, a, n = struct.unpack(">cII", self.exactly(9))
            got = (op.decode(), a, self.exactly(n))
            if wanted(*got):
                return got
            self.inbox.append(got)

    def tell(self, kind, body=b"", fds=0):
        self.order("M", fds, bytes([kind]) + body)

    def ask(self, kind, body=b""):
        """The type and body of the broker's answer."""
        self.tell(kind, body)
        _, _, answer = self.report("m")
        return answer[0], answer[1:]

    def ended(self):
        """Whether the broker puts an end to it, with nothing more said."""
        try:
            self.report("none")
        except Ended:
            wait_for("the transport's end", lambda: not alive(self.pid))
            return not [r for r in self.inbox if r[0] in "ms"]
        return False

    def exchange(self, session_id=None):
        """Have a key exchange signed; the session's id."""
        session_id = session_id or os.urandom(32)
        assert self.ask(PM_SIGN, session_id)[0] == PM_SIGNED
        return session_id

    def prove(self, signer, session_id, **kw):
        data = signed_data(session_id, signer.blob, **kw)
        return self.ask(PM_VERIFY, short(signer.sign(data)) + data)

    def login(self, signer):
        assert self.prove(signer, self.exchange()) == (PM_YES, b"")
        return self

    def open(self, body, channel=7):
        """The stream to a keeper, or None when the broker refuses."""
        self.tell(PM_OPEN, struct.pack(">I", channel) + body)
        _, stream, answer = self.report("m")
        assert answer[1:5] == struct.pack(">I", channel)
        return stream - 1 if answer[0] == PM_STREAM else None

    def send(self, stream, data):
        self.order("S", stream, data)

    def frames(self, stream, until=(FR_RESULT, FR_ERROR, FR_END)):
        """What the keeper says up to its last frame, as (kind, bytes)."""
        data, got = b"", []
        while True:
            while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[1:4], "big"):
                n = 4 + int.from_bytes(data[1:4], "big")
                got.append((data[0], data[4:n]))
                data = data[n:]
                if got[-1][0] in until:
                    if data:
                        self.inbox.insert(0, ("s", stream, data))
                    return got
            op, _, more = self.report("s", "e", of=stream)
            if op == "e":
                return got
            data += more

    def run(self, body):
        """A request to its end: the kinds of frames, and the output."""
        stream = self.open(body)
        assert stream is not None
        got = self.frames(stream)
        self.send(stream, frame(FR_BYE))
        return [k for k, _ in got], b"".join(d for k, d in got if k in (FR_STDOUT, FR_DATA)), got[-1][1]

    def syscall(self, number, *args):
        args = list(args) + [0] * (6 - len(args))
        self.order("Y", 0, struct.pack(">7Q", number, *args))
        return struct.unpack(">q", self.report("y")[2])[0]


def fds_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def broker_log(agent):
    return pathlib.Path(agent.log_path).read_text(errors="replace")
