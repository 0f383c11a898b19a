#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""A BMS that is up to 1.6 s late but keeps the order: no value is ever another one's."""
import os
import random
import struct
import threading
import time

import harness
import responder as wire
from harness import Call

LONG = 40  # seconds
NAMES = ["BVOL", "BMIN", "CMAX", "MAXH", "CMIN", "CHAR", "CHIS", "CLOW", "TMAX", "BMTH", "SWVR"]


class Slow(harness.MountTest):
    def start(self, *options):
        self.bms = self.responder()
        draw = random.Random(5)
        self.bms.delay = lambda request: draw.uniform(0, 1.6)
        self.bmsfs = self.mount(self.bms.device, *options).expects(".*")
        self.right = 0
        self.wrong = []
        self.end = time.monotonic() + LONG
        self.lock = threading.Lock()

    def is_right(self, name, text):
        if name in self.bms.texts:
            return text == self.bms.texts[name]
        return struct.pack("<f", float(text)) == struct.pack("<f", wire.SETTINGS[name])

    def read_once(self, name):
        try:
            text = self.bmsfs.read(name, os.O_DIRECT)
        except OSError:
            return
        with self.lock:
            if self.is_right(name, text):
                self.right += 1
            else:
                self.wrong.append((name, text))

    def check(self):
        print(f"{self.right} right values", end=" ")
        self.assertEqual(self.wrong, [])
        self.assertGreaterEqual(self.right, 20)

    def test_in_turn(self):
        self.start()
        while time.monotonic() < self.end:
            for name in NAMES:
                self.read_once(name)
        self.check()

    def test_all_at_once(self):
        """Each waits for all others, which takes longer than the usual deadline."""
        self.start("deadline=20")

        def reader(name):
            while time.monotonic() < self.end:
                self.read_once(name)

        for call in [Call(reader, name) for name in NAMES]:
            call.join(LONG + harness.PATIENCE)
            self.assertFalse(call.is_alive())
        self.check()


if __name__ == "__main__":
    harness.main()
