#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""A 32-bit program without large file support lists and reads every file of a mount."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness

COMPILER = "i686-linux-gnu-gcc"
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "walk.c")


def compile_walk(folder):
    walk = os.path.join(folder, "walk")
    subprocess.run([COMPILER, "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-static", "-o",
                    walk, SOURCE], check=True)
    return walk


def cannot_run():
    """Why no 32-bit program of this processor can be made or run here, or None."""
    if not shutil.which(COMPILER):
        return f"{COMPILER} is missing; scripts/setup test installs it"
    with tempfile.TemporaryDirectory(prefix="bmsfs-test.") as folder:
        try:
            subprocess.run([compile_walk(folder), folder], check=True, stdout=subprocess.DEVNULL)
        except OSError as error:
            return f"the kernel does not run 32-bit programs: {error.strerror}"
    return None


class Program32Bit(harness.MountTest):
    def check_walk(self, device):
        mount = self.mount(device, "ttl=60")
        said = self.run_program(compile_walk(self.folder), mount.place)
        self.assertNotIn("EOVERFLOW", said)
        seen = {}
        for line in said.splitlines():
            found = re.fullmatch(r"(\d+) (.*)", line)
            if found:
                seen[found.group(2)] = int(found.group(1))
            else:
                # A value that is not defined now.
                self.assertRegex(line, r": read: (ENODATA|EOPNOTSUPP)$")
        here = {}
        for folder, folders, names in os.walk(mount.place):
            for name in folders + names:
                path = os.path.join(folder, name)
                here[path] = os.lstat(path).st_ino
        self.assertEqual(seen, here)
        self.assertGreater(len(here), 100)

    def test_one_bms_without_eoverflow(self):
        self.check_walk("sim:model=master,units=2,cells=4")

    def test_address_1_2_without_eoverflow(self):
        self.check_walk("sim:address=1,2")

    def test_the_greatest_address_without_eoverflow(self):
        self.check_walk("sim:address=1,127")

    def test_as_many_addresses_as_can_be_without_eoverflow(self):
        self.check_walk("sim:cells=1,address=" + ",".join(map(str, range(112, 128))))


if __name__ == "__main__":
    reason = cannot_run()
    if reason:
        print("skipped:", reason)
        sys.exit(77)
    harness.main()
