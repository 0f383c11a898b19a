# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a service manager sees of bmsfs: configuration files and messages on its socket."""
import errno
import os
import select
import signal
import socket

import harness


class Manager(harness.MountTest):
    def setUp(self):
        super().setUp()
        path = os.path.join(self.folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.addCleanup(self.socket.close)
        self.environment["NOTIFY_SOCKET"] = path

    def next(self):
        """The next message, without those that only say that it lives."""
        while select.select([self.socket], [], [], harness.PATIENCE)[0]:
            message = self.socket.recv(4096).decode()
            if message != "WATCHDOG=1":
                return message
        self.fail("nothing is said")

    @staticmethod
    def status_of(pid, name):
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            return next(line.split(":")[1].strip() for line in status if line.startswith(name))

    def await_state(self, pid, letter):
        while self.status_of(pid, "State").split()[0] != letter:
            pass

    def test_ready(self):
        bmsfs = self.mount("sim:")
        self.assertEqual(self.next(), "STATUS=sim: is online")
        self.assertEqual(self.next(), "READY=1")
        self.assertTrue(bmsfs.read("SOC"))
        os.kill(bmsfs.keeper, signal.SIGTERM)
        self.assertEqual(self.next(), "STOPPING=1")
        bmsfs.wait_end()

    def test_status(self):
        responder, bmsfs = self.mount_responder("timeout=0.1", "deadline=1", "ttl=0")
        bmsfs.expects("nobody answers", "gone", "no such device", "unplugged")
        self.assertEqual(self.next(), f"STATUS={responder.device} is online")
        self.assertEqual(self.next(), "READY=1")
        responder.silent = True
        with self.assertRaises(OSError):
            bmsfs.read("SOC")
        self.assertIn("STATUS=nobody answers at address 1", self.next())
        responder.silent = False
        while self.socket not in select.select([self.socket], [], [], 0)[0]:
            try:
                bmsfs.read("SOC")
            except OSError:
                pass
        self.assertEqual(self.next(), f"STATUS={responder.device} is online")

    def test_several(self):
        bmsfs = self.mount(self.responder().device, "timeout=0.1", "address=1,2", "tries=1")
        bmsfs.expects("nobody answers", "is online at")
        messages = []
        while "READY=1" not in messages:
            messages.append(self.next())
        self.assertRegex(messages[0], "^STATUS=1 of 2 online: nobody answers at address 2")

    def test_absent(self):
        bmsfs = self.mount(os.path.join(self.folder, "ttyUSB0")).expects("no such device")
        self.assertIn("no such device", self.next())
        self.assertEqual(self.next(), "READY=1")
        with self.assertRaises(OSError):
            bmsfs.read("SOC")

    def test_no_watchdog(self):
        """Nobody wants to know, so nobody wakes up."""
        bmsfs = self.mount("sim:")
        self.next()
        self.assertEqual(self.next(), "READY=1")

        bmsfs.read("SOC")
        self.await_state(bmsfs.server, "S")
        before = self.status_of(bmsfs.server, "voluntary_ctxt_switches")
        self.assertEqual(select.select([self.socket], [], [], 3)[0], [])
        self.assertEqual(self.status_of(bmsfs.server, "voluntary_ctxt_switches"), before)

    def test_watchdog(self):
        self.environment["WATCHDOG_USEC"] = "400000"
        bmsfs = self.mount("sim:")
        self.assertEqual(self.next(), "STATUS=sim: is online")
        self.assertEqual(self.next(), "READY=1")
        for _ in range(3):
            self.assertTrue(select.select([self.socket], [], [], harness.PATIENCE)[0])
            self.assertEqual(self.socket.recv(100), b"WATCHDOG=1")
        # A server that makes no progress says nothing.
        os.kill(bmsfs.server, signal.SIGSTOP)
        self.await_state(bmsfs.server, "T")
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(100)
        self.assertEqual(select.select([self.socket], [], [], 2)[0], [])
        os.kill(bmsfs.server, signal.SIGCONT)
        self.assertTrue(select.select([self.socket], [], [], harness.PATIENCE)[0])

    def test_watchdog_of_another(self):
        self.environment.update(WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        self.mount("sim:")
        self.next()
        self.assertEqual(self.next(), "READY=1")
        self.assertEqual(select.select([self.socket], [], [], 1)[0], [])

    def test_background(self):
        """Who goes to the background has left whoever started it."""
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        self.run_program(harness.BMSFS, "sim:", place)
        self.run_program("fusermount3", "-u", place)
        self.assertEqual(select.select([self.socket], [], [], 0)[0], [])


class Configuration(harness.MountTest):
    def write(self, text):
        path = os.path.join(self.folder, "house.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def test_mount(self):
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        path = self.write(f"device = sim:\nmountpoint = {place}\nro = yes\nname = house\n")
        self.run_program(harness.BMSFS, "-c", path)
        try:
            self.assertTrue(os.path.isdir(place + "/class/power_supply/house"))
            self.assert_errno(errno.EROFS, os.open, place + "/CMAX", os.O_WRONLY)
        finally:
            self.run_program("fusermount3", "-u", place)

    def test_refused(self):
        path = self.write("device = sim:\nmountpoint = /mnt\nbaud = fast\n")
        self.assertIn(f"{path}:3: baud=fast", self.refused("-c", path, status=2))
        self.assertIn("No such file", self.refused("-c", path + "x", status=2))


if __name__ == "__main__":
    harness.main()
