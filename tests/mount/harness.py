# SPDX-License-Identifier: LGPL-3.0-or-later
"""Mounts for the tests of this folder, which end and leave nothing behind, however a test ends.

The programs under test come from the environment: BMSFS and BMSFS_SIM.
"""
import ctypes
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from responder import PATIENCE, Pty, Responder

BMSFS = os.environ.get("BMSFS", "bmsfs")
BMSFS_SIM = os.environ.get("BMSFS_SIM", "bmsfs-sim")
HANG = 150  # seconds after which a test counts as hanging
ROOT = os.geteuid() == 0
NOBODY = 65534

# What a healthy mount says.
USUAL = [
    r"is online$",
    r" is mounted on ",
    r" was unmounted$",
    r"ended by SIG(TERM|INT|HUP)$",
    r"uid \d+ pid \d+ \(.*\) set \S+ \S+ -> \S+$",
]


def no_fuse():
    """Why nothing can be mounted here, or None."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be used: {error.strerror}"
    if ROOT:
        with open("/proc/self/status", encoding="ascii") as status:
            rights = int(re.search(r"^CapEff:\s*(\w+)", status.read(), re.M).group(1), 16)
        if not rights >> 21 & 1:
            return "this container does not permit mounting (no CAP_SYS_ADMIN)"
    elif not shutil.which("fusermount3"):
        return "fusermount3 is missing"
    return None


def mounted_at(place):
    """The types of what is mounted there, the topmost last."""
    types = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            if before.split()[4] == place:
                types.append(after.split()[0])
    return types


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as names:
                found += map(int, names.read().split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def describe(pid):
    """What a process that should have ended is doing."""
    said = [f"process {pid}:"]
    for name in ("wchan", "syscall", "stack"):
        try:
            with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
                said.append(f"{name} {file.read().strip()}")
        except OSError as error:
            said.append(f"{name} {error.strerror}")
    return "\n".join(said)


def adopt_orphans():
    """Processes whose parent ends become children of this one, which can then wait for them."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


class Lines:
    """The lines that a program writes, as they come."""

    def __init__(self, stream):
        self.stream = stream
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self):
        for line in self.stream:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def find(self, pattern, since=0):
        with self.changed:
            return [line for line in self.lines[since:] if re.search(pattern, line)]

    def wait_for(self, pattern, since=0):
        """Returns the first such line, or None if none came before the end, or ever."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or self.find(pattern, since), PATIENCE)
            found = self.find(pattern, since)
            return found[0] if found else None

    def close(self):
        self.thread.join(PATIENCE)
        self.stream.close()


class Call(threading.Thread):
    """A function in a thread: what it returned, or the errno it failed with."""

    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self.function, self.args_ = function, args
        self.value = self.error = None
        self.start()

    def run(self):
        try:
            self.value = self.function(*self.args_)
        except OSError as error:
            self.error = error.errno

    def result(self):
        self.join(PATIENCE)
        if self.is_alive():
            raise AssertionError(f"{self.function} {self.args_} does not return")
        return self.error if self.error is not None else self.value


class Mount:
    """A running bmsfs."""

    def __init__(self, test, device, *options, flags=("-f",), place=None, ready=True):
        self.test = test
        self.place = place or tempfile.mkdtemp(prefix="mount.", dir=test.folder)
        self.allowed = list(USUAL)
        self.status = 0
        self.over = False
        arguments = ["-o", ",".join(options)] if options else []
        self.process = subprocess.Popen(
            [BMSFS, *flags, *arguments, device, self.place], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            env=test.environment)
        self.said = Lines(self.process.stderr)
        mounted = not ready or self.said.wait_for("is mounted on")
        servers = children(self.process.pid)
        self.server = servers[0] if servers else None
        if not mounted:
            self._force()
            raise AssertionError(f"is not mounted: {self.said.lines}")

    @property
    def keeper(self):
        return self.process.pid

    def path(self, name=""):
        return os.path.join(self.place, name)

    def raw(self, name, flags=0):
        fd = os.open(self.path(name), os.O_RDONLY | flags)
        try:
            text = b""
            while part := os.read(fd, 4096):
                text += part
            return text
        finally:
            os.close(fd)

    def read(self, name, flags=0):
        """The whole text, which must end with its only trailing newline."""
        text = self.raw(name, flags).decode("ascii")
        self.test.assertTrue(text.endswith("\n") and not text.endswith("\n\n"), (name, text))
        return text[:-1]

    def write(self, name, text, flags=0):
        fd = os.open(self.path(name), os.O_WRONLY | flags)
        try:
            written = os.write(fd, text.encode())
            self.test.assertEqual(written, len(text), "a value is written whole or not at all")
        finally:
            os.close(fd)

    def counters(self):
        return {name: int(count) for name, count in
                (line.split() for line in self.read("bus/counters").splitlines())}

    def last_error(self, branch=""):
        """The sentence without its age; "; succeeded since" stays."""
        text = self.raw(branch + "bus/last_error").decode().removesuffix("\n")
        shown = re.fullmatch(r"(.+) \(\d+ (?:s|min) ago\)(; succeeded since)?", text)
        if text and not shown:
            self.test.fail(f"no age in {text!r}")
        return shown.group(1) + (shown.group(2) or "") if shown else ""

    def expects(self, *patterns):
        """Lines on stderr that are fine in this test."""
        self.allowed += patterns
        return self

    def unmount(self):
        self.test.run_program("fusermount3", "-u", self.place)

    def unmount_when_free(self):
        """Unmounts as soon as no other program holds a file."""
        end = time.monotonic() + PATIENCE
        while subprocess.run(["fusermount3", "-u", self.place], stderr=subprocess.DEVNULL,
                             check=False, timeout=PATIENCE).returncode:
            self.test.assertLess(time.monotonic(), end, "the mount stays busy")
            time.sleep(0.02)

    def wait_end(self, status=None):
        """Waits until all of it has ended, and checks how."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.test.fail("\n".join([f"does not end; mounted: {mounted_at(self.place)}",
                                      *map(describe, filter(None, (self.keeper, self.server))),
                                      *self.said.lines]))
        self.over = True
        self.said.close()
        self.test.assertEqual(code, self.status if status is None else status, self.said.lines)
        if self.server:
            self.test.assertFalse(is_running(self.server), "the server outlived its keeper")
        self.test.assertEqual(mounted_at(self.place), [])

    def finish(self):
        try:
            if not self.over:
                # What a program that was killed held is free a moment later.
                self.unmount_when_free()
                self.wait_end()
            for line in self.said.lines:
                if not any(re.search(pattern, line) for pattern in self.allowed):
                    self.test.fail(f"unexpected on stderr: {line!r}")
        finally:
            self._force()

    def _force(self):
        for pid in (self.server, self.process.pid):
            if not self.over and pid and is_running(pid):
                os.kill(pid, signal.SIGKILL)
        if not self.over:
            self.process.wait(PATIENCE)
        while mounted_at(self.place):
            unmount = ["umount", "-l"] if ROOT else ["fusermount3", "-uz"]
            subprocess.run([*unmount, self.place], check=True)


class HangingMount:
    """A mount whose server never answers @call, as tests/client/hang.c does it."""

    def __init__(self, test, call):
        self.test, self.call = test, call
        self.place = tempfile.mkdtemp(prefix="hang.", dir=test.folder)
        snapshot = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../top/mounts/pack/snapshot.json")
        self.process = subprocess.Popen([os.environ["HANG"], self.place, snapshot, call],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True)
        self.said = Lines(self.process.stdout)
        test.addCleanup(self.stop)
        test.assertEqual(self.said.wait_for("mounted"), "mounted")

    def wait_for_caller(self):
        """Waits until a caller hangs in the call."""
        self.test.assertEqual(self.said.wait_for(f"^{self.call}$"), self.call)

    def stop(self):
        if self.process.returncode is None:
            self.process.terminate()
            self.test.assertEqual(self.process.wait(PATIENCE), 0)
            self.said.close()
            self.test.assertEqual(mounted_at(self.place), [])


class Simulator:
    """A running bmsfs-sim; it ends with its standard input."""

    def __init__(self, test, *arguments):
        self.test = test
        self.process = subprocess.Popen([BMSFS_SIM, "--control", *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=test.environment)
        ready = self.process.stdout.readline().split()
        test.assertEqual(ready[:1], ["ready"])
        self.place = ready[1]

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.test.assertEqual(code, 0)


class MountTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="bmsfs-test.")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self._check_sanitizers)
        self._start_watchdog()
        reports = os.path.join(self.folder, "sanitizer")
        self.environment = dict(os.environ, LC_ALL="C")
        for tool, own in (
                ("ASAN", "detect_leaks=1"), ("UBSAN", "print_stacktrace=1:halt_on_error=1"),
                ("LSAN", "print_suppressions=0")):
            name = tool + "_OPTIONS"
            given = self.environment.get(name)
            parts = ([given] if given else []) + [own, f"log_path={reports}"]
            self.environment[name] = ":".join(parts)

    def _check_sanitizers(self):
        for name in sorted(os.listdir(self.folder)):
            if name.startswith("sanitizer."):
                with open(os.path.join(self.folder, name), encoding="utf-8") as report:
                    self.fail(report.read())

    def _start_watchdog(self):
        def hangs(_signal, _frame):
            raise AssertionError("this test hangs")

        old = signal.signal(signal.SIGALRM, hangs)
        signal.alarm(HANG)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        self.addCleanup(signal.alarm, 0)

    def mount(self, device, *options, **more):
        mount = Mount(self, device, *options, **more)
        self.addCleanup(mount.finish)
        return mount

    def responder(self, name="tty", door=Pty):
        responder = Responder(os.path.join(self.folder, name), door)
        self.addCleanup(responder.stop)
        return responder

    def mount_responder(self, *options, **more):
        """A responder and a mount of it, which has already asked for identity, CELL and PTEM."""
        responder = self.responder()
        mount = self.mount(responder.device, *options, **more)
        mount.read("PTEM")
        return responder, mount

    def simulator(self, *arguments):
        simulator = Simulator(self, *arguments)
        self.addCleanup(simulator.stop)
        return simulator

    def run_program(self, *arguments, status=0, **more):
        """Runs a program to its end and returns what it printed."""
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
                              env=self.environment, **more)
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done.stdout

    def refused(self, *arguments, status=None):
        """Runs bmsfs, which must fail with one sentence, and returns that."""
        done = subprocess.run([BMSFS, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE, check=False, env=self.environment)
        self.assertNotEqual(done.returncode, 0, done.stderr)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("bmsfs: "), done.stderr)
        return done.stderr.strip()

    def python(self, code, *arguments, **more):
        """Starts Python in a process of its own; code sees sys and os."""
        process = subprocess.Popen([sys.executable, "-c", "import os, sys\n" + code, *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   **more)
        self.addCleanup(self._reap, process)
        return process

    @staticmethod
    def _reap(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def assert_errno(self, number, function, *arguments, **more):
        try:
            value = function(*arguments, **more)
        except OSError as error:
            self.assertEqual(errno.errorcode.get(error.errno), errno.errorcode[number])
            return
        self.fail(f"returned {value!r} instead of {errno.errorcode[number]}")

    def table(self, *arguments):
        """The instruction table, as the program prints it."""
        return json.loads(self.run_program(BMSFS, "--list", "--json", *arguments))


def main():
    reason = no_fuse()
    if reason:
        print("skipped:", reason)
        sys.exit(77)
    adopt_orphans()
    unittest.main(verbosity=2)
