# SPDX-License-Identifier: LGPL-3.0-or-later
"""A mount of bmsfs-sim, as the tests of this folder need it."""
import errno
import os
import shutil
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "mount"))

import harness

SUPPLY = "class/power_supply/bms0"
HWMON = "class/hwmon/hwmon0"
METRICS = "metrics/bmsfs.prom"
QUICK = ("timeout=0.1", "tries=1", "ttl=0.1", "ttl_settings=0.1")
SOURCE = os.path.join(HERE, "..", "..")

# Names of files that always have something to say.
ALWAYS = {"type", "scope", "present", "manufacturer", "uevent"}


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


def until(attempt):
    """The first result of attempt() that is not None; a result that never comes is a failure."""
    end = time.monotonic() + harness.PATIENCE
    while True:
        result = attempt()
        if result is not None:
            return result
        if time.monotonic() > end:
            raise AssertionError("it does not come about")


class Case(harness.MountTest):
    def mount_sim(self, *arguments, options=QUICK):
        """A simulator on a pty, and a mount of it that has all it needs."""
        self.tty = os.path.join(self.folder, "tty")
        self.sim = harness.Simulator(self, "--pty", self.tty, *arguments)
        self.addCleanup(lambda: self.sim and self.sim.stop())
        mount = self.mount(self.tty, *options)
        mount.expects("nobody answers", "is gone", "no such device", "adapter", "no answer")
        mount.read("PTEM")
        return mount

    def unplug(self):
        self.sim.stop()
        self.sim = None

    def plug(self, *arguments):
        self.sim = harness.Simulator(self, "--pty", self.tty, *arguments)

    def outcome(self, mount, name):
        try:
            return mount.read(name)
        except OSError as error:
            # This number has two names.
            return errno.errorcode[error.errno].replace("ENOTSUP", "EOPNOTSUPP")

    def supply(self, mount, name="bms0"):
        folder = f"class/power_supply/{name}"
        return {name: self.outcome(mount, f"{folder}/{name}")
                for name in os.listdir(mount.path(folder))}


