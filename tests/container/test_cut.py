# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that is cut after every so many bytes: whoever is left notices at once."""
import select
import socket
import subprocess
import time

import pytest

from house.util import wait_for
from test_ssh import ssh  # noqa: F401

PATIENCE = 5
STEPS = [*range(0, 60, 9), *range(60, 2400, 53)]


def pump(near, far, limit, counted):
    """Carry bytes both ways until `limit` of them came from the side that is counted."""
    sent, end = 0, time.monotonic() + PATIENCE
    while sent < limit and time.monotonic() < end:
        for side in select.select([near, far], [], [], 0.1)[0]:
            try:
                data = side.recv(min(65536, limit - sent) if side is counted else 65536)
                (far if side is near else near).sendall(data)
            except OSError:
                return True
            if not data:
                return True
            sent += len(data) if side is counted else 0
            if sent >= limit:
                break
    return False


def test_client(agent, home):
    """Its agent goes away after n bytes: no wait, no busy one either."""
    agent.coral.extra["CORAL_SHARE"] = "0"  # a connection each time
    uncut = agent.coral.run("ps")
    where = home / "cut"
    where.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(where / "agent.sock"))
    listener.listen(1)
    listener.settimeout(PATIENCE)
    for n in STEPS:
        proc = agent.coral.popen("ps", "--agent-addr", where / "agent.sock",
                                 stdin=subprocess.DEVNULL)
        near = listener.accept()[0]
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(str(agent.socket))
            whole = pump(near, far, n, far)
        try:
            out, err = proc.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.communicate()
            raise AssertionError(f"the client stays after {n} bytes") from None
        # The answer may be whole before the farewell is.
        if whole or (proc.returncode == 0 and (out, err) == (uncut.out, uncut.err)):
            break
        assert proc.returncode != 0 and b"connection was lost" in err or b"closed" in err, (n, err)
    assert n > 1000
    listener.close()


@pytest.mark.parametrize("how", ["closed", "half closed", "reset"])
def test_agent(ssh, net_agent, how):  # noqa: F811
    """Its client goes away after n bytes: the transport ends with it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    port = listener.getsockname()[1]
    for n in STEPS:
        argv = ssh.argv("pid.1", "true")
        argv[argv.index("-p") + 1] = str(port)
        proc = subprocess.Popen(argv, env=ssh.env(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        near = listener.accept()[0]
        with near, socket.create_connection(("127.0.0.1", net_agent.port)) as far:
            whole = pump(near, far, n, near)
            if how == "reset":
                far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif how == "half closed":
                far.shutdown(socket.SHUT_WR)
                wait_for(f"the end after {n} bytes", lambda: not net_agent.transports(), PATIENCE)
        wait_for(f"the end after {n} bytes", lambda: not net_agent.transports(), PATIENCE)
        proc.kill()
        proc.wait()
        if whole:
            break
    assert n > 1000
    listener.close()
