# SPDX-License-Identifier: GPL-3.0-or-later
"""What a transport that is taken over gains: nothing that its person may not have anyway.
The agent here is the real one, but for the transport's code (tests/hostile)."""
import contextlib
import os
import pathlib
import signal
import struct

import pytest

from house.casts import Cast
from house.coral import Key, children_of, status_of
from house.taken import (
    ARG, CLIENT, ENV, EXEC, FR_BYE, FR_DATA, FR_END, FR_ERROR, FR_OPEN, FR_OPENED, FR_RESULT, FR_SIGNAL,
    FR_STDERR, FR_STDIN, FR_STDOUT, FR_WINCH, HOSTILE, ID, NAMESPACES, NO_RECORD, PID, PM_HEARTBEAT,
    PM_KEY, PM_NO, PM_OPEN, PM_SIGN, PM_SIGNED, PM_STREAM, PM_VERIFY, PM_YES, PRIVILEGED, READ, REASON,
    REMOVE, SECCOMP, SERVICE, SESSIONS, SHOW, USER, WORKDIR, Ended, Signer, Taken, fds_of, frame,
    request, run_in, short, signed_data, string)
from house.util import alive, wait_for

POLICY = """roles:
  - name: developer
    permissions:
      - environments: [dev]
        services: ["harb*"]
        commands: [exec]
users:
  - {name: alice, role: developer}
"""


@pytest.fixture
def taken(make_agent, home, monkeypatch):
    """taken() connects to an agent whose transports are taken over; .agent, .alice, .bob"""
    assert HOSTILE.exists(), f"make hostile: {HOSTILE} is missing"
    monkeypatch.setattr("house.coral.CORAL", HOSTILE)
    made = []

    def connect(tcp=True):
        made.append(Taken(connect.agent, tcp))
        return made[-1]

    keys = {p: Key(home, p) for p in ("alice", "bob", "mallory")}
    connect.agent = make_agent(start=False, listen=True, keys="".join(
        keys[p].line(f'user="{p}"') for p in ("alice", "bob")))
    connect.agent.coral.config.write_text("agent:\n  environment: dev\n")
    for name, key in keys.items():
        setattr(connect, name, Signer(key))
    yield connect
    for one in made:
        one.close()


@pytest.fixture
def stranger(taken):
    """Before login, over TCP."""
    taken.agent.start()
    return taken()


@pytest.fixture
def alice(taken):
    """After login, with what the defaults give a person over the network."""
    taken.agent.start()
    return taken().login(taken.alice)


@pytest.fixture
def neighbour(taken, box):
    """Root's session on the unix socket, and its id; it must come through every test."""
    def start():
        root = taken(tcp=False)
        root.exchange()
        stream = root.open(run_in(box.pid, "sh", "-c", "echo up; cat"))
        root.frames(stream, until=(FR_STDOUT,))
        root.sid = sorted(taken.agent.keepers())[-1]
        root.stream = stream
        return root

    yield start


def lives(root):
    root.send(root.stream, frame(FR_STDIN, b"still here\n"))
    assert root.frames(root.stream, until=(FR_STDOUT,))[-1] == (FR_STDOUT, b"still here\n")
    return True


def finished(agent, sid=None):
    """The newest recording, once it has its end."""
    def end():
        path = agent.coral.cast_path(sid) if sid else agent.coral.newest_cast()
        cast = Cast(path)
        return cast if cast.end and not cast.cut else None

    wait_for("a recording", agent.coral.session_dirs)
    return wait_for("the recording's end", end, 20)


# Before login.

BEFORE = {
    "open": bytes([PM_OPEN]) + struct.pack(">I", 1) + request(EXEC, (PID, 1), (ARG, "id")),
    "key before an exchange": bytes([PM_KEY]) + short(b"ssh-ed25519") + short(b"x"),
    "proof before an exchange": bytes([PM_VERIFY]) + short(b"x") + b"y",
    "no type": b"", "type 0": b"\0", "an answer": bytes([PM_YES]), "a stream": bytes([PM_STREAM]),
    "type 6": b"\6", "type 255": b"\xff", "a long heartbeat": bytes([PM_HEARTBEAT, 0]),
    "too long": bytes([PM_OPEN]) * (400 * 1024),
    **{f"sign {n}": bytes([PM_SIGN]) + bytes(n) for n in (0, 1, 20, 31, 33, 48, 64, 200)},
}


@pytest.mark.parametrize("message", BEFORE.values(), ids=BEFORE)
def test_what_is_not_allowed_ends_it(stranger, taken, message):
    stranger.order("M", 0, message)
    if not message:  # which a transport cannot even send apart from its end
        stranger.close()
        wait_for("its end", lambda: not alive(stranger.pid))
    else:
        assert stranger.ended()
    assert taken.agent.coral.session_dirs() == [] and taken.agent.keepers() == {}
    taken().login(taken.alice)


AFTER_EXCHANGE = {
    "a second exchange": bytes([PM_SIGN]) + bytes(32),
    "open": BEFORE["open"],
    "key cut": bytes([PM_KEY]) + struct.pack(">H", 500) + b"ssh-ed25519",
    "key with more": bytes([PM_KEY]) + short(b"ssh-ed25519") + short(b"x") + b"!",
    "key with a NUL": bytes([PM_KEY]) + short(b"ssh\0") + short(b"x"),
    "key of a long type": bytes([PM_KEY]) + short(b"s" * 64) + short(b"x"),
    "proof cut": bytes([PM_VERIFY]) + struct.pack(">H", 65535) + b"x",
}


@pytest.mark.parametrize("message", AFTER_EXCHANGE.values(), ids=AFTER_EXCHANGE)
def test_nor_after_a_key_exchange(stranger, taken, message):
    stranger.exchange()
    stranger.order("M", 0, message)
    assert stranger.ended()
    assert taken.agent.coral.session_dirs() == [] and taken.agent.keepers() == {}


def refused(one, sig, data):
    assert one.ask(PM_VERIFY, short(sig) + data) == (PM_NO, b"")


def test_a_listed_key_without_its_owner(stranger, taken):
    """Whoever knows a public key may be told that it is listed, and no more."""
    sid = stranger.exchange()
    alice, mallory = taken.alice, taken.mallory
    assert stranger.ask(PM_KEY, short(b"ssh-ed25519") + short(alice.blob)) == (PM_YES, b"")
    data = signed_data(sid, alice.blob)
    refused(stranger, b"", data)
    refused(stranger, string("ssh-ed25519") + string(bytes(64)), data)
    refused(stranger, mallory.sign(data), data)
    refused(stranger, alice.sign(data)[:-1], data)
    # The try that is one too many ends it.
    refused(stranger, mallory.sign(data), signed_data(sid, mallory.blob))
    refused(stranger, b"", b"")
    stranger.tell(PM_VERIFY, short(b"") + data)
    assert stranger.ended()
    assert "has used up its 6 tries" in taken.agent.log()


DIFFERENT = {
    "another service": {"service": "ssh-userauth"}, "another algorithm": {"alg": "rsa-sha2-256"},
    "a probe": {"flag": 0}, "a certificate": {"alg": "ssh-ed25519-cert-v01@openssh.com"},
    "a long name": {"user": "u" * 300},
}


@pytest.mark.parametrize("kw", DIFFERENT.values(), ids=DIFFERENT)
def test_a_signature_of_something_else(stranger, taken, kw):
    sid = stranger.exchange()
    assert stranger.prove(taken.alice, sid, **kw) == (PM_NO, b"")
    assert stranger.prove(taken.alice, sid) == (PM_YES, b""), "the same without the difference"


def test_a_proof_of_another_connection(stranger, taken):
    """What was signed for one session is worth nothing in another."""
    sid = stranger.exchange()
    data = signed_data(sid, taken.alice.blob)
    proof = short(taken.alice.sign(data)) + data
    other = taken()
    other.exchange()
    assert other.ask(PM_VERIFY, proof) == (PM_NO, b"")
    assert stranger.ask(PM_VERIFY, proof) == (PM_YES, b"")
    assert other.ask(PM_VERIFY, proof) == (PM_NO, b""), "nor once it was used"


def test_questions_are_counted(stranger, taken):
    """Each one costs the broker a look into its files."""
    stranger.exchange()
    asked = 0
    with pytest.raises(Ended):
        while asked < 1000:
            assert stranger.ask(PM_KEY, short(b"ssh-ed25519") + short(taken.alice.blob))[0] == PM_YES
            asked += 1
    assert 0 < asked < 100
    taken().login(taken.bob)


@pytest.mark.slow
def test_nobody_stays_without_logging_in(stranger, taken):
    """Neither by heartbeats nor by an exchange."""
    stranger.exchange()
    stranger.sock.settimeout(40)
    assert stranger.ended()
    assert "not authenticated in time" in taken.agent.log()


@pytest.mark.slow
def test_silence(alice, taken, neighbour):
    other = neighbour()
    alice.order("B", 0)
    alice.sock.settimeout(40)
    assert alice.ended() and lives(other)
    assert "its transport hangs" in taken.agent.log()


# After login.

def test_its_person_may_work(alice, taken, box):
    """Without this nothing below would mean anything."""
    kinds, out, result = alice.run(run_in(box.pid, "sh", "-c", "echo hello; exit 3"))
    assert kinds[0] == FR_OPENED and kinds[-1] == FR_RESULT and out == b"hello\n"
    assert b'"exit_code":3' in result.replace(b" ", b"")
    assert finished(taken.agent).coral["user"]["name"] == "alice"


@pytest.mark.parametrize("extra", [
    [(USER, "0")], [(PRIVILEGED, b"")], [(NO_RECORD, b"")], [(NAMESPACES, "mnt")], [(SECCOMP, b"")]],
    ids=["user", "privileged", "no-record", "namespaces", "seccomp"])
def test_no_more_than_its_person_may(alice, taken, box, neighbour, extra):
    other = neighbour()
    before = taken.agent.coral.session_dirs()
    kinds, out, why = alice.run(run_in(box.pid, "id", extra=extra))
    assert kinds == [FR_ERROR] and out == b"" and b"alice lacks the right" in why
    assert taken.agent.coral.session_dirs() == before and lives(other)


def test_its_person_is_named_whatever_it_sends(alice, taken, box):
    """JSON holds no such bytes: the whole of what they stand in must not be lost for them."""
    noise = b"\xff\x9b\n"
    kinds, _, _ = alice.run(run_in(box.pid, "id", extra=[
        (CLIENT, noise), (REASON, noise), (ENV, noise + b"=1"), (WORKDIR, "/")]))
    assert kinds[-1] == FR_RESULT
    coral = finished(taken.agent).coral
    assert coral["user"]["name"] == "alice" and "127.0.0.1" in coral["user"]["from"]
    assert coral["user"]["client"] == coral["reason"] == "\\xff\\x9b\\x0a"
    assert coral["env_set"] == ["\\xff\\x9b\\x0a"] and coral["workdir"] == "/"


def test_no_other_target(taken, box, bare):
    """What the target is called stands in the container, not in the request."""
    (taken.agent.coral.config.parent / "policy.yaml").write_text(POLICY)
    taken.agent.start()
    alice = taken().login(taken.alice)
    assert alice.run(run_in(box.pid, "echo", "in"))[1] == b"in\n"
    for body in (run_in(bare.pid, "echo", "in"),
                 run_in(bare.pid, "echo", "in", extra=[(SERVICE, "harbour")]),
                 run_in(os.getpid(), "echo", "in"), run_in(1, "echo", "in"),
                 request(EXEC, (PID, bare.pid), (PID, box.pid), (ARG, "id"))):
        kinds, out, _ = alice.run(body)
        assert kinds == [FR_ERROR] and out == b""
    assert len(taken.agent.coral.session_dirs()) == 1


def test_logging_in_again_is_not_to_be(alice, taken):
    """Who the person is, is settled once."""
    alice.tell(PM_KEY, short(b"ssh-ed25519") + short(taken.bob.blob))
    assert alice.ended()
    one = taken()
    sid = one.exchange()
    assert one.prove(taken.alice, sid)[0] == PM_YES
    data = signed_data(sid, taken.bob.blob)
    one.tell(PM_VERIFY, short(taken.bob.sign(data)) + data)
    assert one.ended()


def test_a_later_exchange_does_not_change_the_session(alice):
    assert alice.ask(PM_SIGN, os.urandom(32))[0] == PM_SIGNED
    alice.tell(PM_SIGN, os.urandom(33))
    assert alice.ended()


@pytest.mark.parametrize("verb", [SHOW, READ, REMOVE], ids=["show", "read", "remove"])
def test_sessions_of_others(alice, taken, neighbour, verb):
    """Denied in the words in which an id is denied that nobody has."""
    other = neighbour()
    kinds, _, denied = alice.run(request(verb, (ID, other.sid)))
    assert kinds == [FR_ERROR]
    nobody = other.sid[:-1] + ("0" if other.sid[-1] != "0" else "1")
    kinds, _, unknown = alice.run(request(verb, (ID, nobody)))
    assert kinds == [FR_ERROR]
    assert denied.replace(other.sid.encode(), b"ID") == unknown.replace(nobody.encode(), b"ID")
    for n in (4, 8, 12, 20):
        kinds, _, said = alice.run(request(verb, (ID, other.sid[:n])))
        assert kinds == [FR_ERROR] and other.sid.encode() not in said
    kinds, out, _ = alice.run(request(SESSIONS))
    assert kinds[-1] == FR_END and out.strip() == b"[]"
    assert other.sid in taken.agent.coral.session_dirs() and lives(other)


def test_a_recording_needs_no_reader(alice, taken, box):
    """The transport reads nothing of the session: it is recorded all the same."""
    alice.order("R", 0, b"\0")
    alice.tell(PM_OPEN, struct.pack(">I", 1) + run_in(box.pid, "sh", "-c",
                                                      "echo out; printf 'e%s' rr >&2; exit 4"))
    sid = wait_for("a recording", taken.agent.coral.session_dirs)[0]
    path = taken.agent.coral.cast_path(sid)
    wait_for("the output", lambda: path.exists() and b"err" in path.read_bytes())
    alice.close()
    cast = finished(taken.agent, sid)
    assert cast.exact(1) == b"out\n" and cast.exact(2) == b"err"
    assert cast.end["exit_code"] == 4


def test_a_stream_that_is_closed_at_once(alice, taken, box, neighbour):
    """Between the request and the entry: nothing runs on without a record of its end."""
    other = neighbour()
    calm = set(children_of(taken.agent.proc.pid))
    for _ in range(5):
        before = set(taken.agent.coral.session_dirs())
        stream = alice.open(run_in(box.pid, "sh", "-c", "echo begun; exec sleep 1000"))
        alice.order("C", stream)
        wait_for("no keeper but the neighbour's", lambda: set(
            children_of(taken.agent.proc.pid)) == calm and set(taken.agent.keepers()) == {other.sid}
                 and box.processes().count(box.pid) == 1 and len(box.processes()) <= 2, 20)
        for sid in set(taken.agent.coral.session_dirs()) - before:
            assert finished(taken.agent, sid).end["cause"] == "disconnected"
    assert lives(other)


KEEPERS_SIDE = [(FR_OPENED, b"{}"), (FR_STDOUT, b"forged"), (FR_STDERR, b"forged"), (FR_RESULT, b"{}"),
                (FR_DATA, b"forged"), (FR_END, b""), (FR_ERROR, b"forged")]
OUT_OF_ORDER = {
    **{f"keeper's {k}": frame(k, d) for k, d in KEEPERS_SIDE},
    "a second request": frame(FR_OPEN, request(EXEC, (PID, 1), (ARG, "forged"))),
    "no such frame": frame(77, b"forged"), "beyond its credit": frame(FR_STDIN, b"x" * 65536) * 40,
    "an early bye": frame(FR_BYE), "a short size": frame(FR_WINCH, b"\0"),
    "no such signal": frame(FR_SIGNAL, b"FORGED"), "too long": struct.pack(">I", FR_STDIN << 24 | 0xffffff),
}


@pytest.mark.parametrize("rubbish", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_frames_out_of_order(alice, taken, box, neighbour, rubbish):
    """They end its own session at most, and none of them is in the record."""
    other = neighbour()
    stream = alice.open(run_in(box.pid, "sh", "-c", "echo begun; exec sleep 1000"))
    alice.frames(stream, until=(FR_STDOUT,))
    sid = next(s for s in taken.agent.keepers() if s != other.sid)
    with contextlib.suppress(Ended):
        alice.send(stream, rubbish)
    alice.order("C", stream)
    cast = finished(taken.agent, sid)
    assert cast.exact(1) == b"begun\n" and "forged" not in cast.text
    assert cast.end["cause"] != "exit" and lives(other)


def test_more_sessions_than_a_connection_has(alice, taken, box, neighbour):
    other = neighbour()
    body = run_in(box.pid, "sleep", "1000")
    streams = [alice.open(body, channel=i) for i in range(20)]
    assert streams.index(None) == 16 and streams[16:] == [None] * 4
    assert lives(other)
    alice.close()
    wait_for("its keepers to end", lambda: set(taken.agent.keepers()) == {other.sid}, 20)


def test_descriptors_are_not_taken(alice, taken, box):
    """A thousand sent to the broker, and as many to a keeper: neither has one more."""
    stream = alice.open(run_in(box.pid, "cat"))
    alice.frames(stream, until=(FR_OPENED,))
    keeper = list(taken.agent.keepers().values())[0]
    broker = taken.agent.proc.pid
    before = fds_of(broker), fds_of(keeper)
    for _ in range(125):
        alice.tell(PM_SIGN, bytes(32), fds=8)
        assert alice.report("m", "f")[2][:1] == bytes([PM_SIGNED])
        alice.order("D", stream, frame(FR_STDIN, b"x"))
        assert alice.frames(stream, until=(FR_STDOUT,))[-1] == (FR_STDOUT, b"x")
    assert (fds_of(broker), fds_of(keeper)) == before


CALLS = {"ptrace": 101, "kill": 62, "tgkill": 234, "tkill": 200, "pidfd_open": 434,
         "pidfd_send_signal": 424, "process_vm_readv": 310, "socket": 41, "connect": 42, "bind": 49,
         "accept": 43, "clone": 56, "clone3": 435, "fork": 57, "execve": 59, "setuid": 105,
         "setresuid": 117, "setgid": 106, "setgroups": 116, "capset": 126, "prctl": 157, "unshare": 272,
         "setns": 308, "chroot": 161, "mount": 165, "bpf": 321, "keyctl": 250, "open_by_handle_at": 304,
         "io_uring_setup": 425, "memfd_create": 319, "perf_event_open": 298, "unlink": 87, "dup": 32,
         "seccomp": 317, "x32 getpid": 0x40000000 + 39}


@pytest.mark.parametrize("number", CALLS.values(), ids=CALLS)
def test_calls_that_kill_it(alice, taken, box, number):
    """And what it had open, ends: its session is recorded to the end."""
    stream = alice.open(run_in(box.pid, "sleep", "1000"))
    alice.frames(stream, until=(FR_OPENED,))
    with pytest.raises(Ended):
        alice.syscall(number, taken.agent.proc.pid, 9)
    assert finished(taken.agent).end["cause"] == "disconnected"
    assert taken.agent.proc.poll() is None


def test_calls_that_fail(alice):
    """Files are not to be had: libraries try, and live on."""
    for number in (2, 257, 21, 4, 262, 16):
        assert alice.syscall(number) == -13
    # Memory that is executable, and a descriptor's owner, are death.
    with pytest.raises(Ended):
        alice.syscall(9, 0, 4096, 7, 0x22, 2 ** 64 - 1, 0)


@pytest.mark.parametrize("level, name", [(6, 31), (6, 19), (1, 26)], ids=["ulp", "repair", "filter"])
def test_socket_options_that_kill_it(alice, level, name):
    """libssh sets TCP_NODELAY; what else there is leads into more of the kernel."""
    value = 0
    alice.syscall(54, 0, 6, 1, value, 4)
    with pytest.raises(Ended):
        alice.syscall(54, 0, level, name, value, 4)


def test_a_question_that_nobody_reads(alice, taken, box):
    """Its keeper waits for its reader, and ends when it is told to."""
    alice.run(run_in(box.pid, "seq", "1", "400000"))
    sid = taken.agent.coral.session_dirs()[0]
    finished(taken.agent, sid)
    # From the start: a connection's buffers may hold all that it says.
    alice.order("R", 1, b"\0")
    assert alice.ask(PM_OPEN, struct.pack(">I", 9) + request(READ, (ID, sid)))[0] == PM_STREAM

    def keeper():
        return [p for p in children_of(taken.agent.proc.pid) if p != alice.pid and
                pathlib.Path(f"/proc/{p}/comm").read_text() == "coral-keeper\n"]

    pid = wait_for("the keeper", keeper)[0]
    wait_for("it to wait", lambda: status_of(pid)["State"].split()[0] == "S")
    os.kill(pid, signal.SIGTERM)
    wait_for("its end", lambda: not alive(pid), 5)
    assert "died" not in taken.agent.log()


def test_a_flood_holds_nobody_up(alice, neighbour):
    other = neighbour()
    for _ in range(20000):
        alice.tell(PM_HEARTBEAT)
    assert lives(other)
    assert other.run(request(SESSIONS))[0][-1] == FR_END
    assert alice.ask(PM_SIGN, os.urandom(32))[0] == PM_SIGNED
