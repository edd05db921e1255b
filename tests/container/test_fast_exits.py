# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit status and the last bytes are never lost, however fast the command ends."""
import threading

import pytest

ROUNDS = 2000


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [2, 4])
def test_status_kept(agent, bare, lanes):
    """2000 commands that are gone before anyone can look, with a status that names each."""
    wrong = []

    def lane(first):
        for n in range(first, ROUNDS // 2, lanes):
            code = 1 + n % 250
            done = agent.coral.run("exec", "--pid", bare.pid, "--", "sh", "-c",
                                   f"echo {n}; exit {code}")
            if (done.code, done.out) != (code, b"%d\n" % n):
                wrong.append((n, done))

    threads = [threading.Thread(target=lane, args=(n,)) for n in range(lanes)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, f"{len(wrong)} of {ROUNDS // 2}: {wrong[:3]}"


def test_embedded(coral, bare):
    wrong = [n for n in range(100) if coral.run(
        "exec", "--pid", bare.pid, "--", "sh", "-c", f"exit {n}").code != n]
    assert not wrong


def test_last_bytes_of_a_terminal(agent, bare):
    """A PTY's last output is read before its end is believed."""
    wrong = []
    for n in range(100):
        done = agent.coral.run("exec", "-tt", "--pid", bare.pid, "--", "sh", "-c",
                               f"seq 1 200; echo end-{n}; exit 7")
        if done.code != 7 or not done.out.rstrip().endswith(b"end-%d" % n):
            wrong.append((n, done))
    assert not wrong, wrong[:3]
