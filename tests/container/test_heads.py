# SPDX-License-Identifier: GPL-3.0-or-later
"""The last hash of the audit log goes to a witness elsewhere, and what came there is held against
the log."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
import threading
import time

import pytest

from house.coral import status_of
from house.util import run, wait_for
from test_audit import records


class Witness:
    """An HTTP server on loopback; it answers with each of `answers` in turn, then with the last."""

    def __init__(self, answers, cert=None):
        self.got, self.answers = [], list(answers)
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = witness.answers.pop(0) if len(witness.answers) > 1 else witness.answers[0]
                witness.got.append((status, self.path, json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def accepted(self):
        return [body for status, _, body in self.got if status < 300]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def witness():
    made = []

    def start(*answers, **kw):
        made.append(Witness(answers, **kw))
        return made[-1]

    yield start
    for one in made:
        one.close()


def configured(make_agent, to, **kw):
    agent = make_agent(start=False, **kw)
    agent.coral.config.write_text(f"audit: {{heads: '{to}', heads_every: 1s}}\n")
    return agent.start()


def top(coral):
    last = records(coral)[-1]
    return last["hash"], len(records(coral)), last["timestamp"]


def test_to_a_url(make_agent, box, witness):
    """What was not taken is sent again; what was is sent once; the log goes on meanwhile."""
    there = witness(503, 204)
    agent = configured(make_agent, f"http://127.0.0.1:{there.port}/heads?agent=1")
    wait_for("a head", there.accepted, 30)
    assert [s for s, _, _ in there.got] == [503, 204] and there.got[0][1] == "/heads?agent=1"
    first = there.accepted()[0]
    assert (first["hash"], first["line"], first["timestamp"]) == top(agent.coral)
    assert first["file"] == 1 and first["node"] == os.uname().nodename
    assert "status 503" in agent.log()
    assert agent.coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    wait_for("another", lambda: there.accepted()[-1]["hash"] == top(agent.coral)[0], 30)
    time.sleep(2.2)  # two intervals in which nothing happens
    hashes = [b["hash"] for b in there.accepted()]
    assert len(set(hashes)) == len(hashes), "each once"
    assert agent.log().count("sending the head") == 1, agent.log()
    assert agent.term() == 0
    heads = [a for h in hashes for a in ("--head", h)]
    assert agent.coral.local("audit verify", "--log", *heads).code == 0
    log = agent.coral.state / "audit" / "audit.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(True)[:-2]))
    cut = agent.coral.local("audit verify", "--log", *heads)
    assert cut.code == 1 and f"{hashes[-1]}, missing" in cut.text


def test_over_tls(make_agent, home, witness):
    """Only to who is, by an authority that is known, the host of the URL."""
    cert = home / "cert.pem"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=witness", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
         cert, "-out", home / "ca.pem"])
    cert.write_text(cert.read_text() + (home / "ca.pem").read_text())
    there = witness(200, cert=cert)
    stranger = configured(make_agent, f"https://127.0.0.1:{there.port}/")
    wait_for("it to fail", lambda: "certificate verify failed" in stranger.log(), 30)
    assert there.got == []
    assert stranger.term() == 0
    known = configured(make_agent, f"https://127.0.0.1:{there.port}/",
                       env={"SSL_CERT_FILE": str(home / "ca.pem")})
    wait_for("a head", there.accepted, 30)
    assert there.accepted()[0]["hash"] in {r["hash"] for r in records(known.coral)}


def sender(agent):
    for task in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = status_of(task.name)
            if (status["Name"].strip(), status["PPid"].strip()) == (
                    "coral-heads", str(agent.proc.pid)):
                return status
    return None


def test_who_never_answers(make_agent, box):
    """It waits in a process without rights; nobody else does."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        agent = configured(make_agent, f"http://127.0.0.1:{mute.getsockname()[1]}/")
        status = wait_for("the sender", lambda: sender(agent), 30)
        wait_for("it to have given up its rights", lambda: "0" not in sender(agent)["Uid"].split(), 30)
        status = sender(agent)
        assert int(status["CapPrm"], 16) == 0 and status["NoNewPrivs"].strip() == "1"
        assert agent.coral.run("exec", "--pid", box.pid, "--", "true").code == 0
        assert agent.term() == 0
    wait_for("it to go with the agent", lambda: sender(agent) is None, 30)


def test_refused(make_agent):
    """Said at once, why, and what to do; without what of the URL may be a secret."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    agent = configured(make_agent, f"http://127.0.0.1:{port}/sesame?token=xyzzy")
    wait_for("it to fail", lambda: "Connection refused" in agent.log(), 15)
    assert f"http://127.0.0.1:{port}: " in agent.log()
    assert "sesame" not in agent.log() and "xyzzy" not in agent.log()
    assert agent.term() == 0
    named = configured(make_agent, f"http://joe:xyzzy@127.0.0.1:{port}/")
    wait_for("it to fail", lambda: "cannot use the URL" in named.log(), 15)
    assert "xyzzy" not in named.log()


@pytest.mark.skipif(os.path.exists("/dev/log"), reason="somebody listens on /dev/log")
def test_to_syslog(make_agent):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")
        try:
            log.settimeout(30)
            agent = configured(make_agent, "syslog")
            said = ""
            while "coral[" not in said:  # others of this machine may speak there
                said = log.recv(4096).decode()
        finally:
            os.unlink("/dev/log")
    digest, line, when = top(agent.coral)
    assert re.fullmatch(rf"<85>\w{{3}} [ \d]\d \d\d:\d\d:\d\d coral\[\d+\]: audit head={digest} file=1 "
                        rf"line={line} time={when} node={os.uname().nodename}", said)
