# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad network: a relay between client and agent that cuts, drops, delays, falls silent and
half-closes; and a network namespace with a cable into it, for the relay to be in."""
import asyncio
import contextlib
import ctypes
import os
import socket
import struct
import threading

from .util import run

BLOCK = 65536
CLONE_NEWNET = 0x40000000
MANNERS = ("reset", "end", "half near", "half far", "drop", "delay")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close(2) drops what is not sent, and says so
libc = ctypes.CDLL(None, use_errno=True)


class Thread:
    """An event loop in a thread of its own; everything of a relay happens in one."""

    def __init__(self, enter=None):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.tid = self.thread.native_id
        if enter:
            self.call(enter)

    def call(self, do, *args):
        """Its result."""
        async def job():
            result = do(*args)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(job(), self.loop).result(10)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


class Link:
    """One connection through the relay: a reader and a writer on either side."""

    def __init__(self, relay, near, far):
        self.relay, self.near, self.far = relay, near, far
        self.left, self.then = None, "reset"  # so many bytes, both directions together, then this
        self.delay, self.hole, self.cut_already = 0.0, False, False
        self.shut = set()

    async def run(self):
        await asyncio.gather(self.carry(self.near[0], self.far[1]),
                             self.carry(self.far[0], self.near[1]))
        self.close()

    async def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := await source.read(BLOCK):
                await self.relay.open_way.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.hole or sink in self.shut:
                    continue
                if self.left is not None:
                    data = data[:self.left]
                    self.left -= len(data)
                self.relay.carried += len(data)
                sink.write(data)
                if self.left == 0:
                    self.left = None
                    self.cut(self.then)
                await sink.drain()
        await self.relay.open_way.wait()
        if not self.hole:
            self.end(sink)

    def end(self, sink):
        self.shut.add(sink)
        with contextlib.suppress(OSError):
            sink.write_eof()

    def cut(self, how):
        self.relay.cuts[how] += not self.cut_already
        self.cut_already = True
        if how in ("reset", "end"):
            self.close(how == "reset")
        elif how == "half near":  # the client reads the end, and may go on writing
            self.end(self.near[1])
        elif how == "half far":
            self.end(self.far[1])
        else:
            self.hole, self.delay = how == "drop", 0.02
            self.relay.thread.loop.call_later(0.05, self.close, True)

    def close(self, reset=False):
        for _, writer in (self.near, self.far):
            sock = writer.get_extra_info("socket")
            if reset and sock.family == socket.AF_INET:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Relay:
    """Listens at `address` ((host, port) or the path of a socket) and connects on to `target`."""

    def __init__(self, address, target, thread=None):
        self.address, self.target, self.server = address, target, None
        self.own = None if thread else Thread()
        self.thread = thread or self.own
        self.links, self.accepted, self.carried = set(), 0, 0
        self.cuts = dict.fromkeys(MANNERS, 0)
        self.next_left = []  # how many bytes each of the next connections carries
        self.open_way = asyncio.Event()
        self.open_way.set()
        self.listen()

    def listen(self):
        """Let connections in, also again after refuse()."""
        async def do():
            if isinstance(self.address, str):
                self.server = await asyncio.start_unix_server(self.accept, self.address)
            else:
                self.server = await asyncio.start_server(self.accept, *self.address)
                self.address = self.server.sockets[0].getsockname()

        self.thread.call(do)

    async def accept(self, *near):
        try:
            far = await (asyncio.open_unix_connection(self.target) if isinstance(self.target, str)
                         else asyncio.open_connection(*self.target))
        except OSError:
            near[1].transport.abort()
            return
        link = Link(self, near, far)
        if self.next_left:
            link.left = self.next_left.pop(0)
        self.links.add(link)
        self.accepted += 1
        await link.run()
        self.links.discard(link)

    def refuse(self):
        """Nobody listens here any more; what is connected stays."""
        self.thread.call(self.server.close)
        if isinstance(self.address, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)

    def cut(self, how="reset", after=None):
        """Every connection: now, or when it has carried so many bytes more.  How many there were
        that nothing had been done to."""
        def do():
            fresh = [link for link in self.links if not link.cut_already]
            for link in list(self.links):
                if after is None:
                    link.cut(how)
                else:
                    link.left, link.then = after, how
            return len(fresh)

        return self.thread.call(do)

    def freeze(self):
        """Silence: nothing is carried, nothing is closed."""
        self.thread.call(self.open_way.clear)

    def thaw(self):
        self.thread.call(self.open_way.set)

    def close(self):
        self.refuse()
        self.thaw()
        self.cut()
        if self.own:
            self.own.close()


class Net(Thread):
    """A network namespace with a cable to ours: agents listen at .here, relays are inside.

    The namespace is the thread's: when the process goes, however it goes, so do namespace and
    cable."""

    def __init__(self):
        super().__init__(self.enter)
        # Tests of other trees may have pid namespaces of their own: pids are not unique.
        number = os.stat(f"/proc/self/task/{self.tid}/ns/net").st_ino
        a, b = number >> 6 & 255, (number & 63) * 4
        self.here, self.there = f"198.18.{a}.{b + 1}", f"198.18.{a}.{b + 2}"
        self.cable = f"c{number}"
        try:
            self.inside("ip", "link", "add", "far", "type", "veth", "peer", "name", self.cable,
                        "netns", os.getpid())
            run(["ip", "addr", "add", f"{self.here}/30", "dev", self.cable])
            run(["ip", "link", "set", self.cable, "up"])
            self.inside("ip", "addr", "add", f"{self.there}/30", "dev", "far")
            self.plug(True)
        except BaseException:
            self.close()
            raise

    def enter(self):
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")

    def inside(self, *argv):
        return run(["nsenter", f"--net=/proc/{os.getpid()}/task/{self.tid}/ns/net", "--", *argv])

    def relay(self, port):
        """To an agent at .here."""
        return Relay((self.there, 0), (self.here, port), self)

    def plug(self, on):
        """The cable: without it packets vanish, and nobody is told."""
        self.inside("ip", "link", "set", "far", "up" if on else "down")

    def close(self):
        super().close()
        # The kernel takes the namespace apart in its own time, and the cable with it.
        run(["ip", "link", "del", self.cable], check=False)
