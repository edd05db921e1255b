# SPDX-License-Identifier: GPL-3.0-or-later
"""People: clients over TCP, each with a key, a home and a way to the agent of its own; and those of
the agent's machine, who are known by their uid."""
import os

from .coral import Coral, Key
from .term import Pty
from .util import run


class Person(Coral):
    """coral's own client as one person far away uses it."""

    def __init__(self, home, name, share="no"):
        super().__init__(home / f"of-{name}")
        self.name = name
        self.key = Key(home, name, f"{name}@reef")
        self.flags = ["--identity", str(self.key.path)]
        self.extra["CORAL_SHARE"] = share

    def line(self, options=""):
        return self.key.line(f'user="{self.name}"{options}')

    def goes_to(self, way):
        """Dial there, a relay or an agent, and know whose key is found there."""
        host, port = way.address
        self.extra["CORAL_AGENT"] = f"{host}:{port}"
        with Pty(self.argv("ps"), self.env()) as term:
            term.expect("SHA256:")
            term.send("yes\r")
            assert term.wait() == 0, term.seen
        return self


GROUP = 4400


class Local(Coral):
    """The same on the agent's socket, with a uid of its own, a member of the group coral."""

    def __init__(self, home, name, uid, agent):
        super().__init__(home / f"of-{name}")
        self.name, self.uid = name, uid
        for path in (self.home, *self.home.iterdir()):
            os.chown(path, uid, GROUP)
        self.extra.update(CORAL_SHARE="no", CORAL_AGENT=str(agent.socket))

    def argv(self, verb, *args):
        return ["setpriv", f"--reuid={self.uid}", f"--regid={GROUP}", "--clear-groups",
                *super().argv(verb, *args)]


def known(home, uids):
    """The words before an agent's own that let it find these people, {name: uid}, in /etc."""
    (home / "passwd").write_text("root:x:0:0::/:/bin/sh\n" + "".join(
        f"{name}:x:{uid}:{GROUP}::/:/bin/sh\n" for name, uid in uids.items()))
    (home / "group").write_text(f"root:x:0:\ncoral:x:{GROUP}:\n")
    return ["unshare", "--mount", "sh", "-c",
            f'mount --bind {home}/passwd /etc/passwd && mount --bind {home}/group /etc/group && '
            'exec "$0" "$@"']


def build(source, where):
    """A static program for inside of a container."""
    run(["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o", where, source])
    return where
