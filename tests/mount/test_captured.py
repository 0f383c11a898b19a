#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Captured replies of a REC 1Q come out as their values, and writes go out as they should."""
import errno
import os
import struct
import unittest

import harness
import responder as wire
from captures import exchanges

# The frames that REC's manual and the captures show.
KNOWN_FRAMES = {
    "550100054c4344313f46d0aa": wire.frame("LCD1?", 1, 0),
    "550200054c4344313f5390aa": wire.frame("LCD1?", 2, 0),
    "550100052a49444e3fa6fbaa": wire.frame("*IDN?", 1, 0),
    "55010009424d494e20332e3934c1eaaa": wire.frame("BMIN 3.94", 1, 0),
    "55000109342e35303030306532fbb4aa": wire.frame(wire.exponent_text(450)),
    "5500010a322e3530303030652d31c8ddaa": wire.frame(wire.exponent_text(0.25)),
    "5500010232388eb4aa": wire.frame("28"),
    "55000103534554fafeaa": wire.frame("SET"),
    "550001064552524f52314ecdaa": wire.frame("ERROR1"),
}


def float32(text):
    return struct.pack("<f", float(text))


def shortest(raw):
    """The decimal with the fewest digits that makes the same float32."""
    value = struct.unpack("<f", raw)[0]
    return next(text for digits in range(1, 10)
                if float32(text := f"{value:.{digits}g}") == raw)


CAPTURED_CELLS = wire.CAPTURED["CELL?"][12:-3]


class ResponderItself(unittest.TestCase):
    def test_frames_as_known(self):
        for known, built in KNOWN_FRAMES.items():
            self.assertEqual(built.hex(), known)

    def test_cells_as_captured(self):
        values = struct.unpack("<14f", CAPTURED_CELLS)
        self.assertEqual([f"{value:.7g}" for value in values], wire.CELL)
        self.assertEqual(wire.frame("1") + wire.frame(CAPTURED_CELLS), wire.CAPTURED["CELL?"])


class Replayed(harness.MountTest):
    """bmsfs-sim plays tests/captures; the values are those that were printed beside the frames."""

    def replay(self, name, *options):
        path = os.path.join(os.path.dirname(__file__), "..", "captures", name + ".capture")
        simulator = self.simulator("--pty", os.path.join(self.folder, "tty"), "--replay", path)
        # What a capture does not have is asked for three times in vain at the start.
        return self.mount(simulator.place, "wait=0", "ttl=60", *options)

    def expect(self, mount, shown):
        for name, value in shown.items():
            with self.subTest(name):
                self.assertEqual(mount.read(name).split("\n"), value.split())

    def test_rec_1q(self):
        mount = self.replay("rec-1q")
        self.expect(mount, {
            "SOC": "78.46", "SOH": "98.97", "CAPA": "450", "BVOL": "4.08", "BMIN": "3.95",
            "CYCL": "103", "RINT": " ".join(wire.RINT), "LCD3": "1 8 1 13 1 3 105",
            "LCD1": "3.9607 3.9656 0.5800781 18.5 55.48749 0.7846351 0.9897",
            "pack/voltage": "55.487", "pack/current": "0.580", "pack/soc": "78.46",
            "pack/cell_voltage_min": "3.9607", "pack/cell_min": "8", "pack/cell_max": "13",
            "pack/charge_missing": "105.0", "pack/temperature_max": "18.5",
            "units/1/address": "1", "units/1/cells/8/voltage": "3.9577",
            "cells/1/voltage": "3.9660"})
        self.assertEqual(mount.read("IDN"), wire.IDENTITY)
        lines = mount.read("CELL").split("\n")
        self.assertEqual([f"{float(line):.7g}" for line in lines], wire.CELL)
        self.assertEqual(b"".join(map(float32, lines)), CAPTURED_CELLS)
        raw = [CAPTURED_CELLS[i:i + 4] for i in range(0, len(CAPTURED_CELLS), 4)]
        self.assertEqual(lines, list(map(shortest, raw)))
        # The requests are, to the byte, those of the capture.
        sent = {line.split()[-1] for line in mount.read("bus/trace").splitlines() if "> " in line}
        self.assertLessEqual({request.hex().upper() for request, _ in exchanges("rec-1q").values()},
                             sent)

    def test_cut_reply(self):
        mount = self.replay("rec-1q-cut")
        self.assert_errno(errno.EIO, mount.read, "CELL", os.O_DIRECT)
        self.assertEqual(mount.last_error(), "CELL: the reply does not fit: it is incomplete; "
                                                  "bus/trace shows its frames")
        trace = mount.read("bus/trace")
        self.assertRegex(trace, r" unfit +request: CELL\? \(it is incomplete\) 55010005434")
        self.assertRegex(trace, r" noise: 38 bytes +5500013877BE7F40\w+CEAA\n")
        self.assertEqual(mount.read("IDN"), wire.IDENTITY)

    def test_rec_1q_mqtt(self):
        self.expect(self.replay("rec-1q-mqtt"), {
            "LCD1": "4.0351 4.0394 -2.452148 19 56.52248 0.9799195 0.9897",
            "pack/current": "-2.452", "pack/soc": "97.99", "pack/cell_max": "12",
            "pack/charge_missing": "8.0", "cells/12/voltage": "4.0361",
            "cells/8/resistance": "0.0003941"})

    def test_rec_1q_8_cells(self):
        self.expect(self.replay("rec-1q-8-cells"), {
            "PTEM": "26.5 26.5 27", "BTEM": "25.89443", "SOCH": "0.05", "pack/error": "0",
            "pack/power": "-278.9", "units/1/sensors/3/temperature": "27.0",
            "cells/8/voltage": "3.3180", "cells/6/resistance": "0.0000650"})

    def test_rec_16_cells(self):
        self.expect(self.replay("rec-16-cells"), {
            "pack/voltage": "54.534", "pack/soc": "50.00", "cells/16/voltage": "3.4315",
            "pack/error_text": "none", "CHAR": "3.59"})

    def test_abms(self):
        for name, soc, cell in (("abms-1a-2261", "28.51", "3.3198"),
                                ("abms-1a-2242", "61.78", "3.3008")):
            path = os.path.join(self.folder, name)
            source = os.path.join(os.path.dirname(__file__), "..", "captures", name + ".capture")
            os.symlink(os.path.abspath(source), path)
            # The built-in simulator does the same.
            mount = self.mount(f"sim:replay={path}", "wait=0", "ttl=60", "address=2")
            self.expect(mount, {"IDN": "ACTIVE", "SOC": soc, "cells/2/voltage": cell})
        self.expect(mount, {"TIME": "14:41:03", "DATE": "23.02.2025"})


class Captured(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()

    def test_requests_as_captured(self):
        for name in ("CELL", "LCD1"):
            self.bmsfs.read(name, os.O_DIRECT)
        asked = {request.raw.hex() for request in self.bms.requests()}
        self.assertTrue({"550100052a49444e3fa6fbaa", "5501000543454c4c3f5d24aa",
                         "550100054c4344313f46d0aa"} <= asked, asked)

    def test_error(self):
        self.bms.set_array("ERRO", b"4", bytes([1, 1, 8, 2]))
        self.assertEqual(self.bmsfs.read("pack/error"), "8")
        self.assertEqual(self.bmsfs.read("pack/error_text"), "temperature sensor fault")

    def test_settings(self):
        for name, shown in {"BVOL": "4.08", "BMIN": "3.95", "TMIN": "-10", "SOCH": "0.05",
                            "IOJA": "0.0078125", "CYCL": "103", "SWVR": "2.5"}.items():
            with self.subTest(name):
                self.assertEqual(self.bmsfs.read(name), shown)

    def test_a_write_is_sent_once(self):
        self.run_program("sh", "-c", 'echo 3.94 > "$1"', "sh", self.bmsfs.path("BMIN"))
        self.assertEqual(self.bms.sets(), ["BMIN 3.94"])
        sent = [request for request in self.bms.requests() if request.is_set][0]
        self.assertEqual(sent.raw.hex(), "55010009424d494e20332e3934c1eaaa")
        self.assertEqual(self.bmsfs.read("BMIN", os.O_DIRECT), "3.94")
        self.assertEqual(self.bms.sets(), ["BMIN 3.94"])

    def test_out_of_range(self):
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "CMAX", "9.9\n")
        self.assertEqual(self.bms.sets(), [])

    def test_no_number(self):
        self.assert_errno(errno.EINVAL, self.bmsfs.write, "CMAX", "4.2x\n")
        self.assertEqual(self.bms.sets(), [])

    def test_contradiction(self):
        self.assert_errno(errno.EINVAL, self.bmsfs.write, "CMIN", "3.99\n")
        self.assertEqual(self.bms.sets(), [])
        self.assertRegex(self.bmsfs.last_error(), r"CLOW.*2\.95|2\.95.*CLOW")
        self.bmsfs.expects(r"set CMIN \S+ -> 3\.99 failed: 3.99 is refused because")

    def test_listing_costs_no_frame(self):
        before = self.bms.mark()
        counted = self.bmsfs.counters()
        listed = self.run_program("ls", "-lR", self.bmsfs.place)
        self.run_program("find", self.bmsfs.place, "-ls")
        self.run_program("stat", self.bmsfs.path("SOC"), self.bmsfs.path("units/1/cells/3"))
        self.run_program("test", "-r", self.bmsfs.path("CELL"))
        self.assertIn("BMIN", listed)
        self.assertEqual(self.bms.requests(since=before), [])
        self.assertEqual(self.bmsfs.counters(), counted)

    def test_unmounting_ends_the_daemon(self):
        pids = (self.bmsfs.keeper, self.bmsfs.server)
        self.assertTrue(all(map(harness.is_running, pids)), pids)
        self.bmsfs.unmount()
        self.bmsfs.wait_end()
        self.assertFalse(any(map(harness.is_running, pids)), pids)


if __name__ == "__main__":
    harness.main()
