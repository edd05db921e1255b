# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand cuts: the network goes away in every manner while both sides send, and at the end
each has had every line once and in order."""
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import select
import subprocess
import time

import pytest

from house.coral import end_sessions
from house.people import Person, build
from house.relay import MANNERS
from house.util import wait_for

PAD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
AHEAD = 200


def spell(side, n):
    return f"{side} {n} {PAD[:n * 7 % 50]}\n".encode()


class Traffic:
    """A shell whose program and we send each other numbered lines; each line is checked."""

    def __init__(self, person, box, relay):
        self.person, self.box, self.relay = person, box, relay
        self.master, slave = os.openpty()
        self.errors, self.shown = person.home / "stderr", b""
        with open(self.errors, "wb") as errors:
            self.proc = subprocess.Popen(
                ["setsid", "-c", *person.argv("shell", "-tt", "--pid", box.pid)], env=person.env(),
                stdin=slave, stdout=subprocess.PIPE, stderr=errors)
        os.close(slave)
        self.out = self.proc.stdout.fileno()
        os.set_blocking(self.master, False)
        os.set_blocking(self.out, False)
        self.held, self.got, self.sent, self.todo, self.last = b"", 0, 0, b"", None
        self.begin()

    def begin(self):
        self.expect(rb"[#$] ")
        os.write(self.master, b"exec /twoway\r")
        self.expect(rb"[\r\n]ready\r?\n")

    def expect(self, pattern):
        self.until(lambda: re.search(pattern, self.held), repr(pattern), check=False)
        self.held = self.held[re.search(pattern, self.held).end():]

    def until(self, true, what, check=True, timeout=30):
        end = time.monotonic() + timeout
        while not true():
            self.turn(check=check)
            assert time.monotonic() < end, (
                f"{timeout} s without {what}: {self.got} lines came, {self.sent} were sent; "
                f"{self.held[-500:]} {self.said()}")

    def said(self):
        return (self.errors.read_bytes() + self.shown)[-2000:]

    def turn(self, wait=0.05, check=True):
        """Whatever can be moved now."""
        while check and len(self.todo) < 4096 and self.sent < self.got + AHEAD:
            self.sent += 1
            self.todo += spell("i", self.sent)
        ready = select.select([self.out, self.master], [self.master] if self.todo else [], [], wait)
        if ready[1]:
            try:
                self.todo = self.todo[os.write(self.master, self.todo[:1024]):]
            except BlockingIOError:
                pass
        if self.master in ready[0]:
            with contextlib.suppress(OSError):  # EIO: the client has ended
                self.shown += os.read(self.master, 4096)
        if self.out in ready[0]:
            data = os.read(self.out, 65536)
            assert data, f"the client ended: {self.proc.wait(10)}; {self.said()}"
            self.held += data
        if check:
            self.check()

    def check(self):
        *lines, self.held = self.held.split(b"\n")
        for line in lines:
            line += b"\n"
            if line.startswith(b"end "):
                self.last = line
                continue
            assert line == spell("o", self.got + 1), (
                f"line {self.got + 1} was wanted: {line[:200]}; sent {self.sent}; {self.said()}")
            self.got += 1

    def go(self, lines, timeout=30):
        """Until so many more have come."""
        want = self.got + lines
        self.until(lambda: self.got >= want, f"line {want}", timeout=timeout)

    def finish(self):
        """Both sides' count, and the end that the program gave."""
        self.until(lambda: not self.todo, "everything being taken")
        self.todo = b"q %d\n" % self.sent
        total, self.sent = self.sent, 1 << 62  # nothing more
        self.until(lambda: self.last, "the program's end")
        got, sent = map(int, self.last.split()[1:])
        assert (got, sent) == (total, self.got)
        code = self.proc.wait(20)
        assert code == 0, (code, self.said())

    def close(self):
        if self.master < 0:
            return
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        os.close(self.master)
        self.master = -1


@pytest.fixture
def twoway(box):
    path = box.root / "twoway"
    build(pathlib.Path(__file__).with_name("twoway.c"), path)
    yield path
    path.unlink()


@pytest.fixture
def far(make_agent, home, net, box, twoway):
    """far(n, share): an agent and n people with sessions, each over a network of ours to break."""
    made = []

    def make(n=1, share="no"):
        people = [Person(home, f"alice{i}", share=share) for i in range(n)]
        agent = make_agent(listen=True, host=net.here, keys="".join(p.line() for p in people))
        made.append(lambda: end_sessions(agent))
        for person in people:
            relay = net.relay(agent.port)
            made.append(relay.close)
            person.goes_to(relay)
            traffic = Traffic(person, box, relay)
            made.append(traffic.close)
            traffic.go(100)
            sessions.append(traffic)
        return agent, *sessions

    sessions = []
    yield make
    for close in reversed(made):
        close()


def lacerate(traffic, cuts, seed):
    """Cut every connection that is made, at once or after a while."""
    rng, relay = random.Random(seed), traffic.relay
    cuts += sum(relay.cuts.values())
    while sum(relay.cuts.values()) < cuts:
        at = relay.accepted
        if rng.random() < 0.2:
            relay.next_left.append(rng.randrange(6000))
        # Half of them in the middle of whatever is under way: a packet, a frame, a key exchange.
        if not relay.cut(rng.choice(MANNERS), rng.choice((None, rng.randrange(6000)))):
            traffic.turn()
            continue
        traffic.until(lambda: relay.accepted > at, "another connection")
        # More than can be on the way: but for some, the new connection has carried something.  Of
        # one that broke off as it was made the client waits longer each time.
        traffic.go(rng.choice((1, 2 * AHEAD + 1, 2 * AHEAD + 1)))
    traffic.finish()


def sixteen(traffic, seed):
    """For a network that breaks each new connection a client waits longer and longer: after a few
    cuts another session has its turn."""
    for n in range(16):
        try:
            lacerate(traffic, 8, 16 * seed + n)
        finally:
            traffic.close()
        if n < 15:
            traffic = Traffic(traffic.person, traffic.box, traffic.relay)


@pytest.mark.slow
def test_thousand_cuts(far):
    """Every manner; after it nobody is left who served a connection that is gone."""
    agent, *eight = far(8)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(sixteen, one, n) for n, one in enumerate(eight)]:
            done.result()
    cuts = {how: sum(one.relay.cuts[how] for one in eight) for how in MANNERS}
    assert sum(cuts.values()) >= 1000 and min(cuts.values()) > 100, cuts
    wait_for("the transports to end", lambda: not agent.transports())
    for row in agent.coral.sessions():
        assert (row["state"], row["exit_code"]) == ("ended", 0), row


def test_cuts_of_a_shared_connection(far):
    """The connection is a master's, which goes with it: the next one is made as quietly."""
    _, one = far(share="5s")
    lacerate(one, 10, 5)


def test_refused_for_a_while(far):
    """Some connections break off as they are made, then nobody answers: it is tried again."""
    _, one = far()
    one.relay.next_left += [0, 100, 1500]
    one.relay.cut()
    one.until(lambda: not one.relay.next_left, "three attempts")
    one.relay.refuse()
    one.relay.cut()
    one.until(lambda: b"trying again" in one.said(), "a word on it")
    one.relay.listen()
    one.go(1000)
    one.finish()


def test_the_cable_is_pulled_and_put_back(far, net):
    """A short sleep: the same TCP connection goes on, or another does; no line is lost."""
    _, one = far()
    for _ in range(5):
        one.go(200)
        net.plug(False)
        try:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                one.turn()
        finally:
            net.plug(True)
    one.go(200 + AHEAD)
    one.finish()
