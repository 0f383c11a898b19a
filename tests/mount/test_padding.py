#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Padding is not shown: an Active BMS answers PTEM with four numbers, whatever is fitted."""
import errno
import json
import os
import re

import harness
from responder import floats

PADDED = (19.5, 3.31, 3.32, 3.33)
QUICK = ("timeout=0.1", "tries=1")  # the responder does not answer all that an Active BMS does


class Padding(harness.MountTest):
    def mount_padded(self, *options, units=1):
        responder = self.responder(f"tty{len(os.listdir(self.folder))}")
        responder.set_array("PTEM", b"%d" % units, *[floats(*PADDED)] * units)
        responder.set_array("CELL", b"%d" % units, *[floats(3.31, 3.32, 3.33, 3.34)] * units)
        mount = self.mount(responder.device, "address=1", *QUICK, *options)
        mount.raw("CELL")
        return mount

    def check(self, mount, *temperatures, units=1):
        """What each unit shows of its sensors, wherever they are shown."""
        shown = [f"{number:g}" for number in temperatures] * units
        if shown:
            self.assertEqual(mount.read("PTEM").split("\n"), shown)
        else:
            self.assert_errno(errno.ENODATA, mount.raw, "PTEM")
        for unit in range(1, units + 1):
            names = sorted(os.listdir(mount.path(f"units/{unit}/sensors")))
            self.assertEqual(names, [str(i + 1) for i in range(len(temperatures))])
            for name, number in zip(names, temperatures):
                self.assertEqual(mount.read(f"units/{unit}/sensors/{name}/temperature"),
                                 f"{number:.1f}")
        hwmon = [name for name in os.listdir(mount.path("class/hwmon/hwmon0"))
                 if re.fullmatch(r"temp\d+_input", name)]
        self.assertEqual(len(hwmon), 1 + len(shown))
        self.check_texts(mount, shown, len(temperatures), units)

    def check_texts(self, mount, shown, sensors, units):
        snapshot = json.loads(mount.read("snapshot.json"))
        for unit in range(1, units + 1):
            self.assertEqual(len(snapshot["units"][str(unit)]["sensors"]), sensors)
        if shown:
            self.assertEqual(snapshot["instructions"]["PTEM"]["value"], list(map(float, shown)))
        else:
            self.assertEqual(snapshot["failed"]["PTEM"], "ENODATA")
        metrics = mount.read("metrics/bmsfs.prom")
        self.assertEqual(len(re.findall("(?m)^bms_sensor_temperature_celsius{", metrics)),
                         len(shown))
        for padding in PADDED[sensors:]:
            self.assertNotRegex(metrics, rf"temperature.* {padding}\d*\n")

    def test_active_bms_shows_one_sensor(self):
        self.check(self.mount_padded("model=abms"), 19.5)

    def test_sensors_states_how_many(self):
        self.check(self.mount_padded("model=abms", "sensors=2"), 19.5, 3.31)
        self.check(self.mount_padded("model=abms", "sensors=8"), *PADDED)

    def test_no_sensor(self):
        self.check(self.mount_padded("model=abms", "sensors=0"))

    def test_several_units(self):
        self.check(self.mount_padded("model=master", "sensors=1", units=2), 19.5, units=2)
        self.check(self.mount_padded("model=master", "sensors=3", units=2), *PADDED[:3], units=2)

    def test_other_models_show_what_they_answer(self):
        self.check(self.mount_padded("model=1q"), *PADDED)
        self.check(self.mount_padded("model=1q", "sensors=3"), *PADDED[:3])

    def test_a_table_of_ones_own_states_it_for_a_model(self):
        table = os.path.join(self.folder, "mine.ini")
        with open(table, "w", encoding="ascii") as file:
            file.write("[model 2q]\nsensors = 2\n")
        self.check(self.mount_padded("model=2q", f"instructions={table}"), *PADDED[:2])

    def test_simulated_active_bms_pads(self):
        mount = self.mount("sim:model=abms", "sensors=4")
        numbers = list(map(float, mount.read("PTEM").split("\n")))
        self.assertEqual(len(numbers), 4)
        cells = list(map(float, mount.read("CELL").split("\n")))
        for padding in numbers[1:]:
            self.assertAlmostEqual(padding, cells[0], delta=0.5)
        mount = self.mount("sim:model=abms")
        self.assertEqual(len(mount.read("PTEM").split("\n")), 1)

    def test_refused(self):
        for value in ("9", "-1", "one", ""):
            said = self.refused("-o", f"sensors={value}", "sim:", self.folder, status=2)
            self.assertIn("must be a whole number from 0 to 8", said)


class Balanced(harness.MountTest):
    """WCBI may be blank or not a number: never a wrong number."""

    def setUp(self):
        super().setUp()
        self.bms = self.responder()
        self.bms.texts["WCBI"] = "3"
        self.bmsfs = self.mount(self.bms.device, "model=abms", "address=1", "ttl=0", *QUICK)

    def test_number(self):
        self.assertEqual(self.bmsfs.read("WCBI"), "3")

    def test_blank(self):
        for blank in (" ", "", "   "):
            self.bms.texts["WCBI"] = blank
            self.assert_errno(errno.ENODATA, self.bmsfs.raw, "WCBI")
            snapshot = json.loads(self.bmsfs.read("snapshot.json"))
            self.assertEqual(snapshot["failed"]["WCBI"], "ENODATA")
        self.assertEqual(self.bmsfs.counters()["unfit_frames"], 0)

    def test_not_a_number(self):
        for text in ("-", "none", "N/A"):
            self.bms.texts["WCBI"] = text
            self.assertEqual(self.bmsfs.read("WCBI"), text)
            snapshot = json.loads(self.bmsfs.read("snapshot.json"))
            self.assertEqual(snapshot["instructions"]["WCBI"]["value"], text)

    def test_ioja_of_the_simulator_is_that_of_a_real_unit(self):
        for model in ("1q", "2q", "abms", "master"):
            self.assertEqual(self.mount(f"sim:model={model}").read("IOJA"), "0.0078125")


if __name__ == "__main__":
    harness.main()
