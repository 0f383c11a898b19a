#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Several BMSs on one pair of wires: each has a tree of its own, and none speaks for another."""
import errno
import os
import random
import re
import time

import harness
import responder as wire
from harness import Call

LIVE = ["SOC", "pack/voltage", "units/1/cells/3/voltage"]


def numbers(text):
    return [float(line) for line in text.splitlines()]


class Addresses(harness.MountTest):
    def test_listing(self):
        """What one BMS shows at the root, each of several shows in its directory."""
        one = self.mount("sim:")
        two = self.mount("sim:address=1,2")
        self.assertEqual(sorted(os.listdir(two.place)), ["1", "2"])
        wanted = self.files(one.place)
        self.assertGreater(len(wanted), 100)
        self.assertEqual(self.files(two.path("1")),
                         [name.replace("bms0", "bms1") for name in wanted])

    @staticmethod
    def files(place):
        found = []
        for folder, folders, names in os.walk(place):
            found += [os.path.relpath(os.path.join(folder, name), place)
                      for name in folders + names]
        return sorted(found)

    def test_inodes(self):
        mount = self.mount("sim:address=1,2,16")
        seen = {}
        for folder, folders, names in os.walk(mount.place):
            for name in folders + names:
                path = os.path.join(folder, name)
                if not path.endswith(("SOC", "soc", "SOH", "soh")):
                    stat = os.lstat(path)
                    self.assertNotIn(stat.st_ino, seen, (path, seen.get(stat.st_ino)))
                    seen[stat.st_ino] = path
        self.assertEqual(os.stat(mount.path("2/..")).st_ino, os.stat(mount.place).st_ino)
        self.assertEqual(os.stat(mount.path("2/pack/..")).st_ino, os.stat(mount.path("2")).st_ino)
        self.assertEqual(os.stat(mount.path("2/SOC")).st_ino,
                         os.stat(mount.path("2/pack/soc")).st_ino)
        self.assertEqual(os.listxattr(mount.place), [])
        self.assert_errno(errno.ENODATA, os.getxattr, mount.place, "user.bms.name")
        self.assertIn("user.bms.unit", os.listxattr(mount.path("16/CMAX")))
        self.assert_errno(errno.EPERM, os.chmod, mount.place, 0o700)
        self.assert_errno(errno.ENOENT, os.stat, mount.path("3"))
        self.assert_errno(errno.ENOENT, os.stat, mount.path("SOC"))
        self.assert_errno(errno.EPERM, os.mkdir, mount.path("3"))

    def test_names(self):
        """Readers that gather all batteries can tell them apart."""
        mount = self.mount("sim:address=1,2", "name=house")
        self.assertEqual(os.listdir(mount.path("2/class/power_supply")), ["house2"])
        self.assertIn("POWER_SUPPLY_NAME=house1\n",
                      mount.raw("1/class/power_supply/house1/uevent").decode())
        series = set()
        for address in "12":
            for line in mount.read(f"{address}/metrics/bmsfs.prom").splitlines():
                if not line.startswith("#"):
                    name = line.rpartition(" ")[0]
                    self.assertNotIn(name, series)
                    series.add(name)
                    if not name.startswith("bmsfs_"):
                        self.assertIn(f'{{address="{address}"', name)
        self.assertIn('bms_cell_voltage_volts{address="2",unit="1",cell="3"}', series)
        self.assertIn('bms_setting_cmax_volts{address="1"}', series)

    def test_each_has_its_own(self):
        mount = self.mount("sim:address=1,2").expects("")
        self.assertNotEqual(mount.read("1/CELL"), mount.read("2/CELL"))
        mount.write("2/CMAX", "3.7\n")
        self.assertEqual(mount.read("2/CMAX"), "3.7")
        self.assertEqual(mount.read("1/CMAX"), "3.85")
        self.assertTrue(mount.said.wait_for(r"set 2/CMAX 3\.85 -> 3\.7$"))
        self.assert_errno(errno.ERANGE, mount.write, "2/CMAX", "37\n")
        self.assertEqual(mount.last_error("1/"), "2/CMAX: 37 is outside 2 to 4.3 V")
        self.assert_errno(errno.EINVAL, mount.write, "1/CMAX", "3.4\n")
        self.assertRegex(mount.last_error("2/"), "^1/CMAX: 3.4 is refused")

    def test_bad_line(self):
        """Whatever is lost, late or broken, the setting of one is never that of the other."""
        simulator = self.simulator("--pty", os.path.join(self.folder, "tty"), "--address", "1,2",
                                   "--baud", "0", "--turnaround", "1")
        settings = {"BVOL": (3.5, 3.58), "CMAX": (3.9, 3.85), "CAPA": (300, 200),
                    "TMAX": (50, 55), "CMIN": (2.5, 2.8)}
        for name, (first, _) in settings.items():
            self.assertEqual(simulator.command(f"put {name} {first}"), "ok")
        mount = self.mount(simulator.place, "address=1,2", "timeout=0.05").expects("")
        for kind, rate in (("drop", 0.1), ("late", 0.1), ("corrupt", 0.1), ("garbage", 0.05)):
            self.assertEqual(simulator.command(f"fault {kind}={rate}"), "ok")
        draw = random.Random(3)
        right = 0
        while right < 8:
            address = draw.choice((0, 1))
            name = draw.choice(list(settings))
            try:
                value = float(mount.read(f"{address + 1}/{name}", os.O_DIRECT))
            except OSError as error:
                self.assertIn(error.errno, (errno.ETIMEDOUT, errno.EIO))
                continue
            self.assertEqual(value, settings[name][address], (name, address + 1))
            right += 1

    def test_one_is_silent(self):
        """It costs the others no more than its own questions, and shows nothing."""
        simulator = self.simulator("--pty", os.path.join(self.folder, "tty"), "--address", "1")
        mount = self.mount(simulator.place, "address=1,2").expects("")
        silent = [Call(mount.raw, f"2/{name}") for name in ("SOC", "CMAX", "CELL", "TMAX")]
        for name in LIVE:
            self.assertTrue(numbers(mount.read(f"1/{name}", os.O_DIRECT)))
        for call in silent:
            self.assertEqual(call.result(), errno.ETIMEDOUT)
        self.assertEqual(mount.read("1/bus/state"), "online")
        self.assertEqual(mount.read("2/bus/state"), "silent")
        self.assertEqual(mount.read("1/class/power_supply/bms1/present"), "1")
        self.assertEqual(mount.read("2/class/power_supply/bms2/present"), "0")
        self.assertIn('bms_up{address="2"} 0', mount.read("2/metrics/bmsfs.prom"))
        self.assertIn('bms_up{address="1"} 1', mount.read("1/metrics/bmsfs.prom"))
        before = mount.read("1/bus/counters").splitlines()[0]
        self.assert_errno(errno.ETIMEDOUT, mount.raw, "2/BMIN")
        self.assertEqual(mount.read("1/bus/counters").splitlines()[0], before,
                         "that nobody answers is known for a while")

    def test_master_among_others(self):
        """Its units answer with addresses that may be others': nothing of theirs is believed."""
        mount = self.mount("sim:model=master,units=3,address=2,16").expects("")
        self.assertTrue(mount.read("16/SOC"))
        self.assert_errno(errno.EIO, mount.raw, "16/CELL")
        self.assertIn("mount it without other addresses", mount.last_error("16/"))
        self.assertTrue(mount.read("2/SOC"))

    def test_link_comes_back(self):
        """Who asks one of them brings back all, and what went is told once."""
        line = ("--pty", os.path.join(self.folder, "tty"), "--address", "1,2")
        simulator = self.simulator(*line)
        mount = self.mount(simulator.place, "address=1,2", "ttl=0").expects("is gone|no such dev|is online at")
        self.assertTrue(mount.read("2/SOC"))
        simulator.stop()
        self.assert_errno(errno.ENODEV, mount.raw, "1/SOC")
        self.simulator(*line)
        self.await_success(mount.raw, "1/SOC")
        self.assertTrue(mount.said.wait_for("is online at address 2"))
        self.assertEqual(mount.read("2/bus/state"), "online")
        self.await_success(os.listdir, mount.path("2/units/1"))
        self.assertEqual(len(mount.said.find("is gone")), 1)
        self.assertLessEqual(len(mount.said.find("no such device")), 1)

    def await_success(self, function, argument):
        end = time.monotonic() + harness.PATIENCE
        while time.monotonic() < end:
            try:
                return function(argument)
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"{argument} does not come back")

    def test_silent_delays_once(self):
        """The others wait for one question to the silent one, not for all that find out."""
        simulator = self.simulator("--pty", os.path.join(self.folder, "tty"), "--address", "1")
        mount = self.mount(simulator.place, "address=1,2", "ttl=0", "deadline=3",
                           "timeout=1.5").expects("")
        silent = [Call(mount.raw, f"2/{name}") for name in ("SOC", "CMAX", "CELL", "TMAX")]
        for _ in range(3):
            self.assertTrue(mount.read("1/SOC"))
        for call in silent:
            self.assertEqual(call.result(), errno.ETIMEDOUT)

    def test_refused(self):
        for option, words in (("address=1,2,1", "there twice"), ("address=1,200", "1 to 127"),
                              ("address=1,x", "x: unknown option")):
            self.assertIn(words, self.refused("-o", option, "sim:", self.folder, status=2))


class Pair(wire.Responder):
    """Another BMS is at address 2."""

    def _receive(self, fd):
        self.buffer += self.door.read(fd)
        for raw in wire.take_frames(self.buffer):
            if raw[1:3] == bytes([2, 0]):
                self.pending.append((0, wire.frame("ACTIVE", 0, 2)))
            elif raw[1:3] == bytes([self.address, 0]):
                self._serve(wire.Request(raw))


class Elsewhere(harness.MountTest):
    """A BMS at the factory address of another model, and a mount that names no address."""

    @staticmethod
    def asked(mount):
        """How often each address was asked."""
        counts = {}
        for line in mount.read("bus/trace").splitlines():
            words = line.split()
            if words[0] != "#" and words[2] == ">":
                counts[int(words[1])] = counts.get(int(words[1]), 0) + 1
        return counts

    def silent_mount(self, model, *options):
        link = os.path.join(self.folder, model)
        simulator = self.simulator("--pty", link, "--model", model)
        mount = self.mount(link, *options).expects("nobody answers at address")
        self.assertTrue(mount.said.wait_for("nobody answers"))
        return simulator, mount

    def test_model_auto_names_what_answers_at_the_factory_address_of_another_model(self):
        for model, identity, address in (("abms", "ACTIVE", 2), ("master", "REC BMS MASTER", 16)):
            with self.subTest(model=model):
                _, mount = self.silent_mount(model, "wait=60", "ttl=0")
                sentence = (f"nobody answers at address 1, but {identity} answers at address "
                            f"{address}: add -o address={address}")
                self.assertEqual(len(mount.said.find(re.escape(sentence) + "$")), 1)
                # The address is the user's: nothing of the other BMS is shown.
                self.assert_errno(errno.ETIMEDOUT, mount.read, "SOC")
                self.assertIn(sentence, mount.last_error())
                asked = self.asked(mount)
                self.assertLessEqual(asked[2] + asked.get(16, 0), 6)
                # That is all, whatever is read afterwards.
                self.assert_errno(errno.ETIMEDOUT, mount.read, "CMAX", os.O_DIRECT)
                after = self.asked(mount)
                self.assertEqual((after[2], after.get(16)), (asked[2], asked.get(16)))
                self.assertGreater(after[1], asked[1])
                # What it adds is all that it takes.
                mount.unmount()
                mount.wait_end()
                found = self.mount(os.path.join(self.folder, model), f"address={address}")
                self.assertEqual(found.read("IDN"), identity)

    def test_no_other_address_is_asked_where_one_is_given(self):
        for options in (("address=1",), ("model=1q",)):
            with self.subTest(options=options):
                _, mount = self.silent_mount("abms", *options)
                self.assertEqual(set(self.asked(mount)), {1})
                self.assertNotIn("address 2", mount.last_error())

    def test_no_other_address_is_asked_once_a_bms_has_answered(self):
        link = os.path.join(self.folder, "tty")
        simulator = self.simulator("--pty", link)
        mount = self.mount(link, "ttl=0").expects("nobody answers at address 1: check")
        self.assertTrue(mount.read("SOC"))
        simulator.command("silence on")
        self.assert_errno(errno.ETIMEDOUT, mount.read, "SOC")
        self.assertTrue(mount.said.wait_for("nobody answers"))
        self.assertEqual(set(self.asked(mount)), {1})

    def test_no_other_address_is_asked_beside_another_master(self):
        responder = self.responder()
        responder.silent = True
        request = wire.frame("SOCS?", 9, 0)
        responder.send(request)
        mount = self.mount(responder.device, ready=False).expects("nobody answers")
        while not mount.said.find("is mounted on"):
            responder.send(request)
            time.sleep(0.05)
        self.assertTrue(mount.said.wait_for("nobody answers"))
        self.assertEqual(set(self.asked(mount)), {1})

    def test_the_sentence_ends_with_an_answer(self):
        """A BMS that is switched on later than another."""
        responder = Pair(os.path.join(self.folder, "tty"))
        self.addCleanup(responder.stop)
        responder.silent = True
        mount = self.mount(responder.device, "ttl=0").expects("nobody answers")
        self.assertTrue(mount.said.wait_for("but ACTIVE answers at address 2"))
        responder.silent = False
        self.assertEqual(mount.read("IDN"), wire.IDENTITY)
        responder.silent = True
        self.assert_errno(errno.ETIMEDOUT, mount.read, "SOC")
        self.assertTrue(mount.said.wait_for("nobody answers at address 1: check"))
        self.assertNotIn("address 2", mount.last_error())


if __name__ == "__main__":
    harness.main()
