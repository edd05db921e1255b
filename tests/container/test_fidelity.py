# SPDX-License-Identifier: GPL-3.0-or-later
"""A session beside what docker exec, podman exec and runc exec give in the same container, and
beside the container's own first process, line by line; and what is said of it."""
import re

import pytest

from house import fidelity
from house.fidelity import Seen, differences
from house.util import run

SHAPES = {"docker": fidelity.engine_shapes({"more": (["--cap-add", "SYS_ADMIN", "--cap-add",
                                                      "NET_ADMIN"], None)}),
          "podman": fidelity.engine_shapes({}), "runc": fidelity.RUNC}
EVERY = [(engine, shape) for engine, shapes in SHAPES.items() for shape in shapes]
ENGINES = set(SHAPES)
FIRST = {"first"}  # the container's first process, whoever started it
ALL = ENGINES | FIRST

# Every difference there may be: keys, beside whom, why.  What is not here fails, and so does a
# line that no container needs any more.
ALLOWED = [
    (r"cgroup\.(unified|pids)", ALL, "a session has a cgroup of its own below the container's"),
    (r"oom_score_adj", ALL, "the larger of the first process's and 500: the session ends first"),
    (r"loginuid|sessionid", ALL, "engines leave them unset; here they tell sessions apart"),
    (r"keyring", ALL, "a keyring of the session's own; engines give the container's to each exec"),
    (r"prctl\.pdeathsig", ALL, "the command ends when its keeper, who records it, is killed"),
    (r"status\.Seccomp(_filters)?", ALL, "TIOCSTI is blocked, also where there is no filter"),
    (r"fd\.[012]", ALL, "pipes that belong to the user, or a terminal, whoever made them"),
    (r"status\.SigIgn", FIRST, "signals are at their defaults, as every exec has them"),
    (r"env\.(ADDED|OLDPWD|PWD|SHLVL)|order\.\d+", ENGINES,
     "the environment of the process as it is now; engines give that of their configuration"),
    (r"cwd", ENGINES, "where the process is now; engines take the configured directory"),
    (r"status\.Umask", ENGINES, "that of the process; engines have 022"),
    (r"limits\..*", ENGINES, "the limits as they are now; engines give the configured ones"),
    (r"rlimit\..*", ENGINES, "the same by getrlimit"),
    (r"sched\.nice", ENGINES, "that of the process; an engine's exec has its daemon's"),
    (r"sched\.(policy|ioprio)", ENGINES, "likewise"),
    (r"prctl\.timerslack|timerslack_ns", ENGINES, "likewise"),
    (r"coredump_filter", ENGINES, "likewise"),
    (r"personality", ENGINES, "likewise: linux32 stays linux32"),
    (r"env\.HOSTNAME", {"podman"}, "podman exec leaves HOSTNAME out; the container has it"),
    (r"status\.Groups", {"podman"}, "podman exec leaves the primary group out of the groups"),
    (r"tty\.mode", ENGINES, "0600: nobody else is to write on it"),
    (r"tty\.modes", {"runc"}, "runc exec takes ONLCR off its terminals"),
    (r"env\.LANG", ENGINES, "on a terminal, the client's"),
    (r"env\.TERM", ENGINES, "on a terminal, the client's; engines say xterm, or nothing"),
]


def own_cgroup(theirs, ours):
    return ours == theirs.rstrip("/") + "/coral-ID"


# Where a difference is allowed, but not any.
BOUND = {
    "cgroup.unified": own_cgroup,
    "cgroup.pids": own_cgroup,
    "oom_score_adj": lambda theirs, ours: int(ours) >= max(500, int(theirs)),
    "prctl.pdeathsig": lambda theirs, ours: (theirs, ours) == ("0", "9"),
    "keyring": lambda theirs, ours: ours.endswith(";_ses"),
    "tty.mode": lambda theirs, ours: ours == "600",
    "status.Seccomp": lambda theirs, ours: (theirs, ours) == ("0", "2"),
    "status.Seccomp_filters": lambda theirs, ours: (theirs, ours) == ("0", "1"),
    "status.SigIgn": lambda theirs, ours: int(ours, 16) == 0,
    "env.HOSTNAME": lambda theirs, ours: theirs is None,
}


def allowed(key, peer):
    return [n for n, (keys, peers, _) in enumerate(ALLOWED)
            if peer in peers and re.fullmatch(keys, key)]


def unexplained(theirs, ours, peer):
    return [f"{key}: {peer} has {a!r}, the session {b!r}" for key, a, b in differences(theirs, ours)
            if not allowed(key, peer) or not BOUND.get(key, lambda *_: True)(a, b)]


@pytest.fixture(scope="module")
def look(base, request):
    """look(engine, shape) -> Seen; each container is made once and stays for the module."""
    probe = fidelity.build(base)
    seen, boxes = {}, []

    def in_runc(runc, shape):
        def edit(config, rootfs):
            run(["install", "-m", "755", probe, rootfs / "probe"])
            if fidelity.RUNC[shape]:
                fidelity.RUNC[shape](config, rootfs)

        box = runc.start("fid-" + shape, args=["/probe", "stay"], edit=edit)
        boxes.append(box)
        return box, (lambda tty: runc.exec_argv(box, tty=tty)), None

    def start(engine, shape):
        own = request.getfixturevalue(engine)
        if engine == "runc":
            return in_runc(own, shape)
        flags, command = SHAPES[engine][shape]
        # podman's own runtime is a wrapper that drops limits: these containers keep theirs.
        other = {"runtime": "/usr/sbin/runc"} if engine == "podman" else {}
        box = own.start("fid-" + shape, args=command or ["/probe", "stay"],
                        flags=["-v", f"{probe}:/probe:ro", *flags], **other)
        words = own.cli() if engine == "docker" else own.argv(**other)
        return (box, lambda tty: [*words, "exec", *(["-it"] if tty else []), box.name],
                getattr(own, "env", None))

    def get(engine, shape):
        if (engine, shape) not in seen:
            home = base / f"fid-{engine}-{shape}"
            seen[engine, shape] = Seen(home, *start(engine, shape))
        return seen[engine, shape]

    yield get
    for box in boxes:
        request.getfixturevalue("runc").delete(box)


@pytest.mark.parametrize("engine,shape", EVERY)
def test_as_the_engines_exec(look, engine, shape):
    s = look(engine, shape)
    assert unexplained(s.engine, s.ours, engine) == []


@pytest.mark.parametrize("engine,shape", EVERY)
def test_as_the_first_process(look, engine, shape):
    """Also where that changed since it was started, which no engine's exec follows."""
    s = look(engine, shape)
    assert unexplained(s.first, s.ours, "first") == []


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_on_a_terminal(look, engine):
    theirs, ours = look(engine, "default").terminals()
    assert unexplained(theirs, ours, engine) == []
    assert ours["tty.size"] == "31 97" and ours["tty.found"] == ours["tty.name"]
    assert ours["tty.controlling"] == ours["tty.foreground"] == ours["leads.session"] == "1"


def test_no_allowance_is_stale(look):
    used = set()
    for engine, shape in EVERY:
        s = look(engine, shape)
        for peer, theirs in ((engine, s.engine), ("first", s.first)):
            used |= {(n, peer) for key, _, _ in differences(theirs, s.ours)
                     for n in allowed(key, peer)}
    for engine in ENGINES:
        used |= {(n, engine) for key, _, _ in differences(*look(engine, "default").terminals())
                 for n in allowed(key, engine)}
    stale = [(keys, peer) for n, (keys, peers, _) in enumerate(ALLOWED) for peer in sorted(peers)
             if (n, peer) not in used]
    assert stale == []


# The items of a session's context, and what of the probe they speak of.
ITEMS = {
    "namespaces": r"ns\..*", "root": r"root(\.inode)?", "cwd": r"cwd", "ids": r"status\.[UG]id",
    "groups": r"status\.Groups", "capabilities": r"status\.Cap.*",
    "securebits": r"prctl\.securebits", "no_new_privs": r"status\.NoNewPrivs|prctl\.nnp",
    "seccomp": r"status\.Seccomp.*", "tiocsti": "none", "lsm": r"attr/current", "umask": r"status\.Umask",
    "rlimits": r"limits\..*|rlimit\..*", "environment": r"env\..*|order\..*",
    "cgroup": r"cgroup\..*", "oom_score_adj": r"oom_score_adj", "keyring": r"keyring",
    "loginuid": r"loginuid", "signals": r"status\.Sig(Ign|Blk|Cgt)",
    "scheduling": r"sched\..*", "personality": r"personality",
}


def items_of(context):
    return {i["item"]: i for i in context["items"]}


def explained_items(text):
    """{item: {state, why, allow}} from the table of --explain."""
    head, *rows = [line for line in text.splitlines() if line and not line.startswith("coral:")]
    at = [head.index(name) for name in ("ITEM", "STATE", "WHY")]
    found = {}
    for row in rows:
        name, state, text = [row[a:b].strip() for a, b in zip(at, [*at[1:], None])]
        if name:
            last = found[name] = {"item": name, "state": state, "why": text, "allow": None}
        else:
            text = re.sub("^to clone it: ", "", text)
            last["allow"] = re.sub("^nothing clones it: ", "nothing: ", text)
    return found


def check_items(context, first, ours):
    """Nothing is missing, and what is said is so."""
    items = items_of(context)
    assert list(items) == list(ITEMS) and len(context["items"]) == len(ITEMS)
    for name, item in items.items():
        assert item["state"] in ("cloned", "defaulted", "denied") and item["why"], item
        assert bool(item["allow"]) == (item["state"] != "cloned"), item
        if item["state"] != "cloned":
            continue
        wrong = [d for d in differences(first, ours) if re.fullmatch(ITEMS[name], d[0])]
        if name == "cgroup":
            wrong = [d for d in wrong if not own_cgroup(*d[1:])]
        if name == "seccomp":  # the one filter is against TIOCSTI
            wrong = [d for d in wrong if d[1] != "0"]
        assert wrong == [], item


@pytest.mark.parametrize("engine,shape", EVERY)
def test_what_is_said(look, engine, shape):
    """-o json, the recording's header and --explain tell the same, and the probe agrees."""
    s = look(engine, shape)
    check_items(s.outcome["context"], s.first, s.ours)
    assert s.header["context"] == s.outcome["context"]
    assert explained_items(s.explained) == items_of(s.outcome["context"])
    states = {name: item["state"] for name, item in items_of(s.outcome["context"]).items()}
    filtered = s.first["status.Seccomp"] != "0"
    late = shape == "changed"
    assert {n for n, state in states.items() if state == "denied"} == {"tiocsti"}
    assert {n for n, state in states.items() if state == "defaulted"} == {
        "securebits", "keyring", "loginuid", "signals",
        # runc's state is not where it is by default.
        *(["seccomp"] if filtered and engine == "runc" else []),
        *([] if late or s.first["oom_score_adj"] == "700" else ["oom_score_adj"])}


@pytest.mark.parametrize("flags,item,fact", [
    (["-u", "1000"], "ids", "-u"), (["-u", "1000"], "groups", "-u"),
    (["-u", "1000"], "capabilities", "-u"), (["-w", "/tmp"], "cwd", "-w"),
    (["-e", "A=b"], "environment", "-e"), (["--privileged"], "capabilities", "--privileged"),
    (["--namespaces", "mnt,pid"], "namespaces", "--namespaces"),
    (["--namespaces", "net"], "root", "mnt"),
])
def test_asked_for_is_not_cloned(coral, box, flags, item, fact):
    """The way back is to leave out what was asked for."""
    done = coral.run("exec", "--pid", box.pid, *flags, "-o", "json", "--", "true").json()
    got = items_of(done["context"])[item]
    assert got["state"] == "defaulted" and fact in got["allow"], got


@pytest.mark.parametrize("prefix,item,fact", [
    (["setpriv", "--bounding-set=-mknod", "--inh-caps=-mknod"], "capabilities", "CAP_MKNOD"),
    (["sh", "-c", 'echo 0 >/proc/self/loginuid; exec setpriv --bounding-set=-audit_control "$@"',
      "sh"], "loginuid", "CAP_AUDIT_CONTROL"),
    (["prlimit", "--nofile=100:100", "--"], "rlimits", "CAP_SYS_RESOURCE"),
])
def test_what_the_agent_lacks_is_denied(coral, box, prefix, item, fact):
    done = coral.run("exec", "--pid", box.pid, "-o", "json", "--", "true", prefix=prefix).json()
    assert done["exit_code"] == 0, done
    got = items_of(done["context"])[item]
    assert got["state"] == "denied" and fact in got["allow"], got


def test_nothing_of_the_agents_scheduling(coral, look):
    """An agent that was set back, or whose dumps are full, has sessions like any other's."""
    s = look("runc", "default")
    script = 'renice -n 7 -p $$ >/dev/null; echo 0x7f >/proc/self/coredump_filter; ' \
             'echo 70000 >/proc/self/timerslack_ns; echo 800 >/proc/self/oom_score_adj; ' \
             'exec ionice -c 3 chrt -b 0 "$@"'
    done = coral.run("exec", "--pid", s.container.pid, "--", "/probe",
                     prefix=["sh", "-c", script, "sh"])
    assert unexplained(s.first, fidelity.parse(done.text), "first") == []


def layout(commands):
    """The agent's own view of the kernel's hierarchies, in a mount namespace of its own."""
    return ["unshare", "-m", "sh", "-c", commands + '; exec "$@"', "sh"]


@pytest.mark.parametrize("prefix,mine,short", [
    (layout("umount /sys/fs/cgroup/unified"), "freezer", "version 2"),
    (layout("mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup"), "unified", "not mounted here"),
    (layout(":"), "unified", None),
], ids=["v1", "v2", "hybrid"])
def test_cgroups_that_are_mounted(coral, box, prefix, mine, short):
    """Where only one version is mounted, the session's cgroup is there, and ends its processes;
    what could not be joined is said."""
    script = "cat /proc/self/cgroup; setsid sleep 1000 >/dev/null 2>&1 &"
    done = coral.run("exec", "--pid", box.pid, "-o", "json", "--", "sh", "-c", script,
                     prefix=prefix).json()
    names = dict(line.split(":", 2)[1:] for line in done["stdout"].splitlines())
    got = {n or "unified": path for n, path in names.items()}
    first = {(line.split(":")[1] or "unified"): line.rstrip().split(":", 2)[2]
             for line in open(f"/proc/{box.pid}/cgroup", encoding="utf-8")}
    assert got[mine] == f"{first[mine]}/coral-{done['session_id']}"
    joined = set(first) - {mine, "pids"} - ({"unified"} if mine == "freezer" else set())
    if mine == "freezer" or not short:  # and one to limit its processes
        assert got["pids"] == f"{first['pids']}/coral-{done['session_id']}"
        assert {n: got[n] for n in joined} == {n: first[n] for n in joined}
    item = items_of(done["context"])["cgroup"]
    assert item["state"] == ("defaulted" if short else "cloned")
    assert not short or short in item["why"], item
    assert len(done["survivors_killed"]) == 1
