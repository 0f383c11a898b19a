#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The line goes and comes back, belongs to somebody else, or is of another kind."""
import errno
import os
import socket
import threading
import time

import harness
import responder as wire
from harness import Call
from responder import UnixSocket


class LinkTest(harness.MountTest):
    def await_value(self, bmsfs, name, value):
        """Until a value is there again, without anybody's help but that it is asked for."""
        end = time.monotonic() + harness.PATIENCE
        while True:
            try:
                self.assertEqual(bmsfs.read(name, os.O_DIRECT), value)
                return
            except OSError as error:
                self.assertIn(error.errno, (errno.ENODEV, errno.ETIMEDOUT, errno.EIO))
                self.assertLess(time.monotonic(), end, "values do not come back")


class Unplugging(LinkTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder("ttl=0")
        self.bmsfs.expects("gone|tty: ")

    def test_while_reads_wait(self):
        self.bms.silent = True
        readers = [Call(self.bmsfs.raw, name) for name in ("SOC", "CELL", "BVOL", "CAPA")]
        self.bms.await_request("")
        self.bms.hang_up()
        self.assertEqual({reader.result() for reader in readers}, {errno.ENODEV})

    def test_while_nobody_reads(self):
        self.assertEqual(self.bmsfs.read("SOC"), "78.46")
        self.bms.hang_up()
        self.assert_errno(errno.ENODEV, self.bmsfs.read, "SOC")

    def test_comes_back_unaided(self):
        self.bms.hang_up()
        self.assert_errno(errno.ENODEV, self.bmsfs.read, "SOC")
        self.bms.appear()
        self.await_value(self.bmsfs, "SOC", "78.46")
        self.assertEqual(self.bmsfs.read("bus/state"), "online")

    def test_many_times(self):
        for share in (0.25, 0.5, 0.75):
            self.bms.hang_up()
            self.bms.set_soc(share)
            self.bms.appear()
            self.await_value(self.bmsfs, "SOC", f"{share * 100:.2f}")

    def test_descriptors_stay_good(self):
        fd = os.open(self.bmsfs.path("SOC"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.pread(fd, 100, 0), b"78.46\n")
        self.bms.hang_up()
        self.bms.appear()
        self.await_value(self.bmsfs, "SOC", "78.46")
        self.assertEqual(os.pread(fd, 100, 0), b"78.46\n")

    def test_another_bms_comes_back(self):
        self.assertEqual(self.bmsfs.read("IDN"), wire.IDENTITY)
        self.bms.hang_up()
        self.bms.identity = "REC BMS 1Q OTHER"
        self.bms.set_array("CELL", b"1", wire.floats(*[3.5] * 8))
        self.bms.appear()
        self.await_value(self.bmsfs, "IDN", "REC BMS 1Q OTHER")
        self.await_value(self.bmsfs, "CELL", "\n".join(["3.5"] * 8))
        self.assertEqual(len(os.listdir(self.bmsfs.path("units/1/cells"))), 8)

    def test_state_and_sentence(self):
        self.bms.hang_up()
        self.assert_errno(errno.ENODEV, self.bmsfs.read, "SOC")
        self.assertIn(self.bmsfs.read("bus/state"), ("absent", "closed"))
        self.assertRegex(self.bmsfs.last_error(), "tty")


class Starting(LinkTest):
    def test_before_the_adapter(self):
        path = os.path.join(self.folder, "tty")
        bmsfs = self.mount(path).expects("tty: no such device; is the adapter plugged in?",
                                         "tty is gone")
        self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
        self.responder()
        self.await_value(bmsfs, "SOC", "78.46")

    def test_before_the_bms(self):
        bms = self.responder()
        bms.silent = True
        bmsfs = self.mount(bms.device, "wait=0.1", "deadline=1").expects("nobody answers|no answer")
        self.assert_errno(errno.ETIMEDOUT, bmsfs.read, "SOC")
        self.assertTrue(os.listdir(bmsfs.path("pack")))
        bms.heal()
        self.await_value(bmsfs, "SOC", "78.46")
        self.await_value(bmsfs, "CELL", bmsfs.read("CELL"))
        self.assertEqual(len(os.listdir(bmsfs.path("units/1/cells"))), 14)

    def test_bms_switched_off_and_on(self):
        bms, bmsfs = self.mount_responder("ttl=0", "deadline=1")
        bmsfs.expects("nobody answers|no answer")
        bms.silent = True
        self.assert_errno(errno.ETIMEDOUT, bmsfs.read, "SOC")
        bms.heal()
        self.await_value(bmsfs, "SOC", "78.46")


class Kinds(LinkTest):
    def test_unix_socket(self):
        bms = self.responder(door=UnixSocket)
        bmsfs = self.mount(bms.device)
        self.assertEqual(bmsfs.read("SOC"), "78.46")
        bmsfs.write("BMIN", "3.94")
        self.assertEqual(bms.sets(), ["BMIN 3.94"])

    def test_unix_socket_goes_and_comes(self):
        bms = self.responder(door=UnixSocket)
        bmsfs = self.mount(bms.device, "ttl=0").expects("tty")
        bms.hang_up()
        self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
        bms.appear()
        self.await_value(bmsfs, "SOC", "78.46")

    def test_simulator_on_a_pty(self):
        link = os.path.join(self.folder, "sim")
        self.simulator("--pty", link)
        bmsfs = self.mount(link)
        self.assertRegex(bmsfs.read("SOC"), r"^\d\d\.\d\d$")

    def test_simulator_over_tcp(self):
        simulator = self.simulator("--tcp", "0")
        port = simulator.place.rpartition(":")[2]
        try:
            socket.getaddrinfo("localhost", port)
            host = "localhost"
        except socket.gaierror:  # a bare chroot has no /etc/hosts
            host = "127.0.0.1"
        bmsfs = self.mount(f"tcp:{host}:{port}")
        self.assertRegex(bmsfs.read("SOC"), r"^\d\d\.\d\d$")

    def test_tcp_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        bmsfs = self.mount(f"tcp:127.0.0.1:{port}").expects("127.0.0.1")
        self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
        self.assertRegex(bmsfs.last_error(), "refused|127.0.0.1")

    def test_other_address(self):
        bms = self.responder()
        bms.address = 6
        bmsfs = self.mount(bms.device, "address=6", "wait=0.1")
        # Replies carry the address of the BMS, so another one's are no answers.
        bmsfs.expects("nobody answers at address 6", "no answer|came from")
        bms.await_request("*IDN?")
        self.assertEqual(bms.requests()[0].raw[1], 6)


class Busy(LinkTest):
    def test_second_daemon_on_one_line(self):
        bms, bmsfs = self.mount_responder()
        second = self.mount(bms.device).expects("tty|pts")
        self.assert_errno(errno.ENODEV, second.read, "SOC")
        self.assertRegex(second.last_error(), r"\bbmsfs\b")
        self.assertRegex(second.last_error(), rf"\b{bmsfs.server}\b")
        self.assertEqual(bmsfs.read("SOC", os.O_DIRECT), "78.46")

    def test_second_daemon_takes_over(self):
        bms, bmsfs = self.mount_responder()
        second = self.mount(bms.device, "ttl=0").expects("tty|pts")
        self.assert_errno(errno.ENODEV, second.read, "SOC")
        bmsfs.unmount()
        bmsfs.wait_end()
        self.await_value(second, "SOC", "78.46")


class OtherMasters(LinkTest):
    def test_foreign_traffic_before_our_requests(self):
        bms, bmsfs = self.mount_responder("ttl=0")
        for number in range(10):
            bms.set_soc(number / 100)
            bms.send(wire.frame("BVOL?", 1, 0) + wire.frame("3.58000e0"))
            self.assertEqual(bmsfs.read("SOC"), f"{number}.00")
        self.assertEqual(bmsfs.read("bus/state"), "online shared")

    def test_foreign_traffic_amid_our_requests(self):
        bms, bmsfs = self.mount_responder("ttl=0", "ttl_settings=0", "tries=10")
        for number in range(10):
            bms.fault("BVOL?", "foreign", 1)
            self.assertEqual(bmsfs.read("BVOL"), "4.08")
        self.assertGreaterEqual(bmsfs.counters()["foreign_requests"], 10)

    def test_echo(self):
        bms = self.responder()
        bms.fault("", "echo")
        bmsfs = self.mount(bms.device, "ttl=0")
        for number in range(10):
            bms.set_soc(number / 100)
            self.assertEqual(bmsfs.read("SOC"), f"{number}.00")
        bmsfs.write("BMIN", "3.94")
        self.assertEqual(bms.sets(), ["BMIN 3.94"])
        self.assertEqual(bmsfs.read("bus/state"), "online")


class NeverAnotherValue(LinkTest):
    """A bad line, for a while: what is read is right or an error."""

    def test_bad_line(self):
        bms, bmsfs = self.mount_responder("ttl=0", "ttl_settings=0", "deadline=3", "tries=2")
        bmsfs.expects(".*")
        kinds = ("silent", "corrupt", "short", "extra", "echo", "foreign", "lost", None)
        names = ("BVOL", "BMIN", "CMAX", "MAXH", "CMIN", "MINH", "CHAR", "CHIS")
        right = []
        stop = threading.Event()

        def reader(name):
            while not stop.is_set():
                try:
                    self.assertEqual(float(bmsfs.read(name)), wire.SETTINGS[name])
                    right.append(name)
                except OSError as error:
                    self.assertIn(error.errno, (errno.EIO, errno.ETIMEDOUT, errno.EOPNOTSUPP))

        readers = [Call(reader, name) for name in names]
        for round_number in range(3):
            for number, name in enumerate(names):
                kind = kinds[(number + round_number) % len(kinds)]
                mark = bms.mark()
                bms.fault(name + "?", kind, 2)
                bms.await_request("", 4, mark)
        stop.set()
        for call in readers:
            self.assertIsNone(call.result())
        self.assertGreater(len(right), 10)


if __name__ == "__main__":
    harness.main()
