# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the measurements share: the table of figures, mounts, and what is read off a process.

BMSFS, BMSFS_SIM, FLOOR, READER and LOOPS name the programs. BENCH=short asks for the short form,
which measures everything, but too little of it for a verdict.
"""
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mount"))
import harness  # noqa: E402 pylint: disable=wrong-import-position

SHORT = os.environ.get("BENCH") == "short"
FLOOR, READER, LOOPS = (os.environ.get(name, name.lower()) for name in ("FLOOR", "READER", "LOOPS"))
LIMIT = 60  # seconds in which something must have happened, on a busy machine
ROUNDS = 2 if SHORT else 31
ROUND_s = 0.02 if SHORT else 0.1  # short, so that what disturbs one disturbs its neighbours, too
BAUD = 56000
BYTE_s = 10 / BAUD
TURNAROUND_s = 0.005  # of bmsfs-sim, unless told otherwise
ALL = sorted(os.sched_getaffinity(0))
ONE = ALL[-1]  # where those that are pinned run
harness.HANG = 3600

FIGURES = []  # in the order of the table
NOTES = []


def choose(short, long):
    return short if SHORT else long


def figure(group, what, value, unit, at_most=None, at_least=None, digits=3):
    """Adds a row to the table. At most one of the limits; without any it is there to be known."""
    if SHORT:
        at_most = at_least = None
    wanted = met = None
    if at_most is not None:
        wanted, met = f"at most {number(at_most, digits)}", value <= at_most
    elif at_least is not None:
        wanted, met = f"at least {number(at_least, digits)}", value >= at_least
    FIGURES.append({"group": group, "what": what, "value": float(number(value, digits)),
                    "unit": unit, "wanted": wanted, "met": met})


def number(value, digits=3):
    """In so many significant digits, but never fewer than those before the point."""
    text = f"{value:.{digits}g}"
    if "e" in text:
        text = f"{float(text):.0f}" if abs(value) >= 1 else f"{value:.6f}"
    return text


def note(text):
    if text not in NOTES:
        NOTES.append(text)


def have(program, package, what):
    """Whether a program is here; else a line says what is left out and how to get it."""
    if shutil.which(program):
        return True
    note(f"{what} is left out, because {program} is not here: apt-get install {package}")
    return False


class Rounds:
    """Calls each measure in turn, round after round. Each is a function that returns a number."""

    def __init__(self, **measures):
        self.taken = {name: [] for name in measures}
        for _ in range(ROUNDS):
            for name, measure in measures.items():
                self.taken[name].append(measure())

    def __iter__(self):
        return iter(self.taken)

    def __getitem__(self, name):
        return statistics.median(self.taken[name])

    def ratio(self, name, other):
        """The median of the ratios within each round."""
        return statistics.median(a / b for a, b in zip(self.taken[name], self.taken[other]))


def pin(pid, processors):
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), processors)


def put_first(*pids):
    """Lets nobody else's work come between, as on an idle machine, where we have the right to."""
    try:
        for pid in pids:
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        note("Times on the wire include what other work on this machine takes: only root can say no.")


def processor_ns(pid):
    """Time that a process has had a processor."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as stat:
        return int(stat.read().split()[0])


def wake_ups(pid):
    """How often a process has gone to sleep, which is how often it was woken, and was preempted."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return sum(map(int, re.findall(r"_ctxt_switches:\s+(\d+)", status.read())))


def wire_s(log, since=0):
    """Seconds that the frames in a log of bmsfs-sim took, turn-around included, and the requests."""
    seconds, requests = 0, []
    with open(log, encoding="ascii", errors="replace") as lines:
        for line in lines.read().splitlines()[since:]:
            _, direction, frame, *meaning = line.split(" ", 3)
            seconds += len(frame) / 2 * BYTE_s
            if direction == ">":
                seconds += TURNAROUND_s
                requests.append(meaning[0] if meaning else "")
    return seconds, requests


def lines_of(log):
    with open(log, encoding="ascii", errors="replace") as lines:
        return len(lines.read().splitlines())


class Bench(harness.MountTest):
    """A group of measurements; each is a test that fails only if it cannot be taken."""

    def time(self, mode, path, processor=None):
        """Nanoseconds of one reading, repeated for about ROUND_s."""
        pinned = [str(processor)] if processor is not None else []

        def read(count):
            return float(self.run_program(READER, mode, path, str(count), *pinned).split()[0])

        return read(max(20, int(ROUND_s * 1e9 / read(20))))

    def serve(self, place, *command):
        """Starts another server in the foreground, and waits until it is mounted."""
        os.mkdir(place)
        process = subprocess.Popen([*command, place], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self._end, process, place)
        self.await_true(lambda: harness.mounted_at(place) or process.poll() is not None,
                        f"{command[0]} mounts")
        self.assertIsNone(process.poll(), f"{command[0]} has ended")
        return process

    @staticmethod
    def _end(process, place):
        unmount = ["umount", "-l"] if harness.ROOT else ["fusermount3", "-uz"]
        while harness.mounted_at(place):
            subprocess.run([*unmount, place], check=True)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @staticmethod
    def await_true(condition, what, limit=LIMIT):
        until = time.monotonic() + limit
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"not within {limit} s: {what}")
            time.sleep(0.001)

    def wire(self, *arguments):
        """A simulated BMS on a paced pseudo-terminal; its place and its log."""
        log = os.path.join(self.folder, "log")
        sim = self.simulator("--pty", os.path.join(self.folder, "tty"), "--log", log,
                             *([] if "--baud" in arguments else ["--baud", str(BAUD)]), *arguments)
        put_first(sim.process.pid)
        return sim.place, log


class Waiters(threading.Thread):
    """Descriptors of a file on which somebody waits for a change all the time."""

    def __init__(self, path, count):
        super().__init__(daemon=True)
        self.epoll = select.epoll()
        self.fds = []
        self.changes = 0
        self.over = False
        for _ in range(count):
            fd = os.open(path, os.O_RDONLY)
            os.read(fd, 4096)
            self.epoll.register(fd, select.EPOLLPRI)
            self.fds.append(fd)
        self.start()

    def run(self):
        while not self.over:
            for fd, _ in self.epoll.poll(0.5):
                os.pread(fd, 4096, 0)
                self.changes += 1

    def close(self):
        self.over = True
        self.join(LIMIT)
        self.epoll.close()
        for fd in self.fds:
            os.close(fd)
