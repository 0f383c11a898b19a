#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What stat, getfattr and other users see."""
import errno
import os
import re
import stat
import struct
import time
import unittest

import harness


class Stat(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()

    def stat(self, name):
        return os.lstat(self.bmsfs.path(name))

    def test_modes(self):
        for name, mode in {"": "drwxr-xr-x", "pack": "drwxr-xr-x", "SOC": "-r--r--r--",
                           "CELL": "-r--r--r--", "BMIN": "-rw-r--r--", "IOFF": "-r--r--r--",
                           "bus/state": "-r--r--r--", "cells": "lrwxrwxrwx",
                           "units/1/cells/3/voltage": "-r--r--r--"}.items():
            with self.subTest(name):
                self.assertEqual(stat.filemode(self.stat(name).st_mode), mode)

    def test_owner(self):
        for name in ("", "SOC", "BMIN", "pack", "cells"):
            self.assertEqual((self.stat(name).st_uid, self.stat(name).st_gid),
                             (os.getuid(), os.getgid()))

    def test_size(self):
        for name in ("SOC", "BMIN", "CELL", "pack/soc", "bus/state", "units/1/cells/1/voltage"):
            self.assertEqual(self.stat(name).st_size, 4096)

    def test_size_of_the_long_files(self):
        """They are made when opened, so that descriptor knows their size, and stat the last one."""
        for name in ("snapshot.json", "metrics/bmsfs.prom"):
            with open(self.bmsfs.path(name), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.assertEqual(len(file.read()), size, name)
                self.assertEqual(self.stat(name).st_size, size)

    def test_size_stays_after_reading(self):
        self.bmsfs.read("CELL")
        self.assertEqual(self.stat("CELL").st_size, 4096)

    def test_aliases_are_the_same_file(self):
        self.assertEqual(self.stat("SOC").st_ino, self.stat("pack/soc").st_ino)
        self.assertEqual(self.stat("SOH").st_ino, self.stat("pack/soh").st_ino)
        self.assertEqual(os.stat(self.bmsfs.path("cells/3/voltage")).st_ino,
                         self.stat("units/1/cells/3/voltage").st_ino)

    def test_inodes_differ(self):
        seen = {}
        for folder, folders, names in os.walk(self.bmsfs.place):
            for name in folders + names:
                path = os.path.join(folder, name)
                ino = os.lstat(path).st_ino
                self.assertLess(ino, 1 << 32)
                seen.setdefault(ino, []).append(name)
        for names in seen.values():
            self.assertEqual(len({name.upper() for name in names}), 1, names)

    def test_listing_has_the_inodes(self):
        for entry in os.scandir(self.bmsfs.place):
            self.assertEqual(entry.inode(), entry.stat(follow_symlinks=False).st_ino)

    def test_inodes_stay(self):
        before = {name: self.stat(name).st_ino for name in os.listdir(self.bmsfs.place)}
        self.bms.hang_up()
        self.bms.appear()
        self.assert_comes_back()
        self.bmsfs.expects("gone")
        after = {name: self.stat(name).st_ino for name in os.listdir(self.bmsfs.place)}
        self.assertEqual({name: after[name] for name in before}, before)

    def assert_comes_back(self):
        end = time.monotonic() + harness.PATIENCE
        while time.monotonic() < end:
            try:
                self.bmsfs.read("CELL", os.O_DIRECT)
                return
            except OSError as error:
                self.assertIn(error.errno, (errno.ENODEV, errno.ETIMEDOUT))
        self.fail("values do not come back")

    def test_filesystem(self):
        self.assertEqual(harness.mounted_at(self.bmsfs.place), ["fuse.bmsfs"])
        self.assertGreater(os.statvfs(self.bmsfs.place).f_namemax, 15)
        self.run_program("df", self.bmsfs.place)

    def test_mount_names_the_device(self):
        with open("/proc/self/mounts", encoding="utf-8") as mounts:
            line = next(line for line in mounts if line.split()[1] == self.bmsfs.place)
        self.assertEqual(line.split()[0], self.bms.device)

    def test_opening_asks_nothing(self):
        before = self.bms.mark()
        for flags in (os.O_RDONLY, os.O_PATH, os.O_RDONLY | os.O_DIRECT):
            os.close(os.open(self.bmsfs.path("SOC"), flags))
        os.close(os.open(self.bmsfs.path("BMIN"), os.O_WRONLY))
        self.assertEqual(self.bms.requests(since=before), [])


class Times(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder("ttl=3600")

    def mtime(self, name):
        return os.stat(self.bmsfs.path(name)).st_mtime

    def assert_between(self, before, moment, after):
        # Two clocks are compared, and file times are coarse.
        self.assertTrue(before - 0.1 <= moment <= after + 0.1, (before, moment, after))

    def test_never_sampled(self):
        for name in ("SOC", "BMIN", "pack/voltage", "RINT"):
            self.assertEqual(self.mtime(name), 0)

    def test_moment_of_the_question(self):
        self.bms.delay = lambda request: 0.3
        before = time.time()
        self.bmsfs.read("SOC")
        self.assert_between(before, self.mtime("SOC"), time.time() - 0.3)

    def test_stat_is_not_behind(self):
        """The kernel keeps attributes for long and must be told."""
        self.assertEqual(self.mtime("SOC"), 0)
        self.bmsfs.read("SOC")
        first = self.mtime("SOC")
        self.assertGreater(first, 0)
        self.bmsfs.read("SOC", os.O_DIRECT)
        self.assertGreater(self.mtime("SOC"), first)

    def test_files_of_the_same_sample(self):
        self.assertEqual(self.mtime("pack/voltage"), 0)
        self.bmsfs.read("SOC")
        self.assertEqual(self.mtime("pack/voltage"), self.mtime("SOC"))

    def test_a_value_shown_again_is_as_old_as_it_is(self):
        self.bmsfs.read("SOC")
        first = self.mtime("SOC")
        self.bmsfs.read("SOC")
        self.assertEqual(self.mtime("SOC"), first)

    def test_written(self):
        self.assertEqual(self.mtime("BMIN"), 0)
        before = time.time()
        self.bmsfs.write("BMIN", "3.94")
        self.bmsfs.read("BMIN")
        self.assert_between(before, self.mtime("BMIN"), time.time())

    def test_open_descriptor(self):
        with open(self.bmsfs.path("SOC"), encoding="ascii") as file:
            self.assertEqual(os.fstat(file.fileno()).st_mtime, 0)
            file.read()
            self.assertGreater(os.fstat(file.fileno()).st_mtime, 0)

    def test_directories(self):
        self.assert_between(time.time() - harness.PATIENCE, self.mtime("pack"), time.time())


@unittest.skipUnless("CLOCK" in os.environ, "CLOCK names no library with a wall clock to set")
class ClockStep(harness.MountTest):
    """A board without a clock learns the time after bmsfs has read what it never reads again."""
    DAY = 86400

    def setUp(self):
        super().setUp()
        self.offset = os.path.join(self.folder, "offset")
        event = os.path.join(self.folder, "event")
        os.mkfifo(event)
        os.chmod(event, 0o644)
        self.event = os.open(event, os.O_RDWR)
        self.addCleanup(os.close, self.event)
        self.set_clock(-1000 * self.DAY)
        self.environment.update(CLOCK_OFFSET=self.offset, CLOCK_EVENT=event,
                                LD_PRELOAD=os.environ["CLOCK"])
        self.environment["ASAN_OPTIONS"] += ":verify_asan_link_order=0"

    def set_clock(self, seconds):
        with open(self.offset, "wb") as file:
            file.write(struct.pack("=q", seconds))

    def test_mtime_of_identity_files_after_a_clock_step(self):
        bmsfs = self.mount("sim:")
        bmsfs.read("IDN")
        names = ("IDN", "pack", "cells", "bus/state")
        before = {name: os.lstat(bmsfs.path(name)).st_mtime for name in names}
        self.assertLess(before["IDN"], time.time() - 999 * self.DAY)
        self.set_clock(0)
        os.write(self.event, bytes(8))
        end = time.monotonic() + harness.PATIENCE
        for name in names:
            while os.lstat(bmsfs.path(name)).st_mtime == before[name]:
                self.assertLess(time.monotonic(), end, name)
                time.sleep(0.01)
            self.assertAlmostEqual(os.lstat(bmsfs.path(name)).st_mtime,
                                   before[name] + 1000 * self.DAY, delta=0.1)


class ExtendedAttributes(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()

    def test_setting(self):
        path = self.bmsfs.path("CMAX")
        shown = {name: os.getxattr(path, name).decode() for name in os.listxattr(path)}
        self.assertLessEqual({"user.bms.unit": "V", "user.bms.type": "float", "user.bms.min": "2",
                              "user.bms.max": "4.3", "user.bms.default": "3.85",
                              "user.bms.category": "cell_voltage"}.items(), shown.items())
        self.assertIn("user.bms.name", shown)
        self.assertIn("user.bms.description", shown)

    def test_measurement(self):
        path = self.bmsfs.path("pack/voltage")
        self.assertEqual(os.getxattr(path, "user.bms.unit"), b"V")
        self.assert_errno(errno.ENODATA, os.getxattr, path, "user.bms.max")

    def test_unknown(self):
        for name in ("user.bms.nothing", "user.bms", "security.selinux", "user.other"):
            self.assert_errno(errno.ENODATA, os.getxattr, self.bmsfs.path("SOC"), name)

    def test_directories_have_none(self):
        self.assertEqual(os.listxattr(self.bmsfs.path("pack")), [])

    def test_getfattr(self):
        said = self.run_program("getfattr", "--absolute-names", "-d", self.bmsfs.path("CMAX"))
        self.assertRegex(said, re.compile(r'^user\.bms\.max="4\.3"$', re.M))
        self.assertRegex(said, re.compile(r'^user\.bms\.unit="V"$', re.M))

    def test_they_cost_no_frame(self):
        before = self.bms.mark()
        self.run_program("getfattr", "--absolute-names", "-Rd", self.bmsfs.place)
        self.assertEqual(self.bms.requests(since=before), [])


class Owners(harness.MountTest):
    def owner(self, bmsfs, name):
        shown = os.stat(bmsfs.path(name))
        return shown.st_uid, shown.st_gid, stat.S_IMODE(shown.st_mode)

    def test_uid_and_gid(self):
        if not harness.ROOT:
            self.skipTest("only root gives files away")
        _, bmsfs = self.mount_responder("uid=1234", "gid=5678")
        self.assertEqual(self.owner(bmsfs, "BMIN"), (1234, 5678, 0o664))
        self.assertEqual(self.owner(bmsfs, "SOC"), (1234, 5678, 0o444))

    def test_umask(self):
        _, bmsfs = self.mount_responder("umask=027")
        self.assertEqual(self.owner(bmsfs, "BMIN")[2], 0o640)
        self.assertEqual(self.owner(bmsfs, "SOC")[2], 0o440)
        self.assertEqual(self.owner(bmsfs, "pack")[2], 0o750)


@unittest.skipUnless(harness.ROOT, "only root can be somebody else")
class OtherUsers(harness.MountTest):
    def as_nobody(self, *arguments, status=0):
        return self.run_program("setpriv", "--reuid", str(harness.NOBODY), "--regid",
                                str(harness.NOBODY), "--clear-groups", *arguments, status=status)

    def test_reads(self):
        _, bmsfs = self.mount_responder()
        self.assertEqual(self.as_nobody("cat", bmsfs.path("SOC")), "78.46\n")
        self.as_nobody("ls", "-lR", bmsfs.place)

    def test_does_not_write(self):
        bms, bmsfs = self.mount_responder()
        self.as_nobody("sh", "-c", 'echo 3.94 >"$1"', "sh", bmsfs.path("BMIN"), status=2)
        self.as_nobody("test", "!", "-w", bmsfs.path("BMIN"))
        self.assertEqual(bms.sets(), [])

    def test_writes_as_owner(self):
        bms, bmsfs = self.mount_responder(f"uid={harness.NOBODY}")
        self.as_nobody("sh", "-c", 'echo 3.94 >"$1"', "sh", bmsfs.path("BMIN"))
        self.assertEqual(bms.sets(), ["BMIN 3.94"])
        self.assertTrue(bmsfs.said.wait_for(rf"uid {harness.NOBODY} pid \d+ \(sh\) set BMIN"))

    def test_umask_shuts_out(self):
        _, bmsfs = self.mount_responder("umask=077")
        self.as_nobody("cat", bmsfs.path("SOC"), status=1)

    def test_private(self):
        _, bmsfs = self.mount_responder("private")
        self.as_nobody("cat", bmsfs.path("SOC"), status=1)
        self.assertEqual(bmsfs.read("SOC"), "78.46")


if __name__ == "__main__":
    harness.main()
