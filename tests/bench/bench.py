#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Takes the measurements and prints one table: bench.py [--json FILE] [--markdown] [GROUP]...

GROUP is cached, wire, growth, idle or instructions, or one test of them (wire.Wire.test_start); all
without.
"""
import argparse
import json
import os
import platform
import sys
import time
import unittest

import figures
from figures import harness

GROUPS = ["cached", "wire", "growth", "idle", "instructions"]


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def verdict(figure):
    return {None: "", True: "yes", False: "NO"}[figure["met"]]


def rows():
    for figure in figures.FIGURES:
        value = figures.number(figure["value"], 6)
        yield figure, [figure["what"], f"{value} {figure['unit']}".strip(), figure["wanted"] or "",
                       verdict(figure)]


def print_table():
    table = list(rows())
    widths = [max((len(cells[i]) for _, cells in table), default=0) for i in range(4)]
    group = None
    for figure, cells in table:
        if figure["group"] != group:
            group = figure["group"]
            print(f"\n{group}")
        what, value, *rest = cells
        print(f"  {what:<{widths[0]}}  {value:>{widths[1]}}  {rest[0]:<{widths[2]}}  {rest[1]}")


def print_markdown():
    print("| measure | figure | wanted | met |\n|---|---|---|---|")
    group = None
    for figure, cells in rows():
        if figure["group"] != group:
            group = figure["group"]
            print(f"| **{group}** | | | |")
        print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("group", nargs="*")
    options = parser.parse_args()
    reason = harness.no_fuse()
    if reason:
        print("skipped:", reason)
        sys.exit(77)
    harness.adopt_orphans()
    suite = unittest.defaultTestLoader.loadTestsFromNames(options.group or GROUPS)
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
    if options.markdown:
        print_markdown()
    else:
        print_table()
    for text in figures.NOTES:
        print("\n" + text)
    if not figures.SHORT:
        verdicts = [figure["met"] for figure in figures.FIGURES]
        print(f"\n{verdicts.count(True)} met, {verdicts.count(False)} missed")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"time": time.strftime("%FT%TZ", time.gmtime()), "kernel": platform.release(),
                       "processor": processor(), "processors": os.cpu_count(),
                       "figures": figures.FIGURES, "left_out": figures.NOTES}, file, indent=1)
            file.write("\n")
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
