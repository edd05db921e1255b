# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand cuts: the network goes away in every manner while both sides send, and at the end
each has had every line once and in order."""
import os
import pathlib
import random
import re
import select
import subprocess
import time

import pytest

from house.people import Person, build
from house.util import alive, wait_for

PAD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
AHEAD = 200
MANNERS = ("reset", "end", "half near", "half far", "drop", "delay")


def spell(side, n):
    return f"{side} {n} {PAD[:n * 7 % 50]}\n".encode()


class Traffic:
    """A shell whose program and we send each other numbered lines; each line is checked."""

    def __init__(self, person, box, home):
        self.master, slave = os.openpty()
        self.errors = open(home / "stderr", "w+b")
        self.proc = subprocess.Popen(
            ["setsid", "-c", *person.argv("shell", "-tt", "--pid", box.pid)], env=person.env(),
            stdin=slave, stdout=subprocess.PIPE, stderr=self.errors)
        os.close(slave)
        self.out = self.proc.stdout.fileno()
        os.set_blocking(self.master, False)
        os.set_blocking(self.out, False)
        self.held, self.got, self.sent, self.todo, self.last = b"", 0, 0, b"", None
        self.begin()

    def begin(self):
        self.until(rb"[#$] ")
        os.write(self.master, b"exec /twoway\r")
        self.until(rb"[\r\n]ready\r?\n")

    def until(self, pattern, timeout=20):
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.held)):
            assert time.monotonic() < end, f"{pattern} is not in {self.held[-500:]}; {self.said()}"
            self.turn(check=False)
        self.held = self.held[found.end():]

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[-2000:]

    def turn(self, wait=0.05, check=True):
        """Whatever can be moved now."""
        while check and len(self.todo) < 4096 and self.sent < self.got + AHEAD:
            self.sent += 1
            self.todo += spell("i", self.sent)
        ready = select.select([self.out], [self.master] if self.todo else [], [], wait)
        if ready[1]:
            try:
                self.todo = self.todo[os.write(self.master, self.todo[:1024]):]
            except BlockingIOError:
                pass
        if ready[0]:
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
        want, end = self.got + lines, time.monotonic() + timeout
        while self.got < want:
            self.turn()
            assert time.monotonic() < end, (
                f"nothing after {self.got} lines ({self.sent} sent) for {timeout} s; {self.said()}")

    def finish(self):
        """Both sides' count, and the end that the program gave."""
        end = time.monotonic() + 30
        while self.todo:
            self.turn()
            assert time.monotonic() < end
        self.todo = b"q %d\n" % self.sent
        total, self.sent = self.sent, 1 << 62  # nothing more
        while self.last is None:
            self.turn()
            assert time.monotonic() < end, self.said()
        got, sent = map(int, self.last.split()[1:])
        assert (got, sent) == (total, self.got)
        code = self.proc.wait(20)
        assert code == 0, (code, self.said())
        return total

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
        self.errors.close()
        os.close(self.master)


@pytest.fixture
def twoway(box):
    path = box.root / "twoway"
    build(pathlib.Path(__file__).with_name("twoway.c"), path)
    yield path
    path.unlink()


@pytest.fixture
def far(make_agent, home, net):
    """far(share) -> (person, relay, agent): a client whose network is ours to break."""
    made = []

    def make(share="no"):
        person = Person(home, "alice", share=share)
        agent = make_agent(listen=True, host=net.here, keys=person.line())
        made.append(net.relay(agent.port))
        person.goes_to(made[-1])
        return person, made[-1], agent

    yield make
    for relay in made:
        relay.close()


def lacerate(traffic, relay, cuts, seed):
    """Cut as soon as there was progress; how often in each manner."""
    rng = random.Random(seed)
    done = dict.fromkeys(MANNERS, 0)
    while sum(done.values()) < cuts:
        how = rng.choice(MANNERS)
        if rng.random() < 0.5:
            # In the middle of whatever is under way: a packet, a frame, a key exchange.
            at = relay.accepted
            if not relay.cut_after(rng.randrange(1, 6000), rng.choice(("up", "down")), how):
                continue
            end = time.monotonic() + 30
            while relay.accepted == at:
                traffic.turn(0.02)
                assert time.monotonic() < end, f"never cut, or never came back: {traffic.said()}"
        elif not relay.cut(how):
            traffic.turn(0.02)
            continue
        done[how] += 1
        traffic.go(rng.choice((1, 1, 50, 300)))
    return done


@pytest.mark.slow
def test_thousand_cuts(far, box, home, twoway):
    """Every manner, alone; after it nobody is left who served a connection that is gone."""
    person, relay, agent = far()
    traffic = Traffic(person, box, home)
    try:
        traffic.go(1000)
        start = time.monotonic()
        done = lacerate(traffic, relay, 1000, 1)
        print(f"\n{done}: {time.monotonic() - start:.1f} s, {traffic.got} lines, "
              f"{relay.accepted} connections")
        assert min(done.values()) > 100, done
        wait_for("the transports of old connections to end", lambda: len(agent.transports()) <= 1)
        traffic.finish()
    finally:
        traffic.close()
    row = agent.coral.sessions()[0]
    assert (row["state"], row["exit_code"]) == ("ended", 0), row


def test_cuts_of_a_shared_connection(far, box, home, twoway):
    """The connection is a master's, which goes with it: the next one is made as quietly."""
    person, relay, agent = far(share="5s")
    traffic = Traffic(person, box, home)
    try:
        traffic.go(100)
        lacerate(traffic, relay, 60, 2)
        traffic.finish()
    finally:
        traffic.close()
    assert agent.coral.sessions()[0]["exit_code"] == 0


def test_refused_for_a_while(far, box, home, twoway):
    """Nobody answers, then somebody does: it is tried again, and nothing is lost meanwhile."""
    person, relay, _ = far()
    traffic = Traffic(person, box, home)
    try:
        traffic.go(100)
        relay.reject()
        relay.cut()
        before = relay.accepted
        wait_for("four attempts", lambda: relay.accepted >= before + 4, 20)
        relay.reject(False)
        traffic.go(1000)
        traffic.finish()
    finally:
        traffic.close()


@pytest.mark.slow
def test_silence_is_noticed(far, box, home, twoway):
    """Packets vanish and nobody is told: the client finds out by itself, and so does the agent."""
    person, relay, agent = far()
    traffic = Traffic(person, box, home)
    try:
        traffic.go(100)
        old = agent.transports()
        assert relay.cut("silence") == 1
        traffic.go(400 + AHEAD, timeout=60)
        wait_for("the transport of the lost connection to end",
                 lambda: not any(alive(p) for p in old), 60)
        traffic.finish()
    finally:
        traffic.close()


def test_the_cable_is_pulled_and_put_back(far, net, box, home, twoway):
    """A short sleep: the same TCP connection goes on, or another does; no line is lost."""
    person, _, _ = far()
    traffic = Traffic(person, box, home)
    try:
        for _ in range(5):
            traffic.go(200)
            net.plug(False)
            try:
                end = time.monotonic() + 0.3
                while time.monotonic() < end:
                    traffic.turn()
            finally:
                net.plug(True)
        traffic.go(200 + AHEAD)
        traffic.finish()
    finally:
        traffic.close()
