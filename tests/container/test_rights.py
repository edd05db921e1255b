# SPDX-License-Identifier: GPL-3.0-or-later
"""More, or something else, than the target has: each a permission of its own, and stamped."""
import os
import re

import pytest

from house.casts import Cast
from house.coral import Coral, Key, children_of
from house.fidelity import userns
from house.term import Pty
from house.util import alive, wait_for

NAMES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
RIGHTS = ("user", "privileged", "namespaces")
PEOPLE = {"none": ["exec"], "all": ["exec", *RIGHTS], **{right: ["exec", right] for right in RIGHTS},
          "useless": list(RIGHTS)}
POLICY = "roles:\n" + "".join(
    f"  - name: may-{who}\n    permissions:\n      - commands: [{', '.join(words)}]\n"
    for who, words in PEOPLE.items()) + "users:\n" + "".join(
    f"  - {{name: {who}, role: may-{who}}}\n" for who in PEOPLE)

ASKED = {"user": (["-u", "1000"], "as_user", "1000"),
         "privileged": (["--privileged"], "privileged", True),
         "namespaces": (["--namespaces", "mnt"], "namespaces", "mnt")}


class Person:
    """coral's own client over TCP, with a key and a home of its own."""

    def __init__(self, agent, key, home):
        self.coral = Coral(home)
        self.coral.flags = ["--identity", str(key.path)]
        self.coral.extra["CORAL_AGENT"] = f"127.0.0.1:{agent.port}"
        with Pty(self.coral.argv("ps"), self.coral.env()) as term:
            term.expect("SHA256:")
            term.send("yes\r")
            assert term.wait() == 0, term.seen

    def exec(self, box, *flags):
        return self.coral.run("exec", *flags, "--pid", box.pid, "--", "true")


@pytest.fixture
def people(make_agent, home):
    keys = {who: Key(home, who) for who in PEOPLE}
    agent = make_agent(start=False, listen=True,
                       keys="".join(k.line(f'user="{who}"') for who, k in keys.items()))
    (agent.coral.config.parent / "policy.yaml").write_text(POLICY)
    agent.start()
    return agent, {who: Person(agent, key, home / f"of-{who}") for who, key in keys.items()}


def test_each_is_a_right_of_its_own(people, box):
    """Who lacks it is told its name and nothing runs; who has it, or all, gets it stamped."""
    agent, persons = people
    for right, (flags, stamp, value) in ASKED.items():
        for who, words in PEOPLE.items():
            before = agent.coral.session_dirs()
            done = persons[who].exec(box, *flags)
            new = [s for s in agent.coral.session_dirs() if s not in before]
            if "exec" in words and right in words:
                assert done.code == 0, (who, right, done)
                header = Cast(agent.coral.cast_path(new[0])).coral
                assert header[stamp] == value and header["user"]["name"] == who
                assert not {s for _, s, _ in ASKED.values()} - {stamp} & set(header)
                continue
            lacks = right if "exec" in words else "exec"
            assert done.code == 125 and f'the right "{lacks}"' in done.errtext, (who, right, done)
            assert new == [], "a denied request is no session"


def test_none_of_them_needs_no_right(people, box):
    agent, persons = people
    for who, words in PEOPLE.items():
        assert persons[who].exec(box).code == (0 if "exec" in words else 125)
    for sid in agent.coral.session_dirs():
        assert not {stamp for _, stamp, _ in ASKED.values()} & set(Cast(
            agent.coral.cast_path(sid)).coral)


def test_two_need_both(people, box):
    agent, persons = people
    both = [*ASKED["user"][0], *ASKED["privileged"][0], *ASKED["namespaces"][0]]
    for who in ("none", *RIGHTS):
        assert persons[who].exec(box, *both).code == 125
    assert agent.coral.session_dirs() == []
    assert persons["all"].exec(box, *both).code == 0
    header = Cast(agent.coral.newest_cast()).coral
    assert {header[stamp] for _, stamp, _ in ASKED.values()} == {"1000", True, "mnt"}


@pytest.mark.parametrize("name", ["pod", "mount", "mnt,nett", "mnt,,pid", "MNT", ",", "mnt "])
def test_unknown_namespace(coral, box, name):
    done = coral.run("exec", "--pid", box.pid, "--namespaces", name, "--", "true")
    assert done.code == 125 and done.out == b""
    assert f"known: {', '.join(('user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'))}" \
        in done.errtext
    assert coral.session_dirs() == []


@pytest.fixture
def apart(make_box):
    """In namespaces of its own of every kind that runc can make."""
    def edit(config, rootfs):
        userns(config, rootfs)
        config["linux"]["namespaces"].append({"type": "cgroup"})

    return make_box("apart", kind="busybox", edit=edit)


def links(pid):
    return {n: os.readlink(f"/proc/{pid}/ns/{n}") for n in NAMES}


@pytest.mark.parametrize("wanted", [
    *[n for n in NAMES if n != "time"], "mnt,pid", "user,mnt,pid", "net,uts", "user,net", "ipc,mnt",
    "user,mnt,pid,net,ipc,uts,cgroup", "mnt,mnt", "time"])
def test_only_what_is_named(coral, apart, wanted):
    """The rest is the agent's, as the kernel sees it from outside."""
    names = set(wanted.split(",")) & {n for n in NAMES if links(apart.pid)[n] != links("self")[n]}
    proc = coral.popen("exec", "--pid", apart.pid, "--namespaces", wanted, "--", "sh", "-c",
                       "echo up; read x")
    try:
        assert proc.stdout.readline() == b"up\n", proc.stderr.read()
        inside = [p for p in children_of(proc.pid)
                  if open(f"/proc/{p}/cmdline", "rb").read().startswith(b"sh\0-c\0")]
        assert len(inside) == 1
        theirs, ours, got = links(apart.pid), links("self"), links(inside[0])
        assert {n for n in NAMES if got[n] == theirs[n] != ours[n]} == names
        assert {n for n in NAMES if got[n] == ours[n] != theirs[n]} == {
            n for n in NAMES if ours[n] != theirs[n]} - names
    finally:
        proc.communicate(b"\n", 20)
    assert proc.returncode == 0
    wait_for("its end", lambda: not alive(inside[0]))
    header = Cast(coral.newest_cast()).coral
    assert header["namespaces"] == wanted
    assert set(header["context"]["namespaces_entered"]) == names


@pytest.mark.parametrize("wanted", ["mnt", "pid", "net", "mnt,pid,net,ipc,uts,cgroup"])
def test_outside_its_user_namespace_nothing_is_gained(coral, apart, wanted):
    """Its root is another's uid 200000 there: no capability is left of what it was."""
    proc = coral.popen("exec", "--pid", apart.pid, "--namespaces", wanted, "--", "sh", "-c",
                       "echo up; read x")
    try:
        assert proc.stdout.readline() == b"up\n", proc.stderr.read()
        inside = [p for p in children_of(proc.pid)
                  if open(f"/proc/{p}/cmdline", "rb").read().startswith(b"sh\0-c\0")]
        status = open(f"/proc/{inside[0]}/status", encoding="utf-8").read()
        assert re.search(r"^Uid:\t200000\t200000\t200000\t200000$", status, re.M), status
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            assert f"Cap{kind}:\t{0:016x}\n" in status
    finally:
        proc.communicate(b"\n", 20)
