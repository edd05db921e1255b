# SPDX-License-Identifier: GPL-3.0-or-later
"""The stock ssh client against an agent, and what an agent refuses on the network."""
import contextlib
import hashlib
import os
import re
import socket
import subprocess
import time

import pytest

from house.casts import Cast
from house.coral import Key
from house.term import Pty
from house.util import run, wait_for


class Ssh:
    """ssh(1) with nothing of the caller's configuration."""

    def __init__(self, agent, key, home):
        self.agent, self.key, self.home = agent, key, home

    def argv(self, user, *words, flags=()):
        options = ["BatchMode=yes", "StrictHostKeyChecking=accept-new", "IdentitiesOnly=yes",
                   f"UserKnownHostsFile={self.home}/ssh_known_hosts", "LogLevel=ERROR",
                   "ControlMaster=no"]
        return ["/usr/bin/ssh", "-F", "none", *[w for o in options for w in ("-o", o)],
                "-i", str(self.key.path), "-p", str(self.agent.port), "-l", user, *flags,
                "127.0.0.1", *words]

    def env(self):
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "TERM": "xterm-256color",
                "LANG": "C.UTF-8"}

    def __call__(self, user, *words, input=b"", flags=(), timeout=60):
        return subprocess.run(self.argv(user, *words, flags=flags), input=input, env=self.env(),
                              capture_output=True, timeout=timeout, check=False)


@pytest.fixture
def ssh(net_agent, key, home):
    return Ssh(net_agent, key, home)


@pytest.fixture
def who(box):
    return f"pid.{box.pid}"


def test_exec(ssh, who):
    done = ssh(who, "hostname; echo bad >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"reef\n")
    assert b"bad\n" in done.stderr


def test_pipes(ssh, who):
    blob = os.urandom(3 << 20)
    done = ssh(who, "cat", input=blob)
    assert done.returncode == 0 and done.stdout == blob


def test_command_line_goes_through_sh(ssh, who):
    assert ssh(who, "seq 1 30 | wc -l").stdout == b"30\n"


@pytest.mark.parametrize("code", [0, 1, 42, 127, 254])
def test_exit_status(ssh, who, code):
    assert ssh(who, f"exit {code}").returncode == code


def test_signal_is_reported(ssh, who):
    done = ssh(who, "kill -TERM $$")
    assert done.returncode in (143, 255)


def test_terminal(ssh, who):
    with Pty(ssh.argv(who, flags=("-t",)), ssh.env(), 37, 91) as term:
        term.expect(r"[#$] ")
        term.send("stty size; tty; echo T=$TERM\r")
        term.expect("37 91")
        term.expect(r"/dev/pts/\d+")
        term.expect("T=xterm-256color")
        term.resize(20, 60)
        term.send("stty size\r")
        term.expect("20 60")
        term.send("exit 9\r")
        assert term.wait() == 9


def test_terminal_for_a_command(ssh, who):
    with Pty(ssh.argv(who, "tty", flags=("-t",)), ssh.env()) as term:
        assert term.wait() == 0
        assert b"/dev/pts/" in term.seen


def test_user_part_names_the_target(ssh, box, who):
    for user in ("harbour", box.name, who):
        done = ssh(user, "hostname")
        assert (done.returncode, done.stdout) == (0, b"reef\n"), (user, done)


def test_pod_namespace_container(ssh, podman):
    found = podman.play(POD, "lagoon")
    try:
        for name, container in found.items():
            done = ssh(f"lagoon%%{name}", "readlink /proc/self/ns/mnt")
            want = os.readlink(f"/proc/{container.pid}/ns/mnt")
            assert done.stdout.decode().strip() == want, (name, done)
    finally:
        podman.cmd("kube", "down", podman.pods.pop())


POD = """apiVersion: v1
kind: Pod
metadata:
  name: lagoon
spec:
  containers:
  - name: app
    image: localhost/reef:1
    command: ["/bin/sleep", "100000"]
  - name: proxy
    image: localhost/reef:1
    command: ["/bin/sleep", "100001"]
"""


def test_unknown_target(ssh):
    done = ssh("no-such-service", "true")
    assert done.returncode == 125 and b"no-such-service" in done.stderr


def test_recording_names_the_person(ssh, who, net_agent):
    ssh(who, "echo recorded over ssh")
    cast = Cast(net_agent.coral.newest_cast())
    assert "alice" in str(cast.coral)
    assert cast.exact(1) == b"recorded over ssh\n"
    assert net_agent.coral.sessions()[0]["user"] == "alice"


@pytest.mark.slow
def test_rekey_under_load(ssh, who):
    """New keys every megabyte, while 200 MiB go each way: nothing lost, nothing doubled."""
    blob = os.urandom(1 << 20) * 200
    done = ssh(who, "cat", input=blob, flags=("-o", "RekeyLimit=1M"), timeout=300)
    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(blob).digest()


@pytest.mark.parametrize("cipher", ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"])
def test_ciphers(ssh, who, cipher):
    assert ssh(who, "echo ok", flags=("-c", cipher)).stdout == b"ok\n"


def test_lost_client_ends_the_tree(ssh, who, box):
    proc = subprocess.Popen(ssh.argv(who, "echo up; sleep 1000"), env=ssh.env(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert proc.stdout.readline() == b"up\n"
    proc.kill()
    proc.wait()
    proc.stdout.close()
    wait_for("the tree to end", lambda: box.processes() == [box.pid], 15)


def test_sftp_and_scp_are_refused_clearly(ssh, who, home):
    (home / "f").write_text("x")
    flags = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
             f"UserKnownHostsFile={home}/ssh_known_hosts", "-i", str(ssh.key.path), "-P",
             str(ssh.agent.port)]
    done = subprocess.run(["scp", *flags, home / "f", f"{who}@127.0.0.1:/tmp/f"], env=ssh.env(),
                          capture_output=True, timeout=30, check=False)
    assert done.returncode != 0 and b"subsystem" in done.stderr.lower()


@pytest.mark.parametrize("flags", [("-N", "-L", "PORT:127.0.0.1:1"), ("-N", "-R", "PORT:127.0.0.1:1"),
                                   ("-W", "127.0.0.1:1")])
def test_forwarding_is_refused(ssh, who, flags):
    from house.coral import free_port
    port = free_port()
    words = [f.replace("PORT", f"127.0.0.1:{port}") for f in flags]
    proc = subprocess.Popen(ssh.argv(who, flags=(*words, "-o", "ExitOnForwardFailure=yes")),
                            env=ssh.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    try:
        if "-L" in words:  # ssh asks only when someone connects to its end
            def reached():
                with socket.socket() as s:
                    s.settimeout(5)
                    if s.connect_ex(("127.0.0.1", port)) != 0:
                        return False
                    return s.recv(1) == b""
            wait_for("ssh to listen, and the agent to refuse", reached)
        else:
            assert proc.wait(20) != 0
    finally:
        proc.kill()
        proc.communicate()


def test_agent_and_x11_are_not_given(ssh, who, home):
    """Asked for with all that ssh needs to ask: an agent of its own, and a display."""
    sock = home / "ssh-agent.sock"
    keys = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        wait_for("ssh's own agent", sock.exists)
        argv = ssh.argv(who, "echo [$SSH_AUTH_SOCK$DISPLAY]", flags=("-A", "-Y", "-v"))
        done = subprocess.run([w.replace("LogLevel=ERROR", "LogLevel=DEBUG1") for w in argv],
                              env={**ssh.env(), "SSH_AUTH_SOCK": str(sock), "DISPLAY": ":9"},
                              capture_output=True, timeout=20, check=False)
    finally:
        keys.terminate()
        keys.wait()
    said = done.stderr.decode()
    assert "Requesting X11 forwarding" in said and "X11 forwarding request failed" in said, said
    assert "Requesting authentication agent forwarding" in said
    assert "client_request_agent" not in said and "auth-agent@openssh.com" not in said
    assert done.stdout == b"[]\n"


def test_environment_from_the_client_is_limited(ssh, who):
    env = {**ssh.env(), "LD_PRELOAD_X": "evil", "LC_TIME": "C.UTF-8"}
    done = subprocess.run(ssh.argv(who, "env", flags=("-o", "SendEnv=LC_* LD_*")), env=env,
                          capture_output=True, timeout=30, check=False)
    assert b"LD_PRELOAD" not in done.stdout and b"COLOUR=coral" in done.stdout


def test_wrong_key(net_agent, home, who):
    stranger = Key(home, "mallory")
    done = Ssh(net_agent, stranger, home)(who, "true")
    assert done.returncode == 255 and b"Permission denied" in done.stderr
    assert net_agent.coral.sessions() == []


def test_password_and_keyboard_are_not_offered(ssh, who):
    done = ssh(who, "true", flags=("-o", "PubkeyAuthentication=no"))
    assert done.returncode == 255
    methods = re.search(rb"Permission denied \((.*)\)", done.stderr)
    assert methods and methods.group(1) == b"publickey"


def test_certificate_is_refused(make_agent, home, who):
    """A certificate, even by a key that is known, is not looked into and not let in."""
    ca, user = Key(home, "ca"), Key(home, "carol")
    run(["ssh-keygen", "-q", "-s", ca.path, "-I", "carol", "-n", who, user.path.with_suffix(".pub")])
    agent = make_agent(listen=True, keys=ca.line('user="ca"'))
    cert = user.path.parent / "carol-cert.pub"
    assert cert.exists()
    done = Ssh(agent, user, home)(who, "true", flags=("-o", f"CertificateFile={cert}"))
    assert done.returncode == 255 and b"Permission denied" in done.stderr


def test_try_limit(make_agent, home, who, key):
    """Many keys that are not the right one: cut off before the good one's turn.  A key that is
    only offered is a try as well."""
    agent = make_agent(listen=True, keys=key.line('user="alice"'))
    wrong = [Key(home, f"k{n}") for n in range(8)]
    flags = [w for k in wrong[1:] for w in ("-i", str(k.path))]
    right = ("-i", str(key.path))
    done = Ssh(agent, wrong[0], home)(who, "true", flags=(*flags, *right))
    assert done.returncode == 255
    assert b"Too many authentication failures" in done.stderr
    wait_for("the transport to end", lambda: not agent.transports())
    assert "tries to authenticate" in agent.log()
    assert "broke the rules" not in agent.log(), "the transport itself ends it"
    assert Ssh(agent, wrong[0], home)(who, "echo in", flags=right).stdout == b"in\n"
    # The sixth key is still looked at.
    done = Ssh(agent, wrong[0], home)(who, "echo in", flags=(*flags[:8], *right))
    assert done.stdout == b"in\n", done


@pytest.mark.slow
def test_login_deadline(net_agent):
    """Who says hello and nothing more is put out: 20 to 40 s, as ssh does at 120."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", net_agent.port), 5) as s:
        s.settimeout(60)
        s.sendall(b"SSH-2.0-slow\r\n")
        with contextlib.suppress(ConnectionResetError):
            while s.recv(4096):
                pass
    assert time.monotonic() - start < 45
    wait_for("the transport to end", lambda: not net_agent.transports())


@pytest.mark.slow
def test_half_open_connections_are_capped(ssh, net_agent, who):
    """200 that never prove anything: some are dropped at once, the table stays small, and one
    who has a key still gets in."""
    socks = []
    try:
        for _ in range(200):
            s = socket.socket()
            s.settimeout(5)
            s.connect(("127.0.0.1", net_agent.port))
            socks.append(s)
        def dropped():
            n = 0
            for s in socks:
                s.setblocking(False)
                try:
                    # A banner may come first; the end of the stream is what counts.
                    while s.recv(4096):
                        pass
                    n += 1
                except BlockingIOError:
                    continue
                except OSError:
                    n += 1
            return n
        wait_for("early drops", lambda: dropped() >= 50, 20)
        assert len(net_agent.transports()) <= 10
        # They all come from one address, and keep nobody out who has another.
        for _ in range(8):
            assert ssh(who, "echo in", flags=("-b", "127.0.0.2")).stdout == b"in\n"
        wait_for("a way in", lambda: ssh(who, "echo in").stdout == b"in\n", 60)
        # The socket is another door: it never closes.
        assert net_agent.coral.run("ps").code == 0
    finally:
        for s in socks:
            s.close()


def test_multiplexed_sessions(ssh, who, home):
    """ControlMaster: several channels on one connection, and a cap on them."""
    control = home / "cm"
    master = subprocess.Popen(ssh.argv(who, flags=("-N", "-M", "-S", str(control))), env=ssh.env(),
                              stdin=subprocess.DEVNULL)
    try:
        wait_for("the master", control.exists)
        for n in range(5):
            done = ssh(who, f"echo {n}", flags=("-S", str(control)))
            assert done.stdout == b"%d\n" % n
    finally:
        master.kill()  # a SIGTERM just before its poll(2) would wait for the next event
        master.wait()


def test_coral_client_over_tcp(net_agent, key, box, home):
    """coral's own client: asks about the unknown host on a terminal, then remembers it."""
    from house.coral import Coral
    client = Coral(home / "client")
    client.extra["CORAL_AGENT"] = f"127.0.0.1:{net_agent.port}"
    flags = ("--identity", str(key.path), "--pid", str(box.pid))
    done = client.run("exec", *flags, "--", "true")
    assert done.code == 255 or done.code == 125, "an unknown host was trusted without a question"
    assert "why:" in done.errtext and "try:" in done.errtext
    with Pty(client.argv("exec", *flags, "--", "echo", "first"), client.env()) as term:
        term.expect(r"SHA256:")
        term.send("yes\r")
        assert term.wait() == 0, term.seen
    done = client.run("exec", *flags, "--", "echo", "again")
    assert (done.code, done.out) == (0, b"again\n"), done


def test_changed_host_key_is_refused(make_agent, key, box, home):
    from house.coral import Coral
    client = Coral(home / "client")
    first = make_agent(listen=True, keys=key.line('user="alice"'))
    client.extra["CORAL_AGENT"] = f"127.0.0.1:{first.port}"
    flags = ("--identity", str(key.path), "--pid", str(box.pid))
    with Pty(client.argv("exec", *flags, "--", "true"), client.env()) as term:
        term.expect(r"SHA256:")
        term.send("yes\r")
        assert term.wait() == 0, term.seen
    first.term()
    second = make_agent(start=False, keys=key.line('user="alice"'))
    second.port = first.port
    second.start()
    done = client.run("exec", *flags, "--", "echo", "no")
    assert done.code in (125, 255) and done.out == b""
    assert "key" in done.errtext and "try:" in done.errtext
