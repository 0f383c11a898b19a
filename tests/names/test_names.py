# SPDX-License-Identifier: LGPL-3.0-or-later
"""Names cross grammars safely: tables with odd names, read by the real parsers of each format.

A table is refused with file, line and reason, or all that is made of it is understood: the metrics by
promtool, the snapshot by jq, the templates by jinja2, the topics by the rules of MQTT. Run it with
--seed and --tables for a longer campaign; each finding becomes a case here.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("mount", "class"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

import exposition
import harness
from responder import floats

try:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    TEMPLATES = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
except ImportError:
    TEMPLATES = None

PUBLISH = os.environ.get("MQTT_PUBLISH", "")
QUICK = ("timeout=0.1", "tries=1", "ttl=60", "ttl_settings=60")
WORDS = ["items", "values", "keys", "get", "pop", "a", "a_volts", "b", "b_amperes", "v", "x_total",
         "number", "none", "true", "self", "le", "quantile", "in", "not", "class", "__x", "x__y",
         "total", "unit", "cell", "address", "model"]
ODD = ["boot-loader version", "software version", "Software-Version", "hardware version", "1", "-",
       "2nd", "__name__", "model", "address", "le", "items", "values", "{{ 7 * 7 }}", "{% raw %}",
       "}}", "it's", '"quoted"', "back\\slash", "\\n", "a/b", "a+b", "#", "+", "$SYS", "%s%n%d",
       "&amp;<b>", "a = b", "a: b", "[x]", "$(id)", "`id`", "~", "capacity", "state of charge",
       "Problem", "Link to the BMS", "Temperature 1", "x" * 47, "a_volts", "A", "*", "?", "\\u0027",
       "{", "}", "HELP", "# TYPE x gauge", "NaN", "null", "true", " ; x"]
BYTES = ["\u00e4", "\u20ac", "\U0001f50b", "\udce4", "\udcff\udcfe", "\x85", "a\tb", "x\u200b"]
UNITS = ["", "V", "A", "Ah", "%", "degC", "mV", "l/min", '"', "'", "{x}", "\\", "a b", "s", "ohm",
         "K", "#", "&"]
MNEMONICS = ["1TMP", "XPOW", "A", "42", "ITEM", "XARR", "BOOT", "Z9", "SOCX", "UNIT", "CELS"]
ANSWERS = [b"REC \"1Q\" \\", b"{{ 7*7 }}", b"\xff\xfe", b"a\nb\tc", b"\x1b[31mred", b"it's", b"",
           b"null", b"\xc3\xa4\xe2\x82", b"# HELP x", b"1,2;3"]


def no_twins(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise AssertionError(f"a key twice: {keys}")
    return dict(pairs)


class Names(harness.MountTest):
    def write_table(self, text):
        path = os.path.join(self.folder, "own.ini")
        with open(path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        return path

    def check_refusal(self, path, done):
        """One line, printable, that names file, line and reason."""
        said = done.stderr.decode("utf-8")
        self.assertRegex(said, rf"\Abmsfs: {re.escape(path)}:[1-9]\d*: [ -~]{{10,}}\n\Z")

    def accepted(self, path):
        done = subprocess.run([harness.BMSFS, "--list", "-o", f"instructions={path}"],
                              capture_output=True, check=False, timeout=harness.PATIENCE)
        if done.returncode:
            self.check_refusal(path, done)
            return False
        for line in done.stdout.decode("utf-8").splitlines():
            self.assertTrue(line.isprintable(), line)
        return True

    def check_metrics(self, mount):
        text = mount.raw("metrics/bmsfs.prom").decode("utf-8")
        families = exposition.parse(text, any_name=True)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                  capture_output=True, check=False, timeout=harness.PATIENCE)
            # 3: understood, and it would have called something otherwise
            self.assertIn(done.returncode, (0, 3), done.stderr)
        return families

    def check_snapshot(self, mount):
        raw = mount.raw("snapshot.json")
        if shutil.which("jq"):
            subprocess.run(["jq", "-e", "."], input=raw, stdout=subprocess.DEVNULL, check=True,
                           timeout=harness.PATIENCE)
        return json.loads(raw.decode("utf-8"), object_pairs_hook=no_twins)

    def check_topic(self, topic):
        self.assertIsInstance(topic, str)
        self.assertLess(len(topic.encode("utf-8")), 65536)
        for level in topic.split("/"):
            self.assertTrue(level)
            self.assertTrue(level.isprintable())
            self.assertNotRegex(level, r"[+#$\s]")

    def check_topics(self, node):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(key, str) and re.search(r"(^|_)topic$", key):
                self.check_topic(value)
            elif isinstance(value, (dict, list)):
                self.check_topics(value)

    def wanted(self, snapshot):
        """What each component of an instruction must show, by the name of the component."""
        shown = {}
        for name, entry in snapshot["instructions"].items():
            value = entry["value"]
            pairs = (value.items() if isinstance(value, dict) else
                     enumerate(value, 1) if isinstance(value, list) else None)
            for key, number in pairs or ():
                shown[f"{name}_{key}"] = number
            if pairs is None:
                shown[name] = shown[f"{name}_number"] = value
        return shown

    def check_components(self, message, state, snapshot):
        wanted = self.wanted(snapshot)
        names, identities = [], []
        self.check_topics(message)
        for key, component in message["components"].items():
            if set(component) == {"platform"}:
                continue
            names.append(component["name"])
            identities.append(component["unique_id"])
            self.assertRegex(key, r"^[A-Za-z0-9_-]+$")
            self.assertRegex(component["default_entity_id"], r"^\w+\.[a-z0-9_]+$")
            self.assertTrue(component["name"].isprintable())
            if TEMPLATES and "value_template" in component:
                shown = TEMPLATES.from_string(component["value_template"]).render(value_json=state)
                self.assertNotIn("built-in", shown)
                self.assertNotIn("object at", shown)
                if key in wanted:
                    self.assertEqual(shown, str(wanted[key]), component["value_template"])
            if component["platform"] == "number" and isinstance(wanted.get(key), (int, float)):
                self.assertLessEqual(component["min"], wanted[key])
                self.assertGreaterEqual(component["max"], wanted[key])
        self.assertEqual(sorted(names), sorted(set(names)))
        self.assertEqual(len(identities), len(set(identities)))
        return set(message["components"])

    def check_mqtt(self, mount, snapshot):
        if not PUBLISH:
            return set()
        done = subprocess.run([PUBLISH, mount.place, "H\u00e4user {{ 1 }}"], capture_output=True,
                              check=False, timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        told = json.loads(done.stdout.decode("utf-8"), object_pairs_hook=no_twins)
        self.check_components(told["writable"], told["state"], snapshot)
        return self.check_components(told["discovery"], told["state"], snapshot)

    def check_table(self, text, settings=None, texts=None, arrays=None):
        """The families and components of a table that is taken, or None of one that is refused."""
        path = self.write_table(text)
        if not self.accepted(path):
            return None
        responder = self.responder()
        responder.settings.update(settings or {})
        responder.texts.update(texts or {})
        responder.arrays.update(arrays or {})
        mount = self.mount(responder.device, f"instructions={path}", *QUICK)
        mount.expects("")
        try:
            snapshot = self.check_snapshot(mount)
            families = self.check_metrics(mount)
            components = self.check_mqtt(mount, snapshot)
            for name in ("last_error", "state"):
                self.assertTrue(mount.raw(f"bus/{name}").decode("utf-8")[:-1].isprintable())
        finally:
            mount.finish()
            responder.stop()
            self.forget(responder)
        return families, components

    def forget(self, responder):
        """Its end is not to come again with that of the test."""
        self._cleanups = [one for one in self._cleanups if one[0] != responder.stop]


class Cases(Names):
    """What was found once, by people and by the campaign."""
    ROW = "[XYZ]\nname = n\ncategory = c\n"
    BOOT = "[BOOT]\ncategory = own\ntype = text\nclass = identity\n"

    def refused(self, text, reason):
        path = self.write_table(text)
        done = subprocess.run([harness.BMSFS, "--list", "-o", f"instructions={path}"],
                              capture_output=True, check=False, timeout=harness.PATIENCE)
        self.assertNotEqual(done.returncode, 0, text)
        self.check_refusal(path, done)
        self.assertRegex(done.stderr.decode("ascii"), reason)

    def test_an_identity_named_boot_loader_version_is_a_label(self):
        families, _ = self.check_table(self.BOOT + "name = boot-loader version\n",
                                       texts={"BOOT": b'7 "beta" \\'})
        ((labels, _),) = families["bms_info"].items()
        self.assertIn(("boot_loader_version", '7 \\"beta\\" \\\\'), labels)

    def test_an_identity_that_repeats_software_version_is_refused(self):
        self.refused(self.BOOT + "name = software version\n",
                     r":1: name: \[SWVR\] and \[BOOT\] both have the label software_version")

    def test_fields_in_volts_that_give_one_family_twice_are_refused(self):
        self.refused(self.ROW + "type = float\nheader = bytes\nfields = a:f32:V a_volts:f32\n",
                     r":6: fields: 'a' and 'a_volts' both are bms_reading_xyz_a_volts")

    def test_the_row_1TMP_and_the_fields_items_and_values_have_templates(self):
        _, components = self.check_table(
            "[1TMP]\nname = 1\ncategory = c\ntype = float\n" + self.ROW +
            "type = int\nheader = bytes\nfields = items:u8 values:u8\n",
            settings={"1TMP": 21.5}, arrays={"XYZ": [b"2", bytes([7, 8])]})
        if PUBLISH:
            self.assertLess({"1TMP", "XYZ_items", "XYZ_values"}, components)

    def test_a_tab_in_a_name_is_a_blank(self):
        path = self.write_table(self.ROW.replace("= n", "= a\tb") + "type = int\n")
        listed = self.run_program(harness.BMSFS, "--list", "-o", f"instructions={path}")
        self.assertRegex(listed, r"(?m)^XYZ .*\ba b\b")
        self.assertNotIn("\t", listed)

    def test_a_capacity_of_6000_is_within_the_range_of_its_number(self):
        self.assertIsNotNone(self.check_table("[CAPA]\nmax = 5000\n", settings={"CAPA": 6000.0}))

    def test_texts_of_the_wire_that_are_not_utf_8_are_shown(self):
        families, _ = self.check_table(self.BOOT + "name = boot\n[T]\nname=t\ncategory=c\ntype=text\n",
                                       texts={"BOOT": b"\xff\x1b[31m\n", "T": b"\xe4\x00\x85"})
        self.assertIn("bms_info", families)

    @unittest.skipUnless(PUBLISH, "bmsfs-mqtt is not built")
    def test_a_title_that_is_not_utf_8_is_refused_with_a_reason(self):
        mount = self.mount("sim:")
        done = subprocess.run([PUBLISH, mount.place, b"H\xe4user"], capture_output=True, check=False,
                              timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr.decode("ascii"), "^title: must be .* UTF-8\n$")

    def test_a_device_with_a_newline_and_other_bytes_in_its_name_leaves_one_line(self):
        device = os.path.join(self.folder, "tty\nbmsfs: x\udce4\x1b[31m")
        mount = self.mount(device).expects("")
        with self.assertRaises(OSError):
            mount.read("SOC")
        said = mount.raw("bus/last_error").decode("utf-8")
        self.assertTrue(said[:-1].isprintable(), said)
        self.check_snapshot(mount)
        self.assertFalse(mount.said.find(r"^bmsfs: x"))


class Campaign(Names):
    seed, tables = 1, 8

    def name(self, rng):
        if rng.random() < 0.03:
            return rng.choice(BYTES) + rng.choice(ODD)
        if rng.random() < 0.3:
            return "".join(chr(rng.randint(33, 126)) for _ in range(rng.randint(1, 20)))
        return rng.choice(ODD)[:47]

    def fields(self, rng):
        one = [f"{word}:{rng.choice(['u8', 'f32', 'u16be'])}" +
               (f":{unit}" if (unit := rng.choice(UNITS)) and " " not in unit else "")
               for word in rng.sample(WORDS, rng.randint(1, 4))]
        return " ".join(one) if rng.random() < 0.8 else one[0] + " ..."

    def payload(self, rng, fields):
        sizes = {"u8": 1, "u16be": 2, "f32": 4}
        kinds = [field.split(":")[1] for field in fields.split() if field != "..."]
        if "..." in fields:
            kinds *= rng.randint(1, 3)
        return b"".join(floats(rng.randint(-999, 999) / 8) if kind == "f32" else
                        rng.randbytes(sizes[kind]) for kind in kinds)

    def section(self, rng, mnemonic, settings, texts, arrays):
        lines = [f"[{mnemonic}]", f"name = {self.name(rng)}", "category = own"]
        kind = rng.choice(["number", "text", "array", "setting"])
        if kind == "text":
            lines += ["type = text", f"class = {rng.choice(['identity', 'live'])}"]
            texts[mnemonic] = rng.choice(ANSWERS)
        elif kind == "array":
            fields = self.fields(rng)
            header = rng.choice(["bytes", "units"])
            payload = self.payload(rng, fields)
            lines += ["type = float", f"header = {header}", f"fields = {fields}"]
            arrays[mnemonic] = [b"1" if header == "units" else str(len(payload)).encode(), payload]
        else:
            lines += ["type = float", f"unit = {rng.choice(UNITS) or 'V'}"]
            settings[mnemonic] = rng.randint(-9000, 9000) / 8
            if kind == "setting":
                lines += ["access = rw", "min = 0", "max = 100"]
        return "\n".join(lines) + "\n"

    def table(self, seed):
        rng = random.Random(seed)
        settings, texts, arrays, parts = {}, {}, {}, []
        for mnemonic in rng.sample(MNEMONICS, rng.randint(1, 6)):
            parts.append(self.section(rng, mnemonic, settings, texts, arrays))
        if rng.random() < 0.3:
            known = rng.choice(["SWVR", "CMAX", "CAPA", "LCD1", "*IDN"])
            parts.append(f"[{known}]\nname = {self.name(rng)}\n")
        return "\n".join(parts), settings, texts, arrays

    def test_tables(self):
        taken = 0
        for seed in range(self.seed, self.seed + self.tables):
            text, settings, texts, arrays = self.table(seed)
            with self.subTest(seed=seed):
                try:
                    taken += self.check_table(text, settings, texts, arrays) is not None
                except (AssertionError, exposition.Bad, subprocess.CalledProcessError):
                    print(f"--- seed {seed}\n{text!r}\n{settings} {texts} {arrays}")
                    raise
        print(f"{self.tables} tables from seed {self.seed}: {taken} taken, "
              f"{self.tables - taken} refused")
        self.assertGreater(taken, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seed", type=int, default=Campaign.seed)
    parser.add_argument("--tables", type=int, default=Campaign.tables)
    arguments, rest = parser.parse_known_args()
    Campaign.seed, Campaign.tables = arguments.seed, arguments.tables
    sys.argv[1:] = rest
    harness.main()
