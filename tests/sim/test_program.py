#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bmsfs-sim as other programs meet it: over a pty, TCP and a Unix socket."""
import errno
import fcntl
import grp
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import unittest

PROGRAM = sys.argv.pop(1)
PATIENCE = 20  # seconds until something that must come counts as missing

CAPA = bytes.fromhex("55010005434150413f3be0aa")
CAPA_450 = bytes.fromhex("55000109342e35303030306532fbb4aa")


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def frame(text, dst=1):
    body = bytes([dst, 0, len(text)]) + text.encode()
    return b"\x55" + body + crc16(body).to_bytes(2, "big") + b"\xaa"


class Simulator:
    """A running bmsfs-sim; it ends with its standard input."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [PROGRAM, "--control", *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        if len(ready) != 2 or ready[0] != "ready":
            raise AssertionError(f"said {ready}, not that it is ready")
        self.place = ready[1]

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


def read_until(fd, enough):
    """Reads until enough(bytes so far) or nothing comes any more."""
    got = b""
    while not enough(got):
        if not select.select([fd], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing more after {got.hex()}")
        part = os.read(fd, 4096)
        if not part:
            break
        got += part
    return got


def ask(fd, request, size):
    os.write(fd, request)
    return read_until(fd, lambda got: len(got) >= size)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, *args):
        simulator = Simulator(*args)
        self.addCleanup(lambda: simulator.process.poll() is None and simulator.stop())
        return simulator


class Pty(Folder):
    def open(self, link):
        return os.open(link, os.O_RDWR | os.O_NOCTTY)

    def test_answers_one_client_after_another(self):
        link = self.path("bms")
        simulator = self.start("--pty", link)
        self.assertEqual(simulator.place, link)
        self.assertTrue(os.readlink(link).startswith("/dev/pts/"))
        self.assertEqual(simulator.command("put CAPA 450"), "ok")
        for _ in range(3):
            fd = self.open(link)
            self.assertEqual(ask(fd, CAPA, 16), CAPA_450)
            os.close(fd)
        self.assertEqual(simulator.stop(), 0)
        self.assertFalse(os.path.lexists(link))

    def test_passes_all_bytes(self):
        link = self.path("bms")
        self.start("--pty", link, "--fault", "garbage=1")
        fd = self.open(link)
        mode = termios.tcgetattr(fd)
        self.assertEqual(mode[3] & (termios.ECHO | termios.ICANON | termios.ISIG), 0)
        self.assertEqual(mode[1] & termios.OPOST, 0)
        for _ in range(20):
            os.write(fd, frame("CELL?"))
            self.assertIn(b"\x55\x00\x01\x011\x84\x91\xaa",
                          read_until(fd, lambda got: got.endswith(b"\xaa") and len(got) > 71))
        os.close(fd)

    def test_exclusive_client_leaves_nothing_behind(self):
        link = self.path("bms")
        simulator = self.start("--pty", link)
        fd = self.open(link)
        fcntl.ioctl(fd, termios.TIOCEXCL)
        os.close(fd)
        # The answer shows that it has noticed.
        self.assertEqual(simulator.command("silence off"), "ok")
        # Only those without rights would be kept out, so look at the flag and not at open().
        fd = self.open(link)
        get_exclusive = 0x80045440
        flag = fcntl.ioctl(fd, get_exclusive, b"\0\0\0\0")
        self.assertEqual(flag, b"\0\0\0\0")
        os.close(fd)

    def test_client_that_left_its_answer_unread(self):
        link = self.path("bms")
        simulator = self.start("--pty", link, "--baud", "0", "--turnaround", "0")
        fd = self.open(link)
        os.write(fd, CAPA)
        self.assertTrue(select.select([fd], [], [], PATIENCE)[0])
        os.close(fd)
        simulator.command("put CAPA 450")
        fd = self.open(link)
        self.assertEqual(ask(fd, CAPA, 16), CAPA_450)
        os.close(fd)

    def test_hangup_makes_another_pty(self):
        link = self.path("bms")
        simulator = self.start("--pty", link)
        fd = self.open(link)
        self.assertEqual(simulator.command("hangup"), "ok")
        try:
            self.assertEqual(os.read(fd, 1), b"")
        except OSError as error:
            self.assertEqual(error.errno, errno.EIO)
        os.close(fd)
        fd = self.open(link)
        self.assertEqual(len(ask(fd, CAPA, 16)), 16)
        os.close(fd)

    def test_overwrites_no_file(self):
        for name, make in (
                ("file", lambda path: open(path, "w").close()),
                ("folder", os.mkdir),
                ("link", lambda path: os.symlink("/dev/null", path))):
            path = self.path(name)
            make(path)
            result = subprocess.run([PROGRAM, "--pty", path], capture_output=True, text=True)
            self.assertEqual(result.returncode, 1)
            self.assertIn(path, result.stderr)
            self.assertTrue(os.path.lexists(path))

    def test_overwrites_a_dangling_link(self):
        link = self.path("bms")
        os.symlink("/nowhere", link)
        self.start("--pty", link)
        self.assertTrue(os.readlink(link).startswith("/dev/pts/"))

    def test_ends_on_signals(self):
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM):
            link = self.path("bms")
            simulator = self.start("--pty", link)
            simulator.process.send_signal(number)
            self.assertEqual(simulator.process.wait(PATIENCE), 0)
            self.assertFalse(os.path.lexists(link))
            simulator.stop()

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files to any group")
    def test_group(self):
        """As udev gives serial ports to a group, so that a daemon without rights can open it."""
        link = self.path("bms")
        for arguments, group in ((), "dialout"), (("--group", "daemon"), "daemon"):
            for kind in "--pty", "--unix":
                simulator = self.start(kind, link, *arguments)
                status = os.stat(link)
                self.assertEqual((status.st_mode & 0o777, status.st_uid), (0o660, 0))
                self.assertEqual(grp.getgrgid(status.st_gid).gr_name, group)
                if kind == "--pty":
                    self.assertEqual(simulator.command("hangup"), "ok")
                    self.assertEqual(os.stat(link).st_gid, status.st_gid)
                simulator.stop()
        result = subprocess.run([PROGRAM, "--pty", link, "--group", "nothing"], check=False,
                                capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("--group nothing: there is no such group", result.stderr)
        self.assertFalse(os.path.lexists(link))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_group_of_others_is_no_error_unless_given(self):
        # The build folder may be closed to others.
        program = shutil.copy2(PROGRAM, self.path("bmsfs-sim"))
        os.chmod(os.path.dirname(program), 0o777)
        for arguments, status in ((), 0), (("--group", "dialout"), 1):
            process = subprocess.Popen(
                [program, "--control", "--pty", self.path("bms"), *arguments], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                user=65534, group=65534, extra_groups=[])
            said = process.stdout.readline()
            process.stdin.close()
            self.assertEqual(process.wait(PATIENCE), status)
            self.assertEqual(said[:5], "" if status else "ready")
            process.stdout.close()

    def test_log(self):
        link, log = self.path("bms"), self.path("log")
        simulator = self.start("--pty", link, "--log", log)
        simulator.command("put CAPA 450")
        fd = self.open(link)
        ask(fd, CAPA, 16)
        ask(fd, frame("CELL?"), 71)
        os.close(fd)
        with open(log, encoding="ascii") as file:
            rows = [line.rstrip("\n").split(" ", 3) for line in file]
        self.assertEqual([row[1] for row in rows], [">", "<", ">", "<", "<"])
        self.assertEqual([row[3] for row in rows],
                         ["CAPA?", "4.50000e2", "CELL?", "1", "56 bytes"])
        self.assertEqual(bytes.fromhex(rows[0][2]), CAPA)
        self.assertEqual(bytes.fromhex(rows[1][2]), CAPA_450)
        for row in rows:
            self.assertRegex(row[0], r"^[0-9]+\.[0-9]{6}$")
        self.assertEqual(sorted(rows, key=lambda row: float(row[0])), rows)


class Sockets(Folder):
    def connect(self, simulator):
        if ":" in simulator.place:
            host, port = simulator.place.split(":")
            return socket.create_connection((host, int(port)), PATIENCE)
        client = socket.socket(socket.AF_UNIX)
        client.connect(simulator.place)
        return client

    def exercise(self, *args):
        simulator = self.start(*args)
        simulator.command("put CAPA 450")
        for _ in range(3):
            with self.connect(simulator) as client:
                self.assertEqual(ask(client.fileno(), CAPA, 16), CAPA_450)
        # The second of two waits until the first has gone.
        with self.connect(simulator) as second_later:
            self.assertEqual(ask(second_later.fileno(), CAPA, 16), CAPA_450)
            second = self.connect(simulator)
            os.write(second.fileno(), CAPA)
            self.assertEqual(ask(second_later.fileno(), CAPA, 16), CAPA_450)
        self.assertEqual(read_until(second.fileno(), lambda got: len(got) >= 16), CAPA_450)
        self.assertEqual(simulator.command("hangup"), "ok")
        self.assertEqual(second.recv(1), b"")
        second.close()
        return simulator

    def test_tcp(self):
        simulator = self.exercise("--tcp", "0")
        self.assertRegex(simulator.place, r"^127\.0\.0\.1:[0-9]+$")

    def test_unix(self):
        path = self.path("socket")
        simulator = self.exercise("--unix", path)
        self.assertEqual(simulator.stop(), 0)
        self.assertFalse(os.path.lexists(path))

    def test_unix_takes_over_what_a_dead_one_left(self):
        path = self.path("socket")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        simulator = self.start("--unix", path)
        result = subprocess.run([PROGRAM, "--unix", path], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("in use", result.stderr)
        with self.connect(simulator) as client:
            self.assertEqual(len(ask(client.fileno(), CAPA, 16)), 16)


class Control(Folder):
    def test_commands(self):
        simulator = self.start("--unix", self.path("socket"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(simulator.place)
            fd = client.fileno()
            self.assertEqual(simulator.command("put SOCS 0.4"), "ok")
            self.assertTrue(ask(fd, frame("SOCS?"), 17)[4:-3].startswith(b"4.00"))
            self.assertEqual(simulator.command("exchange REC BMS 1Q OTHER"), "ok")
            self.assertEqual(ask(fd, frame("*IDN?"), 23)[4:-3], b"REC BMS 1Q OTHER")
            self.assertEqual(simulator.command("fault error=1"), "ok")
            self.assertEqual(ask(fd, frame("CMAX 3.6"), 13)[4:-3], b"ERROR1")
            self.assertEqual(simulator.command("fault error=0"), "ok")
            self.assertEqual(simulator.command("silence on"), "ok")
            os.write(fd, frame("CMAX 3.6"))
            # It looks at its client before it looks at commands, so this one is not heard.
            self.assertEqual(simulator.command("silence off"), "ok")
            self.assertEqual(ask(fd, frame("CMAX?"), 16)[4:-3], b"3.85000e0")

    def test_refusals(self):
        simulator = self.start("--unix", self.path("socket"))
        for line in ("", "nonsense", "fault", "fault drop", "fault drop=2", "fault flood=1",
                     "put", "put CMAX", "put CMAX x", "put XXXX 1", "exchange", "silence",
                     "silence maybe", "hangup now"):
            self.assertRegex(simulator.command(line), "^error: ")


    def answers(self, simulator, line, last="ok"):
        """The lines up to that one."""
        found = [simulator.command(line)]
        while found[-1] != last:
            found.append(simulator.process.stdout.readline().strip())
        return found

    def test_control_explains_itself(self):
        simulator = self.start("--unix", self.path("socket"))
        text = "\n".join(self.answers(simulator, "help"))
        for word in ("fault KIND=RATE", "put MNEMONIC NUMBER", "exchange IDENTITY",
                     "silence on|off", "hangup", "help", "KIND is drop, corrupt, delay, late"):
            self.assertIn(word, text)
        for error in (1, 2, 3, 4, 5, 7):
            self.assertRegex(text, rf"(?m)^put [A-Z]+ -?\d+ +error {error} after \d+ s: ")

    def test_control_names_the_reason_of_a_refusal(self):
        simulator = self.start("--unix", self.path("socket"))
        for line, reason in {
                "put ERRO 3": "ERRO: the simulator makes it from the battery; put RAZL 0 "
                              "provokes error 3 after 5 s",
                "put ERRO 9": "ERRO: the simulator makes it from the battery; help lists the "
                              "errors that can be provoked",
                "put LCD1 1": "LCD1: the simulator makes it from the battery",
                "put SWVR 1": "SWVR: the simulator makes it from the battery",
                "put XXXX 1": "XXXX: this model has no such instruction",
                "put STRN 1": "STRN: this model has no such instruction",
                "put CMAX 3,8": "3,8: not a number; write digits and a point, as in 3.8",
                "put CMAX": "the command is: put MNEMONIC NUMBER",
                "fault drop=2": "2: outside 0 to 1, the share of replies",
                "fault flood=1": "flood: not a fault; help lists the faults",
                "fault drop": "the command is: fault KIND=RATE",
                "silence": "the command is: silence on|off",
                "exchange": "the command is: exchange IDENTITY",
                "hangup now": "the command is: hangup",
                "flood": "flood: not a command; help lists them"}.items():
            self.assertEqual(simulator.command(line), "error: " + reason)

    def test_faults_cannot_be_added_to_a_capture(self):
        capture = self.path("capture")
        with open(capture, "w", encoding="ascii") as file:
            file.write("1.0 > 55010005434150413F3BE0AA\n1.1 < "
                       "55000109342E35303030306532FBB4AA\n")
        simulator = self.start("--unix", self.path("socket"), "--replay", capture)
        self.assertEqual(simulator.command("fault drop=1"),
                         "error: a capture is played, to which no fault can be added")


class Options(Folder):
    def run_program(self, *args):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=PATIENCE)

    def test_help_and_version(self):
        for option in ("--help", "--version"):
            result = self.run_program(option)
            self.assertEqual(result.returncode, 0)
            self.assertIn("bmsfs-sim", result.stdout)

    def test_refusals(self):
        path = self.path("bms")
        for args, word in (
                ((), "--pty"),
                (("--pty", path, "--tcp", "0"), "only one"),
                (("--pty", path, "extra"), "extra"),
                (("--pty", path, "--nonsense"), "nonsense"),
                (("--pty", path, "--baud", "fast"), "baud"),
                (("--pty", path, "--fault", "baud=3"), "KIND=RATE"),
                (("--pty", path, "--fault", "drop"), "KIND=RATE"),
                (("--pty", path, "--fault", "drop=2"), "0 to 1"),
                (("--pty", path, "--instructions", self.path("none")), "none")):
            result = self.run_program(*args)
            self.assertEqual(result.returncode, 2, args)
            self.assertIn(word, result.stderr)
            self.assertFalse(os.path.lexists(path))
        for args, word in (
                (("--tcp", "70000"), "65535"),
                (("--unix", "/" + "x" * 200), "characters"),
                (("--pty", path, "--model", "3q"), "3q"),
                (("--pty", path, "--units", "2"), "units")):
            result = self.run_program(*args)
            self.assertEqual(result.returncode, 1, args)
            self.assertIn(word, result.stderr)

    def test_own_instructions(self):
        table = self.path("own.ini")
        with open(table, "w", encoding="ascii") as file:
            file.write("[XONE]\nname = one\ncategory = mine\ntype = int\n")
        simulator = self.start("--unix", self.path("socket"), "--instructions", table)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(simulator.place)
            self.assertEqual(ask(client.fileno(), frame("XONE?"), 8)[4:-3], b"0")


if __name__ == "__main__":
    unittest.main()
