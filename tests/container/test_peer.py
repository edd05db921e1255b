# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that break SSH's own rules (tests/hostile/peer.c), against the real transport."""
import subprocess

import pytest

from house.util import BUILD, wait_for

PEER = BUILD / "hostile" / "peer"


@pytest.fixture
def peer(net_agent, key, box):
    """peer(mode) -> its lines; afterwards the agent serves the next one."""
    def start(mode, user=None):
        assert PEER.exists(), f"make hostile: {PEER} is missing"
        done = subprocess.run([PEER, str(net_agent.port), key.path, mode, user or f"pid.{box.pid}"],
                              capture_output=True, timeout=60, check=False, text=True)
        wait_for("its transport to end", lambda: not net_agent.transports())
        assert done.returncode >= 0, done
        return done.stdout.splitlines()

    yield start
    assert start("switch-user")[-2].endswith("reef"), "the agent serves on"


@pytest.mark.parametrize("mode", ["bad-signature", "no-signature", "no-key"])
def test_bad_signature(peer, net_agent, mode):
    """Each is answered at once, and counted: six, and no more."""
    lines = peer(mode)
    denied = [int(line.split()[1]) for line in lines if line.startswith("denied")]
    assert 5 <= len(denied) <= 6 and max(denied) < 1000, lines
    assert lines[-1] == "lost"
    assert "has used up its 6 tries" in net_agent.log()
    assert net_agent.coral.session_dirs() == []


def test_the_user_is_that_of_the_proof(peer):
    lines = peer("switch-user")
    assert lines[:2] == ["probe 0", "login 0"] and lines[2].startswith("after open"), lines
    assert lines[2].endswith("reef")


def test_nothing_before_login(peer, net_agent, box):
    """A channel and its command, with nothing waited for in between."""
    early = box.root / "tmp/early"
    lines = peer("before-login", "harbour")
    assert lines[:3] == ["none 1", "open 0", "exec 0"], lines
    assert net_agent.coral.session_dirs() == [] and not early.exists()


def test_channels_have_a_cap(peer):
    assert "channels 16" in peer("channels")


def test_data_after_close(peer, box):
    """Dropped: it reaches neither its own command nor another channel, which go on."""
    late = box.root / "tmp/late"
    late.unlink(missing_ok=True)
    assert peer("after-close")[1] == "another open 6 alive"
    assert not late.exists() or late.read_bytes() == b""
    late.unlink(missing_ok=True)


def test_a_channel_that_takes_no_packet(peer):
    """A largest packet of 0 bytes: nothing can be sent, and nothing spins or dies over it."""
    lines = peer("no-packets")
    assert lines[1].startswith("no-packets refused") or lines[1].endswith(" 0 "), lines


def test_environment_has_a_cap(peer):
    taken = [int(line.split()[1]) for line in peer("environment") if line.startswith("environment")]
    assert taken == [32]
