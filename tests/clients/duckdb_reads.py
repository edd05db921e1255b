# SPDX-License-Identifier: GPL-3.0-or-later
"""DuckDB reads the audit log as it lies, and finds in it what is there.  TAP."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "container"))
from house import auditlog  # noqa: E402

CORAL = TOP / "build" / "release" / "coral"
INTEGERS = "container_pid uid gid exit_code duration_ms stdout_bytes stderr_bytes stdin_bytes".split()
TYPES = {**dict.fromkeys(auditlog.KEYS, "VARCHAR"), **dict.fromkeys(INTEGERS, "BIGINT"),
         "timestamp": "TIMESTAMP", "pod_uid": "UUID", "cross_namespace": "BOOLEAN",
         "command": "VARCHAR[]", "namespaces_entered": "VARCHAR[]"}
points = failed = 0


def check(name, got, expected):
    global points, failed
    points += 1
    if got == expected:
        print(f"ok {points} - {name}")
        return
    failed += 1
    print(f"not ok {points} - {name}\n# got      {str(got)[:900]}\n# expected {str(expected)[:900]}")


def ask(work, *statements):
    """Rows as lists; DuckDB's 64-bit integers come as text, so all integers do."""
    done = subprocess.run(["node", work / "query.mjs"], input=json.dumps(statements).encode(),
                          capture_output=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"not ok {points + 1} - node\n1..{points + 1}\n# {done.stderr.decode()}")
    return [[list(row.values()) for row in rows] for rows in json.loads(done.stdout)]


def written_by_coral(state):
    """Sessions in a process of this host, each with an agent of its own."""
    env = {"PATH": os.environ["PATH"], "CORAL_STATE_DIR": str(state / "state"), "HOME": str(state),
           "CORAL_RUNTIME_DIR": str(state / "run"), "CORAL_CONFIG": str(state / "config")}
    for sub in ("state", "run", "config"):
        (state / sub).mkdir(mode=0o700)
    with subprocess.Popen(["sleep", "600"]) as target:
        for words in (["true"], ["sh", "-c", "echo out; exit 3"], ["printf", "\u00e9\t\"x\"\\"],
                      ["nothing-of-the-kind"]):
            subprocess.run([CORAL, "exec", "--reason", "a test", "--pid", str(target.pid), "--",
                            *words], env=env, capture_output=True, timeout=60,
                           stdin=subprocess.DEVNULL)
        target.kill()
    return state / "state" / "audit"


def coral(state, *words):
    return subprocess.run([CORAL, "audit", *words], env={"CORAL_STATE_DIR": str(state)}, check=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60).stdout


def plain(record):
    """As DuckDB shows it: its times have no T and no Z, nor zeros at their end."""
    row = [record[k] for k in auditlog.KEYS]
    time = record["timestamp"].replace("T", " ").rstrip("Z")
    row[1] = (time.rstrip("0").rstrip(".") if "." in time else time)
    return [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in row]


def of(directory):
    files = [*sorted(directory.glob("audit-*.jsonl")), directory / "audit.jsonl"]
    return [json.loads(x) for path in files for x in path.read_text("ascii").splitlines()]


def main(work, temp):
    real = written_by_coral(temp)
    made = temp / "made" / "audit"
    auditlog.write(made, 0, 6000, limit=2 << 20)
    log, theirs = f"read_json_auto('{made}/*.jsonl', sample_size=-1)", of(made)
    runtime = temp / "runtime.json"
    ids = sorted({r["container_id"] for r in theirs if r["container_id"]})[::2]
    runtime.write_text("\n".join(json.dumps({"id": i, "host": f"h{n}"}) for n, i in enumerate(ids)))

    table = temp / "export.csv"
    table.write_bytes(coral(made.parent, "export", "-o", "csv"))
    report = json.loads(coral(made.parent, "report", "-o", "json"))

    kinds, events, users, pairs, joined, chain, rows, denied, tables, sums = ask(
        work, f"DESCRIBE SELECT * FROM {log}",
        f"SELECT event, count(*) FROM {log} GROUP BY event ORDER BY event",
        "SELECT user_id, count(*), sum(duration_ms)::BIGINT, max(stdout_bytes), "
        f"count(DISTINCT session_id) FROM {log} WHERE user_id IS NOT NULL GROUP BY 1 ORDER BY 1",
        f"SELECT count(*) FROM {log} a JOIN {log} b USING (session_id) "
        "WHERE a.event = 'session.start' AND b.event = 'session.end' AND b.exit_code > 0",
        f"SELECT r.host, count(*) FROM {log} a JOIN read_json_auto('{runtime}') r "
        "ON a.container_id = r.id GROUP BY 1 ORDER BY 1",
        f"SELECT count(*) FROM {log} a ANTI JOIN {log} b ON a.prev_hash = b.hash",
        f"SELECT * FROM read_json_auto('{real}/*.jsonl') ORDER BY timestamp",
        f"SELECT count(*) FROM {log} WHERE decision = 'deny' "
        "AND timestamp BETWEEN '2026-01-01 02:00' AND '2026-01-01 03:00'",
        "SELECT count(*), count(DISTINCT t.hash), sum(t.duration_ms)::BIGINT - "
        f"sum(l.duration_ms)::BIGINT FROM read_csv_auto('{table}', sample_size=-1) t JOIN {log} l "
        "ON t.hash = l.hash AND t.event = l.event AND t.container_pid = l.container_pid",
        "SELECT user_id, coalesce(service_name, container_name, pod, container_id) AS t, "
        "count(*) FILTER (event = 'session.start'), "
        "count(*) FILTER (event = 'session.start' AND uid = 0), "
        "count(*) FILTER (event = 'session.end' AND (exit_code <> 0 OR error IS NOT NULL)), "
        "count(*) FILTER (event = 'denied'), "
        "coalesce(sum(duration_ms) FILTER (event = 'session.end'), 0)::BIGINT "
        f"FROM {log} WHERE event <> 'auth.failure' GROUP BY ALL ORDER BY ALL")

    check("each key has the type that coral-audit-log(5) says", {k[0]: k[1] for k in kinds}, TYPES)
    count = collections.Counter(r["event"] for r in theirs)
    check("records by event, over files", events, [[k, str(n)] for k, n in sorted(count.items())])
    by = collections.defaultdict(list)
    for r in theirs:
        if r["user_id"]:
            by[r["user_id"]].append(r)
    check("what each user did", users, [
        [u, str(len(v)), str(sum(r["duration_ms"] or 0 for r in v)),
         str(max(r["stdout_bytes"] or 0 for r in v)), str(len({r["session_id"] for r in v}))]
        for u, v in sorted(by.items())])
    starts = {r["session_id"] for r in theirs if r["event"] == "session.start"}
    ends = [r for r in theirs if r["event"] == "session.end" and (r["exit_code"] or 0) > 0]
    check("ends joined with their starts", pairs,
          [[str(sum(r["session_id"] in starts for r in ends))]])
    hosts = collections.Counter(f"h{ids.index(r['container_id'])}" for r in theirs
                                if r["container_id"] in ids)
    check("joined with another log by the container's id", joined,
          [[h, str(n)] for h, n in sorted(hosts.items())])
    check("every record but the first follows one that is there", chain, [["1"]])
    check("denials of an hour", denied, [[str(sum(
        r["decision"] == "deny" and "2026-01-01T02:00" <= r["timestamp"] <= "2026-01-01T03:00:00.000000Z"
        for r in theirs))]])
    check("every value of records that coral wrote", rows, [plain(r) for r in of(real)])
    check("which were nine: a key, and four sessions", len(rows), 9)
    check("the table that coral audit export makes", tables, [[str(len(theirs))] * 2 + ["0"]])
    check("the sums of coral audit report", sums, sorted(
        [r["user_id"], r["target"], *(str(r[k]) for k in
                                      ("sessions", "as_root", "failed", "denied", "time_ms"))]
        for r in report["rows"]))


with tempfile.TemporaryDirectory(prefix="coral-clients-") as name:
    main(pathlib.Path(sys.argv[1]), pathlib.Path(name))
print(f"1..{points}")
sys.exit(failed > 0)
