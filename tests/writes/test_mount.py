#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is accepted is logged with who wrote it; what is refused leaves the wire silent.

    test_mount.py FOLDER_OF_THE_HARNESS      (with BMSFS and BMSFS_SIM in the environment)
"""
import errno
import os
import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import harness  # pylint: disable=wrong-import-position

OTHER_uid = 65534
WRITER = """
uid = int(sys.argv[3])
if uid:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
try:
    fd = os.open(sys.argv[1], os.O_WRONLY)
    os.write(fd, sys.argv[2].encode())
except OSError as error:
    sys.exit(error.errno)
"""
REFUSED = [
    ("CMAX", "9", errno.ERANGE), ("CMAX", "-1", errno.ERANGE), ("CMAX", "nan", errno.EINVAL),
    ("CMAX", "inf", errno.EINVAL), ("CMAX", "0x4", errno.EINVAL), ("CMAX", "3,5", errno.EINVAL),
    ("CMAX", "4e0", errno.EINVAL), ("CMAX", " 4", errno.EINVAL), ("CMAX", "+4", errno.EINVAL),
    ("CMAX", "4.0\n\n", errno.EINVAL), ("CMAX", "4" * 4095 + "\n", errno.EINVAL),
    ("CMAX", "4\xe2\x82", errno.EINVAL), ("CMAX", "4\0", errno.EINVAL), ("CMAX", "\n", errno.EINVAL),
    ("CHEM", "2.0", errno.EINVAL), ("CHEM", "6", errno.ERANGE),
    ("CHEM", "99999999999999999999", errno.ERANGE),
]


class Writes(harness.MountTest):
    def start(self, path, value, uid=0):
        """A writer in a process of its own, which ends with the errno of its write."""
        return self.python(WRITER, path, value + "\n", str(uid))

    def end(self, process, status=0):
        self.assertEqual(process.wait(harness.PATIENCE), status, process.stderr.read())

    def log_of(self, mount, process, uid, path, old, new):
        return mount.said.wait_for(
            rf"uid {uid} pid {process.pid} \(python3?\S*\) set {path} {old} -> {new}$")

    def test_accepted_is_logged(self):
        mount = self.mount("sim:")
        process = self.start(mount.path("CMAX"), "3.9")
        self.end(process)
        self.assertTrue(self.log_of(mount, process, os.getuid(), "CMAX", "3.85", "3.9"),
                        mount.said.lines)
        self.assertEqual(mount.read("CMAX"), "3.9")

    @unittest.skipUnless(harness.ROOT, "needs a second user")
    def test_log_tells_who(self):
        # Everybody may write: here the modes decide, and the log tells who it was.
        mount = self.mount("sim:", f"uid={OTHER_uid}")
        first = self.start(mount.path("CMAX"), "3.9")
        self.end(first)
        second = self.start(mount.path("CMAX"), "3.95", OTHER_uid)
        self.end(second)
        self.assertTrue(self.log_of(mount, first, 0, "CMAX", "3.85", "3.9"), mount.said.lines)
        self.assertTrue(self.log_of(mount, second, OTHER_uid, "CMAX", "3.9", "3.95"),
                        mount.said.lines)

    def test_two_at_once(self):
        mount = self.mount("sim:")
        pairs = [(self.start(mount.path(name), value), name, value) for name, value in
                 [("CMAX", "3.9"), ("BMIN", "3.4"), ("MAXC", "80"), ("MAXC", "81")]]
        for process, _, _ in pairs:
            self.end(process)
        for process, name, value in pairs:
            self.assertTrue(self.log_of(mount, process, os.getuid(), name, r"\S+", value),
                            mount.said.lines)
        self.assertIn(mount.read("MAXC"), ("80", "81"))

    def test_refused_leaves_the_wire_silent(self):
        mount = self.mount("sim:", "wait=5")
        mount.read("PTEM")
        mount.read("CMAX")
        before = mount.counters()
        for name, text, number in REFUSED:
            with self.subTest(name=name, text=text[:20]):
                fd = os.open(mount.path(name), os.O_WRONLY)
                self.assert_errno(number, os.write, fd, text.encode("latin-1"))
                os.close(fd)
                self.assertTrue(mount.last_error().startswith(name + ": "), mount.last_error())
        self.assertEqual(mount.counters(), before)
        self.assertEqual(mount.said.find(" set "), [])

    def test_contradiction_sends_no_set(self):
        simulator_log = os.path.join(self.folder, "frames")
        simulator = self.simulator("--pty", os.path.join(self.folder, "tty"), "--log",
                                   simulator_log)
        mount = self.mount(simulator.place)
        process = self.start(mount.path("CMIN"), "3.5")
        self.end(process, errno.EINVAL)
        self.assertIn("CLOW", mount.last_error())
        mount.expects(r" set CMIN \S+ -> 3\.5 failed: ")
        mount.unmount()
        mount.wait_end()
        with open(simulator_log, encoding="utf-8") as log:
            self.assertNotIn("CMIN 3.5", log.read())

    @unittest.skipUnless(harness.ROOT, "needs a second user")
    def test_others_may_not(self):
        mount = self.mount("sim:")
        mount.read("PTEM")
        before = mount.counters()
        self.end(self.start(mount.path("CMAX"), "3.9", OTHER_uid), errno.EACCES)
        self.assertEqual(mount.counters(), before)


if __name__ == "__main__":
    harness.main()
