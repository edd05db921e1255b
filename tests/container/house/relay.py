# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad network: a relay between client and agent that drops, delays, falls silent and half-closes."""
import contextlib
import os
import socket
import struct
import threading
import time

BLOCK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close(2) drops what is not sent, and says so


def _socket(address):
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


class Link:
    """One connection through the relay: two sockets, and a thread for each direction."""

    def __init__(self, relay, near, far):
        self.relay, self.near, self.far = relay, near, far
        self.left = None  # bytes that it still carries, both directions together
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.carry, args=pair, daemon=True)
                        for pair in ((near, far), (far, near))]
        for t in self.threads:
            t.start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                self.relay.open_way.wait()
                if self.relay.delay:
                    time.sleep(self.relay.delay)
                with self.lock:
                    if self.left is not None:
                        data = data[:self.left]
                        self.left -= len(data)
                    last = self.left == 0
                self.relay.carried += len(data)
                sink.sendall(data)
                if last:
                    self.cut()
                    return
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        """What is under way is lost, and both sides see an end."""
        for s in (self.near, self.far):
            with contextlib.suppress(OSError):
                if s.family == socket.AF_INET:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                s.shutdown(socket.SHUT_RDWR)
        for s in (self.near, self.far):
            s.close()

    def half_close(self):
        """The agent sees the end of the client's half, and may go on sending."""
        with contextlib.suppress(OSError):
            self.far.shutdown(socket.SHUT_WR)

    def alive(self):
        return any(t.is_alive() for t in self.threads)


class Relay:
    """Listens at `address` ((host, port) or the path of a socket) and connects on to `target`."""

    def __init__(self, address, target):
        self.target, self.links = target, []
        self.open_way = threading.Event()
        self.open_way.set()
        self.delay, self.carried, self.accepted = 0.0, 0, 0
        self.next_left = []  # how many bytes each of the next connections carries
        self.address, self.listener = address, None
        self.listen()

    def listen(self):
        """Let connections in, also again after refuse()."""
        self.listener = _socket(self.address)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.address)
        self.listener.listen(16)
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = _socket(self.target)
                try:
                    far.connect(self.target)
                except OSError:
                    near.close()
                    continue
                link = Link(self, near, far)
                if self.next_left:
                    link.left = self.next_left.pop(0)
                self.links.append(link)
                self.accepted += 1

    def refuse(self):
        """Nobody listens here any more; what is connected stays."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if isinstance(self.address, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)

    def living(self):
        return [link for link in self.links if link.alive()]

    def cut(self, after=None):
        """Cut every connection: now, or when it has carried so many bytes more."""
        for link in self.living():
            if after is None:
                link.cut()
            else:
                with link.lock:
                    link.left = after

    def freeze(self):
        """Silence: nothing is carried, nothing is closed."""
        self.open_way.clear()

    def thaw(self):
        self.open_way.set()

    def close(self):
        self.refuse()
        self.thaw()
        self.cut()
