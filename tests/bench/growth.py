# SPDX-License-Identifier: LGPL-3.0-or-later
"""How the cost grows with the pack and with those who wait."""
import resource
import time

import figures
from figures import ONE, Rounds, figure

UNITS = [1, 4, 15]
POLLERS = figures.choose([0, 1, 10], [0, 1, 10, 100, 1000])
IDLE_s = figures.choose(1.5, 20)


class Growth(figures.Bench):
    def test_units(self):
        """A cached value, whatever else there is."""
        mounts = {n: self.mount(f"sim:model=master,units={n},cells=15",
                                "ttl=86400,ttl_settings=86400") for n in UNITS}
        for mount in mounts.values():
            mount.read("cells/1/voltage" if mount is mounts[1] else "units/1/cells/1/voltage")
            mount.read("SOC")
            figures.pin(mount.server, [ONE])
        for name in ("SOC", "units/1/cells/1/voltage"):
            taken = Rounds(**{
                str(n): lambda path=mount.path(name): self.time("cycle", path, ONE)
                for n, mount in mounts.items()})
            for n in UNITS:
                figure("cached open, read, close by units; one processor",
                       f"{name}, {n} units of 15 cells", taken[str(n)] / 1000, "us")
            figure("cached open, read, close by units; one processor", f"{name}, 15 units / 1",
                   taken.ratio("15", "1"), "", at_most=1.10)

    def test_pollers(self):
        """Those who wait for a change cost nothing until there is one."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        mounts, waiters = {}, {}
        for count in POLLERS:
            mounts[count] = self.mount("sim:", "ttl_settings=1")
            waiters[count] = figures.Waiters(mounts[count].path("BVOL"), count)
            self.addCleanup(waiters[count].close)
        time.sleep(figures.choose(0.2, 3))
        idle = self.idle_cost(mounts)
        read = self.read_cost(mounts)
        changes = sum(each.changes for each in waiters.values())
        self.assertEqual(changes, 0, "of what does not change")
        most = POLLERS[-1]
        for count in POLLERS:
            figure("pollers of what does not change", f"{count}: processor time of the server",
                   idle[count], "ms/s")
        figure("pollers of what does not change", f"{most} more than 1", idle[most] - idle[1],
               "ms/s", at_most=1)
        for count in POLLERS:
            figure("cached open, read, close by pollers; one processor", f"{count} pollers",
                   read[str(count)] / 1000, "us")
        figure("cached open, read, close by pollers; one processor", f"{most} pollers / 0",
               read.ratio(str(most), "0"), "", at_most=1.10)

    @staticmethod
    def idle_cost(mounts):
        """Milliseconds of processor for each second, of all of them at the same time."""
        start = time.monotonic()
        before = {count: figures.processor_ns(mount.server) for count, mount in mounts.items()}
        time.sleep(IDLE_s)
        after = {count: figures.processor_ns(mount.server) for count, mount in mounts.items()}
        seconds = time.monotonic() - start
        return {count: (after[count] - before[count]) / 1e6 / seconds for count in mounts}

    def read_cost(self, mounts):
        """While they wait."""
        for mount in mounts.values():
            mount.read("IDN")
            figures.pin(mount.server, [ONE])
        return Rounds(**{
            str(count): lambda path=mount.path("IDN"): self.time("cycle", path, ONE)
            for count, mount in mounts.items()})
