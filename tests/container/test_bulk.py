# SPDX-License-Identifier: GPL-3.0-or-later
"""10 GiB each way past a reader that stalls, byte-exact by SHA-256.

CORAL_TEST_BULK_GIB lowers the amount (default 10).  The stream is a block of random bytes again
and again, each time after its number, so that a lost, doubled or swapped block changes the hash."""
import hashlib
import os
import subprocess
import threading
import time

import pytest

BLOCK = 64 << 20
COUNT = int(float(os.environ.get("CORAL_TEST_BULK_GIB", "10")) * (1 << 30)) // BLOCK
LIMIT = 900


@pytest.fixture
def block(box):
    data = os.urandom(BLOCK)
    (box.root / "tmp/block").write_bytes(data)
    yield data
    (box.root / "tmp/block").unlink()


def pieces(block):
    for n in range(COUNT):
        yield b"%d\n" % n
        yield block


def expected(block):
    digest = hashlib.sha256()
    for piece in pieces(block):
        digest.update(piece)
    return digest.hexdigest()


@pytest.mark.slow
def test_down(agent, box, block):
    """From the container to a reader that stops ten times on its way."""
    script = f"i=0; while [ $i -lt {COUNT} ]; do echo $i; cat /tmp/block; i=$((i+1)); done; exit 42"
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", script,
                             stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    digest, total, view = hashlib.sha256(), 0, memoryview(bytearray(1 << 20))
    every = max(1, COUNT * BLOCK // 10)
    stall_at = every // 2
    end = time.monotonic() + LIMIT
    while got := proc.stdout.readinto(view):
        digest.update(view[:got])
        total += got
        if total >= stall_at:
            time.sleep(0.5)  # the payload: a reader that does not keep up
            stall_at += every
        assert time.monotonic() < end
    assert proc.wait(30) == 42
    assert total == sum(len(b"%d\n" % n) + BLOCK for n in range(COUNT))
    assert digest.hexdigest() == expected(block)
    # Back-pressure: what waits for a slow reader must not pile up as recorded bytes either.
    assert agent.coral.newest_cast().stat().st_size < 512 << 20


@pytest.mark.slow
def test_up(agent, box, block):
    """Into the container, to a command that begins late and stalls."""
    script = ("sleep 1; (dd bs=65536 count=64 iflag=fullblock 2>/dev/null; sleep 1; cat)"
              " | openssl dgst -sha256 -r")
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", script,
                             stderr=subprocess.DEVNULL)

    def feed():
        for piece in pieces(block):
            proc.stdin.write(piece)
        proc.stdin.close()

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    out = proc.stdout.read()
    assert proc.wait(LIMIT) == 0
    thread.join(10)
    assert out.split()[0].decode() == expected(block)


def test_memory_stays_bounded(agent, box):
    """A reader that stops: nobody on the way grows."""
    from house.coral import children_of, status_of
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "cat", "/dev/zero",
                             stdin=subprocess.DEVNULL)
    proc.stdout.read(4 << 20)
    people = [proc.pid, agent.proc.pid, *children_of(agent.proc.pid)]
    time.sleep(1)  # the payload: a reader that does nothing
    for pid in people:
        try:
            rss = int(status_of(pid).get("VmRSS", "0 kB").split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert rss < 64 << 10, f"{pid} holds {rss} KiB"
    proc.stdout.close()
    proc.kill()
    proc.wait()
    proc.stderr.close()
