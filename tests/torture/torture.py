# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the torture tests share: load processes, and mounts whose stderr the test chooses.

BMSFS, BMSFS_SIM and LOAD name the programs. TORTURE=long asks for the long form.
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mount"))
import harness  # noqa: E402 pylint: disable=wrong-import-position

LOAD = os.environ.get("LOAD", "load")
LONG = os.environ.get("TORTURE") == "long"
LIMIT = 30  # seconds in which something must have happened, on a busy machine
DEADLINE = 5  # seconds, the default of bmsfs
SLACK = 3  # what a busy machine may add to a call
harness.HANG = 7200 if LONG else 120
BAD_ERRORS = {"EINTR", "EINVAL", "EPROTO", "EOPNOTSUPP", "EACCES", "ENOMEM", "EBADF", "ENOSYS"}
GONE = {"ENOTCONN", "ECONNABORTED", "ENOENT", "ENODEV"}

# What the simulated 1Q holds of these; no two texts are the same, so that a mixed-up one shows.
FIXED = ["BVOL=3.58", "CMAX=3.85", "CMIN=2.8", "MINH=0.1", "CLOW=2.95", "TMIN=-10",
         "BMTH=5", "CAPA=200", "SOCH=0.05", "CHAC=0.6", "DCHC=1.5", "MAXC=70", "MAXD=100"]
# What the writers set in turn, one writer each.
SET = [["BMIN=3.45|3.44"], ["TMAX=55|54.5"]]


def is_sanitized(program):
    with open(program, "rb") as file:
        return b"__asan_init" in file.read()


def choose(short, long):
    return long if LONG else short


def figures(name, **values):
    """One line for the table of figures."""
    print("FIGURES", name + ":", ", ".join(f"{key} {value}" for key, value in values.items()),
          flush=True)


def wait_until(condition, what, limit=LIMIT):
    """Waits and returns the seconds it took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > limit:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)
    return time.monotonic() - start


def state(pid):
    """Size of what is resident in KiB, and the number of open descriptors."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]), len(os.listdir(f"/proc/{pid}/fd"))
    raise ProcessLookupError(pid)


class Load:
    """A running load process."""

    def __init__(self, test, place, mode, files, count=None):
        arguments = [f"{place}/{file}" for file in files]
        self.test, self.mode = test, mode
        self.process = subprocess.Popen(
            [LOAD, "-m", mode, *(["-n", str(count)] if count else []), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        test.addCleanup(self._reap)
        self.result = None

    def _reap(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def ask_to_end(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, limit=LIMIT, allowed=frozenset()):
        """Waits for its end; nothing may have been wrong. Returns its numbers."""
        try:
            out, err = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            with open(f"/proc/{self.process.pid}/wchan", encoding="ascii") as file:
                self.test.fail(f"a {self.mode} hangs in {file.read()}")
        self.test.assertEqual((self.process.returncode, err), (0, ""), (self.mode, out))
        self.result = {name: int(number) for name, number in
                       (word.split("=") for word in out.split())}
        bad = BAD_ERRORS & set(self.result) - allowed
        self.test.assertFalse(bad, (self.mode, out))
        return self.result


class Crowd:
    """8 readers, 2 writers and 2 pollers."""

    def __init__(self, test, place, extra=()):
        self.test = test
        modes = ["read", "pread", "pieces", "direct", "sendfile", "read", "pread", "direct"]
        sets = [file for files in SET for file in files]
        self.loads = []
        for number, mode in enumerate(modes):
            files = [*extra, *FIXED, *sets]
            files = files[number:] + files[:number]
            self.loads.append(Load(test, place, mode, files[:16]))
        self.loads += [Load(test, place, "write", files) for files in SET]
        self.loads += [Load(test, place, "poll", files) for files in SET]

    def end(self):
        for load in self.loads:
            load.ask_to_end()
        return self.wait()

    def wait(self, pause=0, allowed=frozenset()):
        """Adds the numbers of all up. pause: seconds for which the test held everything up."""
        total = {"slowest_ms": 0}
        for load in self.loads:
            result = load.wait(allowed=allowed)
            # A writer also reads, a poller waits first.
            calls = 2 if load.mode in ("write", "poll") else 1
            self.test.assertLess(result["slowest_ms"],
                                 (calls * DEADLINE + SLACK + pause) * 1000, (load.mode, result))
            for name, number in result.items():
                if name != "slowest_ms":
                    total[name] = total.get(name, 0) + number
            if calls == 1:
                total["slowest_ms"] = max(total["slowest_ms"], result["slowest_ms"])
        return total


class Bmsfs:
    """A bmsfs in the foreground whose stderr is any descriptor."""

    def __init__(self, test, device, *options, stderr, flags=("-f",)):
        self.test = test
        self.place = os.path.join(test.folder, "mnt")
        os.makedirs(self.place, exist_ok=True)
        arguments = ["-o", ",".join(options)] if options else []
        self.process = subprocess.Popen([harness.BMSFS, *flags, *arguments, device, self.place],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=stderr, env=test.environment)
        test.addCleanup(self._force)
        wait_until(lambda: harness.mounted_at(self.place) or self.process.poll() is not None,
                   "is mounted")
        test.assertIsNone(self.process.poll(), "bmsfs has ended")
        self.server = None
        wait_until(self._find_server, "has a server")

    def _find_server(self):
        servers = harness.children(self.process.pid)
        self.server = servers[0] if servers else None
        return self.server

    def read(self, name, flags=0):
        fd = os.open(os.path.join(self.place, name), os.O_RDONLY | flags)
        try:
            return os.read(fd, 4096).decode("ascii").rstrip("\n")
        finally:
            os.close(fd)

    def write(self, name, text):
        fd = os.open(os.path.join(self.place, name), os.O_WRONLY)
        try:
            os.write(fd, text.encode("ascii"))
        finally:
            os.close(fd)

    def stop(self, status=0):
        self.test.run_program("fusermount3", "-u", self.place)
        self.test.assertEqual(self.process.wait(LIMIT), status)
        self.test.assertEqual(harness.mounted_at(self.place), [])

    def _force(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        while harness.mounted_at(self.place):
            unmount = ["umount", "-l"] if harness.ROOT else ["fusermount3", "-uz"]
            subprocess.run([*unmount, self.place], check=True)


class TortureTest(harness.MountTest):
    def path(self, name):
        return os.path.join(self.folder, name)
