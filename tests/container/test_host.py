# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enter a process of the agent's own system."""
import subprocess

import pytest

from test_policy import denied
from test_ssh import ssh  # noqa: F401


@pytest.fixture
def daemon():
    """A process of the host, in no container, and not the host's init."""
    proc = subprocess.Popen(["/bin/sleep", "100000"])
    yield proc
    proc.kill()
    proc.wait()


def test_a_key_does_not_enter_host_processes(ssh, daemon):
    """Its user would be the host's root, with all that root may."""
    done = ssh(f"pid.{daemon.pid}", "id")
    assert done.stdout == b""
    denied(done, "host")


def test_root_may(coral, daemon):
    assert coral.run("exec", "--pid", daemon.pid, "--", "true").code == 0
