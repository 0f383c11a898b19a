# SPDX-License-Identifier: LGPL-3.0-or-later
"""Readers, writers and pollers at once, while the wire, the server and the mount go bad."""
import os
import signal
import subprocess
import time
import unittest

from torture import choose, Crowd, DEADLINE, figures, GONE, harness, LIMIT, TortureTest, wait_until

# No echo: an adapter hears itself always or never.
FAULTS = {"drop": 0.01, "corrupt": 0.01, "late": 0.01, "delay": 0.02, "garbage": 0.02,
          "truncate": 0.01, "foreign": 0.005}


class Load(TortureTest):
    def mount(self, *arguments, **more):
        # Under load and faults any sentence may be said.
        return super().mount(*arguments, **more).expects("^bmsfs: ")

    def settle(self, read, text):
        """Waits until a value comes without anyone's help."""
        def came():
            try:
                return read("CAPA") == text
            except OSError:
                return False
        return wait_until(came, f"CAPA reads {text}")

    def load_with_faults(self, device, seconds, after=lambda: None):
        mount = self.mount(device, "ttl=0.2", "ttl_settings=0.2")
        crowd = Crowd(self, mount.place)
        time.sleep(seconds)
        total = crowd.end()
        after()
        total["healed_s"] = round(self.settle(mount.read, "200"), 2)
        self.assertGreater(total["changes"], 0, total)
        return total

    def test_faults_built_in(self):
        device = "sim:" + ",".join(f"{kind}={rate}" for kind, rate in FAULTS.items())
        figures("load with faults, built in",
                **self.load_with_faults(device, choose(4, 300)))

    def test_faults_on_a_pty_heal(self):
        simulator = self.simulator("--pty", self.path("tty"), "--seed", "7", "--fault", "echo=1")
        for kind, rate in FAULTS.items():
            self.assertEqual(simulator.command(f"fault {kind}={rate}"), "ok")

        def heal():
            for kind in FAULTS:
                self.assertEqual(simulator.command(f"fault {kind}=0"), "ok")
        figures("load with faults, pty",
                **self.load_with_faults(simulator.place, choose(4, 300), heal))

    def test_server_killed(self):
        rounds = choose(3, 50)
        slowest = 0
        for number in range(rounds):
            device = ("sim:baud=0", "sim:silent=1")[number % 2]
            mount = self.mount(device, "ttl=0", "ttl_settings=0", "wait=0.1")
            crowd = Crowd(self, mount.place)
            time.sleep(0.3)
            start = time.monotonic()
            os.kill(mount.server, signal.SIGKILL)
            mount.wait_end(128 + signal.SIGKILL)
            total = crowd.wait()
            slowest = max(slowest, time.monotonic() - start)
            self.assertTrue(GONE & set(total), total)
            self.assertEqual(os.listdir(mount.place), [], "the mount is dead")
        figures("server killed under load", rounds=rounds, all_ended_within_s=round(slowest, 2))

    def test_server_stopped(self):
        pause = choose(3, 20)
        simulator = self.simulator("--pty", self.path("tty"))
        mount = self.mount(simulator.place, "ttl=0.2", "ttl_settings=0.2")
        simulator.command("put SISN 4")
        crowd = Crowd(self, mount.place, extra=["SISN=4|5"])
        time.sleep(1)
        os.kill(mount.server, signal.SIGSTOP)
        try:
            time.sleep(pause)
            simulator.command("put SISN 5")
        finally:
            os.kill(mount.server, signal.SIGCONT)
        self.assertEqual(mount.read("SISN", os.O_DIRECT), "5")
        time.sleep(1)
        for load in crowd.loads:
            load.ask_to_end()
        total = crowd.wait(pause)
        self.assertEqual(mount.read("SISN"), "5")
        figures("server stopped under load", seconds=pause, **total)

    def test_unmounted_lazily(self):
        rounds = choose(3, 50)
        for number in range(rounds):
            mount = self.mount("sim:baud=0", "ttl=0", "ttl_settings=0")
            crowd = Crowd(self, mount.place)
            time.sleep(0.2)
            unmount = ["umount", "-l"] if harness.ROOT and number % 2 else ["fusermount3", "-uz"]
            self.run_program(*unmount, mount.place)
            # Who has a file open goes on reading, and the server lives for that long.
            total = crowd.end()
            self.assertLessEqual(set(total) - {"calls", "wrong", "changes", "slowest_ms"}, GONE)
            mount.wait_end(0)
        figures("unmounted lazily under load", rounds=rounds)

    def test_unmounted_plainly(self):
        mount = self.mount("sim:baud=0", "ttl=0", "ttl_settings=0")
        crowd = Crowd(self, mount.place)
        tries = 0
        for tries in range(choose(20, 1000)):
            done = subprocess.run(["fusermount3", "-u", mount.place], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=LIMIT, check=False)
            self.assertNotEqual(done.returncode, 0, "unmounted although files are open")
        self.assertEqual(harness.mounted_at(mount.place), ["fuse.bmsfs"])
        self.assertEqual(mount.read("CAPA"), "200")
        total = crowd.end()
        self.assertFalse(GONE & set(total), total)
        figures("plain unmount refused under load", times=tries + 1)

    @unittest.skipUnless(harness.ROOT, "only root can abort a connection")
    def test_connection_aborted(self):
        # As an administrator does with a hanging file system.
        control = self.path("control")
        os.mkdir(control)
        self.run_program("mount", "-t", "fusectl", "none", control)
        self.addCleanup(self.run_program, "umount", control)
        for _ in range(choose(3, 50)):
            mount = self.mount("sim:baud=0", "ttl=0", "ttl_settings=0")
            number = os.minor(os.stat(mount.place).st_dev)
            crowd = Crowd(self, mount.place)
            time.sleep(0.2)
            with open(f"{control}/{number}/abort", "w", encoding="ascii") as abort:
                abort.write("1")
            mount.wait_end(0)
            # EPROTO is the kernel's word for a request that was being answered just then.
            self.assertTrue(GONE & set(crowd.wait(allowed={"EPROTO"})))

    def test_ended_by_sigterm(self):
        rounds = choose(2, 30)
        for number in range(rounds):
            mount = self.mount("sim:", "ttl=0", "ttl_settings=0")
            crowd = Crowd(self, mount.place)
            time.sleep(0.3)
            os.kill(mount.keeper if number % 2 else mount.server, signal.SIGTERM)
            mount.wait_end(0)
            crowd.wait()
        figures("ended by SIGTERM under load", rounds=rounds)

    def test_keeper_killed(self):
        # Nothing is left to unmount, and the server ends: callers get an error and do not hang.
        mount = self.mount("sim:baud=0", "ttl=0", "ttl_settings=0").expects("supervisor was killed")
        crowd = Crowd(self, mount.place)
        os.kill(mount.keeper, signal.SIGKILL)
        mount.process.wait(LIMIT)
        wait_until(lambda: not harness.is_running(mount.server), "the server ends")
        self.assertTrue(GONE & set(crowd.wait()))
        self.assertEqual(harness.mounted_at(mount.place), ["fuse.bmsfs"])
        mount.unmount()
        mount.wait_end(-signal.SIGKILL)

    def test_hangs_never_longer_than_the_deadline(self):
        simulator = self.simulator("--pty", self.path("tty"))
        mount = self.mount(simulator.place, "ttl=0", "ttl_settings=0")
        simulator.command("silence on")
        crowd = Crowd(self, mount.place)
        time.sleep(choose(DEADLINE + 1, 60))
        total = crowd.end()
        self.assertIn("ETIMEDOUT", total)
        simulator.command("silence off")
        total["healed_s"] = round(self.settle(mount.read, "200"), 2)
        figures("silent BMS under load", **total)


if __name__ == "__main__":
    harness.main()
