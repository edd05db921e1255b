# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enter, without a colony: the defaults, and policy.yaml."""
import os
import shutil

import pytest

from house.coral import Key
from house.util import CORAL
from test_ssh import Ssh

POLICY = """roles:
  - name: developer
    permissions:
      - environments: [dev]
        services: ["harb*"]
        commands: [exec]
  - name: reader
    permissions:
      - environments: [dev]
        commands: [observe]
  - name: waiting
    permissions:
      - environments: [dev]
        commands: [exec]
        require_approval: {count: 1, from: [security]}
users:
  - {name: alice, role: developer}
  - {name: bob, role: reader}
  - {name: carol, role: waiting}
"""


def denied(done, *facts):
    """An SSH client gets the three parts too, and 125."""
    assert done.returncode == 125, done
    text = done.stderr.decode()
    assert "why:" in text and "try:" in text, text
    for fact in facts:
        assert fact in text, (fact, text)


@pytest.fixture
def reef(make_agent, home):
    """reef(policy) -> {person: ssh} against an agent in the environment "dev"."""
    def make(policy=None, environment="dev", people=("alice", "bob", "carol", "dora")):
        keys = {p: Key(home, p) for p in people}
        agent = make_agent(start=False, listen=True,
                           keys="".join(k.line(f'user="{p}"') for p, k in keys.items()))
        agent.coral.config.write_text(f"agent:\n  environment: {environment}\n")
        if policy is not None:
            (agent.coral.config.parent / "policy.yaml").write_text(policy)
        agent.start()
        return agent, {p: Ssh(agent, k, home) for p, k in keys.items()}

    return make


def test_defaults_over_the_network(reef, box):
    """No file: the people of authorized_keys exec and shell as the target's own user, no more."""
    agent, people = reef()
    user = f"pid.{box.pid}"
    assert people["alice"](user, "id -u").stdout == b"0\n"
    agent.coral.run("exec", "--pid", box.pid, "--", "echo", "of root")
    mine = [s["user"] for s in agent.coral.sessions()]
    assert sorted(mine) == ["alice", "root"]


def tcp(agent, person, home, key, box, *words):
    """coral's own client over TCP, with the host key already known."""
    from house.coral import Coral
    from house.term import Pty
    client = Coral(home / f"client-{person}")
    client.extra["CORAL_AGENT"] = f"127.0.0.1:{agent.port}"
    flags = ["--identity", str(key.path)]
    if not client.home.joinpath("known").exists():
        with Pty(client.argv("ps", *flags), client.env()) as term:
            term.expect("SHA256:")
            term.send("yes\r")
            assert term.wait() == 0, term.seen
        client.home.joinpath("known").write_text("")
    verb = 2 if words[0] == "sessions" and words[1] in ("show", "rm") else 1
    return client.run(" ".join(words[:verb]), *flags, *words[verb:])


@pytest.mark.parametrize("flags,fact", [
    (["-u", "0"], "user"), (["--privileged"], "privileged"), (["--no-record"], "record"),
    (["--seccomp=copy"], "seccomp")])
def test_more_than_the_target_is_roots_alone(reef, box, home, flags, fact):
    agent, people = reef(people=("alice",))
    done = tcp(agent, "alice", home, people["alice"].key, box, "exec", *flags, "--pid", box.pid,
               "--", "id")
    assert done.code == 125 and done.out == b"", done
    assert fact in done.errtext and "why:" in done.errtext
    assert agent.coral.session_dirs() == []
    # Root, on the socket, may.
    assert agent.coral.run("exec", *flags, "--pid", box.pid, "--", "id").code == 0


def test_sessions_of_others(reef, box, home):
    agent, people = reef(people=("alice", "bob"))
    people["alice"](f"pid.{box.pid}", "echo of alice")
    people["bob"](f"pid.{box.pid}", "echo of bob")
    mine = tcp(agent, "alice", home, people["alice"].key, box, "sessions", "-o", "json")
    assert [s["user"] for s in mine.json()] == ["alice"]
    of_bob = [s["id"] for s in agent.coral.sessions() if s["user"] == "bob"][0]
    for words in (["sessions", "show", of_bob], ["sessions", "rm", of_bob],
                  ["replay", of_bob, "--format", "text"]):
        done = tcp(agent, "alice", home, people["alice"].key, box, *words)
        assert done.code == 1 and b"of bob" not in done.out, (words, done)
    of_alice = mine.json()[0]["id"]
    done = tcp(agent, "alice", home, people["alice"].key, box, "sessions", "rm", of_alice)
    assert done.code == 1, "deleting recordings is root's alone"
    assert agent.coral.run("sessions", "rm", of_alice).code == 0


def test_no_record_leaves_none(agent, box):
    done = agent.coral.run("exec", "--no-record", "--pid", box.pid, "--", "printf", "qui%s\\n", "et")
    assert (done.code, done.out) == (0, b"quiet\n")
    for path in agent.coral.state.rglob("*.cast"):
        assert b"quiet" not in path.read_bytes()


def test_file_allows_and_denies(reef, box, bare):
    _, people = reef(POLICY)
    user = f"pid.{box.pid}"
    assert people["alice"](user, "echo in").stdout == b"in\n"
    denied(people["alice"](f"pid.{bare.pid}", "true"), "bare")
    denied(people["bob"](user, "true"), "exec")
    denied(people["dora"](user, "true"), "dora")


def test_environment_counts(reef, box):
    _, people = reef(POLICY, environment="production")
    denied(people["alice"](f"pid.{box.pid}", "true"), "role")


def test_verb_counts(reef, box):
    """developer has exec and not shell."""
    _, people = reef(POLICY)
    done = people["alice"](f"pid.{box.pid}", input=b"echo in\n")
    denied(done, "shell")


def test_approval_needs_a_colony_and_denies(reef, box):
    """A key that this version cannot honour is never silently weaker."""
    _, people = reef(POLICY)
    denied(people["carol"](f"pid.{box.pid}", "true"), "approval")


def test_audit_mode_lets_in(reef, box):
    _, people = reef(POLICY + "defaults:\n  mode: audit\n")
    assert people["dora"](f"pid.{box.pid}", "echo in").stdout == b"in\n"


def test_timeout_from_policy(make_agent, box):
    agent = make_agent(start=False)
    (agent.coral.config.parent / "policy.yaml").write_text(
        "defaults:\n  timeout: {attended_max: 1s}\n")
    agent.start()
    assert agent.coral.run("exec", "--pid", box.pid, "--", "sleep", "100").code == 124


@pytest.mark.parametrize("text,fact", [
    ("roles: 7\n", "roles"),
    ("rolez:\n  - name: x\n", "roles"),
    ("defaults:\n  recrd: {output: true}\n", "record"),
    ("roles: [\n", "policy.yaml"),
    ("defaults:\n  timeout: {attended_max: soon}\n", "attended_max"),
])
def test_broken_policy_stops_the_agent(make_agent, text, fact):
    """An agent does not start on a policy it cannot read whole."""
    agent = make_agent(start=False)
    (agent.coral.config.parent / "policy.yaml").write_text(text)
    done = agent.coral.run("agent start", "--socket", agent.socket, timeout=15)
    assert done.code == 1, done
    assert fact in done.errtext and "why:" in done.errtext and "try:" in done.errtext


def test_strangers_on_the_socket(agent, box):
    """Neither root nor in group coral: the socket itself says no."""
    shutil.copy(CORAL, agent.home / "coral")
    (agent.home / "coral").chmod(0o755)
    agent.coral.extra["CORAL_AGENT"] = str(agent.socket)
    agent.home.chmod(0o755)
    (agent.home / "run").chmod(0o755)
    done = agent.coral.run("exec", "--pid", box.pid, "--", "true", prefix=[
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    assert done.code in (125, 255)
    assert "why:" in done.errtext
    assert agent.coral.session_dirs() == []


def test_who_comes_from_the_key_not_a_flag(reef, box):
    agent, people = reef(people=("alice",))
    people["alice"](f"pid.{box.pid}", "true", flags=("-o", "SetEnv=USER=root LOGNAME=root"))
    assert [s["user"] for s in agent.coral.sessions()] == ["alice"]


@pytest.mark.parametrize("line", [
    'cert-authority KEY', 'user="a" nonsense="x" KEY', 'user="../x" KEY', "ssh-ed25519 AAAA broken"])
def test_broken_authorized_keys(make_agent, key, line):
    agent = make_agent(start=False, listen=True, keys=line.replace("KEY", key.public) + "\n")
    done = agent.coral.run("agent start", "--socket", agent.socket, "--listen",
                           f"127.0.0.1:{agent.port}", "--authorized-keys", agent.keys, timeout=15)
    assert done.code == 1, done
    assert "authorized_keys" in done.errtext and "1" in done.errtext


def test_authorized_keys_others_may_write(make_agent, key):
    agent = make_agent(start=False, listen=True, keys=key.line('user="a"'))
    os.chmod(agent.keys, 0o666)
    done = agent.coral.run("agent start", "--socket", agent.socket, "--listen",
                           f"127.0.0.1:{agent.port}", "--authorized-keys", agent.keys, timeout=15)
    assert done.code == 1 and "authorized_keys" in done.errtext
