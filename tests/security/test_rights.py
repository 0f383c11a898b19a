#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What server and keeper may do, whom the server runs as, and who may read and write the files.

As root, all of it runs in a mount namespace of its own, where /etc/passwd and /etc/group know the
users that the tests need and /dev/fuse is open to all of them.
"""
import atexit
import ctypes
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import PATIENCE, ROOT

FILTER = os.environ.get("BMSFS_FILTER", "1") == "1"
CLONE_NEWNS = 0x00020000
CAP_DAC_READ_SEARCH, CAP_KILL, CAP_SYS_ADMIN = 1 << 2, 1 << 5, 1 << 21
# Signals, and that the clock is set.
SERVER_EVENTS = r"anon_inode:\[signalfd\]", r"anon_inode:\[timerfd\]"

BMSFS_USER, PORT_GROUP, OTHER, OTHER_GROUP = 64990, 64991, 64992, 64993
PASSWD = f"""root:x:0:0::/:/bin/sh
bmsfs:x:{BMSFS_USER}:{BMSFS_USER}::/nonexistent:/usr/sbin/nologin
somebody:x:{OTHER}:{OTHER}::/nonexistent:/usr/sbin/nologin
"""
GROUP = f"""root:x:0:
bmsfs:x:{BMSFS_USER}:
port:x:{PORT_GROUP}:bmsfs
somebody:x:{OTHER}:
helm:x:{OTHER_GROUP}:somebody
"""
NAMESPACE = ROOT and harness.no_fuse() is None


def enter_namespace():
    folder = tempfile.mkdtemp(prefix="bmsfs-test.")
    atexit.register(os.rmdir, folder)
    atexit.register(subprocess.run, ["umount", "-l", folder], check=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    for name, text in ("passwd", PASSWD), ("group", GROUP):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)
        subprocess.run(["mount", "--bind", file.name, f"/etc/{name}"], check=True)
    # The build folder may be closed to others, and they are to run the program.
    harness.BMSFS = shutil.copy2(harness.BMSFS, os.path.join(folder, "bmsfs"))
    os.chmod(harness.BMSFS, 0o755)
    fuse = os.path.join(folder, "fuse")
    os.mknod(fuse, 0o020666, os.stat("/dev/fuse").st_rdev)
    os.chmod(fuse, 0o666)
    subprocess.run(["mount", "--bind", fuse, "/dev/fuse"], check=True)


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def capabilities(pid, which):
    return int(status(pid)["Cap" + which], 16)


def descriptors(pid):
    folder = f"/proc/{pid}/fd"
    return {int(name): os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)}


class Rights(harness.MountTest):
    # Also where there is a user for it.
    OWN = f"user={os.geteuid()}"

    def mount(self, device, *options, **more):
        return super().mount(device, self.OWN, *options, **more)

    def check_server(self, pid):
        for which in ("Inh", "Prm", "Eff", "Amb") + (("Bnd",) if ROOT else ()):
            self.assertEqual(capabilities(pid, which), 0, which)
        shown = status(pid)
        self.assertEqual(shown["NoNewPrivs"], "1")
        self.assertEqual(shown["Seccomp"], "2" if FILTER else "0")
        self.assertEqual(shown["Threads"], "1")
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max core file size +0 +0 ")

    def check_keeper(self, pid, rights):
        if ROOT:
            for which in ("Prm", "Eff", "Bnd"):
                self.assertEqual(capabilities(pid, which), rights, which)
            self.assertEqual(capabilities(pid, "Inh") | capabilities(pid, "Amb"), 0)
            self.assertEqual(status(pid)["NoNewPrivs"], "1")
        self.assertEqual(status(pid)["Name"], "bmsfs-keeper")

    SERVER = ("/dev/fuse", *SERVER_EVENTS, r"pipe:\[\d+\]")
    KEEPER = (r"anon_inode:\[signalfd\]", r"/proc/\d+/mountinfo", r"pipe:\[\d+\]")

    def check_descriptors(self, pid, *allowed):
        """The standard ones, one for the log, and those allowed, each at most once."""
        held = descriptors(pid)
        rest = [path for fd, path in held.items() if fd > 2]
        for pattern in (re.escape(held.get(2, "")), *allowed):
            for path in [path for path in rest if re.fullmatch(pattern, path)][:1]:
                rest.remove(path)
        self.assertEqual(rest, [], held)

    def test_in_the_foreground(self):
        bmsfs = self.mount("sim:")
        self.check_server(bmsfs.server)
        self.check_keeper(bmsfs.keeper, CAP_SYS_ADMIN | CAP_DAC_READ_SEARCH)
        self.check_descriptors(bmsfs.server, *self.SERVER)
        self.check_descriptors(bmsfs.keeper, *self.KEEPER)

    def test_over_a_port(self):
        responder, bmsfs = self.mount_responder()
        self.check_server(bmsfs.server)
        self.check_descriptors(bmsfs.server, *self.SERVER,
                               re.escape(os.path.realpath(responder.device)))
        self.check_descriptors(bmsfs.keeper, *self.KEEPER)

    def mount_behind(self, stderr, **more):
        """Mounts in the background. Returns place and keeper, which end with the test."""
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        before = harness.children(os.getpid())
        subprocess.run([harness.BMSFS, "-o", self.OWN, "sim:", place], stderr=stderr, timeout=PATIENCE,
                       check=True, env=self.environment, **more)
        keeper, = set(harness.children(os.getpid())) - set(before)
        self.addCleanup(self.end, place, keeper)
        return place, keeper

    def end(self, place, keeper):
        os.kill(keeper, signal.SIGTERM)
        self.assertEqual(os.waitpid(keeper, 0)[1], 0)
        self.assertEqual(harness.mounted_at(place), [])

    def test_in_the_background(self):
        inherited = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(inherited, True)
        log = os.path.join(self.folder, "log")
        with open(log, "w", encoding="ascii") as stderr:
            keeper = self.mount_behind(stderr, pass_fds=[inherited])[1]
        os.close(inherited)
        server, = harness.children(keeper)
        self.check_server(server)
        self.check_keeper(keeper, CAP_SYS_ADMIN | CAP_DAC_READ_SEARCH)
        self.check_descriptors(server, *self.SERVER)
        self.check_descriptors(keeper, *self.KEEPER)
        for pid in keeper, server:
            held = descriptors(pid)
            self.assertEqual([held[0], held[1], held[2]], ["/dev/null", "/dev/null", log])

    def test_without_a_log(self):
        """Nobody reads stderr: the system log is used, which the filter must permit."""
        place, keeper = self.mount_behind(subprocess.PIPE)
        server, = harness.children(keeper)
        with open(os.path.join(place, "SOC"), encoding="ascii") as soc:
            self.assertRegex(soc.read(), r"^\d+\.\d\d\n$")
        self.assertEqual(descriptors(server)[2], "/dev/null")

    def test_a_server_that_was_stopped_goes_on(self):
        """An interrupted wait is taken up again by a system call of its own."""
        bmsfs = self.mount("sim:")
        for _ in range(3):
            os.kill(bmsfs.server, signal.SIGSTOP)
            os.kill(bmsfs.server, signal.SIGCONT)
            self.assertRegex(bmsfs.read("SOC", os.O_DIRECT), r"^\d+\.\d\d$")

    @unittest.skipUnless(FILTER, "this build has no filter")
    def test_a_forbidden_call_is_told(self):
        """What the kernel does to a server that breaks out, and what is seen of it."""
        sign = os.path.join(self.folder, "sign")
        self.environment.update(LD_PRELOAD=os.environ["BREAKOUT"], BREAK_OUT=sign)
        bmsfs = self.mount("sim:").expects(r"the server was killed by signal 31 \(Bad system call\)")
        with open(sign, "w", encoding="ascii"), self.assertRaises(OSError):
            bmsfs.raw("SOC")
        bmsfs.wait_end(128 + signal.SIGSYS)
        self.assertTrue(bmsfs.said.find("killed by signal 31"))

    def test_an_idle_mount_wakes_neither_process(self):
        """Not even to see whether the mount or the supervisor is still there."""
        bmsfs = self.mount("sim:")
        self.assertTrue(bmsfs.read("SOC"))
        pids = bmsfs.server, bmsfs.keeper
        name = "voluntary_ctxt_switches"
        until = time.monotonic() + PATIENCE
        before = None
        while before != [status(pid)[name] for pid in pids]:
            self.assertLess(time.monotonic(), until, "it never comes to rest")
            before = [status(pid)[name] for pid in pids]
            time.sleep(2)

    def test_without_the_filter(self):
        bmsfs = self.mount("sim:", "nofilter")
        self.assertEqual(status(bmsfs.server)["Seccomp"], "0")
        self.assertEqual(capabilities(bmsfs.server, "Eff"), 0)
        self.assertEqual(status(bmsfs.server)["NoNewPrivs"], "1")

    def test_each_kind_of_link(self):
        for kind, device in ("--unix", "unix:{}"), ("--tcp", "tcp:localhost:{}"):
            with self.subTest(kind):
                path = os.path.join(self.folder, "bms")
                simulator = self.simulator(kind, path if kind == "--unix" else "0")
                place = simulator.place.rpartition(":")[2]
                bmsfs = self.mount(device.format(place))
                self.check_server(bmsfs.server)
                self.assertRegex(bmsfs.read("SOC", os.O_DIRECT), r"^\d+\.\d\d$")
                bmsfs.unmount()
                bmsfs.wait_end(0)

    def test_a_host_that_nobody_knows(self):
        bmsfs = self.mount("tcp:no-such-host.invalid:1").expects("no-such-host")
        self.assert_errno(errno.ENODEV, bmsfs.raw, "SOC")
        self.assertRegex(bmsfs.last_error(), "no such host|no name server answers")

    def test_instructions_that_are_no_file(self):
        fifo = os.path.join(self.folder, "fifo")
        long = os.path.join(self.folder, "long")
        link = os.path.join(self.folder, "link")
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        os.mkfifo(fifo)
        with open(long, "wb") as file:
            file.truncate((1 << 20) + 1)
        os.symlink("/dev/zero", link)
        for file, reason in ((fifo, "regular"), ("/dev/zero", "regular"), (link, "regular"),
                             ("/etc", "regular"), (long, "1 MiB")):
            said = self.refused("-o", f"instructions={file}", "sim:", place, status=1)
            self.assertIn(reason, said)
            self.assertIn(file, said)


@unittest.skipUnless(NAMESPACE, "needs root")
class Users(harness.MountTest):
    def as_user(self, function, uid=OTHER, gid=OTHER, groups=()):
        """What function() returns, or the errno it fails with, in a process of that user."""
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            result = 255
            try:
                os.setgroups(groups)
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
                os.write(theirs, function() or b"")
                result = 0
            except OSError as error:
                result = error.errno
            finally:
                os._exit(result)
        os.close(theirs)
        with open(ours, "rb") as pipe:
            text = pipe.read()
        result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return text if result == 0 else errno.errorcode.get(result, result)

    def assert_user(self, bmsfs, uid, groups):
        shown = status(bmsfs.server)
        self.assertEqual(shown["Uid"].split(), [str(uid)] * 4)
        self.assertEqual(shown["Gid"].split(), [str(uid)] * 4)
        self.assertEqual(sorted(map(int, shown["Groups"].split())), sorted(groups))

    def open_to(self, responder, group):
        os.chown(responder.device, 0, group)
        os.chmod(responder.device, 0o660)

    def test_the_user_for_it_serves(self):
        bmsfs = self.mount("sim:").expects("serving as user bmsfs$")
        self.assert_user(bmsfs, BMSFS_USER, [BMSFS_USER, PORT_GROUP])
        self.assertRegex(bmsfs.read("SOC"), r"^\d")
        bmsfs.write("CMAX", "4.1\n")
        self.assertEqual(os.stat(bmsfs.path("CMAX")).st_uid, 0)

    def test_a_given_user_serves(self):
        for given in "somebody", str(OTHER):
            bmsfs = self.mount("sim:", f"user={given}").expects("serving as user somebody$")
            self.assert_user(bmsfs, OTHER, [OTHER, OTHER_GROUP])
            bmsfs.unmount()
            bmsfs.wait_end(0)

    def test_root_serves_if_told_so(self):
        bmsfs = self.mount("sim:", "user=root")
        self.assertEqual(status(bmsfs.server)["Uid"].split(), ["0"] * 4)

    def test_kill_of_the_supervisor_ends_the_server_of_another_user(self):
        bmsfs = self.mount("sim:").expects("serving as user", "supervisor was killed")
        os.kill(bmsfs.keeper, signal.SIGKILL)
        bmsfs.process.wait(PATIENCE)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(bmsfs.server, 0)[1]), 1)
        bmsfs.over = True
        bmsfs.said.close()

    def test_the_keeper_ends_and_unmounts_anothers_server(self):
        bmsfs = self.mount("sim:").expects("serving as user")
        self.assertEqual(capabilities(bmsfs.keeper, "Eff"),
                         CAP_SYS_ADMIN | CAP_DAC_READ_SEARCH | CAP_KILL)
        os.kill(bmsfs.keeper, signal.SIGTERM)
        bmsfs.wait_end(0)

    def test_the_keeper_kills_a_server_that_hangs(self):
        bmsfs = self.mount("sim:").expects("serving as user", "does not end, killing it",
                                           "killed by signal 9")
        os.kill(bmsfs.server, signal.SIGSTOP)
        os.kill(bmsfs.keeper, signal.SIGTERM)
        bmsfs.wait_end(128 + signal.SIGKILL)

    def test_a_place_in_a_private_folder(self):
        folder = os.path.join(self.folder, "private")
        place = os.path.join(folder, "place")
        os.mkdir(folder)
        os.mkdir(place)
        os.chown(folder, OTHER, OTHER)
        os.chmod(folder, 0o700)
        bmsfs = self.mount("sim:", place=place).expects("serving as user", "killed by signal 9")
        os.kill(bmsfs.server, signal.SIGKILL)
        bmsfs.wait_end(128 + signal.SIGKILL)

    def test_a_group_opens_the_port_again(self):
        """The user has the port by a group that is not its first, before and after a replug."""
        responder = self.responder()
        self.open_to(responder, PORT_GROUP)
        bmsfs = self.mount(responder.device, "ttl=0").expects(
            "serving as user bmsfs", "is gone", "no such device", "permission denied to user bmsfs",
            "nobody answers")
        self.assertEqual(bmsfs.read("SOC"), "78.46")
        responder.hang_up()
        self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
        responder.appear()
        os.chmod(responder.device, 0o600)
        self.await_error(bmsfs, "permission denied to user bmsfs; let root mount with -o user=root")
        os.chown(responder.device, 0, OTHER_GROUP)
        os.chmod(responder.device, 0o660)
        self.await_error(bmsfs, "add it to the group helm (usermod -aG helm bmsfs)")
        self.open_to(responder, PORT_GROUP)
        self.await_value(bmsfs)

    def await_error(self, bmsfs, sentence):
        until = time.monotonic() + PATIENCE
        while sentence not in bmsfs.last_error():
            self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
            self.assertLess(time.monotonic(), until, bmsfs.last_error())

    def await_value(self, bmsfs):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.assertEqual(bmsfs.read("SOC"), "78.46")
                return
            except OSError as error:
                self.assertEqual(error.errno, errno.ENODEV)
            self.assertLess(time.monotonic(), until, bmsfs.last_error())

    def test_nobody_is_refused(self):
        said = self.refused("-o", "user=no-such-user", "sim:", self.folder, status=1)
        self.assertIn("there is no such user", said)

    def test_a_user_cannot_choose_another(self):
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        os.chown(place, OTHER, OTHER)
        done = subprocess.run([harness.BMSFS, "-f", "-o", "user=bmsfs", "sim:", place], user=OTHER,
                              group=OTHER, extra_groups=[], stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE, check=False, env=self.environment)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("only root can let another user serve", done.stderr)

    def test_a_users_own_mount(self):
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        os.chown(place, OTHER, OTHER)
        process = subprocess.Popen([harness.BMSFS, "-f", "-o", "user=somebody", "sim:", place],
                                   user=OTHER, group=OTHER, extra_groups=[], text=True,
                                   stderr=subprocess.PIPE, env=self.environment)
        said = harness.Lines(process.stderr)
        try:
            self.assertTrue(said.wait_for("is mounted on"), said.lines)
            server, = harness.children(process.pid)
            shown = status(server)
            self.assertEqual((shown["NoNewPrivs"], shown["Seccomp"]), ("1", "2" if FILTER else "0"))
            self.assertEqual(capabilities(server, "Eff"), 0)

            def read():
                with open(os.path.join(place, "SOC"), "rb") as soc:
                    return soc.read()

            self.assertRegex(self.as_user(read), rb"^\d+\.\d\d\n$")
            self.assertEqual(self.as_user(read, BMSFS_USER, BMSFS_USER), "EACCES")
            os.kill(server, signal.SIGKILL)
            self.assertEqual(process.wait(PATIENCE), 128 + signal.SIGKILL, said.lines)
            self.assertEqual(harness.mounted_at(place), [], said.lines)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            while harness.mounted_at(place):
                subprocess.run(["umount", "-l", place], check=True)
            said.close()

    @unittest.skipIf(os.path.exists("/sys/fs/selinux"), "the kernel would take the label")
    def test_context_reaches_a_kernel_with_selinux(self):
        """A kernel without it gets no label; one that seems to have it refuses this one."""
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        self.run_program("mount", "-t", "tmpfs", "none", "/sys/fs")
        self.addCleanup(self.run_program, "umount", "/sys/fs")
        bmsfs = self.mount("sim:", "user=root", "context=x", place=place)
        bmsfs.unmount()
        bmsfs.wait_end(0)
        os.mkdir("/sys/fs/selinux")
        said = self.refused("-f", "-o", "user=root,context=x", "sim:", place)
        self.assertIn("Invalid argument", said)

    def cover(self, file, text=None, mode=0o755):
        """Puts something of this test over a file or folder of the machine."""
        if text is None:
            self.run_program("mount", "-t", "tmpfs", "none", file)
        else:
            own = os.path.join(self.folder, os.path.basename(file))
            with open(own, "w", encoding="ascii") as new:
                new.write(text)
            os.chmod(own, mode)
            self.run_program("mount", "--bind", own, file)
        self.addCleanup(self.run_program, "umount", file)

    def mount_as_other(self, place):
        os.mkdir(place)
        os.chown(place, OTHER, OTHER)
        done = subprocess.run([harness.BMSFS, "-f", "sim:", place], user=OTHER, group=OTHER,
                              extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=PATIENCE, check=False,
                              env=dict(self.environment, HOME="/nonexistent"))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("fusermount3: mount failed: Permission denied", done.stdout)
        return done.stdout

    def test_apparmor_refuses_fusermount3_and_the_remedy_is_named(self):
        """fusermount3 does not say who refused it, and users may not read which profiles are loaded."""
        self.cover(shutil.which("fusermount3"), "#!/bin/sh\n"
                   "echo fusermount3: mount failed: Permission denied >&2\nexit 1\n")
        self.cover("/srv")
        hint = "AppArmor's profile of fusermount3 may forbid this place"
        self.assertNotIn(hint, self.mount_as_other("/srv/before"))
        self.cover("/etc")
        for name, text in ("passwd", PASSWD), ("group", GROUP):
            with open(os.path.join("/etc", name), "w", encoding="ascii") as file:
                file.write(text)
        os.mkdir("/etc/apparmor.d")
        with open("/etc/apparmor.d/fusermount3", "w", encoding="ascii"):
            pass
        self.assertNotIn(hint, self.mount_as_other("/srv/off"))
        self.cover("/sys/module")
        os.makedirs("/sys/module/apparmor/parameters")
        with open("/sys/module/apparmor/parameters/enabled", "w", encoding="ascii") as enabled:
            enabled.write("Y\n")
        said = self.mount_as_other("/srv/bms")
        self.assertRegex(said, rf"(?m)^bmsfs: /srv/bms: {hint}; mount below your home, /mnt")
        self.assertNotIn(hint, self.mount_as_other(os.path.join(self.folder, "below-tmp")))

    def test_two_starts_at_once_of_different_users(self):
        place = os.path.join(self.folder, "place")
        os.mkdir(place)
        os.chown(place, OTHER, OTHER)
        starts = [subprocess.Popen([harness.BMSFS, "-f", "-o", f"user={user}", "sim:", place], user=user,
                                   group=user, extra_groups=[], text=True, stderr=subprocess.PIPE,
                                   env=self.environment) for user in 5 * [0, OTHER]]
        said = [harness.Lines(start.stderr) for start in starts]
        try:
            mounted = [start for start, lines in zip(starts, said)
                       if lines.wait_for("is mounted on")]
            self.assertEqual(len(mounted), 1)
            self.assertEqual(harness.mounted_at(place), ["fuse.bmsfs"])
            for start, lines in zip(starts, said):
                if start not in mounted:
                    self.assertEqual(start.wait(PATIENCE), 1, lines.lines)
                    self.assertRegex(lines.lines[-1], "is mounted there|locked by another program")
        finally:
            for start in starts:
                start.terminate()
            for start, lines in zip(starts, said):
                start.wait(PATIENCE)
                lines.close()
        self.assertEqual(harness.mounted_at(place), [])

    def attempt(self, bmsfs, name, flags, **who):
        def act():
            fd = os.open(bmsfs.path(name), flags)
            try:
                if flags & os.O_WRONLY:
                    os.write(fd, b"4.1\n")
                    return b"written"
                return os.read(fd, 4096)
            finally:
                os.close(fd)

        return self.as_user(act, **who)

    def test_who_may_write(self):
        """Setting, file that consumes what it shows, and file that only shows."""
        group = {"groups": [OTHER_GROUP]}
        cases = [
            # options, who, reads CMAX, writes it, reads ERRL, writes SOC
            ((), {}, "yes", "EACCES", "EACCES", "EACCES"),
            ((), {"uid": BMSFS_USER, "gid": BMSFS_USER}, "yes", "EACCES", "EACCES", "EACCES"),
            (("uid=somebody",), {}, "yes", "yes", "yes", "EACCES"),
            ((f"uid={OTHER}", "umask=077"), {}, "yes", "yes", "yes", "EACCES"),
            ((f"uid={OTHER}", "ro"), {}, "yes", "EROFS", "yes", "EROFS"),
            (("gid=helm",), group, "yes", "yes", "EACCES", "EACCES"),
            (("gid=helm",), {}, "yes", "EACCES", "EACCES", "EACCES"),
            (("gid=helm", "umask=020"), group, "yes", "EACCES", "EACCES", "EACCES"),
            (("gid=helm", "umask=07"), group, "yes", "yes", "EACCES", "EACCES"),
            (("umask=07",), {}, "EACCES", "EACCES", "EACCES", "EACCES"),
            (("umask=077", "gid=helm"), group, "EACCES", "EACCES", "EACCES", "EACCES"),
            (("private",), {}, "EACCES", "EACCES", "EACCES", "EACCES"),
        ]
        for options, who, *expected in cases:
            with self.subTest(options=options, who=who):
                bmsfs = self.mount("sim:model=abms", "user=root", *options)
                bmsfs.expects(r"failed: ")
                got = [self.attempt(bmsfs, "CMAX", os.O_RDONLY, **who),
                       self.attempt(bmsfs, "CMAX", os.O_WRONLY, **who),
                       self.attempt(bmsfs, "ERRL", os.O_RDONLY, **who),
                       self.attempt(bmsfs, "SOC", os.O_WRONLY, **who)]
                got = ["yes" if isinstance(text, bytes) else text for text in got]
                self.assertEqual(got, expected)
                bmsfs.unmount()
                bmsfs.wait_end(0)

    def test_nobody_can_change_who_may_write(self):
        bmsfs = self.mount("sim:", "user=root", f"uid={OTHER}")
        path = bmsfs.path("CMAX")
        self.assertIn(self.as_user(lambda: os.chmod(path, 0o666)), ("EPERM", "ENOSYS"))
        self.assertIn(self.as_user(lambda: os.unlink(path)), ("EACCES", "EPERM", "ENOSYS"))
        self.assertIn(self.as_user(lambda: os.rename(path, path + "2")),
                      ("EACCES", "EPERM", "ENOSYS"))
        self.assert_errno(errno.EPERM, os.chmod, path, 0o666)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)

    def test_a_write_is_logged_with_its_user(self):
        bmsfs = self.mount("sim:", "user=root", f"uid={OTHER}")
        self.assertEqual(self.attempt(bmsfs, "CMAX", os.O_WRONLY), b"written")
        self.assertTrue(bmsfs.said.wait_for(rf"uid {OTHER} pid \d+ \(.*\) set CMAX \S+ -> 4\.1$"))


if __name__ == "__main__":
    if NAMESPACE:
        enter_namespace()
    harness.main()
