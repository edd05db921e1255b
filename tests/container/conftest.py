# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures.  Whatever a fixture starts it ends, also when the test failed; and after every test
each running container must be as it was: no process, cgroup, PTY or mount more than before."""
import fcntl
import os
import pathlib
import shutil
import tempfile

import pytest

from house.containers import Docker, Podman, Runc
from house.coral import Agent, Coral, Key
from house.relay import Net
from house.term import Tmux
from house.util import BUILD, CORAL, LIB, reap_leftovers, run, unmount_below, wait_for

LIVE = []


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("these tests enter containers: run them as root", 2)
    if not CORAL.exists():
        pytest.exit(f"build first: {CORAL} is missing", 2)


@pytest.fixture(scope="session")
def base():
    # Under /tmp: a unix socket's path must fit into 107 bytes.
    part = os.environ.get("CORAL_TEST_PART", "all")
    mark = BUILD / f"container-tests.{part}.dir"
    lock = open(BUILD / f"container-tests.{part}.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pytest.exit("another run of these tests is under way in this tree", 2)
    if mark.exists():
        old = pathlib.Path(mark.read_text())
        if old.name.startswith("coraltest-") and old.is_dir():
            for directory in [old, *[p for p in old.rglob("*") if p.is_dir() and
                                     list(p.glob("*.pid"))]]:
                reap_leftovers(directory)
            unmount_below(old)
            shutil.rmtree(old, ignore_errors=True)
    path = pathlib.Path(tempfile.mkdtemp(prefix="coraltest-"))
    path.chmod(0o755)
    mark.write_text(str(path))
    yield path
    unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)
    mark.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def roots(base):
    made = {}
    for kind in ("busybox", "full"):
        made[kind] = base / f"rootfs-{kind}"
        run([LIB / "rootfs.sh", kind, made[kind]])
    return made


@pytest.fixture(scope="session")
def runc(base, roots):
    engine = Runc(base / "runc-boxes", roots)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def docker(base, roots):
    engine = Docker(base, roots["full"])
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def podman(base, roots):
    engine = Podman(base, roots["full"])
    yield engine
    engine.close()


def watched(container):
    LIVE.append(container)
    return container


@pytest.fixture(scope="session")
def box(runc):
    """The container most tests enter: bash, vi, less, top, tmux, openssl."""
    return watched(runc.start("harbour", env=["SERVICE_NAME=harbour", "COLOUR=coral"]))


@pytest.fixture(scope="session")
def bare(runc):
    """Static busybox and nothing else."""
    return watched(runc.start("bare", kind="busybox", env=["SERVICE_NAME=bare"]))


@pytest.fixture
def make_box(runc):
    """Containers of one test, deleted after it."""
    made = []

    def make(*args, **kw):
        made.append(runc.start(*args, **kw))
        return made[-1]

    yield make
    for container in made:
        runc.delete(container)


@pytest.fixture
def home(base, request):
    path = pathlib.Path(tempfile.mkdtemp(prefix="h-", dir=base))
    path.chmod(0o755)
    yield path
    logs = os.environ.get("CORAL_TEST_LOGS")
    report = getattr(request.node, "report_call", None)
    if logs and report is not None and report.failed:
        keep = pathlib.Path(logs) / request.node.name.replace("/", "_")
        shutil.copytree(path, keep, dirs_exist_ok=True, ignore_dangling_symlinks=True,
                        ignore=shutil.ignore_patterns("*.sock", "tmux-*"))
    unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.report_call = report


@pytest.fixture(autouse=True)
def nothing_left():
    """The rule of the house, asserted after each test, once its own fixtures are gone."""
    before = [(c, c.state()) for c in LIVE]
    yield
    for container, state in before:
        try:
            wait_for("nothing to be left", lambda c=container, s=state: c.state() == s, 10)
        except AssertionError:
            now = container.state()
            for what, was in state.items():
                assert now[what] == was, f"{what} left in {container.name}"


@pytest.fixture
def coral(home, nothing_left):
    """The client with no agent near: it embeds one."""
    return Coral(home)


@pytest.fixture
def make_agent(base, home, nothing_left):
    """Agents of one test; the first lives in `home`."""
    made = []

    def make(start=True, **kw):
        where = home if not made else pathlib.Path(tempfile.mkdtemp(prefix="a-", dir=base))
        agent = Agent(where, **kw)
        made.append(agent)
        return agent.start() if start else agent

    make.made = made
    yield make
    try:
        for agent in made:
            if agent.proc and agent.proc.poll() is None:
                agent.term()
    finally:
        for agent in made:
            agent.close()


@pytest.fixture
def agent(make_agent):
    return make_agent()


@pytest.fixture
def key(home):
    return Key(home, "alice", "alice@reef")


@pytest.fixture
def net_agent(make_agent, key):
    """An agent on TCP that knows alice's key."""
    return make_agent(listen=True, keys=key.line('user="alice"'))


@pytest.fixture(scope="session")
def net():
    """A network of our own, with a cable that can be pulled."""
    one = Net()
    yield one
    one.close()


@pytest.fixture
def tmux(home):
    """Start a program in tmux: tmux(argv, env, rows=, cols=)."""
    made = []

    def start(argv, env, **kw):
        made.append(Tmux(home, env, argv, **kw))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def entered(agent, box, tmux):
    """A `coral shell` in `box` through the agent, in tmux, at its prompt."""
    def start(*flags, **kw):
        term = tmux(agent.coral.argv("shell", "--pid", box.pid, *flags), agent.coral.env(), **kw)
        term.wait_prompt()
        return term

    return start


@pytest.fixture(params=["embedded", "agent"])
def either(request, home, nothing_left):
    """The same client twice: with an agent of its own inside, and through one on a socket."""
    if request.param == "agent":
        return request.getfixturevalue("agent").coral
    return Coral(home)
