# SPDX-License-Identifier: LGPL-3.0-or-later
"""What reading a value costs that has to be asked for, against the time its bytes take on the wire."""
import errno
import os
import re
import statistics
import threading
import time

import figures
from figures import figure

DIRECT = os.O_DIRECT  # ask, whatever is known


def timed(mount, name, flags=DIRECT):
    start = time.monotonic()
    mount.raw(name, flags)
    return time.monotonic() - start


class Wire(figures.Bench):
    def setUp(self):
        super().setUp()
        figures.put_first(os.getpid())
        self.addCleanup(os.sched_setscheduler, 0, os.SCHED_OTHER, os.sched_param(0))

    def mount_wire(self, *arguments, options=(), flags=("-f",)):
        device, self.log = self.wire(*arguments)
        mount = self.mount(device, *options, flags=flags)
        mount.read("PTEM")
        figures.put_first(mount.server)
        return mount

    def against_wire(self, action):
        """Seconds that @action took, and what its frames took on the wire."""
        since = figures.lines_of(self.log)
        start = time.monotonic()
        action()
        taken = time.monotonic() - start
        # The log has the last frame when its first byte goes out, so it is all there.
        wire, requests = figures.wire_s(self.log, since)
        self.assertTrue(requests, "nothing was asked")
        return taken, wire, requests

    def test_cold(self):
        """One instruction, asked for when nobody else asks."""
        bmsfs = self.mount_wire()
        for name in ("SOC", "CELL", "CMAX"):
            rounds = [self.against_wire(lambda file=name: bmsfs.raw(file, DIRECT))
                      for _ in range(figures.choose(2, 25))]
            wire = rounds[0][1]
            taken = statistics.median(taken for taken, _, _ in rounds)
            figure("cold read; 56000 baud", f"{name}: wire and turn-around", wire * 1000, "ms")
            figure("cold read; 56000 baud", f"{name}: read", taken * 1000, "ms",
                   at_most=1.05 * wire * 1000 + 1)

    def sweep(self, what, model, *arguments):
        bmsfs = self.mount_wire("--model", model, *arguments,
                                options=("deadline=30", f"model={model}"))
        files = sorted(name for name in os.listdir(bmsfs.place)
                       if re.fullmatch("[A-Z0-9]+", name) and os.access(bmsfs.path(name), os.R_OK))

        def each():
            for name in files:
                try:
                    bmsfs.raw(name, DIRECT)
                except OSError as error:
                    # A blank reply is a transaction too.
                    if error.errno != errno.ENODATA:
                        raise

        def at_once():
            bmsfs.raw("snapshot.json", DIRECT)

        for how, action in (("file by file", each), ("snapshot.json", at_once)):
            rounds = [self.against_wire(action) for _ in range(figures.choose(1, 5))]
            taken, wire, requests = sorted(rounds, key=lambda r: r[0] / r[1])[len(rounds) // 2]
            group = f"sweep of {what}; 56000 baud"
            figure(group, f"{how}: requests", len(requests), "")
            figure(group, f"{how}: wire and turn-around", wire * 1000, "ms", digits=4)
            figure(group, f"{how}: taken", taken * 1000, "ms", digits=4)
            figure(group, f"{how}: taken / wire", taken / wire, "", at_most=1.05, digits=4)

    def test_sweep_1q(self):
        self.sweep("a 1Q, 16 cells", "1q", "--cells", "16")

    def test_sweep_master(self):
        self.sweep("a master, 15 units of 15 cells", "master", "--units", "15", "--cells", "15")

    def read_at_once(self, mount, names):
        """A thread for each; returns how long the slowest took."""
        gate = threading.Barrier(len(names))
        taken = []

        def read(name):
            gate.wait(figures.LIMIT)
            taken.append(timed(mount, name, 0))

        threads = [threading.Thread(target=read, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(figures.LIMIT)
        self.assertEqual(len(taken), len(names), "not all of them were answered")
        return max(taken)

    def test_hundred_of_one(self):
        bmsfs = self.mount_wire()
        _, _, requests = self.against_wire(lambda: self.read_at_once(bmsfs, ["RINT"] * 100))
        figure("a hundred readers at once", "of one stale file: transactions", len(requests), "",
               at_most=1)

    def made_of(self):
        """What each file asks for, of those that ask for one instruction."""
        device = self.simulator("--pty", os.path.join(self.folder, "quick"), "--log",
                                os.path.join(self.folder, "quick.log"), "--cells", "16",
                                "--baud", "0", "--turnaround", "0").place
        mount = self.mount(device)
        mount.read("PTEM")
        found = {}
        for folder, _, names in os.walk(mount.place):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), mount.place)
                since = figures.lines_of(os.path.join(self.folder, "quick.log"))
                try:
                    mount.raw(path, DIRECT)
                except OSError:
                    continue
                _, asked = figures.wire_s(os.path.join(self.folder, "quick.log"), since)
                if len(asked) == 1:
                    found[path] = asked[0]
        return found

    def test_hundred_of_a_hundred(self):
        """Each instruction once, in the order in which it was first wanted."""
        made_of = self.made_of()
        bmsfs = self.mount_wire("--cells", "16", flags=("-f", "-d"), options=("deadline=30",))
        bmsfs.expects("")
        # What the start has asked for would be fresh for a second.
        names = [name for name, asked in made_of.items()
                 if asked not in ("*IDN?", "CELL?", "PTEM?")]
        others = [name for name in made_of if name not in names]
        names = sorted(names + others[:100 - len(names)])[:100]
        time.sleep(1.2)
        since = len(bmsfs.said.lines)
        taken, wire, requests = self.against_wire(lambda: self.read_at_once(bmsfs, names))
        wanted = []
        for line in bmsfs.said.find(r"read \S+ \d+@0 ", since):
            asked = made_of[re.search(r"read (\S+) ", line).group(1)]
            if asked not in wanted and asked in requests:
                wanted.append(asked)
        group = "a hundred readers at once"
        distinct = {made_of[name] for name in names}
        figure(group, "of a hundred files: transactions", len(requests), "", at_most=len(distinct))
        figure(group, "of a hundred files: out of turn",
               sum(a != b for a, b in zip(requests, wanted)) + abs(len(requests) - len(wanted)), "",
               at_most=0)
        figure(group, "of a hundred files: slowest / wire", taken / wire, "")

    def test_start(self):
        """From nothing to a value, as a person at a shell would: bmsfs DEVICE DIR && cat DIR/SOC."""
        device, log = self.wire()
        over = []
        for number in range(figures.choose(1, 7)):
            place = os.path.join(self.folder, f"start{number}")
            os.mkdir(place)
            since = figures.lines_of(log)
            start = time.monotonic()
            self.run_program(figures.harness.BMSFS, device, place)
            try:
                with open(os.path.join(place, "SOC"), encoding="ascii") as file:
                    self.assertTrue(file.read())
                taken = time.monotonic() - start
            finally:
                self.run_program("fusermount3", "-u", place)
            wire, _ = figures.wire_s(log, since)
            over.append((taken - wire, taken, wire))
            self.await_true(lambda: not figures.harness.mounted_at(place), "is unmounted")
        beyond, taken, wire = sorted(over)[len(over) // 2]
        figure("start", "wire and turn-around until the first value", wire * 1000, "ms")
        figure("start", "from the start to the first value", taken * 1000, "ms")
        figure("start", "beyond the wire", beyond * 1000, "ms", at_most=50)
