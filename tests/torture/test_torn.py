# SPDX-License-Identifier: LGPL-3.0-or-later
"""Reads of a value that changes its length all the time are whole, however one reads."""
import subprocess
import threading
import time

from torture import choose, DEADLINE, figures, harness, Load, SLACK, TortureTest

# Texts without a common beginning, and of three lengths.
TEXTS = ("9.5", "123.456", "4000")
READS = {"read": 0.25, "pread": 0.25, "pieces": 0.2, "direct": 0.1, "sendfile": 0.2}


class Toggle(threading.Thread):
    """Changes CAPA as often as the simulator takes it."""

    def __init__(self, simulator):
        super().__init__(daemon=True)
        self.simulator = simulator
        self.changes = 0
        self.running = True
        self.start()

    def run(self):
        while self.running:
            self.simulator.command("put CAPA " + TEXTS[self.changes % len(TEXTS)])
            self.changes += 1
            time.sleep(0.0005)

    def stop(self):
        self.running = False
        self.join()


class Torn(TortureTest):
    def setUp(self):
        super().setUp()
        self.wire = self.simulator("--unix", self.path("bms"), "--baud", "0", "--turnaround", "0")
        self.bms = self.mount("unix:" + self.wire.place, "ttl=0", "ttl_settings=0")
        self.wire.command("put CAPA " + TEXTS[0])
        self.toggle = Toggle(self.wire)
        self.addCleanup(self.toggle.stop)

    def test_reads(self):
        wanted = choose(50_000, 1_200_000)
        start = time.monotonic()
        loads = [Load(self, self.bms.place, mode, ["CAPA=" + "|".join(TEXTS)],
                      count=round(wanted * share)) for mode, share in READS.items()]
        calls = changes = slowest = 0
        for load in loads:
            result = load.wait(limit=choose(60, 3600))
            self.assertEqual(set(result), {"calls", "wrong", "changes", "slowest_ms"})
            calls += result["calls"]
            changes += result["changes"]
            slowest = max(slowest, result["slowest_ms"])
        self.assertGreaterEqual(calls, wanted)
        self.assertGreater(changes, calls / 100, "the value hardly changed")
        self.assertLess(slowest, (DEADLINE + SLACK) * 1000)
        figures("torn reads", reads=calls, torn=0, changes_seen=changes,
                changes_made=self.toggle.changes, slowest_ms=slowest,
                seconds=round(time.monotonic() - start, 1))

    def test_busybox_cat(self):
        # It tries sendfile(2) first, and must find that refused.
        times = choose(500, 20_000)
        loop = 'i=0; while [ $i -lt "$1" ]; do cat "$2" || exit 1; i=$((i + 1)); done'
        done = subprocess.run(["busybox", "ash", "-c", loop, "ash", str(times),
                               self.bms.path("CAPA")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=choose(60, 1800), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), times)
        self.assertEqual(set(lines) - set(TEXTS), set())
        self.assertGreater(len(set(lines)), 1)
        figures("torn reads by busybox cat", reads=times, torn=0)


if __name__ == "__main__":
    harness.main()
