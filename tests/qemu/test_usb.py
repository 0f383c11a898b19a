# SPDX-License-Identifier: LGPL-3.0-or-later
"""bmsfs on an FTDI adapter with the kernel's own driver, at 56000 baud, against bmsfs-sim.

scripts/test-usb runs this; BMSFS, BMSFS_SIM and KERNEL name the programs and the unpacked kernel.
"""
import os
import re
import shutil
import tempfile
import time
import unittest

import guest as guests
from wire import Simulator, Wire

BMSFS = os.environ["BMSFS"]
BMSFS_SIM = os.environ["BMSFS_SIM"]
KERNEL = os.environ["KERNEL"]

PLUGS = 5
ROUNDS = 8
DEADLINE = 5  # seconds, the default
SLACK = 5  # an emulated machine is slow
LATENCY = "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer"


class Usb(unittest.TestCase):
    """One machine for all, which are steps of one story and run in this order."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="bmsfs-usb.")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        kernel = guests.unpack_kernel(guests.find_kernel(KERNEL), cls.folder + "/vmlinux")
        initramfs = guests.make_initramfs(cls.folder, KERNEL, [BMSFS])
        cls.simulator = Simulator(BMSFS_SIM, cls.folder)
        cls.addClassCleanup(cls.simulator.stop)
        start = time.monotonic()
        cls.guest = guests.Guest(cls.folder, kernel, initramfs)
        cls.addClassCleanup(cls.guest.stop)
        print(f"the guest is up after {time.monotonic() - start:.1f} s")
        cls.wire = Wire(cls.simulator.path, cls.guest.adapter)
        cls.addClassCleanup(cls.wire.stop)

    def run_in_guest(self, command, status=0, limit=guests.COMMAND_LIMIT):
        code, output = self.guest.run(command, limit)
        self.assertEqual(code, status, f"{command}\n{output}\n{self.guest.said()}")
        return output

    def cat(self, name):
        output = self.run_in_guest(f"cat /mnt/{name}")
        self.assertTrue(output.endswith("\n"), (name, output))
        return output[:-1]

    def wait_in_guest(self, condition, what):
        """Waits for a condition of the guest's shell. Returns the seconds it took, by its clock."""
        took = self.run_in_guest(
            f"read a b </proc/uptime; for i in $(seq 400); do if {condition}; then "
            "read c d </proc/uptime; echo $a $c; exit 0; fi; usleep 50000; done; exit 1",
            limit=120).split()
        self.assertEqual(len(took), 2, what)
        return float(took[1]) - float(took[0])

    def log(self):
        return self.run_in_guest("cat /tmp/bmsfs.log")

    def test_1_mounts_without_adapter_and_finds_it(self):
        self.run_in_guest("test ! -e /dev/ttyUSB0")
        self.run_in_guest("bmsfs -f -o ttl_settings=0 /dev/ttyUSB0 /mnt >/tmp/bmsfs.log 2>&1 & "
                          "for i in $(seq 100); do grep -q 'is mounted' /tmp/bmsfs.log && exit 0; "
                          "usleep 100000; done; exit 1")
        self.assertIn("No such device", self.run_in_guest("cat /mnt/SOC", status=1))
        self.wire.plug()
        self.wait_in_guest("[ -e /dev/ttyUSB0 ]", "the adapter does not appear")
        self.wait_in_guest("cat /mnt/SOC >/dev/null 2>&1", "no value comes")

    def test_2_the_port_is_set_up(self):
        self.assertEqual(self.cat("bus/baud"), "56000")
        self.assertEqual(self.run_in_guest("cat " + LATENCY), "1\n")
        trace = self.guest.trace()
        self.assertIn("baud rate 55944", trace)
        self.assertRegex(trace, r"parity N, data bits 8, stop bits 1")
        self.assertEqual(set(re.findall(r"baud rate (\d+)", trace)) - {"9600"}, {"55944"})

    def test_3_reads_and_writes(self):
        for name, value in (("CMAX", "3.91"), ("BVOL", "3.47"), ("CHEM", "4")):
            self.simulator.command(f"put {name} {value}")
            self.assertEqual(self.cat(name), value)
        self.assertEqual(len(self.cat("CELL").splitlines()), 14)
        self.run_in_guest("echo 3.44 > /mnt/BMIN")
        self.assertEqual(self.cat("BMIN"), "3.44")
        requests = self.simulator.requests()
        self.assertEqual([text for text in requests if text.startswith("BMIN ")], ["BMIN 3.44"])
        self.assertEqual(requests[requests.index("BMIN 3.44") + 1], "BMIN?")
        self.assertIn("set BMIN 3.45 -> 3.44", self.log())

    def test_4_xon_and_xoff_are_data(self):
        # Both occur in what floats are made of.
        before = self.counters()
        for _ in range(ROUNDS):
            self.run_in_guest("cat /mnt/CELL /mnt/RINT /mnt/LCD1 >/dev/null; usleep 1000000")
        after = self.counters()
        print(f"{ROUNDS} rounds of arrays:", {key: after[key] - before[key] for key in after
                                       if after[key] != before[key]})
        with open(self.simulator.log, encoding="ascii") as frames:
            sent = b"".join(bytes.fromhex(line.split()[2]) for line in frames
                            if line.split()[1] == "<")
        self.assertTrue(b"\x11" in sent and b"\x13" in sent)
        self.assertEqual(self.cat("bus/state"), "online")

    def counters(self):
        return {line.split()[0]: int(line.split()[1])
                for line in self.cat("bus/counters").splitlines()}

    def test_5_unplugged_while_reads_wait(self):
        for number in range(PLUGS):
            self.simulator.command("silence on")
            self.run_in_guest("rm -f /tmp/read.*; for i in 1 2 3 4 5 6 7 8; do "
                              "(cat /mnt/RAZL >/tmp/read.$i 2>&1; echo $? >>/tmp/read.$i; "
                              "mv /tmp/read.$i /tmp/read.$i.done) & done; usleep 200000; true")
            self.wire.unplug()
            took = self.wait_in_guest("[ -e /tmp/read.8.done ] && [ $(ls /tmp/read.*.done | wc -l) "
                                      "= 8 ]", "a read hangs")
            read = self.run_in_guest("cat /tmp/read.*.done").splitlines()
            self.assertEqual(read[1::2], ["1"] * 8, read)
            for line in read[0::2]:
                self.assertIn("No such device", line)
            self.assertLess(took, DEADLINE + SLACK)
            self.run_in_guest("test ! -e /dev/ttyUSB0")
            self.assertIn(self.cat("bus/state"), ("closed", "absent"))
            self.assertRegex(self.cat("bus/last_error"), "ttyUSB0")
            print(f"8 reads ended within {took:.2f} s, ", end="")
            self.plug_again(number)

    def plug_again(self, number):
        self.simulator.command("silence off")
        self.wire.plug()
        self.wait_in_guest("ls /dev/ttyUSB* >/dev/null 2>&1", "the adapter does not come back")
        self.assertEqual(self.run_in_guest("ls /dev/ttyUSB*"), "/dev/ttyUSB0\n")
        self.simulator.command(f"put RAZL 0.2{number + 1}")
        healed = self.wait_in_guest("cat /mnt/RAZL >/dev/null 2>&1", "no value comes again")
        self.assertEqual(self.cat("RAZL"), f"0.2{number + 1}")
        self.assertEqual(self.run_in_guest("cat " + LATENCY), "1\n")
        print(f"plugged in again: a value {healed:.2f} s after the device file")

    def test_6_unplugged_while_nobody_reads(self):
        # Who does not close it at once gets it back under another name.
        for number in range(PLUGS):
            self.cat("SOC")
            time.sleep(0.5)
            self.wire.unplug()
            self.wait_in_guest("[ ! -e /dev/ttyUSB0 ]", "the device file stays")
            self.plug_again(number)

    def test_7_unplugged_during_a_write(self):
        self.simulator.command("silence on")
        self.run_in_guest("(echo 3.46 > /mnt/BMIN) >/tmp/write 2>&1 & usleep 200000; true")
        self.wire.unplug()
        self.wait_in_guest("grep -q 'No such device' /tmp/write", "the write hangs")
        self.plug_again(8)
        # That BMIN failed is true for another second, as every failure is.
        self.wait_in_guest("cat /mnt/BMIN >/dev/null 2>&1", "the setting cannot be read again")
        self.assertEqual(self.cat("BMIN"), "3.44")

    def test_8_mtime_is_right_after_a_clock_step(self):
        """As on a board without a clock, at every boot: setting it cancels the server's timer."""
        names = ("IDN", "pack")
        for now in (1000000000, 1800000000, 1500000000):
            before = {name: self.mtime(name) for name in names}
            self.run_in_guest(f"date -s @{now}")
            for name in names:
                self.wait_in_guest(f"[ $(stat -c %Y /mnt/{name}) != {before[name]} ]",
                                   f"the time of {name} stays")
                self.assertTrue(now - 3600 < self.mtime(name) <= now, (now, self.mtime(name)))

    def mtime(self, name):
        return int(self.run_in_guest(f"stat -c %Y /mnt/{name}"))

    def test_90_unmounts(self):
        self.run_in_guest("umount /mnt")
        self.wait_in_guest("! pidof bmsfs >/dev/null", "bmsfs does not end")
        said = self.log()
        print(said, end="")
        self.assertIn("was unmounted", said)
        self.assertNotIn("WARNING", self.guest.said())

    def test_91_probe(self):
        before = len(self.simulator.requests())
        self.assertEqual(self.run_in_guest("bmsfs --probe"),
                         "/dev/ttyUSB0, 56000 baud, address 1: REC BMS 1Q VICTRON (model 1q)\n"
                         "    bmsfs -o baud=56000,address=1 /dev/ttyUSB0 /mnt/bms\n")
        asked = self.simulator.requests()[before:]
        self.assertEqual(set(asked), {"*IDN?"})
        # Root, and a shell that has the port open and locks nothing.
        said = self.run_in_guest("exec 9<>/dev/ttyUSB0; bmsfs --probe 9>&-; exit $?", status=1)
        self.assertRegex(said, r"^bmsfs: /dev/ttyUSB0 is in use by sh \(pid \d+\): end that")
        self.assertEqual(self.simulator.requests()[before:], asked)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
