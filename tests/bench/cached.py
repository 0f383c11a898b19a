# SPDX-License-Identifier: LGPL-3.0-or-later
"""What reading a value costs that is known already."""
import glob
import json
import os

import figures
from figures import ALL, ONE, Rounds, figure

# Any file of the kernel's own that everybody may read and that costs next to nothing to make.
SYSFS = ["/sys/kernel/fscaps", "/sys/kernel/uevent_seqnum", "/sys/power/state"]


class Cached(figures.Bench):
    def setUp(self):
        super().setUp()
        device, _ = self.wire()
        self.bmsfs = self.mount(device, "ttl=86400,ttl_settings=86400")
        self.bmsfs.read("SOC")
        self.pids = [self.bmsfs.server, self.bmsfs.keeper]
        self.files = {"bmsfs": self.bmsfs.path("SOC")}

    def add_floor(self):
        place = os.path.join(self.folder, "floor")
        self.pids.append(self.serve(place, figures.FLOOR).pid)
        self.files["floor"] = os.path.join(place, "value")

    def add_sysfs(self):
        there = [name for name in SYSFS if os.access(name, os.R_OK)]
        if there:
            self.files["sysfs"] = there[0]
        else:
            figures.note(f"sysfs is left out, because none of {', '.join(SYSFS)} can be read")

    def add_owfs(self):
        if not figures.have("owfs", "owfs-fuse", "owfs"):
            return
        place = os.path.join(self.folder, "owfs")
        self.pids.append(self.serve(place, "owfs", "--foreground", "--tester=DS2438").pid)
        self.await_true(lambda: glob.glob(place + "/*/temperature"), "owfs shows its device")
        self.files["owfs"] = glob.glob(place + "/*/temperature")[0]

    def measure(self, mode, processors, names):
        for pid in self.pids:
            figures.pin(pid, processors)
        one = ONE if len(processors) == 1 else None
        return Rounds(**{
            name: lambda path=self.files[name]: self.time(mode, path, one)
            for name in names if name in self.files})

    def test_cycle(self):
        """open, read and close"""
        self.add_floor()
        self.add_sysfs()
        self.add_owfs()
        for how, processors in (("one processor", [ONE]), ("any processor", ALL)):
            pinned = how == "one processor"
            taken = self.measure("cycle", processors, self.files)
            group = f"cached open, read, close; {how}"
            for name in taken:
                figure(group, name, taken[name] / 1000, "us")
            figure(group, "bmsfs / floor", taken.ratio("bmsfs", "floor"), "",
                   at_most=1.10 if pinned else None)
            if "sysfs" in taken:
                figure(group, "bmsfs / sysfs", taken.ratio("bmsfs", "sysfs"), "")
            if "owfs" in taken:
                figure(group, "owfs / bmsfs", taken.ratio("owfs", "bmsfs"), "",
                       at_least=6 if pinned else None)

    def test_pread(self):
        """pread on a descriptor that is kept"""
        self.add_floor()
        self.add_sysfs()
        group = "cached pread; one processor"
        taken = self.measure("pread", [ONE], self.files)
        for name in taken:
            figure(group, name, taken[name] / 1000, "us")
        figure(group, "bmsfs / floor", taken.ratio("bmsfs", "floor"), "")

    def test_snapshot(self):
        self.files["snapshot.json"] = self.bmsfs.path("snapshot.json")
        values = count_values(json.loads(self.bmsfs.raw("snapshot.json")))
        group = "cached snapshot.json; one processor"
        taken = self.measure("whole", [ONE], ["snapshot.json"])["snapshot.json"] / 1000
        figure(group, "all of it", taken, "us")
        figure(group, "values in it", values, "")
        figure(group, "each value", taken / values, "us")


def count_values(part):
    """Leaves with a value; an array of numbers counts as what it is, one instruction."""
    if not isinstance(part, dict):
        return 0
    return ("value" in part) + sum(count_values(inner) for key, inner in part.items()
                                   if key != "value")
