#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The program itself: how it starts, ends, refuses and speaks."""
import errno
import fcntl
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest

import harness
from harness import BMSFS, Call

F_SETPIPE_SZ = 1031


class Ends(harness.MountTest):
    """Whatever ends it, with reads waiting: they are answered and nothing stays."""

    def setUp(self):
        super().setUp()
        # -d tells of requests, so that we know when readers wait.
        self.bms, self.bmsfs = self.mount_responder("deadline=60", flags=("-d",))
        self.bmsfs.expects(".*")

    def park(self):
        self.bms.silent = True
        names = ("LCD1", "RINT", "BVOL")
        readers = [Call(self.bmsfs.raw, name) for name in names]
        for name in names:
            self.assertTrue(self.bmsfs.said.wait_for(f"read {name} "))
        return readers

    def check_readers(self, readers):
        for reader in readers:
            self.assertIn(reader.result(), (errno.ENODEV, errno.ENOTCONN, errno.ECONNABORTED,
                                            errno.EINTR))

    def test_term_to_the_keeper(self):
        readers = self.park()
        os.kill(self.bmsfs.keeper, signal.SIGTERM)
        self.bmsfs.wait_end()
        self.check_readers(readers)

    def test_int_to_the_keeper(self):
        readers = self.park()
        os.kill(self.bmsfs.keeper, signal.SIGINT)
        self.bmsfs.wait_end()
        self.check_readers(readers)

    def test_int_to_both(self):
        """As Ctrl-C in a terminal."""
        readers = self.park()
        for pid in (self.bmsfs.server, self.bmsfs.keeper):
            os.kill(pid, signal.SIGINT)
        self.bmsfs.wait_end()
        self.check_readers(readers)

    def test_term_to_the_server(self):
        readers = self.park()
        os.kill(self.bmsfs.server, signal.SIGTERM)
        self.bmsfs.wait_end()
        self.check_readers(readers)

    def test_kill_of_the_server(self):
        readers = self.park()
        os.kill(self.bmsfs.server, signal.SIGKILL)
        self.bmsfs.wait_end(status=128 + signal.SIGKILL)
        self.assertTrue(self.bmsfs.said.find("server was killed by signal 9"))
        self.check_readers(readers)

    def test_with_a_file_open(self):
        with open(self.bmsfs.path("SOC"), encoding="ascii"):
            os.kill(self.bmsfs.keeper, signal.SIGTERM)
            self.bmsfs.wait_end()

    def test_unmount_while_in_use(self):
        with open(self.bmsfs.path("SOC"), encoding="ascii") as file:
            self.run_program("fusermount3", "-u", self.bmsfs.place, status=1)
            self.assertEqual(file.read(), "78.46\n")

    def test_umount(self):
        if not harness.ROOT:
            self.skipTest("only root may use umount")
        self.run_program("umount", self.bmsfs.place)
        self.bmsfs.wait_end()

    def test_a_stopped_terminal_does_not_stop_it(self):
        for number in (signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN):
            os.kill(self.bmsfs.server, number)
        self.assertEqual(self.bmsfs.read("SOC"), "78.46")


class Signals(harness.MountTest):
    """Each signal that can end a process ends supervisor, server and mount; SIGKILL has DeadMounts."""

    HARMLESS = {signal.SIGCHLD, signal.SIGCONT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
                signal.SIGURG, signal.SIGWINCH, signal.SIGSTOP, signal.SIGKILL}

    def check_all(self, victims):
        for number in set(range(1, signal.SIGRTMAX + 1)) - self.HARMLESS:
            with self.subTest(signal=number):
                bmsfs = self.mount("sim:").expects("ended by (SIG|signal )")
                for pid in victims(bmsfs):
                    os.kill(pid, number)
                bmsfs.wait_end()
                self.assertTrue(bmsfs.said.find("ended by"), bmsfs.said.lines)

    def test_every_signal_ends_the_supervisor(self):
        self.check_all(lambda bmsfs: [bmsfs.keeper])

    def test_every_signal_ends_the_server(self):
        self.check_all(lambda bmsfs: [bmsfs.server])

    def test_quit_signal_to_both_as_ctrl_backslash(self):
        bmsfs = self.mount("sim:").expects("ended by SIGQUIT$")
        for pid in (bmsfs.server, bmsfs.keeper):
            os.kill(pid, signal.SIGQUIT)
        bmsfs.wait_end()

    def test_harmless_signals_do_nothing(self):
        bmsfs = self.mount("sim:")
        for number in self.HARMLESS - {signal.SIGSTOP, signal.SIGKILL, signal.SIGTSTP}:
            os.kill(bmsfs.server, number)
        for number in (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH):
            os.kill(bmsfs.keeper, number)
        self.assertTrue(bmsfs.read("SOC", os.O_DIRECT))

    def hang_up(self, place, *pids):
        """A hang-up that is ignored leaves no trace: the next signal proves that it was."""
        for pid in pids:
            os.kill(pid, signal.SIGHUP)
        with open(os.path.join(place, "SOC"), encoding="ascii") as file:
            self.assertTrue(file.read())
        os.kill(pids[0], signal.SIGTERM)

    def test_nohup_in_the_foreground(self):
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        process = subprocess.Popen(
            ["nohup", BMSFS, "-f", "sim:", place], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self.environment)
        said = harness.Lines(process.stderr)
        self.assertTrue(said.wait_for("is mounted on"), said.lines)
        server, = harness.children(process.pid)
        self.hang_up(place, process.pid, server)
        self.assertEqual(process.wait(harness.PATIENCE), 0)
        said.close()
        self.assertTrue(said.find("ended by SIGTERM$"), said.lines)
        self.assertEqual(harness.mounted_at(place), [])

    def test_nohup_in_the_background(self):
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        before = set(harness.children(os.getpid()))
        self.run_program("nohup", BMSFS, "sim:", place)
        keeper, = set(harness.children(os.getpid())) - before
        self.hang_up(place, keeper, *harness.children(keeper))
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]), 0)
        self.assertEqual(harness.mounted_at(place), [])


class Unmounted(harness.MountTest):
    """All ends when the mount is gone from its namespace, whoever else still holds it."""

    def hold(self, bmsfs):
        """Another mount namespace with all mounts of this one, as a container has."""
        process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "cat"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        process.stdin.write(b"ready\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open(f"/proc/{process.pid}/mountinfo", encoding="utf-8") as mounts:
            self.assertIn(bmsfs.place, mounts.read())

    def mount_in(self, *options):
        """A file system of its own, which the mount point lies on. Returns both."""
        parent = tempfile.mkdtemp(prefix="parent.", dir=self.folder)
        self.run_program("mount", "-t", "tmpfs", "none", parent)
        self.addCleanup(subprocess.run, ["umount", "-l", parent], stderr=subprocess.DEVNULL,
                        check=False)
        self.run_program("mount", "--make-private", parent)
        place = os.path.join(parent, "place")
        os.mkdir(place)
        return parent, self.mount("sim:", *options, place=place)

    def check_end(self, bmsfs):
        bmsfs.wait_end()
        self.assertEqual(len(bmsfs.said.find("was unmounted$")), 1, bmsfs.said.lines)

    def test_umount_lazily_with_a_file_open(self):
        bmsfs = self.mount("sim:")
        with open(bmsfs.path("SOC"), encoding="ascii") as file:
            self.run_program("fusermount3", "-uz", bmsfs.place)
            self.check_end(bmsfs)
            self.assert_errno(errno.ENOTCONN, file.read)

    @unittest.skipUnless(harness.ROOT, "needs root")
    def test_umount_while_another_mount_namespace_holds_the_mount(self):
        for command in (["umount"], ["umount", "-l"], ["fusermount3", "-u"]):
            with self.subTest(command=command):
                bmsfs = self.mount("sim:")
                self.hold(bmsfs)
                self.run_program(*command, bmsfs.place)
                self.check_end(bmsfs)

    @unittest.skipUnless(harness.ROOT, "needs root")
    def test_umount_lazily_of_the_file_system_it_is_mounted_on(self):
        parent, bmsfs = self.mount_in()
        self.hold(bmsfs)
        self.run_program("umount", "-l", parent)
        self.check_end(bmsfs)

    @unittest.skipUnless(harness.ROOT, "needs root")
    def test_moved_mount_lives_on_and_is_unmounted_at_the_end(self):
        parent, bmsfs = self.mount_in()
        moved = os.path.join(parent, "moved")
        os.mkdir(moved)
        self.run_program("mount", "--move", bmsfs.place, moved)
        with open(os.path.join(moved, "SOC"), encoding="ascii") as file:
            self.assertTrue(file.read())
        os.kill(bmsfs.keeper, signal.SIGTERM)
        bmsfs.wait_end()
        self.assertEqual(harness.mounted_at(moved), [])
        self.assertFalse(bmsfs.said.find("was unmounted"))

    @unittest.skipUnless(harness.ROOT, "needs root")
    def test_other_mounts_come_and_go(self):
        parent, bmsfs = self.mount_in()
        other = os.path.join(parent, "other")
        os.mkdir(other)
        for _ in range(20):
            self.run_program("mount", "-t", "tmpfs", "none", other)
            self.run_program("umount", other)
        self.assertTrue(bmsfs.read("SOC", os.O_DIRECT))

    @unittest.skipUnless(harness.ROOT, "needs root")
    def test_a_mount_over_the_folder_above_is_named_at_the_end(self):
        parent, bmsfs = self.mount_in()
        bmsfs.expects("another mount covers it")
        self.run_program("mount", "-t", "tmpfs", "none", parent)
        os.kill(bmsfs.keeper, signal.SIGTERM)
        self.assertEqual(bmsfs.process.wait(harness.PATIENCE), 0)
        self.assertTrue(bmsfs.said.wait_for("another mount covers it; unmount both"))
        self.run_program("umount", parent)
        self.assertEqual(harness.mounted_at(bmsfs.place), ["fuse.bmsfs"])
        self.run_program("umount", bmsfs.place)
        bmsfs.wait_end()

    @unittest.skipUnless(harness.ROOT, "needs root")
    def test_a_mount_that_covers_it_is_named_at_the_end(self):
        bmsfs = self.mount("sim:").expects("another mount covers it")
        self.run_program("mount", "-t", "tmpfs", "none", bmsfs.place)
        os.kill(bmsfs.keeper, signal.SIGTERM)
        self.assertEqual(bmsfs.process.wait(harness.PATIENCE), 0)
        self.assertTrue(bmsfs.said.wait_for("another mount covers it; unmount both"))
        for kind in ("fuse.bmsfs", "tmpfs"), ("fuse.bmsfs", ):
            self.assertEqual(harness.mounted_at(bmsfs.place), list(kind))
            self.run_program("umount", bmsfs.place)
        bmsfs.wait_end()


@unittest.skipUnless(harness.ROOT, "needs root")
class Containers(harness.MountTest):
    """What a container sees whose bind is rslave, as docs/troubleshooting.md says."""

    def setUp(self):
        super().setUp()
        self.parent = tempfile.mkdtemp(prefix="parent.", dir=self.folder)
        self.run_program("mount", "-t", "tmpfs", "none", self.parent)
        self.addCleanup(subprocess.run, ["umount", "-l", self.parent], check=True)
        self.run_program("mount", "--make-shared", self.parent)
        self.place = os.path.join(self.parent, "bms")
        os.mkdir(self.place)

    def container(self, bound):
        """A mount namespace that has @bound at /mnt. Returns what reads a file below it."""
        script = f'mount --rbind "{bound}" /mnt; mount --make-rslave /mnt; ' \
                 'while read name; do cat "/mnt/$name" 2>&1; echo end; done'
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)

        def read(name):
            process.stdin.write(name + "\n")
            process.stdin.flush()
            # cat(1) reads once more after the value.
            return "".join(iter(process.stdout.readline, "end\n"))

        return read

    def restart(self, bmsfs):
        os.kill(bmsfs.keeper, signal.SIGTERM)
        bmsfs.wait_end()
        return self.mount("sim:", place=self.place)

    def test_container_that_binds_the_parent_sees_the_mount_after_a_restart(self):
        bmsfs = self.mount("sim:", place=self.place)
        read = self.container(self.parent)
        self.assertRegex(read("bms/SOC"), r"^\d+\.\d\d$")
        self.restart(bmsfs)
        self.assertRegex(read("bms/SOC"), r"^\d+\.\d\d$")

    def test_container_that_binds_the_mount_point_goes_stale(self):
        bmsfs = self.mount("sim:", place=self.place)
        read = self.container(self.place)
        self.assertRegex(read("SOC"), r"^\d+\.\d\d$")
        self.restart(bmsfs)
        # The kernel closes the connection a moment after the server has ended.
        self.assertRegex(read("SOC"), "not connected|connection abort")


class DeadMounts(harness.MountTest):
    def leave_dead(self, place=None, use=lambda bmsfs: None):
        """Kills the supervisor, so that nothing unmounts; the server ends. Returns the mount point."""
        bmsfs = self.mount("sim:", place=place).expects("replacing", "supervisor was killed")
        use(bmsfs)
        os.kill(bmsfs.keeper, signal.SIGKILL)
        bmsfs.process.wait(harness.PATIENCE)
        os.waitpid(bmsfs.server, 0)
        bmsfs.said.close()
        bmsfs.over = True
        self.assertEqual(harness.mounted_at(bmsfs.place), ["fuse.bmsfs"])
        self.assert_errno(errno.ENOTCONN, os.listdir, bmsfs.place)
        return bmsfs.place

    def test_is_replaced_after_use(self):
        """The kernel remembers what stat said, and would say it again of the dead."""
        place = self.leave_dead(use=lambda bmsfs: (os.stat(bmsfs.place), bmsfs.read("SOC")))
        self.assertTrue(os.stat(place))
        self.assertTrue(self.mount("sim:", place=place).expects("replacing").read("SOC"))

    def test_kill_of_the_supervisor_ends_the_server(self):
        """Without any help, and a server that hangs in between ends as soon as it does not."""
        bmsfs = self.mount("sim:").expects("supervisor was killed")
        os.kill(bmsfs.server, signal.SIGSTOP)
        os.kill(bmsfs.keeper, signal.SIGKILL)
        os.kill(bmsfs.server, signal.SIGCONT)
        self.assertEqual(bmsfs.process.wait(harness.PATIENCE), -signal.SIGKILL)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(bmsfs.server, 0)[1]), 1)
        self.assertTrue(bmsfs.said.wait_for("the next start replaces it"))
        bmsfs.over = True
        bmsfs.said.close()

    def test_is_replaced(self):
        place = self.leave_dead()
        bmsfs = self.mount("sim:", place=place).expects("replacing")
        self.assertEqual(harness.mounted_at(place), ["fuse.bmsfs"])
        self.assertTrue(bmsfs.read("SOC"))
        self.assertTrue(bmsfs.said.find("replacing the mount of a bmsfs that has died"))

    def test_is_replaced_again(self):
        place = self.leave_dead(self.leave_dead())
        bmsfs = self.mount("sim:", place=place).expects("replacing")
        self.assertTrue(bmsfs.read("SOC"))


class TwoStarts(harness.MountTest):
    """Of starts at once on one directory one succeeds, and the others are refused."""

    STARTS = 20

    def setUp(self):
        super().setUp()
        self.place = tempfile.mkdtemp(prefix="place.", dir=self.folder)
        self.addCleanup(self.finish, [])

    def finish(self, starts):
        while harness.mounted_at(self.place):
            self.run_program("fusermount3", "-uz", self.place)
        for start, said in starts:
            start.wait(harness.PATIENCE)
            said.close()

    def check(self):
        starts = []
        self.addCleanup(self.finish, starts)
        for _ in range(self.STARTS):
            start = subprocess.Popen(
                [BMSFS, "-f", "sim:", self.place], stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment)
            starts.append((start, harness.Lines(start.stderr)))
        mounted = [start for start, said in starts if said.wait_for("is mounted on")]
        self.assertEqual(len(mounted), 1)
        self.assertEqual(harness.mounted_at(self.place), ["fuse.bmsfs"])
        with open(os.path.join(self.place, "SOC"), encoding="ascii") as file:
            self.assertTrue(file.read())
        for start, said in starts:
            if start not in mounted:
                self.assertEqual(start.wait(harness.PATIENCE), 1, said.lines)
                self.assertRegex(said.lines[-1], "a bmsfs is mounted there|locked by another")
        mounted[0].send_signal(signal.SIGTERM)
        self.assertEqual(mounted[0].wait(harness.PATIENCE), 0)
        self.assertEqual(harness.mounted_at(self.place), [])

    def test_two_starts_at_once(self):
        self.check()

    @unittest.skipUnless(harness.ROOT, "only root can mount a tmpfs")
    def test_two_starts_in_a_read_only_file_system(self):
        self.run_program("mount", "-t", "tmpfs", "-o", "ro", "none", self.place)
        self.addCleanup(self.run_program, "umount", self.place)
        self.run_program("mount", "-o", "remount,rw", self.place)
        self.place = os.path.join(self.place, "place")
        os.mkdir(self.place)
        self.run_program("mount", "-o", "remount,ro", os.path.dirname(self.place))
        self.check()

    def test_two_starts_over_a_dead_mount(self):
        """None may take the new mount of another for the dead one."""
        bmsfs = self.mount("sim:", place=self.place).expects("supervisor was killed")
        os.kill(bmsfs.keeper, signal.SIGKILL)
        bmsfs.process.wait(harness.PATIENCE)
        os.waitpid(bmsfs.server, 0)
        bmsfs.over = True
        self.assert_errno(errno.ENOTCONN, os.listdir, self.place)
        self.check()
        bmsfs.said.close()

    def test_two_starts_in_the_background(self):
        before = set(harness.children(os.getpid()))
        starts = [subprocess.Popen([BMSFS, "sim:", self.place], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=self.environment) for _ in range(self.STARTS)]
        codes = sorted(start.wait(harness.PATIENCE) for start in starts)
        mounted = harness.mounted_at(self.place)
        for keeper in set(harness.children(os.getpid())) - before:
            os.kill(keeper, signal.SIGTERM)
            os.waitpid(keeper, 0)
        self.assertEqual(mounted, ["fuse.bmsfs"])
        self.assertEqual(codes, [0] + [1] * (self.STARTS - 1))

    def test_a_lock_of_another_program_is_named(self):
        folder = os.open(self.place, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        self.assertIn("locked by another program", self.refused("sim:", self.place, status=1))
        self.assertEqual(harness.mounted_at(self.place), [])
        fcntl.flock(folder, fcntl.LOCK_UN)
        # The lock is for the start alone: another mount namespace may use the directory then.
        bmsfs = self.mount("sim:", place=self.place)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.assertTrue(bmsfs.read("SOC"))


class Refused(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.place = tempfile.mkdtemp(prefix="place.", dir=self.folder)

    def check(self, pattern, *arguments):
        for flags in ((), ("-f",)):
            said = self.refused(*flags, *arguments)
            self.assertRegex(said, pattern)
            self.assertLessEqual(len(said.splitlines()), 6)
        self.assertEqual(harness.mounted_at(self.place), [])

    def test_live_mount(self):
        bmsfs = self.mount("sim:")
        said = self.refused("sim:", bmsfs.place)
        self.assertRegex(said, "mounted there already")
        self.assertTrue(bmsfs.read("SOC"))
        self.assertEqual(harness.mounted_at(bmsfs.place), ["fuse.bmsfs"])

    def test_hanging_mount(self):
        bmsfs = self.mount("sim:")
        os.kill(bmsfs.server, signal.SIGSTOP)
        try:
            self.assertRegex(self.refused("sim:", bmsfs.place), "does not answer")
        finally:
            os.kill(bmsfs.server, signal.SIGCONT)
        self.assertTrue(bmsfs.read("SOC"))

    @unittest.skipUnless(harness.ROOT, "only root can mount a tmpfs")
    def test_foreign_mount(self):
        self.run_program("mount", "-t", "tmpfs", "none", self.place)
        self.addCleanup(self.run_program, "umount", self.place)
        said = self.refused("sim:", self.place)
        self.assertRegex(said, "something else is mounted")
        self.assertEqual(harness.mounted_at(self.place), ["tmpfs"])

    def test_no_mountpoint(self):
        self.check("No such file", "sim:", self.place + "/nothing")

    def test_mountpoint_is_a_file(self):
        path = os.path.join(self.folder, "file")
        with open(path, "w", encoding="ascii"):
            pass
        self.check("not a directory", "sim:", path)

    def test_device_below_the_mountpoint(self):
        for device in ("/tty", "/tty/..", "/sub/../tty"):
            self.check("below MOUNTPOINT", self.place + device, self.place)
        self.check("below MOUNTPOINT", f"unix:{self.place}/socket", self.place)

    def test_device_link_below_the_mountpoint(self):
        inside = os.path.join(self.place, "tty")
        link = os.path.join(self.folder, "link")
        os.symlink(inside, link)
        self.check("below MOUNTPOINT", link, self.place)

    def test_mountpoint_is_not_empty(self):
        with open(self.place + "/more.ini", "w", encoding="ascii"):
            pass
        self.check("is not empty|more.ini", "-o", f"instructions={self.place}/more.ini", "sim:",
                   self.place)

    def test_bad_options(self):
        for option, pattern in (
                ("nonsense", "nonsense: unknown option"), ("baud=x", "baud=x"), ("baud", "baud"),
                ("address=0", "address=0"), ("address=128", "address=128"), ("ttl=-1", "ttl=-1"),
                ("ttl=1e3", "ttl=1e3"), ("deadline=0", "deadline=0"), ("tries=0", "tries=0"),
                ("uid=nobody-of-this-name", "there is no such user"), ("umask=9", "umask=9"),
                ("model=t-800", "t-800"), ("unlock=1", "must be yes or no"), ("wait=x", "wait=x")):
            with self.subTest(option):
                self.check(pattern, "-o", option, "sim:", self.place)

    def test_model_2q_and_2Q_are_alike(self):
        for name in ("2q", "2Q"):
            mount = self.mount(f"sim:model={name}", f"model={name}")
            self.assertEqual(mount.read("IDN"), "REC BMS 2Q VICTRON")
            mount.unmount()
            mount.wait_end()

    def test_bad_devices(self):
        for device, pattern in (("sim:nonsense=1", "nonsense"), ("sim:cells=99", "cells"),
                                ("sim:model=t-800", "t-800"), ("tcp:", "tcp:"),
                                ("tcp:host", "tcp:host"), ("tcp:host:port", "port"),
                                ("unix:", "unix:")):
            with self.subTest(device):
                self.check(pattern, device, self.place)

    def test_device_is_no_tty(self):
        """It may become one, so that is for bus/last_error."""
        path = os.path.join(self.folder, "file")
        with open(path, "w", encoding="ascii"):
            pass
        bmsfs = self.mount(path).expects("file")
        self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
        self.assertRegex(bmsfs.last_error(), re.escape(path))

    def test_missing_arguments(self):
        self.check("DEVICE", )
        self.check("MOUNTPOINT", "sim:")
        self.check("nothing else", "sim:", self.place, "more")
        self.check("-x", "-x", "sim:", self.place)

    def test_bad_table(self):
        path = os.path.join(self.folder, "more.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write("[BMIN]\nmax = 4.2\n\n[XTRA]\nname = extra\ncategory = more\n"
                       "type = nonsense\n")
        self.check(rf"{re.escape(path)}:7: .*nonsense", "-o", f"instructions={path}", "sim:",
                   self.place)

    def test_no_table(self):
        self.check("nothing.ini", "-o", f"instructions={self.folder}/nothing.ini", "sim:",
                   self.place)


class UsersTable(harness.MountTest):
    def test_another_instruction(self):
        path = os.path.join(self.folder, "more.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write("[XTRA]\nname = extra\ncategory = more\ntype = float\naccess = rw\n"
                       "min = 1\nmax = 9\n\n[BMIN]\nmax = 3.96\n")
        bms = self.responder()
        bms.settings["XTRA"] = 4.5
        bmsfs = self.mount(bms.device, f"instructions={path}")
        self.assertEqual(bmsfs.read("XTRA"), "4.5")
        bmsfs.write("XTRA", "5.5\n")
        self.assertEqual(bms.sets(), ["XTRA 5.5"])
        self.assert_errno(errno.ERANGE, bmsfs.write, "BMIN", "3.97")


class Background(harness.MountTest):
    def start(self, device, *options):
        """Runs bmsfs to the end of its launcher; the keeper becomes a child of this process."""
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        before = set(harness.children(os.getpid()))
        self.run_program(BMSFS, *options, device, place)
        keeper, = set(harness.children(os.getpid())) - before
        self.addCleanup(self.end, place, keeper)
        return place, keeper

    def end(self, place, keeper):
        if harness.mounted_at(place):
            self.run_program("fusermount3", "-u", place)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]), 0)
        self.assertEqual(harness.mounted_at(place), [])

    def test_the_mount_answers_when_the_launcher_returns(self):
        bms = self.responder()
        place, _ = self.start(bms.device)
        self.assertEqual(harness.mounted_at(place), ["fuse.bmsfs"])
        self.assertEqual(len(os.listdir(place + "/units/1/cells")), 14)
        with open(place + "/SOC", encoding="ascii") as file:
            self.assertEqual(file.read(), "78.46\n")

    def test_without_a_bms(self):
        bms = self.responder()
        bms.silent = True
        start = time.monotonic()
        place, _ = self.start(bms.device, "-o", "wait=0.5")
        self.assertLess(time.monotonic() - start, 10)
        self.assertIn("SOC", os.listdir(place))

    def test_without_an_adapter(self):
        place, _ = self.start(os.path.join(self.folder, "nowhere"))
        self.assertIn("SOC", os.listdir(place))

    def test_unmounting_ends_all(self):
        place, keeper = self.start("sim:")
        server, = harness.children(keeper)
        self.run_program("fusermount3", "-u", place)
        end = time.monotonic() + harness.PATIENCE
        while harness.is_running(keeper):
            self.assertLess(time.monotonic(), end)
        self.assertFalse(harness.is_running(server))

    def test_it_holds_nothing_of_its_caller(self):
        place, keeper = self.start("sim:")
        for pid in (keeper, *harness.children(keeper)):
            targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            # One pipe is between the two processes themselves.
            self.assertLessEqual(len([t for t in targets if t.startswith("pipe:")]), 1, targets)
            self.assertFalse([t for t in targets if t.startswith("/tmp")], targets)
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        self.assertTrue(os.listdir(place))

    def test_relative_paths(self):
        bms = self.responder()
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        before = set(harness.children(os.getpid()))
        self.run_program(BMSFS, "tty", os.path.basename(place), cwd=self.folder)
        keeper, = set(harness.children(os.getpid())) - before
        self.addCleanup(self.end, place, keeper)
        with open(place + "/SOC", encoding="ascii") as file:
            self.assertEqual(file.read(), "78.46\n")
        self.assertTrue(bms.requests("LCD1?"))


class Rights(harness.MountTest):
    def test_the_server_has_none(self):
        bmsfs = self.mount("sim:")
        with open(f"/proc/{bmsfs.server}/status", encoding="ascii") as status:
            text = status.read()
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertRegex(text, rf"(?m)^{name}:\s0+$")
        self.assertRegex(text, r"(?m)^NoNewPrivs:\s1$")
        self.assertRegex(text, r"(?m)^Threads:\s1$")


class Speaking(harness.MountTest):
    def test_debug(self):
        bms, bmsfs = self.mount_responder(flags=("-d",))
        bmsfs.expects(".*")
        self.assertEqual(bmsfs.read("SOC"), "78.46")
        for frame in (r"> \d+\.\d+ .*LCD1\?.* 55 01 00 05 4C 43 44 31 3F 46 D0 AA",
                      r"< \d+\.\d+ .*LCD1.* 55 00 01 02 32 38 8E B4 AA"):
            self.assertTrue(bmsfs.said.wait_for(frame), frame)
        self.assertTrue(bmsfs.said.wait_for(rf"read (pack/)?soc .*by pid {os.getpid()}"))

    def test_usual_start(self):
        bmsfs = self.mount("sim:")
        bmsfs.read("SOC")
        self.assertEqual(len(bmsfs.said.lines), 1, bmsfs.said.lines)
        self.assertRegex(bmsfs.said.lines[0], rf"^bmsfs: sim: is mounted on {bmsfs.place}$")

    def start_with_stderr(self, stderr, *flags, device="sim:"):
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        process = subprocess.Popen([BMSFS, *flags, device, place], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=stderr, env=self.environment)
        self.addCleanup(self.end, process, place)
        end = time.monotonic() + harness.PATIENCE
        while harness.mounted_at(place) != ["fuse.bmsfs"]:
            self.assertLess(time.monotonic(), end)
            self.assertIsNone(process.poll())
        return place

    def end(self, process, place):
        self.run_program("fusermount3", "-u", place)
        self.assertEqual(process.wait(harness.PATIENCE), 0)

    def read(self, place, name):
        with open(os.path.join(place, name), encoding="ascii") as file:
            return file.read()

    def test_a_stderr_that_nobody_reads(self):
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        fcntl.fcntl(write_end, F_SETPIPE_SZ, 4096)
        place = self.start_with_stderr(write_end, "-d")
        os.close(write_end)
        for _ in range(200):  # far more lines than the pipe holds
            self.read(place, "SOC")
            self.read(place, "bus/counters")
        self.assertRegex(self.read(place, "SOC"), r"^\d\d\.\d\d\n$")

    def test_a_stderr_whose_reader_went_away(self):
        read_end, write_end = os.pipe()
        place = self.start_with_stderr(write_end, "-d")
        os.close(write_end)
        os.close(read_end)
        for _ in range(10):
            self.assertRegex(self.read(place, "SOC"), r"^\d\d\.\d\d\n$")

    def test_a_stderr_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            place = self.start_with_stderr(full, "-d")
        self.assertRegex(self.read(place, "SOC"), r"^\d\d\.\d\d\n$")

    def test_standard_descriptors_closed(self):
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", BMSFS, "-f", "sim:", place],
            env=self.environment)
        self.addCleanup(self.end, process, place)
        end = time.monotonic() + harness.PATIENCE
        while harness.mounted_at(place) != ["fuse.bmsfs"]:
            self.assertLess(time.monotonic(), end)
        self.assertRegex(self.read(place, "SOC"), r"^\d\d\.\d\d\n$")

    def test_help(self):
        said = self.run_program(BMSFS, "--help")
        for word in ("DEVICE", "MOUNTPOINT", "baud=", "ttl_settings=", "unlock", "sim:"):
            self.assertIn(word, said)

    def test_version(self):
        self.assertRegex(self.run_program(BMSFS, "--version"), r"^bmsfs \d+\.\d+\.\d+\n$")

    def test_list(self):
        self.assertIn("BMIN", self.run_program(BMSFS, "--list"))
        writable = {row["mnemonic"] for row in self.table("--writable")}
        self.assertIn("BMIN", writable)
        self.assertNotIn("CELL", writable)
        self.assertEqual({row["category"] for row in self.table("--category=clock")}, {"clock"})


if __name__ == "__main__":
    harness.main()
