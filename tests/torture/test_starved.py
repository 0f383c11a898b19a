# SPDX-License-Identifier: LGPL-3.0-or-later
"""The log's disk is full, nobody reads stderr, descriptors run out: values flow all the same."""
import errno
import fcntl
import os
import resource
import subprocess
import time
import unittest

from torture import Bmsfs, choose, DEADLINE, figures, harness, SLACK, TortureTest, wait_until

WRITES = choose(20, 2000)
DEVICE = "sim:baud=0,turnaround=0"
# The kernel, the port, signals, the supervisor and the clock; with a lower limit ppoll(2) fails.
WAITED_FOR = 5


def fill(path):
    """Takes the last byte of the disk below path."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


class Starved(TortureTest):
    def work(self, bmsfs):
        """Things that are logged, and reads between them."""
        slowest = 0
        for number in range(WRITES):
            start = time.monotonic()
            value = ("3.44", "3.45")[number % 2]
            bmsfs.write("BMIN", value)
            self.assertEqual(bmsfs.read("BMIN"), value)
            slowest = max(slowest, time.monotonic() - start)
        self.assertLess(slowest, DEADLINE + SLACK)
        return round(slowest * 1000)

    @unittest.skipUnless(harness.ROOT, "only root can mount a small disk")
    def test_full_disk(self):
        disk = self.path("disk")
        os.mkdir(disk)
        self.run_program("mount", "-t", "tmpfs", "-o", "size=64k", "torture", disk)
        self.addCleanup(self.run_program, "umount", "-l", disk)
        fill(disk + "/filler")
        with open(disk + "/log", "ab", buffering=0) as log:
            bmsfs = Bmsfs(self, DEVICE, "ttl_settings=0", stderr=log)
            slowest = self.work(bmsfs)
            self.assertEqual(os.path.getsize(disk + "/log"), 0)
            os.unlink(disk + "/filler")
            bmsfs.write("BMIN", "3.43")
            bmsfs.stop()
        with open(disk + "/log", encoding="utf-8") as log:
            lines = log.read().splitlines()
        self.assertRegex(lines[0], r"^bmsfs: \d+ lines lost$")
        self.assertRegex(lines[1], "-> 3.43$")
        figures("full disk for the log", writes=WRITES, slowest_ms=slowest)

    def fill_pipe(self):
        """A pipe that takes not one byte more."""
        out, into = os.pipe()
        os.set_blocking(into, False)
        try:
            while os.write(into, b"x" * 4096):
                pass
        except BlockingIOError:
            pass
        os.set_blocking(into, True)
        return out, into

    def test_unread_pipe(self):
        for flags in (["-f"], ["-f", "-d"]):
            with self.subTest(flags):
                out, into = self.fill_pipe()
                bmsfs = Bmsfs(self, DEVICE, "ttl_settings=0", stderr=into, flags=flags)
                os.close(into)
                slowest = self.work(bmsfs)
                bmsfs.stop()
                size = fcntl.fcntl(out, fcntl.F_GETPIPE_SZ)
                while data := os.read(out, 65536):
                    size -= len(data)
                self.assertGreaterEqual(size, 0)
                os.close(out)
                figures("unread stderr " + " ".join(flags), writes=WRITES, slowest_ms=slowest)

    def test_pipe_read_late(self):
        out, into = self.fill_pipe()
        bmsfs = Bmsfs(self, DEVICE, "ttl_settings=0", stderr=into)
        os.close(into)
        self.work(bmsfs)
        os.read(out, 65536)
        bmsfs.write("BMIN", "3.43")
        bmsfs.stop()
        text = b""
        while data := os.read(out, 65536):
            text += data
        os.close(out)
        lines = text.replace(b"x", b"").decode().splitlines()
        self.assertRegex(lines[0], r"^bmsfs: \d+ lines lost$")
        self.assertRegex(lines[1], "-> 3.43$")

    def test_reader_of_pipe_gone(self):
        out, into = os.pipe()
        bmsfs = Bmsfs(self, DEVICE, "ttl_settings=0", stderr=into)
        os.close(into)
        os.close(out)
        self.work(bmsfs)
        bmsfs.stop()

    def test_unread_terminal(self):
        master, slave = os.openpty()
        bmsfs = Bmsfs(self, DEVICE, "ttl_settings=0", stderr=slave, flags=["-f", "-d"])
        os.close(slave)
        slowest = self.work(bmsfs)
        bmsfs.stop()
        os.close(master)
        figures("unread terminal with -d", writes=WRITES, slowest_ms=slowest)

    def test_no_descriptor_left(self):
        # The link cannot be opened again, says so, and heals.
        for door in ("--pty", "--unix"):
            with self.subTest(door):
                self.run_out_of_descriptors(door)

    def run_out_of_descriptors(self, door):
        simulator = self.simulator(door, self.path("bms" + door))
        device = ("unix:" if door == "--unix" else "") + simulator.place
        mount = self.mount(device, "ttl=0", "ttl_settings=0")
        mount.expects("Too many open files|too many open files", "is gone|closed")
        self.assertEqual(mount.read("CAPA"), "200")
        usual = resource.prlimit(mount.server, resource.RLIMIT_NOFILE)
        resource.prlimit(mount.server, resource.RLIMIT_NOFILE, (WAITED_FOR, usual[1]))
        # What is open stays open, so reading goes on.
        self.assertEqual(mount.read("CAPA"), "200")
        self.assertEqual(simulator.command("hangup"), "ok")
        wait_until(lambda: "pen files" in mount.last_error() or self.fails(mount),
                   "the sentence tells of descriptors")
        self.assert_errno(errno.ENODEV, mount.read, "CAPA")
        self.assertRegex(mount.last_error(), "[Tt]oo many open files")
        mount.read("bus/state")
        self.run_program("ls", "-lR", mount.place)
        resource.prlimit(mount.server, resource.RLIMIT_NOFILE, usual)
        figures("no descriptor left " + door,
                healed_s=round(wait_until(lambda: self.reads(mount), "a value comes"), 2))

    @staticmethod
    def reads(mount):
        try:
            return mount.read("CAPA") == "200"
        except OSError:
            return False

    def fails(self, mount):
        """Asks, so that the link is tried again; never true."""
        self.reads(mount)

    def test_below_the_mountpoint(self):
        place, outside = self.path("place"), self.path("outside")
        os.mkdir(place)
        os.symlink(place + "/tty", outside)
        for device in (place + "/tty", "unix:" + place + "/socket", outside, "unix:" + outside,
                       place + "/../place/tty", place):
            with self.subTest(device):
                self.assertIn("below MOUNTPOINT", self.refused("-f", device, place))
                self.assertEqual(harness.mounted_at(place), [])
        with open(place + "/table.ini", "w", encoding="ascii"):
            pass
        self.refused("-f", "-o", f"instructions={place}/table.ini", "sim:", place)
        with open(place + "/log", "ab") as log:
            code = subprocess.run([harness.BMSFS, "-f", "sim:", place], stdin=subprocess.DEVNULL,
                                  stderr=log, timeout=60, check=False,
                                  env=self.environment).returncode
        self.assertNotEqual(code, 0, "its log would lie under the mount")
        self.assertEqual(harness.mounted_at(place), [])

    def test_device_gone_below_another_mount(self):
        # A device that a second bmsfs shows is no device, and nobody waits for anybody.
        mount = self.mount("sim:")
        other = self.mount(mount.path("CAPA")).expects("^bmsfs: ")
        self.assert_errno(errno.ENODEV, other.read, "CAPA")
        self.assertEqual(mount.read("CAPA"), "200")


if __name__ == "__main__":
    harness.main()
