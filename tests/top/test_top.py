#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bmsfs-top in terminals of tmux: whole screens of fixed snapshots, keys, sizes, and live mounts.

bmsfs-top only reads files, so a plain directory with a snapshot.json is a mount to it: those of
mounts/ beside this file. What they look like is in screens/; test_top.py --update writes that anew.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "mount"))

import harness

TOP = os.environ.get("BMSFS_TOP", "bmsfs-top")
MOUNTS = os.path.join(HERE, "mounts")
SCREENS = os.path.join(HERE, "screens")
README = os.path.join(HERE, "..", "..", "README.md")
UPDATE = "--update" in sys.argv
STILL = ("-d", "60")  # one reading, and the screen stays as it is
LIVE = ("-d", "0.1")
QUICK = ("timeout=0.1", "tries=1", "ttl=0.1", "ttl_settings=0.1", "deadline=2")
UTF8, ASCII = "C.UTF-8", "C"


def until(attempt, explain):
    """The first result of attempt() that is true; one that never comes is a failure."""
    end = time.monotonic() + harness.PATIENCE
    while True:
        result = attempt()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"it does not come about:\n{explain()}")
        time.sleep(0.02)  # tmux has no event for "the screen has changed"


class Terminal:
    """bmsfs-top in a terminal of a tmux of its own, which says how the program ended."""

    count = 0

    def __init__(self, test, *arguments, columns=80, rows=24, locale=UTF8, folder=MOUNTS, inside=None,
                 **more):
        Terminal.count += 1
        self.test = test
        self.socket = os.path.join(test.folder, f"tmux-{Terminal.count}")
        self.environment = {**test.environment, "LC_ALL": UTF8}
        settings = os.path.join(test.folder, "tmux.conf")
        with open(settings, "w", encoding="ascii") as file:
            file.write("set -g status off\n")
        variables = {"LC_ALL": locale, **more}
        sets = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        # TERM is tmux' own matter, which is why env sets another.
        term = ["env", f"TERM={more['TERM']}"] if "TERM" in more else []
        if inside:
            term = ["env", "-C", inside]
        shell = ["sh", "-c", 'trap : INT; "$@"; echo "ended with $?"; exec cat', "sh"]
        self.tmux("-f", settings, "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "-c", folder, *sets, *shell, *term, TOP, *arguments)
        self.server, self.shell = map(int, self.ask("#{pid} #{pane_pid}").split())
        test.addCleanup(self.close)

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-u", "-S", self.socket, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=harness.PATIENCE, check=False, env=self.environment)
        self.test.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout

    def ask(self, what):
        return self.tmux("display-message", "-p", what).strip()

    def screen(self, *flags):
        text = self.tmux("capture-pane", "-p", *flags)
        return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n") + "\n"

    def wait_for(self, *patterns):
        """Waits until all are on the screen, which it returns."""
        def shown():
            screen = self.screen()
            if all(re.search(pattern, screen, re.M) for pattern in patterns):
                return screen
            self.test.assertNotRegex(screen, r"(?m)^ended with ")
            return None
        return until(shown, lambda: f"{patterns} in\n{self.screen()}")

    def wait_for_file(self, name):
        """Waits until the screen is as in that file."""
        path = os.path.join(SCREENS, name)
        if UPDATE:
            # Whatever is to be seen is there when the screen has stood still for a while.
            before = None
            while before != (before := self.screen()) or not before.strip():
                time.sleep(0.5)
            with open(path, "w", encoding="utf-8") as file:
                file.write(before)
        with open(path, encoding="utf-8") as file:
            expected = file.read()
        until(lambda: self.screen() == expected, lambda: f"{name}:\n{expected}\n{self.screen()}")

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def program(self):
        return harness.children(self.shell)[0]

    def wait_end(self, status=0):
        """Waits until the program has ended; returns what is on the screen."""
        screen = self.wait_for(r"^ended with \d+$")
        self.test.assertIn(f"ended with {status}\n", screen)
        return screen

    def close(self):
        """Ends the program before its terminal, so that it has time to report leaks."""
        if harness.is_running(self.shell):
            for pid in harness.children(self.shell):
                os.kill(pid, signal.SIGTERM)
            self.wait_for("^ended with ")
        self.hang_up()

    def hang_up(self):
        """Takes the terminal away."""
        pids = [self.server, self.shell, *harness.children(self.shell)]
        if harness.is_running(self.server):
            self.tmux("kill-server")
        for pid in pids:
            until(lambda pid=pid: not harness.is_running(pid), lambda pid=pid: harness.describe(pid))


class Screens(harness.MountTest):
    def compare(self, mount, columns, rows, locale=UTF8):
        kind = "utf8" if locale == UTF8 else "ascii"
        terminal = Terminal(self, *STILL, mount, columns=columns, rows=rows, locale=locale)
        terminal.wait_for_file(f"{mount}-{columns}x{rows}-{kind}.txt")
        return terminal

    def test_mounts(self):
        for mount in sorted(os.listdir(MOUNTS)):
            with self.subTest(mount=mount):
                self.compare(mount, 80, 24)

    def test_ascii(self):
        for mount in ("balancing", "pack"):
            with self.subTest(mount=mount):
                terminal = self.compare(mount, 80, 24, locale=ASCII)
                self.assertTrue(terminal.screen().isascii())

    def test_sizes(self):
        for columns, rows in ((120, 40), (40, 12), (20, 5)):
            for mount in ("master", "balancing"):
                with self.subTest(mount=mount, columns=columns, rows=rows):
                    self.compare(mount, columns, rows)

    def test_no_mount(self):
        terminal = Terminal(self, *STILL, "none")
        terminal.wait_for(r"^bmsfs-top   no data +none$", "^none: no bmsfs is mounted there$",
                          "^SoC -- %$", "^-- V   -- A   -- W$")

    def test_resize(self):
        terminal = self.compare("pack", 80, 24)
        for columns, rows in ((1, 1), (40, 12), (3, 2), (10, 3), (500, 200), (2, 60), (60, 2)):
            terminal.resize(columns, rows)
            # It is alive and has seen the size; nothing can be written into the last corner.
            if rows > 1:
                terminal.wait_for("^b" if columns < 10 else "^bms0")
        for columns, rows in ((40, 12), (80, 24)):
            terminal.resize(columns, rows)
            terminal.wait_for_file(f"pack-{columns}x{rows}-utf8.txt")

    def test_colours(self):
        coloured = re.compile(r"\x1b\[[\d;]*3[0-7]")
        for wanted, more in ((True, {}), (True, {"NO_COLOR": ""}), (False, {"NO_COLOR": "1"}),
                             (False, {"TERM": "vt100"})):
            with self.subTest(more=more):
                terminal = Terminal(self, *STILL, "balancing", **more)
                terminal.wait_for_file("balancing-80x24-utf8.txt")
                screen = terminal.screen("-e")
                self.assertEqual(bool(coloured.search(screen)), wanted)
                self.assertIn("\x1b[1m", screen)


class Keys(harness.MountTest):
    def test_sort(self):
        terminal = Terminal(self, *STILL, "master")
        terminal.wait_for_file("master-80x24-utf8.txt")
        terminal.press("s")
        terminal.wait_for_file("master-sorted.txt")
        terminal.press("s")
        terminal.wait_for_file("master-80x24-utf8.txt")

    def test_units(self):
        terminal = Terminal(self, *STILL, "master")
        for keys, unit in (((), 1), (("u",), 2), (("Right",), 3), (("u",), 1), (("Left",), 3),
                           (("Left", "Left"), 1)):
            terminal.press(*keys, "x")  # of which x means nothing
            terminal.wait_for(f"^unit {unit} of 3, address {unit} ")
        terminal.press("u")
        terminal.wait_for_file("master-unit-2.txt")

    def test_read_now(self):
        mount = shutil.copytree(os.path.join(MOUNTS, "pack"), os.path.join(self.folder, "bms"))
        terminal = Terminal(self, *STILL, mount)
        terminal.wait_for("^46.79 V ", "no error")
        with open(os.path.join(MOUNTS, "balancing/snapshot.json"), encoding="utf-8") as other:
            text = other.read()
        with open(os.path.join(mount, "snapshot.json"), "w", encoding="utf-8") as file:
            file.write(text)
        terminal.press("Space")
        terminal.wait_for("^26.80 V ", "^error 3: ")

    def test_redraw(self):
        terminal = Terminal(self, *STILL, "pack")
        terminal.wait_for_file("pack-80x24-utf8.txt")
        with open(terminal.ask("#{pane_tty}"), "wb", buffering=0) as tty:
            tty.write(b"\x1b[5;5Hkernel: something happened")
        terminal.wait_for("kernel: something happened")
        terminal.press("C-l")
        terminal.wait_for_file("pack-80x24-utf8.txt")

    def test_quit(self):
        for key in ("q", "Q", "C-c"):
            with self.subTest(key=key):
                terminal = Terminal(self, *STILL, "pack")
                terminal.wait_for("q quit")
                terminal.press(key)
                terminal.wait_end()

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                terminal = Terminal(self, *STILL, "pack")
                terminal.wait_for("q quit")
                os.kill(terminal.program, number)
                terminal.wait_end()

    def test_terminal_is_gone(self):
        # The search for leaks stops itself for a while, and never ends if a hang-up undoes that.
        terminal = Terminal(self, *STILL, "pack", ASAN_OPTIONS="detect_leaks=0")
        terminal.wait_for("q quit")
        terminal.hang_up()


class Program(harness.MountTest):
    def top(self, *arguments, status=0, locale=ASCII, **more):
        done = subprocess.run([TOP, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, encoding="utf-8", timeout=harness.PATIENCE, cwd=MOUNTS,
                              check=False, env={**self.environment, "LC_ALL": locale, **more})
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done.stdout, done.stderr

    def test_help_and_version(self):
        for flag in ("-h", "--help"):
            shown, said = self.top(flag)
            self.assertTrue(shown.startswith("bmsfs-top [OPTIONS] [MOUNTPOINT]\n"))
            self.assertEqual(said, "")
        for flag in ("-V", "--version"):
            self.assertRegex(self.top(flag)[0], r"^bmsfs-top \d+\.\d+\.\d+\n$")

    def test_wrong_usage(self):
        for arguments, reason in ((("-x",), "invalid option"), (("--delay",), "requires"),
                                  (("-d", "0", "pack"), "0: is no delay from 0.1 to 60 seconds"),
                                  (("-d", "61"), "is no delay"), (("-d", "nan"), "is no delay"),
                                  (("-d", "1x"), "is no delay"), (("-d", ""), "is no delay"),
                                  (("pack", "master"), "only one MOUNTPOINT")):
            with self.subTest(arguments=arguments):
                shown, said = self.top(*arguments, status=2)
                self.assertEqual(shown, "")
                self.assertIn(reason, said)

    def test_once(self):
        for mount, locale in (("pack", ASCII), ("master", UTF8), ("silent", UTF8)):
            with self.subTest(mount=mount):
                shown, said = self.top("--once", mount, locale=locale,
                                       status=int(mount == "silent"))
                self.assertEqual(said, "")
                path = os.path.join(SCREENS, f"{mount}-once.txt")
                if UPDATE:
                    with open(path, "w", encoding="utf-8") as file:
                        file.write(shown)
                with open(path, encoding="utf-8") as file:
                    self.assertEqual(shown, file.read())

    def test_once_without_a_mount(self):
        self.assertEqual(self.top("-1", "none", status=1),
                         ("", "bmsfs-top: none: no bmsfs is mounted there\n"))
        self.assertEqual(self.top("-1", "junk", status=1),
                         ("", "bmsfs-top: snapshot.json is not what bmsfs writes\n"))

    def test_once_into_the_void(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([TOP, "-1", "pack"], stdout=full, timeout=harness.PATIENCE,
                                  cwd=MOUNTS, check=False, env=self.environment)
        self.assertEqual(done.returncode, 1)

    def test_once_with_files_closed(self):
        """Which a file of its own must not replace."""
        with open(os.path.join(SCREENS, "pack-once.txt"), encoding="utf-8") as file:
            expected = file.read()
        done = subprocess.run(["sh", "-c", '"$0" -1 pack <&- 2>&-', TOP], capture_output=True,
                              text=True, timeout=harness.PATIENCE, cwd=MOUNTS, check=False,
                              env={**self.environment, "LC_ALL": ASCII})
        self.assertEqual((done.stdout, done.returncode), (expected, 0))

    def test_no_terminal(self):
        self.assertEqual(self.top("pack", status=1),
                         ("", "bmsfs-top: this is no terminal: try --once\n"))
        for term in ("dumb", "no-such-terminal"):
            with self.subTest(term=term):
                terminal = Terminal(self, "pack", TERM=term)
                self.assertRegex(terminal.wait_end(status=1),
                                 rf"^bmsfs-top: .*\(TERM={term}\): try --once\n")

    def test_readme(self):
        """The screen of README.md is one of those that are compared here, but for its past."""
        with open(README, encoding="utf-8") as file:
            shown = re.search(r"^```text\n(bms0 .*?)^```$", file.read(), re.M | re.S)[1]
        with open(os.path.join(SCREENS, "balancing-80x24-utf8.txt"), encoding="utf-8") as file:
            expected = file.read().replace("balancing\n", " /mnt/bms\n", 1)
        expected = re.sub(r"\n\n+", "\n\n", expected.replace("every 60 s", "every 2 s"))
        past = r"(?m)^current .*$"
        self.assertEqual(re.sub(past, "current", shown), re.sub(past, "current", expected))


class Live(harness.MountTest):
    NUMBERS = (r"^bms0   online ", r"^SoC \d", r"^\d+\.\d\d V   [-+]\d")
    NOTHING = (r"^SoC -- %$", r"^-- V   -- A   -- W$")

    def setUp(self):
        super().setUp()
        reason = harness.no_fuse()
        if reason:
            self.skipTest(reason)

    def mount_sim(self):
        """A simulator on a pty, a mount of it, and that in a terminal."""
        self.tty = os.path.join(self.folder, "tty")
        self.start_sim()
        mount = self.mount(self.tty, *QUICK)
        mount.expects("nobody answers", "is gone", "no such device", "adapter", "no answer")
        terminal = Terminal(self, *LIVE, mount.place)
        terminal.wait_for(*self.NUMBERS, r"^14 \d\.\d{4} ")
        return mount, terminal

    def start_sim(self):
        self.sim = harness.Simulator(self, "--pty", self.tty)
        self.addCleanup(self.stop_sim)

    def stop_sim(self):
        sim, self.sim = self.sim, None
        if sim:
            sim.stop()

    def test_values(self):
        mount, terminal = self.mount_sim()
        screen = terminal.screen()
        shown = float(re.search(r"^SoC (\S+) %", screen, re.M)[1])
        self.assertAlmostEqual(shown, float(mount.read("SOC")), delta=2)
        terminal.wait_for(r"^current \S.*\d A in ")
        # The next reading asks the BMS again.
        requests = re.search(r"^(\d+) requests", screen, re.M)[1]
        terminal.wait_for(rf"^(?!{requests} )\d+ requests")

    def test_silence(self):
        _, terminal = self.mount_sim()
        self.assertEqual(self.sim.command("silence on"), "ok")
        screen = terminal.wait_for("^bms0   silent", "^no answer: ETIMEDOUT$", "^nobody answers at",
                                   *self.NOTHING)
        self.assertNotIn("online", screen)
        self.assertEqual(self.sim.command("silence off"), "ok")
        screen = terminal.wait_for(*self.NUMBERS)
        self.assertNotIn("no answer", screen)

    def test_unplugged(self):
        _, terminal = self.mount_sim()
        self.stop_sim()
        terminal.wait_for("^bms0   absent", "^no answer: ENODEV$", *self.NOTHING)
        self.start_sim()
        terminal.wait_for(*self.NUMBERS)

    def test_mount_ends(self):
        mount, terminal = self.mount_sim()
        mount.unmount_when_free()
        mount.wait_end()
        terminal.wait_for("^bmsfs-top   no data", "no bmsfs is mounted there", *self.NOTHING)
        self.mount(self.tty, *QUICK, place=mount.place)
        terminal.wait_for(*self.NUMBERS)
        terminal.press("q")
        terminal.wait_end()

    def test_mount_dies(self):
        mount, terminal = self.mount_sim()
        os.kill(mount.keeper, signal.SIGKILL)
        os.kill(mount.server, signal.SIGKILL)
        mount.process.wait(harness.PATIENCE)
        os.waitpid(mount.server, 0)
        mount.said.close()
        mount.over = True
        terminal.wait_for("^bmsfs-top   no data", "the mount is dead: bmsfs has ended",
                          *self.NOTHING)
        self.mount(self.tty, *QUICK, place=mount.place).expects("replacing")
        terminal.wait_for(*self.NUMBERS)
        terminal.press("q")
        terminal.wait_end()

    def test_mount_hangs(self):
        """Others can break a mount so that reading it takes for ever. The keys do not mind."""
        mount, terminal = self.mount_sim()
        self.addCleanup(os.kill, mount.server, signal.SIGCONT)
        os.kill(mount.server, signal.SIGSTOP)
        terminal.wait_for(r"^waiting for an answer, \d+ s; these values are \d+ s old$")
        terminal.press("s")
        terminal.wait_for("s sort by number")
        terminal.resize(60, 20)
        terminal.wait_for("no answer for 10 s$", *self.NOTHING)
        os.kill(mount.server, signal.SIGCONT)
        terminal.wait_for(*self.NUMBERS)
        os.kill(mount.server, signal.SIGSTOP)
        terminal.wait_for("^waiting for an answer")
        readers = harness.children(terminal.program)
        self.assertTrue(readers)
        terminal.press("q")
        terminal.wait_end()
        os.kill(mount.server, signal.SIGCONT)
        for reader in readers:
            until(lambda pid=reader: not harness.is_running(pid), lambda: "a reader is left")

    def test_padding_is_not_shown(self):
        """Of the four numbers of an Active BMS one is a sensor; the rest look like cell voltages."""
        for options, temperatures in (((), 1), (("sensors=2",), 2)):
            mount = self.mount("sim:model=abms", *options)
            done = self.run_program(TOP, "--once", mount.place)
            line = re.search(r"^temperature (.*)   BMS ", done, re.M)[1]
            self.assertEqual(len(re.findall(r"-?\d+\.\d", line)), temperatures, line)

    def test_umount_is_not_busy_between_two_readings(self):
        for place in ("given", "."):
            with self.subTest(place=place):
                mount = self.mount("sim:", *QUICK)
                inside = mount.place if place == "." else None
                terminal = Terminal(self, *STILL, inside and "." or mount.place, inside=inside)
                terminal.wait_for(*self.NUMBERS)
                mount.unmount()
                mount.wait_end()
                terminal.press("Space")
                terminal.wait_for("no bmsfs is mounted there")
                terminal.press("q")
                terminal.wait_end()

    def check_hanging(self, call):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(call=call, signal=number):
                mount = harness.HangingMount(self, call)
                terminal = Terminal(self, *STILL, mount.place)
                mount.wait_for_caller()
                os.kill(terminal.program, number)
                terminal.wait_end()
                mount.stop()

    def test_sigterm_while_the_mount_hangs(self):
        for call in ("lookup", "open", "read"):
            self.check_hanging(call)

    def test_sigterm_while_the_mount_hangs_with_once(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                mount = harness.HangingMount(self, "read")
                with subprocess.Popen([TOP, "--once", mount.place], env=self.environment) as top:
                    mount.wait_for_caller()
                    top.send_signal(number)
                    self.assertEqual(top.wait(harness.PATIENCE), -number)
                mount.stop()

    def test_the_only_mount(self):
        """Without MOUNTPOINT; this machine may have others."""
        place = os.path.join(self.folder, "m")  # short enough to be shown
        os.mkdir(place)
        mount = self.mount("sim:", *QUICK, place=place)
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            places = {line.split()[1] for line in mounts if line.split()[2] == "fuse.bmsfs"}
        done = subprocess.run([TOP, "-1"], capture_output=True, text=True, check=False,
                              timeout=harness.PATIENCE, env=self.environment)
        if done.returncode == 0:
            self.assertRegex(done.stdout, rf"^bms0 .* {re.escape(mount.place)}\n")
        else:
            self.assertGreater(len(places), 1)
            self.assertEqual(done.stderr.splitlines()[0],
                             "bmsfs-top: several are mounted, name one of them:")
            self.assertIn(f"  {mount.place}\n", done.stderr)


if __name__ == "__main__":
    if UPDATE:
        sys.argv.remove("--update")
    if not shutil.which("tmux"):
        print("skipped: tmux is not installed")
        sys.exit(77)
    if sys.argv[1:] == ["Live"] and harness.no_fuse():
        print("skipped:", harness.no_fuse())
        sys.exit(77)
    harness.adopt_orphans()
    unittest.main(verbosity=2)
