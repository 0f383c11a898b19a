#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Instructions of a user's own, by data/examples/heater.ini, are everywhere that others are.

Each view in VIEWS says what a mount shows of them there; a program that reads the mount is one more.
"""
import errno
import json
import os
import re
from pathlib import Path

import harness

EXAMPLE = str(Path(__file__).resolve().parents[2] / "data/examples/heater.ini")
NAMES = ("HTMP", "HTON")


def files(bmsfs):
    return {name: bmsfs.read(name) for name in NAMES}


def snapshot(bmsfs):
    instructions = json.loads(bmsfs.raw("snapshot.json"))["instructions"]
    for name in NAMES:
        bmsfs.test.assertEqual(instructions[name]["unit"], "degC")
    return {name: str(instructions[name]["value"]) for name in NAMES}


def metrics(bmsfs):
    found = dict(re.findall(r"^bms_(?:reading|setting)_(ht\w+)_celsius (\S+)$",
                            bmsfs.raw("metrics/bmsfs.prom").decode(), re.M))
    return {name.upper(): value for name, value in found.items()}


VIEWS = (files, snapshot, metrics)


class Custom(harness.MountTest):
    def setUp(self):
        super().setUp()
        path = os.path.join(self.folder, "bms")
        self.simulated = self.simulator("--pty", path, "--instructions", EXAMPLE)
        self.bmsfs = self.mount(path, f"instructions={EXAMPLE}", "ttl=0", "ttl_settings=0")

    def test_shown_everywhere(self):
        for temperature in ("21.5", "-3.25"):
            self.assertEqual(self.simulated.command(f"put HTMP {temperature}"), "ok")
            for view in VIEWS:
                with self.subTest(view=view.__name__):
                    self.assertEqual(view(self.bmsfs), {"HTMP": temperature, "HTON": "5"})

    def test_set(self):
        self.bmsfs.write("HTON", "7.5")
        for view in VIEWS:
            with self.subTest(view=view.__name__):
                self.assertEqual(view(self.bmsfs)["HTON"], "7.5")
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "HTON", "15.5")
        self.assert_errno(errno.EACCES, os.open, self.bmsfs.path("HTMP"), os.O_WRONLY)

    def test_listed(self):
        self.assertLessEqual(set(NAMES), set(os.listdir(self.bmsfs.place)))
        rows = {row["mnemonic"]: row for row in
                self.table("-o", f"instructions={EXAMPLE}") if row["category"] == "heater"}
        self.assertEqual(set(rows), set(NAMES))
        self.assertEqual((rows["HTON"]["min"], rows["HTON"]["max"]), (-20, 15))
        shown = {name: os.getxattr(self.bmsfs.path("HTON"), f"user.bms.{name}").decode()
                 for name in ("name", "min", "max", "default", "unit", "category")}
        self.assertEqual(shown, {"name": "heater switch-on temperature", "min": "-20", "max": "15",
                                 "default": "5", "unit": "degC", "category": "heater"})

    def test_range_is_overridden(self):
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "CMAX", "3.66")
        self.assertEqual(self.bmsfs.last_error(), "CMAX: 3.66 is outside 2 to 3.65 V")
        self.bmsfs.write("CMAX", "3.65")
        # All else of it is as it was.
        (before,) = [row for row in self.table() if row["mnemonic"] == "CMAX"]
        (after,) = [row for row in self.table("-o", f"instructions={EXAMPLE}")
                    if row["mnemonic"] == "CMAX"]
        self.assertEqual({**before, "max": 3.65}, after)


if __name__ == "__main__":
    harness.main()
