#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs that write values: what is set, and who is told of an error.

Each way to write is played twice: by tests/writers/writer.c, which makes the system calls that strace
shows of the program, and by the program itself where it is installed. The tables of docs/writing.md
say what happens.
"""
import collections
import errno
import fcntl
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import harness
from harness import Call

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "writers"))
from writers import HERE, WRITERS, sequence  # noqa: E402 pylint: disable=wrong-import-position

WRITER = os.environ.get("WRITER", "writer")
STDIO = os.environ.get("WRITER_STDIO", "stdio")
COMPILERS = {
    "PROGRAM_IN_RUST": ["rustc", os.path.join(HERE, "writers.rs"), "-o"],
    "PROGRAM_IN_GO": ["go", "build", "-o"],
}
OLD, NEW = "2.8", "2.75"


def compile_all(folder):
    """The compiled programs, by the names that they have in writers.py."""
    compiled = {"PROGRAM_IN_C": STDIO}
    environment = dict(os.environ, GOCACHE=os.path.join(folder, "cache"), GO111MODULE="off")
    for name, command in COMPILERS.items():
        if any(name in word and writer.is_installed()
               for writer in WRITERS for word in writer.command):
            compiled[name] = os.path.join(folder, name)
            more = [os.path.join(HERE, "writers.go")] if name == "PROGRAM_IN_GO" else []
            subprocess.run([*command, compiled[name], *more], check=True, env=environment)
    return compiled


def table(*head):
    """The rows of the table in the document whose heads are these."""
    with open(os.path.join(ROOT, "docs", "writing.md"), encoding="utf-8") as file:
        text = file.read()
    rows = text.split(f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n")[1].split("\n\n")[0]
    return [tuple(cell.strip().strip("`").replace("\\|", "|")
                  for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in rows.splitlines()]


class Sequences(unittest.TestCase):
    def test_each_writer_has_one(self):
        names = subprocess.run([WRITER, "--list"], capture_output=True, text=True, check=True)
        self.assertEqual(names.stdout.split(), [writer.name for writer in WRITERS])
        self.assertEqual(set(os.listdir(os.path.join(HERE, "straces"))),
                         {writer.name + ".strace" for writer in WRITERS})

    def test_they_are_what_strace_shows(self):
        for writer in WRITERS:
            with self.subTest(writer.name):
                shown = subprocess.run([WRITER, "--show", writer.name], capture_output=True,
                                       text=True, check=True).stdout.strip()
                self.assertEqual(shown, sequence(writer.strace()))


class WritersTest(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()
        self.path = self.bmsfs.path("CMIN")
        self.bmsfs.expects("set CMIN .* failed: the BMS refused", "CMIN: .* was dropped because")

    def reset(self, refuse=False):
        """The old value, which the BMS will change, or not."""
        self.bms.heal()
        self.bms.set_setting("CMIN", float(OLD))
        if refuse:
            self.bms.fault("CMIN ", "refuse")

    def became(self, since):
        """What has become of the value that was written: never anything but old or new."""
        value = self.bmsfs.read("CMIN", os.O_DIRECT)
        self.assertIn(value, (OLD, NEW))
        if value == NEW:
            return "set"
        self.assertRegex(self.bmsfs.last_error(), "^CMIN")
        return "dropped" if self.bmsfs.said.find("was dropped", since) else "refused"

    def play(self, *command, refuse=False):
        """What became of the value, the status of the program, and what it printed."""
        self.reset(refuse)
        since = len(self.bmsfs.said.lines)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False)
        return self.became(since), done.returncode, done.stdout


class Table(WritersTest):
    def result(self, run):
        """Plays a writer, twice if it succeeds: then with a BMS that refuses."""
        became, status, said = run(False)
        if became == "set":
            self.assertEqual(status, 0)
            again, status, said = run(True)
            self.assertEqual(again, "refused")
        return became, status, said

    def replica(self, writer):
        """The value, and the call that fails first."""
        became, _, said = self.result(
            lambda refuse: self.play(WRITER, writer.name, self.path, refuse=refuse))
        return became, said.partition(":")[0] + "()" if said else "-"

    def original(self, writer, compiled):
        """The value, and whether the program reports the error."""
        arguments = writer.arguments(self.path, compiled)
        became, status, _ = self.result(lambda refuse: self.play(*arguments, refuse=refuse))
        return became, "no" if status <= 0 else "yes"

    def test_document(self):
        rows = {row[:2]: row[2:] for row in table("program", "code", "value", "error of", "reported")}
        self.assertEqual(list(rows), list(dict.fromkeys(writer.row for writer in WRITERS)))
        with tempfile.TemporaryDirectory() as folder:
            compiled = compile_all(folder)
            for writer in WRITERS:
                value, call, reported = rows[writer.row]
                with self.subTest(writer.name):
                    self.assertEqual(self.replica(writer), (value, call))
                    if writer.is_installed():
                        self.assertEqual(self.original(writer, compiled), (value, reported))


class Others(WritersTest):
    """What a table of single programs cannot show."""

    def test_two_commands_of_a_shell_are_two_values(self):
        became, status, _ = self.play(
            "dash", "-c", f"exec 3> {self.path}; printf {NEW} >&3 && ! printf .6 >&3")
        self.assertEqual((became, status), ("set", 0))
        self.assertEqual(self.bms.sets(), ["CMIN " + NEW])

    def test_a_child_killed_between_pieces_sets_nothing(self):
        became, _, _ = self.play(
            "bash", "-c", f"{{ sh -c 'printf 2; kill -9 $$; printf .75'; }} > {self.path}; true")
        self.assertEqual(became, "dropped")
        self.assertEqual(self.bms.sets(), [])

    def test_execve_closes_a_file_with_text_held(self):
        """The kernel guards /proc/PID/stat until the file is closed, and that waits for bmsfs."""
        self.reset()
        self.run_program(sys.executable, "-c", "import os, sys\n"
                         "fd = os.open(sys.argv[1], os.O_WRONLY)\n"
                         f"os.write(fd, b'{NEW}')\nos.execvp('true', ['true'])", self.path)
        self.assertEqual(self.bms.sets(), ["CMIN " + NEW])

    def test_two_writers_at_once(self):
        for text in (NEW, NEW + "\n"):
            self.reset()
            calls = [Call(self.bmsfs.write, "CMIN", text),
                     Call(self.bmsfs.write, "CMIN", text.replace(NEW, "2.71"))]
            self.assertEqual([call.result() for call in calls], [None, None])
            self.assertIn(self.bmsfs.read("CMIN"), (NEW, "2.71"))

    def test_a_close_by_exec_while_another_program_has_the_port(self):
        """bmsfs looks for that program, and must not wait for the one that waits for bmsfs."""
        bms = self.responder("busy")
        port = os.open(bms.device, os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, port)
        fcntl.flock(port, fcntl.LOCK_EX)
        mount = self.mount(bms.device, "wait=0")
        mount.expects("is in use by", "set CMIN .* failed")
        # Twice the time after which the port is tried again.
        program = self.python("import time; fd = os.open(sys.argv[1], os.O_WRONLY); "
                              "os.write(fd, b'2.75'); time.sleep(1); os.execlp('true', 'true')",
                              mount.path("CMIN"))
        self.assertEqual(program.wait(harness.PATIENCE), 0)
        self.assertTrue(mount.said.find("set CMIN . -> 2.75 failed: "), mount.said.lines)
        self.assertIn(" is in use by another program", mount.last_error())

    def test_the_end_of_the_mount(self):
        self.reset()
        fd = os.open(self.path, os.O_WRONLY)
        self.assertEqual(os.write(fd, NEW.encode()), len(NEW))
        os.kill(self.bmsfs.keeper, signal.SIGTERM)
        self.bmsfs.wait_end()
        self.assert_errno(errno.ENOTCONN, os.close, fd)
        self.assertTrue(self.bmsfs.said.find(
            r"pid \d+ \(\S+\): CMIN: 2\.75 was dropped because the mount ended before the file "
            "was closed; write it again$"), self.bmsfs.said.lines)
        self.assertEqual(self.bms.sets(), [])

    def test_all_pieces_of_a_value_in_any_way(self):
        """The BMS holds the old or the whole new value, whatever writes the pieces and is killed."""
        chance = random.Random(1)
        seen = collections.Counter()
        for _ in range(300):
            steps = "; ".join(random_steps(chance))
            with self.subTest(steps):
                seen[self.play(WRITER, "--steps", steps, self.path)[0]] += 1
        self.assertGreater(min(seen["set"], seen["refused"], seen["dropped"]), 10, seen)


def random_steps(chance):
    """Writes NEW in pieces. The opener closes nothing between the first piece and the last."""
    text = NEW + chance.choice(["", "\\n"])
    cuts = sorted(chance.sample(range(1, len(NEW) + 1), chance.randrange(4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
    yield chance.choice(["open WRONLY", "open WRONLY|TRUNC", "open WRONLY|APPEND", "open RDWR"])
    if chance.random() < 0.5:
        yield from ("dup", "close")
    for child, piece in enumerate(filter(None, pieces), 1):
        child = chance.choice(["", f"child{child} "])
        yield f"{child}write {piece}"
        if child:
            yield child + chance.choice(["close", "exit", "kill"])
        elif chance.random() < 0.1:
            yield "kill"
    yield chance.choice(["close", "exit", "kill"])


@unittest.skipUnless(harness.ROOT, "needs root")
class Namespaces(harness.MountTest):
    """Writers and bmsfs in pid namespaces of their own."""

    REFUSAL = ("CMAX: the process of the writer cannot be seen; "
               "write the value with a newline at its end")

    def start(self, prepare, *options):
        """Starts bmsfs in new namespaces. Returns the pid of its supervisor and the mount point."""
        place = tempfile.mkdtemp(prefix="mount.", dir=self.folder)
        process = subprocess.Popen(
            ["unshare", "--pid", "--mount", "--fork", "dash", "-c", prepare + ' && exec "$@"', "dash",
             harness.BMSFS, "-f", "-o", ",".join(["wait=0", *options]), "sim:", place],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=self.environment)
        self.said = harness.Lines(process.stderr)
        self.addCleanup(self.said.close)
        self.addCleanup(process.wait, harness.PATIENCE)
        self.assertTrue(self.said.wait_for("is mounted on"), self.said.lines)
        supervisor = harness.children(process.pid)[0]
        self.addCleanup(os.kill, supervisor, signal.SIGTERM)
        return supervisor, place

    def write(self, text, path, *enter):
        """What fails when CMAX is written, in the namespaces that are entered."""
        text = text.replace("\n", "\\n")
        return self.run_program(*enter, WRITER, "--steps", f"open WRONLY; write {text}; close",
                                path + "/CMAX")

    def read(self, path):
        with open(path, encoding="ascii") as file:
            return file.read().strip()

    def check_newline_is_needed(self, outside, path, *enter):
        """@outside is the mount as it is seen from here, @path as the writer sees it."""
        self.assertEqual(self.write("3.9\n", path, *enter), "")
        self.assertEqual(self.read(outside + "/CMAX"), "3.9")
        # The log does not name another process of that number.
        self.assertTrue(self.said.wait_for(r"uid 0 pid \d+ \(\?\) set CMAX 3\.85 -> 3\.9$"),
                        self.said.lines)
        self.assertEqual(self.write("3.8", path, *enter), "write: EINVAL\n")
        self.assertRegex(self.read(outside + "/bus/last_error"),
                         "^CMAX: the process of the writer cannot be seen; "
                         "write the value with a newline at its end")
        self.assertEqual(self.read(outside + "/CMAX"), "3.9")

    def test_bmsfs_in_a_container_and_the_writer_outside(self):
        supervisor, place = self.start("mount -t proc proc /proc")
        outside = f"/proc/{supervisor}/root{place}"
        self.check_newline_is_needed(outside, outside)

    def test_bmsfs_in_a_container_with_the_processes_of_the_host(self):
        """There /proc has the number of the writer, but for another process."""
        supervisor, place = self.start("true")
        outside = f"/proc/{supervisor}/root{place}"
        self.check_newline_is_needed(outside, outside)
        self.assertEqual(self.write("3.85\n", outside), "")
        self.check_newline_is_needed(outside, place, "nsenter", "--target", str(supervisor),
                                     "--pid", "--mount")

    def test_processes_of_other_users_are_hidden(self):
        supervisor, place = self.start("mount -t proc -o hidepid=2 proc /proc", "user=nobody")
        self.check_newline_is_needed(f"/proc/{supervisor}/root{place}", place, "nsenter",
                                     "--target", str(supervisor), "--pid", "--mount")

    def test_a_writer_in_a_container(self):
        mount = self.mount("sim:")
        # No signal of its own ends the first process of a namespace.
        enter = ("unshare", "--pid", "--fork", "--mount-proc", "dash", "-c", '"$@"; exit $?', "dash")
        self.assertEqual(self.write("3.9", mount.place, *enter), "")
        self.assertEqual(mount.read("CMAX"), "3.9")
        mount.expects("CMAX: 3.8 was dropped because the program was killed")
        self.run_program(*enter, WRITER, "--steps", "open WRONLY; write 3.8; kill",
                         mount.path("CMAX"), status=137)
        self.assertEqual(mount.read("CMAX", os.O_DIRECT), "3.9")


if __name__ == "__main__":
    harness.main()
