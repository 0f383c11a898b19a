#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bmsfs --probe on lines that a process can have. Rates are the business of tests/daemon."""
import os
import pty
import re
import shlex
import signal
import subprocess

import harness
import responder as wire
from harness import BMSFS, PATIENCE
from responder import UnixSocket

HASTE = ("-o", "timeout=0.05")


class TwoBms(wire.Responder):
    """Two on one pair of wires."""

    def _receive(self, fd):
        self.buffer += self.door.read(fd)
        for raw in wire.take_frames(self.buffer):
            if raw[1] in (3, 7) and raw[2] == 0:
                self.log.append(wire.Request(raw))
                self.pending.append((0, wire.frame(f"REC BMS {raw[1]}Q", 0, raw[1])))


class Noisy(wire.Responder):
    """What it hears comes back as something else, as with the wires exchanged."""

    def _receive(self, fd):
        self.pending.append((0, bytes(255 - byte for byte in self.door.read(fd))))


class ProbeTest(harness.MountTest):
    def start(self, device, *options):
        process = subprocess.Popen([BMSFS, "--probe", device, *options], text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(self._reap, process)
        return process

    def ended(self, process, status):
        """What it printed, and what it said."""
        printed, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, status, (printed, said))
        for line in said.splitlines():
            self.assertTrue(line.startswith("bmsfs: "), said)
        return printed, said

    def door(self, kind, name, door=wire.Pty):
        responder = kind(os.path.join(self.folder, name), door)
        self.addCleanup(responder.stop)
        return responder


class Finds(ProbeTest):
    """All at the same time, because each takes its seconds."""

    def setUp(self):
        super().setUp()
        self.started = []

    def expect(self, device, *bms):
        """Each a pair of address and identity."""
        self.started.append((device, bms, self.start(device)))

    def check(self):
        for device, bms, process in self.started:
            with self.subTest(device=device):
                printed, said = self.ended(process, 0)
                self.assertEqual(said, "")
                wanted = [f"{device}, address {address}: {identity}\n"
                          f"    bmsfs -o address={address} {device} /mnt/bms\n"
                          for address, identity in bms]
                if len(bms) > 1:
                    addresses = ",".join(str(address) for address, _ in bms)
                    wanted.append(f"All of {device} in one mount:\n"
                                  f"    bmsfs -o address={addresses} {device} /mnt/bms\n")
                self.assertEqual(printed, "".join(wanted))

    def test_everywhere(self):
        q1 = "REC BMS 1Q VICTRON (model 1q)"
        path = os.path.join(self.folder, "sim")
        frames = os.path.join(self.folder, "frames")
        self.simulator("--pty", path, "--log", frames)
        self.expect(path, (1, q1))
        self.expect("unix:" + self.simulator("--unix", path + ".unix", "--model", "abms").place,
                    (2, "ACTIVE (model abms)"))
        self.expect("tcp:" + self.simulator("--tcp", "0", "--model", "master").place,
                    (16, "REC BMS MASTER (model master)"))
        self.expect("sim:address=13", (13, q1))
        late = self.door(wire.Responder, "late")
        late.delay = lambda request: 0.5
        self.expect(late.device, (1, q1))
        echoing = self.door(wire.Responder, "echo", UnixSocket)
        echoing.fault("", "echo")
        self.expect(echoing.device, (1, q1))
        self.expect(self.door(TwoBms, "two").device, (3, "REC BMS 3Q (model unknown)"),
                    (7, "REC BMS 7Q (model unknown)"))
        own = os.path.join(self.folder, "own.ini")
        with open(own, "w", encoding="ascii") as file:
            file.write("[model mine]\ndescription = mine\nidentity = *mine*\naddress = 99\n")
        mine = self.simulator("--pty", path + ".mine", "--instructions", own, "--model", "mine")
        mine_probe = self.start(mine.place, "-o", "instructions=" + own)

        self.check()
        with open(frames, encoding="ascii") as log:
            asked = {line.split(" ", 3)[3] for line in log if line.split()[1] == ">"}
        self.assertEqual(asked, {"*IDN?\n"})
        printed, _ = self.ended(mine_probe, 0)
        self.assertIn("address 99: mine (model mine)\n", printed)


    def test_probe_of_the_pty_of_the_simulator(self):
        """The example of bmsfs-sim(1): each model at its factory address."""
        models = {"1q": (1, "REC BMS 1Q VICTRON"), "2q": (1, "REC BMS 2Q VICTRON"),
                  "abms": (2, "ACTIVE"), "master": (16, "REC BMS MASTER")}
        for model, (address, identity) in models.items():
            link = os.path.join(self.folder, "sim-" + model)
            self.simulator("--pty", link, "--model", model)
            self.expect(link, (address, f"{identity} (model {model})"))
        self.check()


class FindsNothing(ProbeTest):
    def test_nobody(self):
        lines = {
            self.door(wire.Responder, "deaf"): "nobody answers at addresses 1 to 16: check",
            self.door(Noisy, "noisy"): "makes no frames at addresses 1 to 16: exchange",
        }
        for bms in lines:
            bms.address = 120
        probes = {bms: self.start(bms.device, *HASTE) for bms in lines}
        for bms, sentence in lines.items():
            printed, said = self.ended(probes[bms], 1)
            self.assertEqual(printed, "")
            self.assertIn(f"{bms.device}: ", said)
            self.assertIn(sentence, said)

    def test_no_port(self):
        _, said = self.ended(self.start(os.path.join(self.folder, "ttyUSB0")), 1)
        self.assertIn("ttyUSB0: no such device; is the adapter plugged in?", said)
        _, said = self.ended(self.start("/dev/null"), 1)
        self.assertIn("is no serial port", said)
        _, said = self.ended(self.start("ser:1"), 1)
        self.assertIn("is no kind of device", said)
        _, said = self.ended(self.start("tcp:127.0.0.1:1"), 1)
        self.assertIn("connection refused", said)

    def test_port_is_held(self):
        bms = self.door(wire.Responder, "held")
        holder = self.python("import fcntl; f = open(sys.argv[1], 'rb+', buffering=0)\n"
                             "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True)\n"
                             "sys.stdin.read()", bms.device, stdin=subprocess.PIPE)
        self.addCleanup(holder.stdin.close)
        self.assertEqual(holder.stdout.readline(), "held\n")
        _, said = self.ended(self.start(bms.device), 1)
        # The other end of a pty is open too, in this process.
        self.assertRegex(said, rf"is in use by \S+ \(pid ({holder.pid}|{os.getpid()})\): end that")
        self.assertEqual(bms.requests(), [])

    def test_unplugged_meanwhile(self):
        bms = self.door(wire.Responder, "pulled")
        bms.silent = True
        process = self.start(bms.device)
        bms.await_request("*IDN?")
        bms.hang_up()
        _, said = self.ended(process, 1)
        self.assertIn("its other end was closed", said)


class Terminal(ProbeTest):
    def test_progress_and_interrupt(self):
        bms = self.door(wire.Responder, "tty")
        bms.silent = True
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen([BMSFS, "--probe", bms.device], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=its, env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(its)
        seen = b""
        while b"asking " + bms.device.encode() + b", address 16" not in seen:
            part = os.read(ours, 1000)
            self.assertTrue(part)
            seen += part
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(PATIENCE), -signal.SIGINT)


class Mounts(ProbeTest):
    def test_printed_command_works(self):
        reason = harness.no_fuse()
        if reason:
            self.skipTest(reason)
        path = os.path.join(self.folder, "it's here")
        self.simulator("--pty", path, "--address", "2")
        printed, _ = self.ended(self.start(path, *HASTE), 0)
        command = re.search(r"^    (bmsfs .*) /mnt/bms$", printed, re.M)[1]
        self.assertEqual(shlex.split(command), ["bmsfs", "-o", "address=2", path])
        mount = self.mount(path, "address=2")
        self.assertEqual(mount.read("IDN"), "REC BMS 1Q VICTRON")


if __name__ == "__main__":
    harness.adopt_orphans()
    harness.unittest.main(verbosity=2)
