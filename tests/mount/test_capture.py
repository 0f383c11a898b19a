#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What went over the line: shown by bus/trace, written by -o capture, played by --replay."""
import errno
import os
import re
import resource
import stat
import unittest

import harness

HELD = ["ttl=1000", "ttl_settings=1000"]  # each value is asked for once
COLUMNS = re.compile(r" *(\d+\.\d{6}) +(\d+|-) ([<>]) +(\d+\.\d{6}|-) ([a-z]+|-) +(\S.*\S) +"
                     r"((?:[0-9A-F]{2})+)")


def events(mount):
    """The lines of the trace as tuples: time, address, direction, took, outcome, meaning, bytes."""
    found = []
    for line in mount.read("bus/trace").splitlines():
        if not line.startswith("#"):
            match = COLUMNS.fullmatch(line)
            if not match:
                raise AssertionError(f"{line!r} is no line of a trace")
            found.append(match.groups())
    return found


def meanings(mount):
    """(direction, outcome, meaning) of each, in order."""
    return [(event[2], event[4], event[5]) for event in events(mount)]


class Trace(harness.MountTest):
    def test_columns(self):
        mount = self.mount("sim:", *HELD)
        mount.read("CAPA")
        self.assertEqual(mount.read("bus/trace").splitlines()[2].split(),
                         "# TIME ADDR DIR TOOK OUTCOME MEANING BYTES".split())
        found = events(mount)
        self.assertEqual([event[2] for event in found[:2]], [">", "<"])
        with open("/proc/uptime", encoding="ascii") as uptime:
            self.assertLessEqual(float(found[-1][0]), float(uptime.read().split()[0]) + 1)
        request, reply = found[-2:]
        self.assertEqual(request[1:3] + request[4:],
                         ("1", ">", "ok", "request: CAPA?", "55010005434150413F3BE0AA"))
        self.assertEqual(reply[1:3] + reply[4:],
                         ("1", "<", "-", "CAPA: 2.00000e2", "55000109322E303030303065325BCAAA"))
        self.assertGreaterEqual(float(request[3]), float(reply[3]))
        # Questions of the fence are requests as well.
        self.assertEqual([meaning for _, _, meaning in meanings(mount)[:2]],
                         ["fence: *IDN?", "identity: REC BMS 1Q VICTRON"])

    def test_asks_nothing_and_has_a_size(self):
        mount = self.mount("sim:", *HELD)
        mount.read("CAPA")
        before = mount.counters()
        fd = os.open(mount.path("bus/trace"), os.O_RDONLY)
        size = os.fstat(fd).st_size
        mount.read("BMIN")
        self.assertEqual(len(os.read(fd, 65536)), size)
        os.close(fd)
        self.assertNotIn("BMIN", str(before))
        self.assertEqual(mount.counters()["requests"], before["requests"] + 1)
        self.assertEqual(meanings(mount)[-2][2], "request: BMIN?")

    def test_the_last_256(self):
        mount = self.mount("sim:baud=0,turnaround=0", "ttl_settings=0")
        for _ in range(300):
            mount.read("CAPA")
        found = meanings(mount)
        self.assertEqual(len(found), 512)
        self.assertEqual(found[::2], [(">", "ok", "request: CAPA?")] * 256)

    def test_long_replies(self):
        mount = self.mount("sim:model=master,units=15,cells=16,baud=0,turnaround=0", "ttl=0")
        for _ in range(300):
            mount.read("CELL")
        found = meanings(mount)
        self.assertEqual([row for row in found if row[0] == ">"],
                         [(">", "ok", "request: CELL?")] * 256)
        self.assertEqual(len(found), 256 * 17)
        # The kernel asks again for a file this long.
        text = mount.raw("bus/trace")
        self.assertGreater(len(text), 500000)
        self.assertEqual(len(text), os.stat(mount.path("bus/trace")).st_size)
        self.assertEqual(self.run_program("tail", "-n", "1", mount.path("bus/trace")),
                         text.decode().splitlines()[-1] + "\n")

    def test_dead_link(self):
        bms, mount = self.mount_responder(*HELD)
        mount.read("CAPA")
        bms.fault("BMIN?", "lost")
        waiting = harness.Call(mount.read, "BMIN")
        bms.await_request("BMIN?")
        bms.hang_up()
        self.assertEqual(waiting.result(), errno.ENODEV)
        mount.expects("is gone", "no such device")
        for _ in range(2):
            found = meanings(mount)
            self.assertEqual(found[-1], (">", "lost", "request: BMIN?"))
            self.assertEqual(found[-3:-1], [(">", "ok", "request: CAPA?"),
                                            ("<", "-", "CAPA: 4.50000e2")])
        self.assert_errno(errno.ENODEV, mount.read, "BMIN")
        self.assertEqual(meanings(mount), found)

    def test_nothing_there(self):
        mount = self.mount(os.path.join(self.folder, "none"), "wait=0").expects("no such device")
        self.assertEqual(events(mount), [])

    def test_faults(self):
        bms, mount = self.mount_responder(*HELD)
        bms.fault("CAPA?", "corrupt", 1)
        self.assertEqual(mount.read("CAPA"), "450")
        bms.fault("BMIN?", "foreign", 1)
        self.assertEqual(mount.read("BMIN"), "3.95")
        bms.fault("BVOL?", "refuse")
        self.assert_errno(errno.EOPNOTSUPP, mount.read, "BVOL")
        found = meanings(mount)
        for row in ((">", "damaged", "request: CAPA?"), ("<", "-", "noise: 16 bytes"),
                    (">", "ok", "again: CAPA?"), (">", "foreign", "request: BMIN?"),
                    ("<", "-", "from another master: BVOL?"),
                    (">", "refused", "request: BVOL?"), ("<", "-", "BVOL: ERROR1")):
            self.assertIn(row, found)


class Capture(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.folder, "capture")

    def lines(self):
        with open(self.file, encoding="ascii") as file:
            return file.read().splitlines()

    def test_replay_of_faults(self):
        """A session with faults, captured and replayed, gives the same values and faults again."""
        names = "CELL LCD1 CAPA BMIN CMAX RINT IDN pack/soc cells/5/voltage".split()
        simulator = self.simulator(
            "--pty", os.path.join(self.folder, "tty"), "--seed", "3", "--fault", "corrupt=0.12",
            "--fault", "drop=0.05", "--fault", "garbage=0.1")
        patient = [*HELD, "tries=10", "deadline=60", "wait=0"]
        mount = self.mount(simulator.place, "capture=" + self.file, *patient)
        values = {name: mount.read(name) for name in names}
        faults = mount.counters()
        mount.finish()
        self.assertGreater(faults["timeouts"], 0)
        self.assertGreater(faults["broken_frames"], 0)
        replayed = os.path.join(self.folder, "replayed")
        player = self.simulator("--pty", os.path.join(self.folder, "tty2"), "--replay", self.file,
                                "--log", replayed)
        again = self.mount(player.place, *patient)
        self.assertEqual({name: again.read(name) for name in names}, values)
        self.assertGreater(again.counters()["timeouts"], 0)
        self.assertGreater(again.counters()["broken_frames"], 0)
        # The log of the player is a capture in its turn.
        third = self.simulator("--pty", os.path.join(self.folder, "tty3"), "--replay", replayed)
        mount = self.mount(third.place, *patient)
        self.assertEqual({name: mount.read(name) for name in names}, values)

    def test_file(self):
        for turn in range(1, 3):
            mount = self.mount("sim:", "capture=" + self.file)
            mount.read("CAPA")
            mount.finish()
            self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
            lines = self.lines()
            self.assertEqual(len([line for line in lines if line.startswith("# bmsfs ")]), turn)
            self.assertRegex(lines[-1], r"^\d+\.\d{6} = closed$")
            sent = [line.split()[2:] for line in lines if line.split()[1] == ">"]
            self.assertEqual(sent.count(["55010005434150413F3BE0AA", "CAPA?"]), turn)
            came = [line.split()[2:] for line in lines if line.split()[1] == "<"]
            self.assertEqual(came.count(["55000109322E303030303065325BCAAA", "2.00000e2"]), turn)

    def test_written_when_the_line_rests(self):
        mount = self.mount("sim:", "capture=" + self.file)
        mount.read("CAPA")
        # No more than one look at another file may be needed for the last reply to be there.
        mount.read("bus/state")
        for _ in range(1000):
            if self.lines()[-1].endswith(" 2.00000e2"):
                return
            os.stat(mount.path("CAPA"))
            mount.read("bus/state")
        self.fail(self.lines())

    def test_refused(self):
        place = os.path.join(self.folder, "place")
        pipe = os.path.join(self.folder, "pipe")
        os.mkdir(place)
        os.mkfifo(pipe)
        for path, reason in ((os.path.join(place, "capture"), "at or below MOUNTPOINT"),
                             (pipe, "not a regular file"), (self.folder, "not a regular file"),
                             ("/dev/full", "not a regular file"),
                             (os.path.join(self.folder, "none", "capture"), "No such file")):
            self.assertIn(reason, self.refused("-o", "capture=" + path, "sim:", place))
        self.assertIn("write capture=FILE", self.refused("-o", "capture", "sim:", place))
        for path, reason in ((pipe, "not a regular file"), ("/none", "No such file")):
            self.assertIn(reason, self.refused("sim:replay=" + path, place))

    def test_no_room(self):
        mount = self.mount("sim:", "capture=" + self.file, "ttl=0")
        resource.prlimit(mount.server, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        mount.expects("File too large: what follows is not captured|No space left on device")
        for _ in range(20):
            self.assertEqual(mount.read("CAPA"), "200")
        self.assertEqual(len(mount.said.find("is not captured")), 1)
        self.assertLessEqual(os.path.getsize(self.file), 1000)


if __name__ == "__main__":
    harness.main()
