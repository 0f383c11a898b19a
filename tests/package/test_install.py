#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What "meson install" installs, and that all of it stays below the prefix.

The argument is the build folder.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = sys.argv.pop()
FILES = {
    "bin/bmsfs", "bin/bmsfs-sim", "sbin/mount.bmsfs", "sbin/mount.fuse.bmsfs",
    "etc/bmsfs/example.conf",
    "lib/systemd/system/bmsfs@.service", "lib/sysusers.d/bmsfs.conf",
    "lib/udev/rules.d/70-bmsfs.rules",
    "share/bash-completion/completions/bmsfs", "share/bash-completion/completions/bmsfs-sim",
    "share/zsh/site-functions/_bmsfs",
    "share/bmsfs/instructions.ini", "share/bmsfs/grafana/bmsfs.json",
    "share/man/man1/bmsfs-sim.1", "share/man/man5/bmsfs.conf.5",
    "share/man/man5/bmsfs-instructions.5", "share/man/man8/bmsfs.8",
    "share/man/man8/mount.bmsfs.8", "share/man/man8/mount.fuse.bmsfs.8",
    "share/doc/bmsfs/README.md", "share/doc/bmsfs/CHANGELOG.md",
    "share/doc/bmsfs/security.md", "share/doc/bmsfs/reliability.md", "share/doc/bmsfs/ABI/pack",
    "share/doc/bmsfs/troubleshooting.md", "share/doc/bmsfs/recipes.md", "share/doc/bmsfs/writing.md",
    "share/doc/bmsfs/custom-instructions.md", "share/doc/bmsfs/examples/bms-settings",
    "share/doc/bmsfs/examples/heater.ini",
}


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="bmsfs-install.")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        done = subprocess.run(
            ["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=120, check=False)
        assert done.returncode == 0, done.stdout
        cls.prefix = os.path.join(cls.folder, "usr/local")
        cls.files = {os.path.relpath(os.path.join(folder, name), cls.prefix)
                     for folder, _, names in os.walk(cls.folder) for name in names}

    def read(self, name):
        with open(os.path.join(self.prefix, name), encoding="utf-8") as file:
            return file.read()

    def test_complete(self):
        self.assertEqual(FILES - self.files, set())

    def test_below_the_prefix(self):
        self.assertEqual({name for name in self.files if name.startswith("..")}, set())

    def test_links(self):
        for name in ("sbin/mount.bmsfs", "sbin/mount.fuse.bmsfs"):
            self.assertTrue(os.path.samefile(os.path.join(self.prefix, name),
                                             os.path.join(self.prefix, "bin/bmsfs")))
        for folder, _, names in os.walk(self.folder):
            for name in names:
                self.assertTrue(os.path.exists(os.path.join(folder, name)), name)

    def test_paths_in_the_unit(self):
        unit = self.read("lib/systemd/system/bmsfs@.service")
        command = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1)
        self.assertEqual(command, "/usr/local/bin/bmsfs -f -c /usr/local/etc/bmsfs/%i.conf")
        self.assertNotRegex(unit, r"@[a-z]+@")

    def test_unit_makes_no_mount_namespace(self):
        """What would hide the mount from everybody else."""
        names = ("DynamicUser|InaccessiblePaths|LoadCredential|MountFlags|Private[A-Z]\\w+|"
                 "ProcSubset|ProtectControlGroups|ProtectHome|ProtectKernel\\w+|ProtectProc|"
                 "ProtectSystem|ReadOnlyPaths|ReadWritePaths|Root[A-Z]\\w+|TemporaryFileSystem|"
                 "Bind\\w*Paths")
        self.assertNotRegex(self.read("lib/systemd/system/bmsfs@.service"), rf"(?m)^({names})=")

    def test_files_that_man_pages_name_are_installed(self):
        """The example of instructions was once linked and not packaged."""
        named = set()
        for name in self.files:
            if name.startswith("share/man/") and not os.path.islink(
                    os.path.join(self.prefix, name)):
                named |= set(re.findall(r"^\.(?:It )?Pa /usr/(share/\S+)", self.read(name), re.M))
        self.assertGreater(len(named), 3)
        self.assertLessEqual(named, self.files)

    def test_example_is_where_its_publisher_looks(self):
        """bmsfs-mqtt@example reads what bmsfs@example mounts."""
        place = re.search("^mountpoint = (.*)$", self.read("etc/bmsfs/example.conf"), re.M).group(1)
        self.assertEqual(place, "/mnt/example")
        unit = "lib/systemd/system/bmsfs-mqtt@.service"
        if unit in self.files:
            self.assertRegex(self.read(unit), rf"(?m)^ExecStart=.* {os.path.dirname(place)}/%i$")

    def test_umount_is_not_busy_because_the_client_is_stopped_first(self):
        """Units stop in the reverse of the order in which After= starts them."""
        unit = self.read("lib/systemd/system/bmsfs-mqtt@.service")
        for mount in "bmsfs@%i.service", "mnt-%i.mount":
            for key in "After", "PartOf":
                self.assertRegex(unit, rf"(?m)^{key}=(.* )?{re.escape(mount)}( |$)")

    def test_example_of_the_broker(self):
        """Each of its lines is understood, as it stands and without its comment sign."""
        mqtt = os.path.join(self.prefix, "bin/bmsfs-mqtt")
        if not os.path.exists(mqtt):
            self.skipTest("bmsfs-mqtt is not built")
        text = self.read("share/bmsfs/bmsfs-mqtt.conf")
        plain = re.sub(r"^#(\w+ =)", r"\1", text, flags=re.M)
        self.assertNotEqual(plain, text)
        for number, one in enumerate((text, plain)):
            path = os.path.join(self.folder, f"mqtt-{number}.conf")
            # An error of ours behind all the rest: nothing before it was wrong.
            with open(path, "w", encoding="utf-8") as file:
                file.write(one + "last = 1\n")
            os.chmod(path, 0o600)
            done = subprocess.run([mqtt, "--config", path, "/mnt"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
            line = one.count("\n") + 1
            self.assertEqual((done.returncode, done.stderr), (
                2, f"bmsfs-mqtt: {path}:{line}: unknown key; bmsfs-mqtt(1) lists the keys\n"))

    def test_example(self):
        """The example with all of its comments on options taken off is a configuration, too."""
        bmsfs = os.path.join(self.prefix, "bin/bmsfs")
        text = self.read("etc/bmsfs/example.conf")
        plain = re.sub(r"^#(\w+ =)", r"\1", text, flags=re.M).replace("battery", "root")
        self.assertNotEqual(plain, text)
        for number, one in enumerate((text, plain)):
            path = os.path.join(self.folder, f"{number}.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(one)
            done = subprocess.run([bmsfs, "-c", path, "--list"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
