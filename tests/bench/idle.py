# SPDX-License-Identifier: LGPL-3.0-or-later
"""What bmsfs costs when nobody asks for anything: wake-ups, bytes, memory."""
import os
import re
import time

import figures
from figures import figure

IDLE_s = figures.choose(1, 60)


def memory_kib(pid, name):
    """Rss, or Pss, in which pages that are shared count for a part."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return int(re.search(rf"^{name}:\s+(\d+) kB", rollup.read(), re.M).group(1))


class Idle(figures.Bench):
    def test_idle(self):
        """With an adapter and a BMS, and without either, at the same time."""
        device, log = self.wire()
        present = self.mount(device)
        absent = self.mount(os.path.join(self.folder, "nothing"), "wait=0").expects("")
        present.read("SOC")
        present.read("CMAX")
        # The start of both is over, and what was read is stale.
        time.sleep(figures.choose(0.5, 5))
        mounts = {"adapter present": present, "adapter absent": absent}
        bytes_before = {how: self.bytes_of(mount) for how, mount in mounts.items()}
        frames = figures.lines_of(log)
        time.sleep(0.2)  # what was read last is closed
        before = {how: self.wake_ups(mount) for how, mount in mounts.items()}
        time.sleep(IDLE_s)
        after = {how: self.wake_ups(mount) for how, mount in mounts.items()}
        group = f"idle, {IDLE_s} s with nobody reading"
        for how, mount in mounts.items():
            figure(group, f"{how}: wake-ups of the server", after[how][0] - before[how][0], "",
                   at_most=0)
            figure(group, f"{how}: wake-ups of the keeper", after[how][1] - before[how][1], "",
                   at_most=0)
            figure(group, f"{how}: bytes on the wire", self.bytes_of(mount) - bytes_before[how], "",
                   at_most=0)
        self.assertEqual(figures.lines_of(log), frames)

    @staticmethod
    def wake_ups(mount):
        return figures.wake_ups(mount.server), figures.wake_ups(mount.keeper)

    @staticmethod
    def bytes_of(mount):
        counters = mount.counters()
        return counters["bytes_sent"] + counters["bytes_received"]

    def test_memory(self):
        """After everything has been read once."""
        device, _ = self.wire("--model", "master", "--units", "15", "--cells", "15", "--baud", "0")
        mount = self.mount(device, "model=master")
        for folder, _, names in os.walk(mount.place):
            for name in names:
                try:
                    mount.raw(os.path.relpath(os.path.join(folder, name), mount.place))
                except OSError:
                    pass
        processes = {"server": mount.server, "keeper": mount.keeper}
        for name, pid in processes.items():
            figure("memory, a master with 15 units read once", f"{name}: resident (Rss)",
                   memory_kib(pid, "Rss"), "KiB", at_most=4096, digits=4)
        figure("memory, a master with 15 units read once", "both, shared pages counted once (Pss)",
               sum(memory_kib(pid, "Pss") for pid in processes.values()), "KiB", at_most=4096,
               digits=4)
        text = int(self.run_program("size", figures.harness.BMSFS).splitlines()[1].split()[0])
        figure("memory, a master with 15 units read once", "program text", text / 1024, "KiB",
               digits=4)
