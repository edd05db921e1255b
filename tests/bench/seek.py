# SPDX-License-Identifier: GPL-3.0-or-later
"""What a long recording costs who looks for a moment or a text in it: with its index
(coral-index(5)) and without, as it grows.  CORAL_BENCH_SEEK_GIB is the size of the largest
(default 1; 10 takes a while).  By itself: seek.py, after `make bench` has built its parts."""
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/container"))
# pylint: disable=wrong-import-position
from house.coral import Coral
from house.util import run

BIN = pathlib.Path(os.environ.get("CORAL_BENCH_BIN", TOP / "build/release/bench"))
GIB = float(os.environ.get("CORAL_BENCH_SEEK_GIB", "1"))
SID = "01jd0z5s8w7k3mtq4v9x2c6b1n"
PRESENT, ABSENT = "needle", "haystack"  # one in the middle, and none
ROUNDS = 5
WITHOUT = 100  # MiB at most: all is read, so it takes as much longer as there is more


def sizes():
    """In MiB, each ten times the one before."""
    return [mib for mib in (10, 100, 1024, 10240) if mib <= GIB * 1024]


def took(coral, words, code):
    """ms, and the most memory it had, MiB."""
    peak = coral.home / "peak"
    start = time.perf_counter()
    done = coral.local(*words, timeout=7200, prefix=[BIN / "peak", peak])
    ms = (time.perf_counter() - start) * 1000
    if done.code != code:
        raise SystemExit(f"{words}: exit {done.code}: {done.errtext}")
    return ms, int(peak.read_text()) / 1024


def measure(coral, what, rounds, how):
    """Of the recording `what` names; {row: ms or MiB}, medians."""
    places = [(100 * n + 50) // rounds for n in range(rounds)]
    svg = coral.home / "moment.svg"
    rows = {}
    for name, code, words in (
            ("a moment", 0, lambda n: ("replay", "-o", svg, f"{what}@{places[n]}%")),
            ("a text that is there", 0, lambda n: ("audit grep", PRESENT, what)),
            ("a text that is not", 1, lambda n: ("audit grep", ABSENT, what))):
        got = [took(coral, words(n), code) for n in range(rounds)]
        rows[f"{name}, {how}"] = statistics.median(ms for ms, _ in got)
        rows[f"{name}, {how}: its memory, MiB"] = max(mib for _, mib in got)
    return rows


def of_size(base, mib):
    home = base / f"seek-{mib}"
    coral = Coral(home)
    path = coral.cast_path(SID)
    path.parent.mkdir(parents=True, mode=0o700)
    try:
        run([BIN / "big_cast", home, mib, 4096], timeout=1800)
        (path.parent / "lock").touch(0o600)
        os.link(home / "big.cast", path)
        rows = {}
        # By a name outside the store it has none.
        if mib <= WITHOUT:
            rows.update(measure(coral, home / "big.cast", 1, "without"))
        making = "the search that makes the index"
        rows[making], rows[f"{making}: its memory, MiB"] = took(
            coral, ("audit grep", ABSENT, SID), 1)
        rows.update(measure(coral, SID, ROUNDS, "with it"))
        rows["size of the index, KiB"] = path.with_suffix(".index").stat().st_size / 1024
        return rows
    finally:
        shutil.rmtree(home)


def main_of(base):
    all_rows = {}
    for mib in sizes():
        all_rows[mib] = of_size(base, mib)
    first = next(iter(all_rows))
    print("\nTo find a place in a recording, ms, and how often that of the first it is")
    print(" " * 56 + "".join(f"{mib:>10} MiB     " for mib in all_rows))
    for name, least in all_rows[first].items():
        print(f"  {name:<54}" + "".join(
            f"{rows[name]:>10.1f} {rows[name] / least:>6.1f} x " if name in rows else f"{'-':>10}" + 9 * " "
            for rows in all_rows.values()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="coralbench-") as made:
        main_of(pathlib.Path(made))
