#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Makes the Nth call of each kind fail in a real mount, N growing until nothing fails any more.

Each run mounts, reads a list of files, writes a setting, polls, and unmounts. Whatever fails inside,
a value must be right or an errno, nothing may hang, crash or stay behind, and a mount that does not
come up, or goes, says why in a sentence.

    nth.py BMSFS BMSFS_SIM FAIL_SO [--long] [--jobs N] [--only PATTERN] [--replay CASE:N]
"""
import argparse
import ctypes
import errno
import fnmatch
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

KINDS = ["alloc", "open", "ioctl", "read", "write", "log", "reply", "poll", "other"]
TALLY = struct.Struct(f"{len(KINDS)}QQqQ")
LINKS = ["sim", "pty", "tcp"]
# Kinds with the errno that they fail with. What is interrupted or has nothing yet has not failed.
FAILURES = [("alloc", "ENOMEM"), ("open", "EMFILE"), ("ioctl", "EIO"), ("read", "EIO"),
            ("write", "EIO"), ("log", "EIO"), ("reply", "ENOMEM"), ("poll", "ENOMEM"),
            ("other", "EAGAIN")]
PASSING = [("read", "EINTR"), ("read", "EAGAIN"), ("write", "EAGAIN"), ("poll", "EINTR")]
OPTIONS = "timeout=0.1,tries=2,deadline=0.6,wait=0.5,ttl=0.05,ttl_settings=0.1"
HANG = 20    # seconds after which one run counts as hanging
HEAL = 6     # seconds after the failure within which all is well again
SHORT = 9    # values of N of one case in the short form
USUAL = re.compile(r" is online$| is mounted on | was unmounted$|ended by SIG| set \S+ \S+ -> \S+$")
# What a call may fail with here, besides being right. The last three are the kernel's own words
# when the server has gone, or had no memory even to say hello.
FAIR = {errno.EIO, errno.ENOMEM, errno.ENODEV, errno.ETIMEDOUT, errno.ENOTCONN,
        errno.ECONNABORTED, errno.ECONNREFUSED}

libc = ctypes.CDLL(None, use_errno=True)
LIBC_UMOUNT_DETACH = 2
PR_SET_CHILD_SUBREAPER = 36


def number(low, high, lines=1):
    """A check: so many lines, the first of which is a plain decimal in that range."""
    def check(text):
        parts = text.splitlines()
        return (len(parts) == lines and re.fullmatch(r"-?\d+(\.\d+)?", parts[0])
                and low <= float(parts[0]) <= high)
    return check


def one_of(*texts):
    return lambda text: text in [part + "\n" for part in texts]


def has(*parts):
    return lambda text: all(part in text for part in parts)


READS = [
    ("IDN", one_of("REC BMS 1Q VICTRON")),
    ("CMAX", one_of("3.85")),
    ("BVOL", one_of("3.58", "3.6")),
    ("LCD1", number(2, 4.3, 7)),
    ("CELL", number(2, 4.3, 14)),
    ("PTEM", number(-30, 80, 3)),
    ("pack/soc", number(0, 100)),
    ("pack/voltage", number(28, 60)),
    ("units/1/cells/1/voltage", number(2, 4.3)),
    ("units/1/sensors/1/temperature", number(-30, 80)),
    ("bus/counters", has("requests ")),
    ("bus/last_error", lambda text: text == "" or " ago)" in text),
]


def mounted(place):
    """The number of the mount there, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return next((line.split()[0] for line in lines if line.split()[4] == place), None)


def enter(place):
    """A descriptor of the root of the mount, of which nothing has been asked yet; None if it went."""
    fd = os.open(place, os.O_PATH)
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
        number_here = re.search(r"mnt_id:\s*(\d+)", info.read()).group(1)
    if number_here == mounted(place):
        return fd
    os.close(fd)
    return None


def umount(place, flags=0):
    return libc.umount2(place.encode(), flags) == 0


def read_file(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        text = b""
        while part := os.read(fd, 65536):
            text += part
        return text.decode("ascii")
    finally:
        os.close(fd)


def write_file(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        return os.write(fd, text)
    finally:
        os.close(fd)


def poll_file(path, wait_ms):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.read(fd, 4096)
        waiter = select.poll()
        waiter.register(fd, select.POLLPRI | select.POLLERR)
        waiter.poll(wait_ms)
    finally:
        os.close(fd)


class Client:
    """What a user of the mount does, in a process of its own that tells as it goes."""

    def __init__(self, place, heal, poll_ms):
        self.place, self.poll_ms, self.gone = place, poll_ms, False
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            self.out = os.fdopen(writer, "w", buffering=1)
            try:
                self.work(heal)
            finally:
                os._exit(0)
        os.close(writer)
        self.reader = reader

    def attempt(self, name, function, *arguments, check=None):
        """Tells what came, and returns whether it was right."""
        print("start", name, file=self.out)
        try:
            value = function(*arguments)
        except OSError as error:
            self.gone |= error.errno in (errno.ENOTCONN, errno.ECONNABORTED, errno.ECONNREFUSED)
            print("error", name, error.errno, file=self.out)
            return False
        except Exception as error:  # pylint: disable=broad-except
            print("wrong", name, repr(error), file=self.out)
            return False
        if check and not check(value):
            print("wrong", name, repr(value), file=self.out)
            return False
        print("right", name, file=self.out)
        return True

    def look(self):
        well = True
        for name, check in READS:
            well &= self.attempt(name, read_file, f"{self.place}/{name}", check=check)
        return well

    def work(self, heal):
        place = self.place
        well = self.attempt("list", os.listdir, place, check=lambda names: "pack" in names)
        well &= self.attempt("list cells", os.listdir, place + "/units/1/cells")
        well &= self.look()
        written = self.attempt("write", write_file, place + "/BVOL", b"3.6\n")
        well &= written & self.attempt("read back", read_file, place + "/BVOL",
                                       check=one_of("3.6") if written else one_of("3.58", "3.6"))
        well &= self.attempt("poll", poll_file, place + "/SOC", self.poll_ms)
        well &= self.attempt("xattr", os.getxattr, place + "/CMAX", "user.bms.unit",
                             check=lambda unit: unit == b"V")
        until = time.monotonic() + HEAL
        while heal and not well and time.monotonic() < until and not self.gone:
            print("again", file=self.out)
            time.sleep(0.06)
            well = self.look()
        print("well" if well else "unwell", file=self.out)

    def collect(self, until):
        """Returns its lines, and whether it has ended."""
        text = b""
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.reader], [], [], left)[0]:
                break
            part = os.read(self.reader, 65536)
            if not part:
                os.waitpid(self.pid, 0)
                os.close(self.reader)
                return text.decode().splitlines(), True
            text += part
        return text.decode().splitlines(), False

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.reader)


class Case:
    """One kind of failure in one process of one kind of mount."""

    def __init__(self, link, process, kind, error, mode):
        self.link, self.process, self.kind, self.error, self.mode = link, process, kind, error, mode
        self.name = f"{link}/{process}/{kind}/{error}/{mode}"

    def environment(self, n):
        return {"NTH_KIND": str(KINDS.index(self.kind)), "NTH_N": str(n),
                "NTH_CHILD": str(int(self.process == "server")),
                "NTH_FOREVER": str(int(self.mode == "forever")),
                "NTH_ERRNO": str(getattr(errno, self.error))}


class Bench:
    """A place to mount and what belongs to it, for one worker."""

    def __init__(self, programs, poll_ms):
        self.bmsfs, self.simulator, self.fail = programs
        self.poll_ms = poll_ms
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="bmsfs-nth."))
        self.place = self.folder + "/mnt"
        self.report = self.folder + "/report"
        self.peer = None
        self.live = {}
        os.mkdir(self.place)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def close(self):
        shutil.rmtree(self.folder)

    def start_peer(self, link):
        if link == "sim":
            return "sim:baud=0,turnaround=0"
        door = {"pty": ["--pty", self.folder + "/tty"], "tcp": ["--tcp", "0"]}[link]
        self.peer = subprocess.Popen(
            [self.simulator, *door, "--baud=0", "--turnaround=0", "--control"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        place = self.peer.stdout.readline().split()[1]
        return "tcp:" + place if link == "tcp" and not place.startswith("tcp:") else place

    def stop_peer(self):
        if self.peer:
            self.peer.stdin.close()
            self.peer.stdout.close()
            self.peer.wait()
            self.peer = None

    def tallies(self):
        with open(self.report, "rb") as file:
            data = file.read()
        return [TALLY.unpack_from(data, i * TALLY.size) for i in range(2)]

    def run(self, case, n):
        """One run. Returns (tally of the start, of the server, list of what was wrong)."""
        with open(self.report, "wb") as file:
            file.truncate(2 * TALLY.size)
        wrong = []
        device = self.start_peer(case.link)
        process = subprocess.Popen(
            [self.bmsfs, "-f", "-o", OPTIONS, device, self.place], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=dict(os.environ, LC_ALL="C", LD_PRELOAD=self.fail, NTH_REPORT=self.report,
                     **case.environment(n)))
        came = self.use(process, case, wrong)
        self.end(process, wrong)
        said = process.stderr.read().decode(errors="replace")
        process.stderr.close()
        self.judge_end(process.returncode, said, came, case, wrong)
        self.stop_peer()
        self.judge_rest(case, n, said, wrong)
        start, server = self.tallies()
        if wrong:
            wrong.append("stderr: " + said.strip().replace("\n", " | "))
        return start, server, wrong

    def use(self, process, case, wrong):
        """Uses the mount, if one comes up. Returns whether it did."""
        until = time.monotonic() + HANG
        while not mounted(self.place):
            if process.poll() is not None:
                return False
            if time.monotonic() > until:
                wrong.append("neither mounts nor ends")
                return False
            time.sleep(0.001)
        root = enter(self.place)
        if root is None:
            return False
        # Through the descriptor, because what the mount covers is seen again when it is gone.
        client = Client(f"/proc/self/fd/{root}", case.mode == "once", self.poll_ms)
        os.close(root)
        lines, ended = client.collect(until)
        self.judge(lines, process, wrong)
        if not ended:
            wrong.append(f"hangs: {lines[-1] if lines else 'at once'}")
            libc.umount2(self.place.encode(), LIBC_UMOUNT_DETACH)
            self.kill_all(process)
            client.kill()
        return True

    def judge(self, lines, process, wrong):
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "wrong":
                wrong.append("wrong value: " + rest)
            elif word == "error" and int(rest.split()[-1]) not in FAIR:
                wrong.append(f"{rest}: unfair errno {errno.errorcode[int(rest.split()[-1])]}")
        time.sleep(0.002)
        if lines and lines[-1] == "unwell" and "again" in lines and process.poll() is None \
                and mounted(self.place):
            wrong.append("does not heal: " + " ".join(
                line for line in lines[len(lines) - lines[::-1].index("again"):]
                if line.startswith("error")))

    @staticmethod
    def kill_all(process):
        try:
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as names:
                servers = [int(name) for name in names.read().split()]
        except FileNotFoundError:
            servers = []
        for pid in [*servers, process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def end(self, process, wrong):
        until = time.monotonic() + 2
        while mounted(self.place) and not umount(self.place) and time.monotonic() < until:
            time.sleep(0.001)
        try:
            process.wait(HANG)
        except subprocess.TimeoutExpired:
            wrong.append("does not end")
            self.kill_all(process)
            process.wait()
        if mounted(self.place):
            wrong.append("stays mounted")
            umount(self.place, LIBC_UMOUNT_DETACH)

    def judge_end(self, status, said, came, case, wrong):
        if status < 0 or status > 2:
            wrong.append(f"ends with status {status}")
        if status == 0 and not came:
            wrong.append("did not mount and says that all is well")
        strange = [line for line in said.splitlines() if not line.startswith(("bmsfs: ", "fuse: "))]
        if strange:
            wrong.append(f"strange line: {strange[0]}")
        told = [line for line in said.splitlines() if not USUAL.search(line)]
        if status != 0 and not told and case.kind != "log":
            wrong.append("fails without a word")

    def judge_rest(self, case, n, said, wrong):
        """Nothing may be left: no process, no file, and no more memory than after a clean run."""
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                wrong.append("a process is left")
        except ChildProcessError:
            pass
        for process, tally in zip(("start", "server"), self.tallies()):
            live, ended = tally[-2:]
            # libseccomp loses some blocks when it fails, and then the server ends.
            if not ended or "cannot restrict the system calls" in said:
                continue
            usual = self.live.setdefault((case.link, process), live) if n == 0 else \
                self.live[case.link, process]
            if live > usual:
                wrong.append(f"{process}: {live - usual} more blocks than usual are not freed")
        if left := set(os.listdir(self.folder)) - {"mnt", "report"}:
            wrong.append(f"left: {left}")


def counts(case, total, long):
    """The values of N to try: all, and on until nothing fails, or a few spread over them."""
    if long or total <= SHORT:
        return range(1, 1000000)
    spread = {1, 2, 3, total}
    for i in range(SHORT - len(spread)):
        spread.add(1 + (total - 1) * (i + 1) // (SHORT - len(spread) + 1))
    # Other cases of the same kind try others.
    return sorted((n + hash_of(case.name)) % total + 1 if 3 < n < total else n for n in spread)


def hash_of(name):
    return sum(ord(letter) * (i + 1) for i, letter in enumerate(name))


def try_case(case, programs, long):
    """Returns (name, calls in a clean run, runs, runs in which something failed, faults)."""
    bench = Bench(programs, 120 if long else 0)
    faults, runs, failed, idle = [], 0, 0, 0
    process = int(case.process == "server")
    column = KINDS.index(case.kind)
    try:
        *tallies, wrong = bench.run(case, 0)
        total = tallies[process][column]
        faults += [(0, text) for text in wrong]
        for n in counts(case, total, long) if total else []:
            *tallies, wrong = bench.run(case, n)
            runs += 1
            faults += [(n, text) for text in dict.fromkeys(wrong)]
            hit = tallies[process][len(KINDS)]
            failed += hit > 0
            idle = 0 if hit else idle + 1
            if idle == 2 or len(faults) > 12:
                break
    finally:
        bench.close()
    return case.name, total, runs, failed, faults


def all_cases(long):
    cases = []
    for link in LINKS if long else LINKS[:2]:
        for process in ("start", "server"):
            for kind, error in FAILURES:
                # Before the mount no reply is given, and what the start does is the same for all.
                if process == "start" and (kind == "reply" or (link == "pty" and not long)):
                    continue
                cases += [Case(link, process, kind, error, mode) for mode in ("once", "forever")]
        if long:
            cases += [Case(link, "server", kind, error, "once") for kind, error in PASSING]
    return cases


def why_not():
    if os.geteuid() != 0:
        return "only root mounts without a helper program"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"/dev/fuse cannot be used: {error.strerror}"
    with open("/proc/self/status", encoding="ascii") as status:
        rights = int(re.search(r"^CapEff:\s*(\w+)", status.read(), re.M).group(1), 16)
    return None if rights >> 21 & 1 else "this container does not permit mounting"


def replay(cases, programs, wanted):
    name, _, n = wanted.rpartition(":")
    case = next(case for case in cases if case.name == name)
    bench = Bench(programs, 120)
    bench.run(case, 0)
    for text in bench.run(case, int(n))[2] or ["nothing was wrong"]:
        print(text)
    bench.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs=3, metavar="PROGRAM")
    parser.add_argument("--long", action="store_true", help="every N, and more kinds")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases of such names")
    parser.add_argument("--replay", metavar="CASE:N", help="one run")
    options = parser.parse_args()
    if reason := why_not():
        print("skipped:", reason)
        sys.exit(77)
    programs = [os.path.abspath(program) for program in options.programs]
    if options.replay:
        replay(all_cases(True), programs, options.replay)
        return
    cases = [case for case in all_cases(options.long)
             if fnmatch.fnmatch(case.name, options.only)]
    runs = failed = bad = 0
    print(f"{'case':40} {'calls':>6} {'runs':>6} {'failed':>6}  wrong")
    with ProcessPoolExecutor(options.jobs) as pool:
        work = [pool.submit(try_case, case, programs, options.long) for case in cases]
        for result in work:
            name, total, case_runs, case_failed, faults = result.result()
            print(f"{name:40} {total:6} {case_runs:6} {case_failed:6}  {len(faults)}", flush=True)
            for n, text in faults:
                print(f"    {name}:{n}: {text}", flush=True)
            runs, failed, bad = runs + case_runs, failed + case_failed, bad + len(faults)
    print(f"{len(cases)} cases, {runs} runs, something failed in {failed} of them, {bad} wrong")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
