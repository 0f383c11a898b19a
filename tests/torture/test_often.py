# SPDX-License-Identifier: LGPL-3.0-or-later
"""Hang-ups and remounts, many of them; and descriptors and memory that do not grow."""
import os
import signal
import threading
import time

from torture import (choose, Crowd, figures, harness, is_sanitized, LIMIT, state, TortureTest,
                     wait_until)

GROWTH = 512  # KiB by which the resident set may differ between the halves of a soak


class Often(TortureTest):
    def hang_up(self, number, simulator, mount, times, slowest):
        for count in range(times):
            value = str(100 + count)
            if simulator.command("hangup") != "ok" or \
                    simulator.command(f"put CAPA {value}") != "ok":
                raise AssertionError("bmsfs-sim does not hang up")
            seen = set()
            start = time.monotonic()
            while value not in seen:
                try:
                    seen.add(mount.read("CAPA"))
                except OSError:
                    time.sleep(0.01)
                if time.monotonic() - start > LIMIT:
                    raise AssertionError(f"mount {number}: no value after hang-up {count}")
            slowest[number] = max(slowest[number], time.monotonic() - start)
            # Only what was asked before the hang-up could be the last value.
            if seen - {value}:
                raise AssertionError(f"mount {number}: {seen} after {value} was set")

    def test_hang_ups(self):
        width, times = choose(4, 8), choose(5, 125)
        slowest, threads, failures = [0] * width, [], []

        def run(*arguments):
            try:
                self.hang_up(*arguments)
            except (AssertionError, OSError) as error:
                failures.append(error)

        for number in range(width):
            door = ("--pty", "--unix")[number % 2]
            simulator = self.simulator(door, self.path(f"bms{number}"))
            device = ("unix:" if door == "--unix" else "") + simulator.place
            mount = self.mount(device, "ttl=0", "ttl_settings=0").expects("^bmsfs: ")
            mount.read("CAPA")
            thread = threading.Thread(target=run, args=(number, simulator, mount, times, slowest))
            threads.append(thread)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        figures("hang-ups", times=width * times, healed_unaided=width * times,
                slowest_s=round(max(slowest), 2))

    def test_remounts(self):
        times = choose(10, 200)
        place = self.path("place")
        os.mkdir(place)
        start = time.monotonic()
        for number in range(times):
            self.run_program(harness.BMSFS, "sim:baud=0", place)
            with open(place + "/CAPA", encoding="ascii") as file:
                self.assertEqual(file.read(), "200\n")
            keeper = self.find_keeper(place)
            server = harness.children(keeper)[0]
            if number % 3 == 0:
                self.run_program("fusermount3", "-u", place)
            elif number % 3 == 1:
                os.kill(keeper, signal.SIGTERM)
            else:
                os.kill(server, signal.SIGKILL)
            wait_until(lambda: not harness.mounted_at(place), "is unmounted")
            for pid in (keeper, server):
                wait_until(lambda pid=pid: not harness.is_running(pid), f"{pid} ends")
        figures("remounts", times=times, seconds=round(time.monotonic() - start, 1))

    def find_keeper(self, place):
        """Who was started for this place and has a child: processes name it in their arguments."""
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
                continue
            if place.encode() in words and harness.children(int(name)):
                return int(name)
        self.fail("there is no keeper")

    def test_dead_mount_replaced(self):
        # Both processes killed at once leave a dead mount, which the next one replaces.
        times = choose(3, 50)
        place = self.path("place")
        os.mkdir(place)
        for _ in range(times):
            self.run_program(harness.BMSFS, "sim:baud=0", place)
            keeper = self.find_keeper(place)
            server = harness.children(keeper)[0]
            os.kill(keeper, signal.SIGKILL)
            os.kill(server, signal.SIGKILL)
            for pid in (keeper, server):
                wait_until(lambda pid=pid: not harness.is_running(pid), f"{pid} ends")
            self.assertEqual(harness.mounted_at(place), ["fuse.bmsfs"])
        self.run_program(harness.BMSFS, "sim:baud=0", place)
        self.assertEqual(harness.mounted_at(place), ["fuse.bmsfs"])
        self.run_program("fusermount3", "-u", place)
        figures("dead mounts replaced", times=times)

    def test_soak(self):
        seconds = int(os.environ.get("SOAK", choose(10, 600)))
        simulator = self.simulator("--pty", self.path("tty"), "--baud", "0", "--turnaround", "1",
                                   "--fault", "drop=0.001", "--fault", "corrupt=0.002")
        mount = self.mount(simulator.place, "ttl=0.05", "ttl_settings=0.05").expects("^bmsfs: ")
        crowd = Crowd(self, mount.place)
        time.sleep(3)
        samples = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            samples.append((*state(mount.server), *state(mount.keeper)))
            self.run_program("ls", "-lR", mount.place)
            mount.read("bus/counters")
            time.sleep(0.5)
        total = crowd.end()
        server_rss, server_fds, keeper_rss, keeper_fds = zip(*samples)
        half = len(samples) // 2
        # While a write is logged, one more is open for a moment: its writer's name in /proc.
        self.assertEqual(min(server_fds[half:]), min(server_fds[:half]))
        self.assertLessEqual(max(server_fds), min(server_fds) + 1)
        self.assertEqual(len(set(keeper_fds)), 1, set(keeper_fds))
        grown = max(server_rss[half:]) - max(server_rss[:half])
        if not is_sanitized(harness.BMSFS):
            self.assertLess(grown, GROWTH)
            self.assertLess(max(keeper_rss[half:]) - max(keeper_rss[:half]), GROWTH)
        figures("soak", seconds=seconds, calls=total["calls"], wrong=total["wrong"],
                server_fds=min(server_fds), keeper_fds=max(keeper_fds),
                server_rss_KiB=f"{server_rss[0]} to {server_rss[-1]}",
                keeper_rss_KiB=f"{keeper_rss[0]} to {keeper_rss[-1]}")


if __name__ == "__main__":
    harness.main()
