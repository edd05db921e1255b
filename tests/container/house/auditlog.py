# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit log of any size, as the writer would have left it, made without it."""
import datetime
import hashlib
import json

KEYS = """session_id timestamp event user_id actor agent_id runtime provenance node environment
service_name namespace pod pod_uid container_name container_id image container_pid command
namespaces_entered cross_namespace uid gid mode reason approval_id exit_code signal duration_ms
stdout_bytes stderr_bytes stdin_bytes error decision prev_hash hash""".split()
USERS = ["alice", "bob", "carol", "dave", "erin", "root"]
SERVICES = ["checkout", "cart", "search", "mail", None]
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def fact(n):
    """What record `n` tells: two of a session, and now and then something else."""
    session = n // 2
    user, service = USERS[session % 6], SERVICES[session % 5]
    record = dict.fromkeys(KEYS)
    record.update(event="session.start" if n % 2 == 0 else "session.end", user_id=user,
                  session_id=f"01{session:024x}", actor="unix coral/0.1.0", runtime="runc",
                  provenance="explicit", node="reef-1", service_name=service,
                  container_id=f"{session % 40:064x}", container_pid=1000 + session % 5000,
                  command=["sh", "-c", f"echo {n}"], uid=session % 3, gid=0, mode="exec",
                  namespaces_entered=["mnt", "pid", "net"], cross_namespace=True, decision="allow")
    if n % 2 == 1:
        record.update(exit_code=session % 4, duration_ms=session % 1000, stdout_bytes=n,
                      stderr_bytes=0, stdin_bytes=0, decision=None)
    if n % 101 == 0:
        record.update(event="denied", decision="deny", error="policy: no rule permits it")
    if n % 503 == 1:  # every key has a value
        record.update(agent_id="a", environment="prod", namespace="shop", pod="cart-7d9f", image="x:1",
                      pod_uid="0b0f7c9e-5c7f-4b8e-9f9a-3f0d5c1a2b3c", container_name="cart",
                      reason="to see", approval_id="7", signal="TERM", error="timeout",
                      decision="allow", service_name="cart")
    if n % 1009 == 0:
        record.update(event="auth.failure", session_id=None, user_id=None, decision=None)
    return record


def line(record, when, before):
    record["timestamp"] = when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    record["prev_hash"] = before
    del record["hash"]
    text = json.dumps(record, separators=(",", ":"))
    record["hash"] = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-1]},"hash":"{record["hash"]}"}}\n'


def write(directory, first, count, before="0" * 64, limit=64 << 20, pad=0):
    """Records first to first+count, each `pad` bytes longer than it need be; the head of the chain.
    Files are closed as the writer does."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    current = directory / "audit.jsonl"
    out = open(current, "a", encoding="ascii")
    size = current.stat().st_size
    for n in range(first, first + count):
        record = fact(n)
        record["reason"] = "x" * pad or record["reason"]
        text = line(record, START + datetime.timedelta(seconds=10 * n), before)
        before = record["hash"]
        if size and size + len(text) > limit:
            out.close()
            last = len(list(directory.glob("audit-*.jsonl")))
            current.rename(directory / f"audit-{last + 1:08d}.jsonl")
            out, size = open(current, "a", encoding="ascii"), 0
        out.write(text)
        size += len(text)
    out.close()
    return before
