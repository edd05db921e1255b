# SPDX-License-Identifier: GPL-3.0-or-later
"""No key is used, and none goes, that the audit log was not told of."""
import fcntl
import signal

import pytest

from house.util import wait_for
from test_audit import log_dir, one, records


def test_keys_are_told(coral):
    """Which key there was, which one came; and no key goes that the log was not told of."""
    first = coral.local("keys create").text.split()[0]
    second = coral.local("keys create", "--replace").text.split()[0]
    assert coral.local("keys create").code == 1, "there is one"
    auditor = coral.local("keys create", "--auditor", "dora", "--no-passphrase").text.strip()
    told = [(r["event"], r["user_id"], r["reason"]) for r in records(coral)]
    assert told == [("key.created", "root", f"agent_ed25519 {first}"),
                    ("key.replaced", "root", f"agent_ed25519 {first}"),
                    ("key.created", "root", f"agent_ed25519 {second}"),
                    ("key.created", "root", auditor)]
    log = coral.state / "audit" / "audit.jsonl"
    log.rename(log.with_suffix(".away"))
    log.mkdir()
    assert coral.local("keys create", "--replace").code == 1
    assert second in coral.local("keys list").text.splitlines()[1]


def public(coral):
    path = coral.state / "keys" / "agent_ed25519.pub"
    return path.read_text().split()[1] if path.exists() else None


def test_a_key_that_nobody_was_told_of(coral, box):
    """Made for a command that was refused then: told before it is used, by whoever comes next."""
    log_dir(coral).mkdir(mode=0o700, parents=True)
    log = log_dir(coral) / "audit.jsonl"
    log.mkdir()
    done = coral.run("exec", "--pid", box.pid, "--", "touch", "/tmp/ran")
    assert done.code == 125 and "audit log" in done.errtext, done
    assert not (box.root / "tmp/ran").exists()
    assert coral.local("keys create").code == 1, "nor by hand"
    assert (coral.state / "keys" / "agent_ed25519").exists() and public(coral) is None
    log.rmdir()
    assert coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    key = one(coral, "key.created")
    assert records(coral)[0] == key
    assert key["reason"].split()[1] == coral.local("keys list").text.splitlines()[1].split()[2]
    assert coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    one(coral, "key.created")


def test_told_by_who_makes_one(coral):
    """A key that lies there untold is the one that `keys create` makes."""
    log_dir(coral).mkdir(mode=0o700, parents=True)
    (log_dir(coral) / "audit.jsonl").mkdir()
    assert coral.local("keys create").code == 1
    (log_dir(coral) / "audit.jsonl").rmdir()
    done = coral.local("keys create")
    assert done.code == 0 and done.text.split()[0] in one(coral, "key.created")["reason"], done
    assert coral.local("keys create").code == 1, "there is one"


def test_a_secret_that_was_taken_away(coral, box):
    """The public half of the key before is kept: what it certified is still verified."""
    assert coral.run("exec", "--pid", box.pid, "--", "echo", "old").code == 0
    old, before = coral.session_dirs()[0], public(coral)
    (coral.state / "keys" / "agent_ed25519").unlink()
    assert coral.run("exec", "--pid", box.pid, "--", "echo", "new").code == 0
    assert public(coral) not in (None, before)
    assert before in "".join(p.read_text() for p in (coral.state / "keys").glob("*Z.pub"))
    for sid in coral.session_dirs():
        assert coral.local("audit verify", sid).code == 0, sid == old
    assert [r["event"] for r in records(coral)].count("key.created") == 2


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_given_up_before_it_was_told(coral, signo):
    """Somebody presses ^C while the log's lock is another's."""
    assert coral.local("keys create").code == 0
    with open(log_dir(coral) / "audit.lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        flags, coral.flags = coral.flags, []
        made = coral.popen("keys create", "--auditor", "eve", "--no-passphrase")
        coral.flags = flags
        path = coral.state / "keys" / "auditor_eve"
        wait_for("its file", lambda: path.with_suffix(".pub").exists())
        made.send_signal(signo)
        fcntl.flock(lock, fcntl.LOCK_UN)
    made.communicate(timeout=20)
    assert path.exists()
    assert [r["reason"] for r in records(coral)][-1] == path.with_suffix(".pub").read_text().strip()
