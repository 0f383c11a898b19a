#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What people do with a directory: nothing hangs, and nothing fails without need."""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios

from case import ALWAYS, SUPPLY, Case, needs, until
import harness

LONG = ("ttl=600", "ttl_settings=600", "deadline=30")  # what is read twice is the same
SYS = "/sys/class/net/lo/statistics"  # files of 4096 bytes that hold a few, on any kernel
NO_DATA, UNSUPPORTED = "No data available", "Operation not supported"
# One of each two at least, as the current flows; more than 2147 W; and a pty has no baud rate.
MAY_BE_UNDEFINED = {
    "pack/time_to_empty": NO_DATA, "pack/time_to_full": NO_DATA,
    f"{SUPPLY}/power_now": UNSUPPORTED, f"{SUPPLY}/time_to_empty_now": UNSUPPORTED, f"{SUPPLY}/time_to_full_now": UNSUPPORTED,
    "bus/baud": NO_DATA}


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, test, *arguments):
        self.test, self.shown = test, ""
        self.fd, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(arguments, stdin=end, stdout=end, stderr=end,
                                        start_new_session=True,
                                        env=dict(test.environment, TERM="xterm"))
        os.close(end)
        test.addCleanup(self.close)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)

    def wait_for(self, pattern):
        """Until it has shown that, or, for None, until it has ended."""
        while pattern is None or not re.search(pattern, self.shown):
            ready, _, _ = select.select([self.fd], [], [], harness.PATIENCE)
            self.test.assertTrue(ready, f"nothing more than {self.shown!r}")
            try:
                self.shown += os.read(self.fd, 4096).decode()
            except OSError:  # the other end is closed
                break
        if pattern is None:
            self.test.assertEqual(self.process.wait(harness.PATIENCE), 0)
        else:
            self.test.assertRegex(self.shown, pattern)

    def type(self, text):
        os.write(self.fd, text.encode())


class Habits(Case):
    def run_any(self, *arguments, **more):
        return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.environment, timeout=harness.PATIENCE, check=False, **more)

    def files(self, place):
        return {os.path.relpath(os.path.join(folder, name), place)
                for folder, _, names in os.walk(place) for name in names}

    def refused(self, mount, said, pattern):
        """{file: why} of what a program has said on stderr, each line of which must fit."""
        found = {}
        for line in said.splitlines():
            match = re.fullmatch(pattern, line)
            self.assertTrue(match, line)
            found[os.path.relpath(os.path.join(mount.place, match.group(1)), mount.place)] = \
                match.group(2)
        return found

    def undefined(self, mount):
        """The files that have no value now, and what is said of them."""
        return {name: why for name, why in MAY_BE_UNDEFINED.items()
                if self.outcome(mount, name) in ("ENODATA", "EOPNOTSUPP")}

    def test_grep(self):
        mount = self.mount_sim(options=LONG)
        done = self.run_any("grep", "-r", ".", ".", cwd=mount.place)
        shown = {line.split(":")[0].removeprefix("./") for line in done.stdout.splitlines()}
        refused = self.refused(mount, done.stderr, "grep: (.*): (.*)")
        self.assertEqual(refused, self.undefined(mount))
        self.assertEqual(shown | set(refused), self.files(mount.place))

    def test_what_only_looks_asks_nothing(self):
        mount = self.mount_sim(options=LONG)
        before = mount.counters()["requests"]
        files = self.files(mount.place)
        listed = self.run_program("find", ".", "-type", "f", "-printf", "%P\\n", cwd=mount.place)
        self.assertEqual(set(listed.splitlines()), files)
        self.run_program("find", mount.place, "-newermt", "2020-01-01", "-perm", "-u+w", "-ls")
        self.run_program("ls", "-laR", mount.place)
        self.assertEqual(self.run_program("du", "-s", mount.place).split()[0], "0")
        long = ("snapshot.json", "metrics/bmsfs.prom", "bus/trace")
        values = [name for name in files if name not in long]
        size = int(self.run_program("du", "-s", "--apparent-size", "-B1", mount.place).split()[0])
        self.assertGreaterEqual(size, 4096 * len(values))
        self.run_program("df", mount.place)
        self.run_program("stat", mount.path("SOC"), mount.path("pack"))
        self.run_program("bash", "-c", f"compgen -f {mount.place}/")
        self.assertEqual(mount.counters()["requests"], before)

    def test_copy_and_compare(self):
        mount = self.mount_sim(options=LONG)
        mount.raw("snapshot.json")
        copy = os.path.join(self.folder, "copy")
        undefined = self.undefined(mount)
        done = self.run_any("cp", "-r", mount.place, copy)
        self.assertEqual(self.refused(mount, done.stderr, "cp: error reading '(.*)': (.*)"),
                         undefined)
        self.assertEqual(self.files(copy), self.files(mount.place))
        done = self.run_any("diff", "-r", *(f"--exclude={os.path.basename(name)}"
                                            for name in undefined), mount.place, copy)
        self.assertEqual(done.stderr, "")
        differ = re.findall(r"^diff .* (\S+) \S+$", done.stdout, re.M)
        self.assertLessEqual({os.path.relpath(name, mount.place) for name in differ},
                             {"bus/counters", "snapshot.json", "metrics/bmsfs.prom"})
        self.run_program("cmp", mount.path("CMAX"), os.path.join(copy, "CMAX"))
        # Of its own accord it ends at the first file that it cannot read.
        done = self.run_any("diff", "-r", mount.place, copy)
        (first,) = self.refused(mount, done.stderr, "diff: (.*): (.*)")
        self.assertIn(first, undefined)

    def test_silent(self):
        """All of it goes wrong, soon, and each file in its own way."""
        mount = self.mount_sim(options=("timeout=0.1", "tries=1", "ttl=60", "ttl_settings=60"))
        self.sim.command("silence on")
        self.run_program("find", mount.place)
        done = self.run_any("cp", "-r", mount.place, os.path.join(self.folder, "copy"))
        refused = self.refused(mount, done.stderr, "cp: error reading '(.*)': (.*)")
        # LCD1 and others were never read; CELL and PTEM are fresh still, and so are names.
        self.assertEqual(refused["SOC"], "Connection timed out")
        self.assertEqual(refused["CMAX"], "Connection timed out")
        self.assertEqual({why for name, why in refused.items() if name.startswith("class/")},
                         {UNSUPPORTED})
        self.assertFalse(ALWAYS & {os.path.basename(name) for name in refused
                                   if name.startswith(SUPPLY)})
        self.assertNotIn("metrics/bmsfs.prom", refused)
        self.assertNotIn("snapshot.json", refused)

    @needs("less")
    def test_less(self):
        mount = self.mount_sim(options=LONG)
        self.assertEqual(self.run_program("sh", "-c", f"less {mount.path('SOC')} | cat"),
                         mount.read("SOC") + "\n")
        terminal = Terminal(self, "less", mount.path("SOC"))
        terminal.wait_for(rf"{re.escape(mount.read('SOC'))}\r\n(?s:.*)END")
        terminal.type("q")
        terminal.wait_for(None)
        terminal = Terminal(self, "less", mount.path("snapshot.json"))
        terminal.wait_for("bms0")
        terminal.type("G")
        terminal.wait_for("END")
        terminal.type("q")
        terminal.wait_for(None)

    @needs("watch")
    def test_watch(self):
        mount = self.mount_sim()
        terminal = Terminal(self, "watch", "-n", "0.1", "-g", "cat", mount.path("BMIN"))
        terminal.wait_for(re.escape(mount.read("BMIN")))
        mount.write("BMIN", "3.41\n")
        terminal.wait_for(None)  # -g: it ends when the value has changed

    def test_script(self):
        """As people write them: a loop, a comparison, a setting that is written and read back."""
        mount = self.mount_sim()
        script = """
            set -eu
            read -r soc < SOC
            [ "${soc%.*}" -gt 20 ]
            echo 3.43 > BMIN
            [ "$(cat BMIN)" = 3.43 ]
            printf 3.42 | tee BMIN
            if echo 9 > BMIN; then exit 1; fi
            for cell in cells/*; do
                awk '$1 < 2 { exit 1 }' "$cell/voltage"
            done
            awk -F= '$1 == "POWER_SUPPLY_CAPACITY" { print "", $2 }' class/power_supply/*/uevent
        """
        done = self.run_any("sh", "-c", script, cwd=mount.place)
        self.assertEqual((done.returncode, done.stdout),
                         (0, f"3.42 {mount.read(f'{SUPPLY}/capacity')}\n"), done.stderr)
        self.assertEqual(mount.read("BMIN"), "3.42")

    def test_python(self):
        mount = self.mount_sim()
        code = """
import pathlib, shutil
bms = pathlib.Path(sys.argv[1])
assert 0 <= float((bms / "SOC").read_text()) <= 100
(bms / "BMIN").write_text("3.43")
with open(bms / "BMIN") as file:
    assert float(file.read()) == 3.43
try:
    (bms / "BMIN").write_text("9")
except OSError as error:
    assert error.errno == 34, error
else:
    sys.exit("no exception")
shutil.copy(bms / "SOC", sys.argv[2])
assert len([float(cell.read_text()) for cell in bms.glob("cells/*/voltage")]) == 14
"""
        reader = self.python(code, mount.place, os.path.join(self.folder, "copy"))
        _, said = reader.communicate(timeout=harness.PATIENCE)
        self.assertEqual(reader.returncode, 0, said)

    @needs("node")
    def test_node(self):
        mount = self.mount_sim()
        code = """
            const fs = require("fs"), assert = require("assert");
            process.chdir(process.argv[1]);
            assert(Number(fs.readFileSync("SOC", "utf8")) > 0);
            fs.writeFileSync("BMIN", "3.43\\n");
            assert.throws(() => fs.writeFileSync("BMIN", "9"), { code: "ERANGE" });
            fs.promises.readFile("BMIN", "utf8").then((text) => {
                assert.equal(text, "3.43\\n");
                fs.createReadStream("IDN").pipe(process.stdout);
            });
        """
        self.assertEqual(self.run_program("node", "-e", code, mount.place), mount.read("IDN") + "\n")


class AsOnSys(Case):
    """tar and rsync trust the size of a file, here as on /sys."""

    def setUp(self):
        super().setUp()
        if not os.path.isdir(SYS):
            self.skipTest(f"there is no {SYS}")
        self.bmsfs = self.mount_sim(options=LONG)
        for name in os.listdir(self.bmsfs.path("units/1/cells/1")):
            self.bmsfs.read(f"units/1/cells/1/{name}")

    def both(self, run):
        """What it does on a directory of /sys, and on one of values."""
        return run(SYS), run(self.bmsfs.path("units/1/cells/1"))

    def tar(self, place):
        archive = os.path.join(self.folder, "archive.tar")
        done = subprocess.run(["tar", "cf", archive, "-C", place, "."], capture_output=True,
                              text=True, check=False, env=self.environment,
                              timeout=harness.PATIENCE)
        words = {re.sub(r"^tar: \S+: |\d+", "", line) for line in done.stderr.splitlines()}
        unpacked = os.path.join(self.folder, "unpacked")
        shutil.rmtree(unpacked, ignore_errors=True)
        os.mkdir(unpacked)
        subprocess.run(["tar", "xf", archive, "-C", unpacked], check=True, env=self.environment,
                       timeout=harness.PATIENCE)
        ends = set()
        for entry in os.scandir(unpacked):
            if entry.is_file():
                with open(entry, "rb") as file:
                    text = file.read()
                ends.add((len(text), text[-1:]))
        return done.returncode, words, ends

    def test_tar(self):
        """Values are filled up with zeros, which tar says, and it fails in the end."""
        on_sys, here = self.both(self.tar)
        self.assertEqual(here, on_sys)
        self.assertEqual(here, (1, {"File shrank by  bytes; padding with zeros"}, {(4096, b"\0")}))

    @needs("rsync")
    def test_rsync(self):
        """It does not copy them."""
        def rsync(place):
            copy = os.path.join(self.folder, "copy")
            shutil.rmtree(copy, ignore_errors=True)
            done = subprocess.run(["rsync", "-a", place + "/", copy], capture_output=True,
                                  text=True, check=False, env=self.environment,
                                  timeout=harness.PATIENCE)
            return done.returncode, [name for _, _, names in os.walk(copy) for name in names], \
                "No data available" in done.stderr

        on_sys, here = self.both(rsync)
        self.assertEqual(here, on_sys)
        self.assertEqual(here, (23, [], True))

    def test_cp_and_cat(self):
        """These do not trust it."""
        def copy(place):
            target = os.path.join(self.folder, "copy")
            shutil.rmtree(target, ignore_errors=True)
            self.run_program("cp", "-r", place, target)
            return max(os.path.getsize(os.path.join(target, name)) for name in os.listdir(target)
                       if os.path.isfile(os.path.join(target, name))) < 4096

        self.assertEqual(self.both(copy), (True, True))


if __name__ == "__main__":
    harness.main()
