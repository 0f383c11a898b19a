# SPDX-License-Identifier: LGPL-3.0-or-later
"""Instructions that the processor executes, counted by callgrind: the same on each machine."""
import glob
import os
import re
import unittest

import figures
from figures import figure

CALLGRIND = ["valgrind", "-q", "--tool=callgrind"]
GROUP = "instructions, by callgrind"
COUNTS = (1000, 3000)
THINGS = [("decode", "decode the reply to CELL?, 14 cells"), ("encode", "encode CMAX 3.6"),
          ("format", "format a float32, shortest"), ("format_fixed", "format with two decimals")]
READS = [("SOC", "cycle"), ("CMAX", "cycle"), ("SOC", "pread")]


class Instructions(figures.Bench):
    def setUp(self):
        super().setUp()
        if not figures.have("valgrind", "valgrind", "counting instructions"):
            raise unittest.SkipTest("no valgrind")

    def executed(self, name):
        """Of the process that executed most: the server, not the keeper."""
        found = 0
        for path in glob.glob(os.path.join(self.folder, name + ".*")):
            with open(path, encoding="ascii", errors="replace") as file:
                found = max(found, int(re.search(r"^summary: (\d+)", file.read(), re.M).group(1)))
        return found

    def out(self, name):
        return f"--callgrind-out-file={self.folder}/{name}.%p"

    def each(self, run):
        """What one time takes: the difference of many and few."""
        few, many = COUNTS
        return (run(many) - run(few)) / (many - few)

    def test_functions(self):
        for thing, what in figures.choose(THINGS[:1], THINGS):
            def run(count, thing=thing):
                self.run_program(*CALLGRIND, self.out(f"{thing}{count}"), figures.LOOPS, thing,
                                 str(count))
                return self.executed(f"{thing}{count}")

            figure(GROUP, what, self.each(run), "", digits=6)

    def test_cached_read(self):
        """In the server, libfuse and the C library included, the kernel not."""
        program = os.path.join(self.folder, "bmsfs")
        for name, mode in figures.choose(READS[:1], READS):
            def run(count, name=name, mode=mode):
                out = f"{mode}-{name}-{count}"
                self.serve_counted(program, out, name, mode, count)
                return self.executed(out)

            what = "open, read, close" if mode == "cycle" else "pread"
            figure(GROUP, f"cached {what} of {name} in the server", self.each(run), "", digits=6)

    def serve_counted(self, program, out, name, mode, count):
        place = os.path.join(self.folder, out)
        with open(program, "w", encoding="ascii") as script:
            script.write("#!/bin/sh\nexec " + " ".join(CALLGRIND) + f" {self.out(out)} "
                         f"{figures.harness.BMSFS} -f -o nofilter,ttl=86400 sim: \"$1\"\n")
        os.chmod(program, 0o755)
        process = self.serve(place, program)
        path = os.path.join(place, name)
        self.run_program(figures.READER, "cycle", path, "1")
        self.run_program(figures.READER, mode, path, str(count))
        self.run_program("fusermount3", "-u", place)
        process.wait(figures.LIMIT)
