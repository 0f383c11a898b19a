#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The Debian package: it is built, and in a copy of this machine installed, used and removed.

The arguments are the folder of the source and, for those who have them already, that of the packages.
"""
import fnmatch
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import scratch

SOURCE = os.path.abspath(sys.argv[1])
FSTAB = """\
sim: /mnt/one fuse.bmsfs defaults,nofail 0 0
sim:model=abms /mnt/two bmsfs ro,_netdev,nofail,x-systemd.device-timeout=5,ttl=2,gid=dialout 0 0
sim: /mnt/three fuse.bmsfs rw,user,noauto,nosuid,nodev,relatime 0 2
sim: /mnt/four bmsfs users,noauto,noatime,sync,comment=four 0 0
sim: /mnt/wrong bmsfs noauto,quota 0 0
"""
USER = 65534
# The index of all man pages takes its time.
INSTALL = ["dpkg", "--no-triggers", "--install", "/tmp/bmsfs.deb", "/tmp/bmsfs-tools.deb"]
# What dpkg and the tools for users keep for themselves.
BOOKS = re.compile(r"/(var/lib/dpkg|var/log|var/cache|var/lib/systemd|etc/[a-z]+-$|etc/[.]pwd[.]lock)")
SYSFS = "devices/pci0000:00/0000:00:1d.0/usb1/1-1"
PACKAGES = None


def build():
    """Returns the folder that holds the packages."""
    if len(sys.argv) > 2:
        return sys.argv[2]
    folder = tempfile.mkdtemp(prefix="bmsfs-package.")
    done = subprocess.run([os.path.join(SOURCE, "scripts/package"), folder],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=600)
    unittest.addModuleCleanup(shutil.rmtree, folder)
    if done.returncode:
        raise AssertionError(done.stdout)
    return folder


def setUpModule():
    global PACKAGES
    PACKAGES = build()


def put_packages(copy):
    for name in ("bmsfs", "bmsfs-tools"):
        shutil.copy(package(name), copy.path(f"tmp/{name}.deb"))


def package(name):
    found = glob.glob(os.path.join(PACKAGES, f"{name}_*.deb"))
    assert len(found) == 1, found
    return found[0]


class Contents(unittest.TestCase):
    """What is in the package, before anybody installs it."""

    def field(self, name):
        return scratch.run("dpkg-deb", "--field", package("bmsfs"), name).stdout.strip()

    def test_is_complete(self):
        listed = scratch.run("dpkg-deb", "--contents", package("bmsfs")).stdout
        files = {line.split(None, 5)[5] for line in listed.splitlines()}
        for name in ("usr/bin/bmsfs", "usr/bin/bmsfs-sim",
                     "usr/sbin/mount.bmsfs -> ../bin/bmsfs",
                     "usr/sbin/mount.fuse.bmsfs -> ../bin/bmsfs",
                     "usr/lib/systemd/system/bmsfs@.service",
                     "usr/lib/udev/rules.d/70-bmsfs.rules",
                     "usr/lib/sysusers.d/bmsfs.conf", "etc/bmsfs/example.conf",
                     "usr/share/man/man8/bmsfs.8.gz", "usr/share/man/man5/bmsfs.conf.5.gz",
                     "usr/share/man/man1/bmsfs-sim.1.gz",
                     "usr/share/bash-completion/completions/bmsfs",
                     "usr/share/zsh/vendor-completions/_bmsfs", "usr/share/doc/bmsfs/ABI/pack"):
            self.assertIn("./" + name, files)
        listed = scratch.run("dpkg-deb", "--contents", package("bmsfs-tools")).stdout
        files = {line.split(None, 5)[5] for line in listed.splitlines()}
        for name in ("usr/bin/bmsfs-mqtt", "usr/bin/bmsfs-top",
                     "usr/lib/systemd/system/bmsfs-mqtt@.service",
                     "usr/share/bmsfs/bmsfs-mqtt.conf",
                     "usr/share/man/man1/bmsfs-mqtt.1.gz", "usr/share/man/man1/bmsfs-top.1.gz"):
            self.assertIn("./" + name, files)

    def test_install_line_of_the_readme_names_no_debug_packages(self):
        with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as page:
            globs = re.search(r"^    sudo apt install (\./build-package/.*)$", page.read(), re.M)
        found = sorted(os.path.basename(path) for one in globs.group(1).split()
                       for path in glob.glob(os.path.join(PACKAGES, os.path.basename(one))))
        self.assertEqual(found, sorted(os.path.basename(package(name))
                                       for name in ("bmsfs", "bmsfs-tools")))

    def test_version(self):
        with open(os.path.join(SOURCE, "meson.build"), encoding="utf-8") as build_file:
            version = re.search(r"version: '(.*)'", build_file.read()).group(1)
        self.assertEqual(self.field("Version"), version)

    def test_depends(self):
        depends = re.split(r",\s*", self.field("Depends"))
        for name in ("fuse3", r"libfuse3-\d", "libserialport0", "libseccomp2"):
            self.assertTrue([one for one in depends if re.fullmatch(name, one.split()[0])], depends)


class Installed(unittest.TestCase):
    """In a copy of this machine. The tests are steps, in the order of their names."""

    @classmethod
    def setUpClass(cls):
        try:
            cls.copy = scratch.Scratch()
        except scratch.Unavailable as reason:
            raise unittest.SkipTest(f"no copy of this machine: {reason}") from reason
        cls.addClassCleanup(cls.copy.close)
        put_packages(cls.copy)

    def check(self, *arguments, status=0, **more):
        done = self.copy.run(*arguments, **more)
        self.assertEqual(done.returncode, status, (arguments, done.stdout))
        return done.stdout

    def mounts(self):
        """Maps mount points in the copy to type, source and options."""
        found = {}
        for line in self.check("cat", "/proc/self/mountinfo").splitlines():
            before, _, after = line.partition(" - ")
            kind, source, _ = after.split()
            if "bmsfs" in kind:
                found[before.split()[4]] = (kind, source, set(before.split()[5].split(",")))
        return found

    def served_by(self, place):
        """
        The users of the two processes. ps(1) would look at the memory of all processes, and a
        process of another test may not let it.
        """
        users = dict(reversed(line.split(":")[:3:2]) for line in
                     self.copy.read("etc/passwd").splitlines())
        found = []
        for process in scratch.processes_of("bmsfs-keeper", "mount.bmsfs", "mount.fuse.bmsf"):
            with open(f"/proc/{process}/cmdline", encoding="utf-8") as words:
                if place in words.read().split("\0") and self.copy.holds(process):
                    found.append(users[str(os.stat(f"/proc/{process}").st_uid)])
        return sorted(found)

    def test_1_install(self):
        self.check(*INSTALL)
        self.assertEqual(self.check("dpkg", "--verify", "bmsfs"), "")
        self.assertIn("(dialout)", self.check("id", "bmsfs"))
        self.assertRegex(self.check("bmsfs", "--version"), r"^bmsfs \d")
        for program in ("bmsfs-sim", "bmsfs-mqtt", "bmsfs-top"):
            self.assertRegex(self.check(program, "--version"), rf"^{program} \d")
        self.assertIn("MOUNTPOINT", self.check("bmsfs", "--help"))
        self.assertEqual(self.check("stat", "-c", "%a %U", "/etc/bmsfs-mqtt.conf"), "600 root\n")
        self.copy.write("etc/bmsfs-mqtt.conf", "host = broker\n")
        # Once more, as an upgrade.
        self.check(*INSTALL)
        self.assertEqual(self.check("cat", "/etc/bmsfs-mqtt.conf"), "host = broker\n")

    def test_2_fstab(self):
        self.copy.write("etc/fstab", FSTAB)
        for name in ("one", "two", "three", "four", "wrong"):
            os.makedirs(self.copy.path("mnt/" + name))
        os.chown(self.copy.path("mnt/three"), USER, USER)
        self.check("mount", "-a")
        self.assertEqual({place: line[:2] for place, line in self.mounts().items()},
                         {"/mnt/one": ("fuse.bmsfs", "sim:"),
                          "/mnt/two": ("fuse.bmsfs", "sim:model=abms")})
        self.check("mount", "-a")
        self.assertEqual(len(self.mounts()), 2, "mounted once more")
        self.assertRegex(self.check("cat", "/mnt/one/SOC"), r"^\d+\.\d\d\n$")
        self.check("sh", "-c", "echo 3.8 > /mnt/one/CMAX")
        self.assertEqual(self.check("cat", "/mnt/one/CMAX"), "3.8\n")
        self.assertIn("Read-only", self.check("touch", "/mnt/two/CMAX", status=1))
        self.assertEqual(self.check("stat", "-c", "%G", "/mnt/two/CMAX"), "dialout\n")
        self.assertIn("3.", self.check("bmsfs-top", "--once", "/mnt/one"))
        self.assertEqual(self.served_by("/mnt/one"), ["bmsfs", "root"])
        self.check("umount", "/mnt/one", "/mnt/two")

    def test_3_mount_by_hand(self):
        self.check("mount", "-f", "/mnt/four")
        self.assertEqual(self.mounts(), {})
        self.check("mount", "-v", "/mnt/four")
        self.assertLessEqual({"noatime", "nosuid", "nodev"}, self.mounts()["/mnt/four"][2])
        self.check("umount", "/mnt/four")
        for kind in ("bmsfs", "fuse.bmsfs"):
            self.check("mount", "-t", kind, "-o", "ttl=3,ro", "sim:", "/mnt/four")
            self.assertIn("ro", self.mounts()["/mnt/four"][2])
            self.check("umount", "/mnt/four")
        self.assertIn("quota: unknown option", self.check("mount", "/mnt/wrong", status=2))
        self.check("mount", "-s", "/mnt/wrong")
        self.check("umount", "/mnt/wrong")

    # mount(8) of Debian 12 and 13; user, remount and what mount(8) does by itself are elsewhere.
    STANDARD = """async atime noatime auto noauto defaults dev nodev diratime nodiratime dirsync exec
        noexec group iversion noiversion mand nomand _netdev nofail relatime norelatime strictatime
        nostrictatime lazytime nolazytime suid nosuid silent loud owner ro rw sync user nouser users
        nosymfollow X-mount.mkdir x-systemd.automount context=system_u:object_r:x:s0
        context="system_u:object_r:x:s0:c1,c2" fscontext=x defcontext=x rootcontext=x
        comment=x""".split()

    def test_3_standard_options_of_mount(self):
        for option in self.STANDARD:
            with self.subTest(option=option):
                self.check("mount", "-t", "fuse.bmsfs", "-o", option, "sim:", "/mnt/four")
                shown = self.mounts()["/mnt/four"][2]
                self.check("umount", "/mnt/four")
                if option in ("noatime", "noexec", "ro", "nosymfollow"):
                    self.assertIn(option, shown)
                self.assertLessEqual({"nosuid", "nodev"}, shown)

    def test_3_nosymfollow(self):
        self.check("mount", "-t", "bmsfs", "-o", "nosymfollow,ro", "sim:", "/mnt/four")
        self.assertIn("ro", self.mounts()["/mnt/four"][2])
        self.assertEqual(self.check("readlink", "/mnt/four/cells"), "units/1/cells\n")
        self.assertIn("Too many levels", self.check("ls", "/mnt/four/cells/", status=2))
        self.check("umount", "/mnt/four")

    def test_3_remount(self):
        """Of a mount by hand, where mount(8) knows the options from the kernel, and from fstab."""
        def write(status):
            return self.check("sh", "-c", "echo 3.8 > /mnt/four/CMAX", status=status)

        for options in ("-t", "fuse.bmsfs", "-o", "noexec,noatime", "sim:", "/mnt/four"), ("/mnt/four", ):
            self.check("mount", *options)
            before = self.mounts()["/mnt/four"][2]
            said = self.check("mount", "-o", "remount,ro", "/mnt/four")
            self.assertEqual(said, "")
            self.assertEqual(self.mounts()["/mnt/four"][2], before - {"rw"} | {"ro"})
            self.assertIn("Read-only", write(2))
            self.check("mount", "-o", "remount,rw", "/mnt/four")
            self.assertEqual(self.mounts()["/mnt/four"][2], before)
            write(0)
            self.check("umount", "/mnt/four")
        self.check("mount", "-t", "fuse.bmsfs", "-o", "ro", "sim:", "/mnt/four")
        self.assertIn("stay as they are", self.check("mount", "-o", "remount,rw,ttl=9", "/mnt/four"))
        write(0)
        self.check("umount", "/mnt/four")
        self.check("mount", "-t", "tmpfs", "none", "/mnt/four")
        said = self.check("mount", "-t", "fuse.bmsfs", "-o", "remount,ro", "sim:", "/mnt/four", status=1)
        self.assertIn("/mnt/four: is not a mount of bmsfs", said)
        self.check("umount", "/mnt/four")

    def test_3_user_in_fstab(self):
        """There user= is mount(8)'s own, and setuid= names the user that serves."""
        cases = [("user", "bmsfs", ""), ("user=daemon", "bmsfs", "setuid= names the user"),
                 ("user,setuid=daemon", "daemon", ""), ("setuid=daemon", "daemon", ""),
                 ("users", "bmsfs", "")]
        for options, server, notice in cases:
            with self.subTest(options=options):
                self.copy.write("etc/fstab", f"sim: /mnt/four fuse.bmsfs noauto,{options} 0 0\n")
                said = self.check("mount", "/mnt/four")
                served = self.served_by("/mnt/four")
                self.check("umount", "/mnt/four")
                self.assertIn(notice, said)
                self.assertEqual(served, sorted([server, "root"]))
        self.copy.write("etc/fstab", FSTAB)

    def test_3_private_in_fstab(self):
        """mount(8) takes this word for itself: allow_other=no closes a mount there."""
        self.copy.write("etc/fstab", "sim: /mnt/four fuse.bmsfs noauto,allow_other=no 0 0\n")
        self.check("mount", "/mnt/four")
        self.assertIn("Permission denied", self.check("cat", "/mnt/four/SOC", user=USER, status=1))
        self.check("umount", "/mnt/four")
        self.copy.write("etc/fstab", FSTAB)

    def test_4_mount_as_a_user(self):
        self.check("mount", "/mnt/three", user=USER)
        self.assertRegex(self.check("cat", "/mnt/three/SOC", user=USER), r"^\d+\.\d\d\n$")
        self.assertIn("Permission denied", self.check("cat", "/mnt/three/SOC", status=1))
        self.check("umount", "/mnt/three", user=USER)
        self.assertEqual(self.mounts(), {})

    # What a recipe has in the background runs until the command that follows has ended.
    RECIPE = """
        {simulator} > /tmp/ready & simulator=$!
        until grep -q ready /tmp/ready; do sleep 0.1; done
        {mount} && cat /mnt/bms/SOC; status=$?
        cat /mnt/bms/bus/last_error
        umount /mnt/bms; kill $simulator; wait
        exit $status
    """

    def try_recipe(self, simulator, mount, status=0):
        return self.check("sh", "-c", self.RECIPE.format(simulator=simulator, mount=mount),
                          status=status)

    def make_ptys(self):
        self.check("sh", "-c", "mount -t devpts -o newinstance,ptmxmode=666,gid=tty,mode=620 devpts "
                               "/dev/pts && ln -sf pts/ptmx /dev/ptmx && mkdir -p /mnt/bms")
        self.addCleanup(self.check, "sh", "-c", "umount /dev/pts; rmdir /mnt/bms")

    def test_4_simulator_recipes_as_written(self):
        """By root, with a user bmsfs that the package has made and that serves."""
        self.make_ptys()
        with open(os.path.join(SOURCE, "docs/bmsfs-sim.1"), encoding="utf-8") as page:
            examples = page.read().split(".Sh EXAMPLES")[1]
        recipes = [re.search(r"^\$ (bmsfs-sim .*) &\n\$ (bmsfs .*)$", examples, re.M).groups(),
                   ("bmsfs-sim --unix /tmp/bms.sock", "bmsfs unix:/tmp/bms.sock /mnt/bms")]
        for simulator, mount in recipes:
            with self.subTest(simulator):
                self.assertRegex(self.try_recipe(simulator, mount), r"(?m)^\d+\.\d\d$")

    def test_4_a_port_that_only_root_may_open_is_named_with_its_remedy(self):
        self.make_ptys()
        for kind, device in ("--pty", "/tmp/bms"), ("--unix", "unix:/tmp/bms"):
            for close, remedy in (("chmod 600", "-o user=root"),
                                  ("chown root:root", "usermod -aG root bmsfs")):
                with self.subTest(kind=kind, close=close):
                    simulator = f"bmsfs-sim {kind} /tmp/bms"
                    mount = f"{close} $(realpath /tmp/bms); bmsfs {{}} {device} /mnt/bms"
                    said = self.try_recipe(simulator, mount.format(""), status=1)
                    self.assertRegex(said, f"permission denied to user bmsfs; .*{remedy}")
                    said = self.try_recipe(simulator, mount.format("-o user=root"))
                    self.assertRegex(said, r"(?m)^\d+\.\d\d$")

    def test_5_unit(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        for unit in ("bmsfs@example.service", "bmsfs-mqtt@example.service"):
            self.assertEqual(self.check("systemd-analyze", "verify", unit), "")
        said = self.check("systemd-analyze", "security", "--offline=true", "bmsfs@example.service")
        figure = re.search(r"exposure level .*: ([0-9.]+)", said).group(1)
        with open(os.path.join(SOURCE, "docs/security.md"), encoding="utf-8") as page:
            self.assertIn(f"exposure level for bmsfs@example.service: {figure} ", page.read())

    def make_adapter(self):
        """An FTDI adapter in a /sys of the copy's own. Returns the folder of its port."""
        def put(name, text):
            self.copy.write(f"sys/{SYSFS}/{name}", text + "\n")

        put("uevent", "DEVTYPE=usb_device\nPRODUCT=403/6001/600")
        for name, text in {"idVendor": "0403", "idProduct": "6001", "serial": "A10XXXXX",
                           "manufacturer": "FTDI", "product": "FT232R", "busnum": "1",
                           "devnum": "2", "bcdDevice": "0600"}.items():
            put(name, text)
        put("../../uevent", "DRIVER=ehci-pci")
        put("1-1:1.0/uevent", "DEVTYPE=usb_interface\nDRIVER=ftdi_sio")
        put("1-1:1.0/bInterfaceNumber", "00")
        put("1-1:1.0/bInterfaceClass", "ff")
        put("1-1:1.0/ttyUSB0/uevent", "DRIVER=ftdi_sio")
        put("1-1:1.0/ttyUSB0/port_number", "0")
        put("1-1:1.0/ttyUSB0/latency_timer", "9")
        put("1-1:1.0/ttyUSB0/tty/ttyUSB0/uevent", "MAJOR=188\nMINOR=0\nDEVNAME=ttyUSB0")
        put("1-1:1.0/ttyUSB0/tty/ttyUSB0/dev", "188:0")
        top = self.copy.path("sys")
        port = os.path.join(top, SYSFS, "1-1:1.0/ttyUSB0")
        for folder, to in ((os.path.join(top, SYSFS, "../.."), "bus/pci"),
                           (os.path.join(top, SYSFS), "bus/usb"),
                           (os.path.dirname(port), "bus/usb"),
                           (port, "bus/usb-serial"), (port + "/tty/ttyUSB0", "class/tty")):
            os.makedirs(os.path.join(top, to), exist_ok=True)
            os.symlink(os.path.relpath(os.path.join(top, to), folder), folder + "/subsystem")
        os.makedirs(os.path.join(top, "bus/usb/drivers/ftdi_sio"))
        os.symlink(os.path.relpath(os.path.join(top, "bus/usb/drivers/ftdi_sio"),
                                   os.path.dirname(port)), os.path.dirname(port) + "/driver")
        os.symlink("../../../ttyUSB0", port + "/tty/ttyUSB0/device")
        os.symlink(os.path.relpath(port + "/tty/ttyUSB0", os.path.join(top, "class/tty")),
                   os.path.join(top, "class/tty/ttyUSB0"))
        return port

    def plug_in(self):
        return self.check("udevadm", "test", "--action=add", "/sys/class/tty/ttyUSB0",
                          environment={"SYSTEMD_DEVICE_VERIFY_SYSFS": "0"})

    def check_named_adapter(self, rule):
        self.copy.write("run/udev/rules.d/65-bmsfs.rules", rule + "\n")
        said = self.plug_in()
        for word in ("SYSTEMD_WANTS=bmsfs@house.service", "ID_MM_PORT_IGNORE=1", "TAGS=:systemd:"):
            self.assertIn(word, [line.strip() for line in said.splitlines()])
        # Newer ones only say what they would make and write.
        link = self.copy.path("dev/bms/house")
        if os.path.islink(link):
            self.assertEqual(os.readlink(link), "../ttyUSB0")
        else:
            self.assertRegex(said, r"(?m)DEVLINKS=.*/dev/bms/house( |$)")

    def test_6_udev(self):
        # What scripts/setup has unpacked where there is no udev.
        for name in ("bin/udevadm", "lib/udev/rules.d/60-serial.rules"):
            unpacked = os.path.join(SOURCE, "build-programs", name)
            if not os.path.exists(self.copy.path(name)) and os.path.exists(unpacked):
                shutil.copy(unpacked, self.copy.path(name))
                self.addCleanup(os.unlink, self.copy.path(name))
        if self.copy.run("udevadm", "--version").returncode:
            self.skipTest("there is no udevadm")
        port = self.make_adapter()
        said = self.plug_in()
        self.assertNotRegex(said, r"70-bmsfs\.rules.*([Ii]nvalid|[Uu]nknown|ignoring)")
        self.assertIn("ID_SERIAL_SHORT=A10XXXXX", said)
        for word in ("SYSTEMD_WANTS", "ID_MM_PORT_IGNORE", "/dev/bms/"):
            self.assertNotIn(word, said, "an adapter that nobody has named")
        # The lines that the rules themselves recommend.
        rules = self.copy.read("lib/udev/rules.d/70-bmsfs.rules")
        by_serial, by_path = re.findall(r"^#\t(.*)$", rules, re.M)
        self.check_named_adapter(by_serial)
        with open(port + "/latency_timer", encoding="ascii") as timer:
            if timer.read() != "1\n":
                self.assertRegex(self.plug_in(), r'writing ATTR\{.*/latency_timer\}="1"')
        # An adapter without a serial number.
        os.unlink(os.path.join(self.copy.path("sys"), SYSFS, "serial"))
        said = self.plug_in()
        self.assertNotIn("ID_SERIAL_SHORT", said)
        self.assertNotIn("SYSTEMD_WANTS", said)
        self.check_named_adapter(by_path)
        os.unlink(self.copy.path("run/udev/rules.d/65-bmsfs.rules"))

    def test_7_remove(self):
        for name in ("bmsfs", "bmsfs-mqtt"):
            self.copy.write(f"etc/systemd/system/multi-user.target.wants/{name}@house.service", "")
        self.check("dpkg", "--no-triggers", "--remove", "bmsfs", "bmsfs-tools")
        self.assertEqual(self.check("find", "/etc/bmsfs", "-type", "f"), "/etc/bmsfs/example.conf\n")
        self.check("dpkg", "--no-triggers", "--purge", "bmsfs", "bmsfs-tools")
        for name in ("one", "two", "three", "four", "wrong"):
            os.rmdir(self.copy.path("mnt/" + name))
        os.unlink(self.copy.path("etc/fstab"))
        left = {name for name in self.copy.changes() if not BOOKS.match(name)}
        self.assertLessEqual(left, {"/etc/fstab"})


UNITS = {
    "test.target": "[Unit]\nRequires=basic.target\nAllowIsolate=yes\n",
    "sysinit.target": "[Unit]\nDefaultDependencies=no\n",
    "basic.target": "[Unit]\nDefaultDependencies=no\n",
    "shutdown.target": "[Unit]\nDefaultDependencies=no\n",
    "bmsfs@watched.service.d/faster.conf": "[Service]\nWatchdogSec=1\n",
}


class Started(unittest.TestCase):
    """With systemd as PID 1 of a copy of this machine."""

    @classmethod
    def setUpClass(cls):
        try:
            cls.copy = scratch.Scratch()
            cls.addClassCleanup(cls.copy.close)
            put_packages(cls.copy)
            done = cls.copy.run(*INSTALL)
            assert done.returncode == 0, done.stdout
            units = dict(UNITS)
            units["bmsfs@.service"] = cls.copy.read("lib/systemd/system/bmsfs@.service")
            cls.system = scratch.System(cls.copy, units)
        except scratch.Unavailable as reason:
            raise unittest.SkipTest(f"no systemd in a copy of this machine: {reason}") from reason
        cls.addClassCleanup(cls.system.stop)

    def check(self, *arguments, status=0):
        done = self.system.run(*arguments)
        self.assertEqual(done.returncode, status, (arguments, done.stdout))
        return done.stdout

    def battery(self, name, device):
        """Configures and starts a battery; it is stopped at the end. Returns its unit."""
        unit = f"bmsfs@{name}.service"
        os.makedirs(self.copy.path(f"mnt/{name}"), exist_ok=True)
        self.copy.write(f"etc/bmsfs/{name}.conf", f"device = {device}\nmountpoint = /mnt/{name}\n")
        self.addCleanup(self.system.run, "systemctl", "stop", unit)
        self.check("systemctl", "start", unit)
        self.assertEqual(self.system.show(unit, "ActiveState"), "active")
        return unit

    def server(self, unit):
        keeper = self.system.show(unit, "MainPID")
        return self.check("pgrep", "--parent", keeper).strip()

    def wait_for_another(self, unit, old):
        """Waits until the unit is active with another main process than @old."""
        for _ in range(10 * scratch.PATIENCE):
            if self.system.show(unit, "ActiveState") == "active" and \
                    self.system.show(unit, "MainPID") != old:
                return
            self.check("sleep", "0.1")
        self.fail(self.check("systemctl", "status", unit, status=3))

    def test_ready(self):
        unit = self.battery("house", "sim:")
        self.assertRegex(self.check("cat", "/mnt/house/SOC"), r"^\d+\.\d\d\n$")
        self.assertEqual(self.system.show(unit, "StatusText"), "sim: is online")
        for process in (self.system.show(unit, "MainPID"), self.server(unit)):
            self.assertEqual(self.check("readlink", f"/proc/{process}/ns/mnt"),
                             self.check("readlink", "/proc/1/ns/mnt"))
        self.check("systemctl", "stop", unit)
        self.assertNotIn("/mnt/house", self.check("cat", "/proc/mounts"))

    def test_ready_without_a_bms(self):
        for device, status in (("sim:silent=1", "nobody answers at address 1"),
                               ("/dev/ttyUSB7", "no such device"),
                               ("tcp:localhost:1", "connection refused")):
            with self.subTest(device=device):
                unit = self.battery("absent", device)
                self.assertIn(status, self.system.show(unit, "StatusText"))
                self.check("systemctl", "stop", unit)

    def test_comes_back(self):
        unit = self.battery("back", "sim:")
        self.check("stat", "/mnt/back")
        for victim in (self.server, lambda unit: self.system.show(unit, "MainPID")):
            keeper = self.system.show(unit, "MainPID")
            self.check("kill", "-KILL", victim(unit))
            self.wait_for_another(unit, keeper)
            self.assertRegex(self.check("cat", "/mnt/back/SOC"), r"^\d+\.\d\d\n$")

    # As the second column of /proc/devices names them.
    DRIVERS = """ttyS ttyUSB ttyACM ttyAMA ttySC ttymxc ttyTHS ttyTCU ttyCH343USB ttyWCHUSB ttyXRUSB ttyO
        ttyPS ttyUL ttySAC ttyMSM ttyHS ttyAML ttyFIQ ttySTM ttyLP ttyGS ttySIF ttyM ttyMI ttyR ttyprintk
        rfcomm pts tnt""".split()

    def test_unit_allows_every_tty_driver(self):
        unit = self.battery("driver", "sim:")
        patterns = [word[len("char-"):] for word in
                    self.system.show(unit, "DeviceAllow").split() if word.startswith("char-")]
        for driver in self.DRIVERS:
            self.assertTrue([pattern for pattern in patterns if fnmatch.fnmatchcase(driver, pattern)],
                            driver)
        for other in ("mem", "tty", "input", "hidraw", "fb", "vcs", "misc", "drm"):
            self.assertFalse([pattern for pattern in patterns if fnmatch.fnmatchcase(other, pattern)],
                             other)
        # What the kernel was told of the drivers that this machine has: ttyS is 4, mem is 1.
        process = self.system.show(unit, "MainPID")
        place = re.search(r"(?m)^\d+:devices:(.*)$", self.check("cat", f"/proc/{process}/cgroup"))
        if not place:
            self.skipTest("device rules cannot be read in cgroup v2")
        rules = self.check("cat", f"/sys/fs/cgroup/devices{place[1]}/devices.list").splitlines()
        self.assertIn("c 4:* rw", rules)
        self.assertIn("c 136:* rw", rules)
        self.assertNotIn("c 1:* rw", rules)
        self.assertNotIn("a *:* rwm", rules)

    def test_watchdog(self):
        unit = self.battery("watched", "sim:")
        keeper = self.system.show(unit, "MainPID")
        self.check("kill", "-STOP", self.server(unit))
        self.wait_for_another(unit, keeper)
        self.assertRegex(self.check("cat", "/mnt/watched/SOC"), r"^\d+\.\d\d\n$")

    def test_a_user_that_cannot_be_looked_up_yet(self):
        """At boot names may come from a service that is not up; the unit tries until they do."""
        self.check("mkdir", "-p", "/mnt/late")
        for number, option in enumerate(("user", "uid", "gid")):
            with self.subTest(option=option):
                name = f"late{option}"
                unit = f"bmsfs@{name}.service"
                self.copy.write(f"etc/bmsfs/{name}.conf",
                                f"device = sim:\nmountpoint = /mnt/late\n{option} = {name}\n")
                self.addCleanup(self.system.run, "systemctl", "stop", unit)
                self.check("systemctl", "start", unit, status=1)
                self.assertEqual(self.system.show(unit, "ExecMainStatus"), "1")
                self.assertEqual(self.system.show(unit, "Result"), "exit-code")
                self.assertIn(self.system.show(unit, "ActiveState"), ("activating", "active"))
                self.check("groupadd", "--gid", str(64000 + number), name)
                self.check("useradd", "--uid", str(64000 + number), "--gid", name, name)
                self.wait_for_another(unit, "0")
                self.assertRegex(self.check("cat", "/mnt/late/SOC"), r"^\d+\.\d\d\n$")
                self.check("systemctl", "stop", unit)

    def test_wrong_configuration(self):
        self.copy.write("etc/bmsfs/wrong.conf", "device = sim:\nmountpoint = /mnt\nwrong = 1\n")
        self.check("systemctl", "start", "bmsfs@wrong", status=1)
        self.assertEqual(self.system.show("bmsfs@wrong", "ActiveState"), "failed")
        self.assertEqual(self.system.show("bmsfs@wrong", "ExecMainStatus"), "2")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
