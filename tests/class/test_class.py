#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""class/, metrics/ and snapshot.json, as programs read them that have never heard of bmsfs."""
import collections
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest
import urllib.request

import exposition
from case import ALWAYS, HWMON, METRICS, QUICK, SOURCE, SUPPLY, Case, needs, until
import harness

COLLECTORS = {"powersupplyclass", "hwmon", "textfile"}


class Supply(Case):
    def test_files_are_what_the_kernel_would_show(self):
        mount = self.mount_sim()
        shown = self.supply(mount)
        words = {"type", "scope", "status", "health", "technology", "capacity_level",
                 "manufacturer", "model_name", "uevent"}
        # One of the times, or both, as the current flows; and a power above 2147 W.
        undefined = {name for name in shown if shown[name] == "EOPNOTSUPP"}
        self.assertIn(undefined - {"power_now"}, (
            {"time_to_empty_now"}, {"time_to_full_now"}, {"time_to_empty_now", "time_to_full_now"}))
        for name in set(shown) - words - undefined:
            self.assertRegex(shown[name], r"^-?\d+$", name)
            self.assertLess(abs(int(shown[name])), 2 ** 31, name)
        self.assertFalse([name for name in shown if name.startswith("energy_")])
        current = float(mount.read("pack/current"))
        self.assertEqual(current < 0, shown["status"] == "Discharging")
        self.assertEqual(current < 0, int(shown["current_now"]) < 0)

    def test_design_voltages_and_power(self):
        bms, mount = self.mount_responder("ttl=0", "ttl_settings=0")
        for current, power in ((-2, "-110974983"), (38, "2108524681"), (39, "EOPNOTSUPP")):
            bms.set_main(current=current)
            self.assertEqual(self.outcome(mount, f"{SUPPLY}/power_now"), power)
        for name, setting in (("voltage_min_design", "CLOW"), ("voltage_max_design", "CHAR"),
                              ("voltage_min", "CMIN"), ("voltage_max", "CMAX")):
            self.assertEqual(int(mount.read(f"{SUPPLY}/{name}")),
                             round(float(mount.read(setting)) * 14 * 1e6), name)

    def test_full_has_no_time_to_full_now_and_charge_now_is_charge_full(self):
        bms, mount = self.mount_responder("ttl=0", "ttl_settings=0")
        for current in (0, 5):
            bms.set_main(current=current, soc=0.99999)
            shown = self.supply(mount)
            self.assertEqual((shown["status"], shown["capacity"]), ("Full", "100"))
            self.assertEqual(shown["time_to_full_now"], "EOPNOTSUPP")
            self.assertEqual(shown["charge_now"], shown["charge_full"])

    def test_name(self):
        mount = self.mount_sim(options=(*QUICK, "name=house_2"))
        self.assertEqual(os.listdir(mount.path("class/power_supply")), ["house_2"])
        self.assertTrue(mount.read("class/power_supply/house_2/uevent").startswith(
            "POWER_SUPPLY_NAME=house_2\nPOWER_SUPPLY_TYPE=Battery\n"))
        self.assertEqual(mount.read("class/hwmon/hwmon0/name"), "house_2")
        for bad in ("", "a/b", "a-b", "..", "x" * 32, "b m s"):
            self.refused("-o", f"name={bad}", "sim:", mount.place)

    def test_away(self):
        mount = self.mount_sim()
        listed = set(os.listdir(mount.path(SUPPLY)))
        for away in (lambda: self.sim.command("silence on"), self.unplug):
            away()
            until(lambda: True if mount.read(f"{SUPPLY}/present") == "0" else None)
            shown = until(lambda: (lambda files: files if all(
                files[name] == "EOPNOTSUPP" for name in set(files) - ALWAYS) else None)(
                    self.supply(mount)))
            self.assertGreaterEqual(set(shown), listed)
            self.assertEqual(shown["uevent"].splitlines(), [
                "POWER_SUPPLY_NAME=bms0", "POWER_SUPPLY_TYPE=Battery",
                "POWER_SUPPLY_SCOPE=System", "POWER_SUPPLY_PRESENT=0",
                "POWER_SUPPLY_MANUFACTURER=REC"])
        self.plug()
        until(lambda: True if self.outcome(mount, f"{SUPPLY}/charge_full").isdigit() else None)
        self.assertEqual(mount.read(f"{SUPPLY}/present"), "1")

    def test_master(self):
        mount = self.mount_sim("--model", "master", "--units", "3", "--cells", "4",
                               options=(*QUICK, "address=16"))
        shown = self.supply(mount)
        cells = round(float(mount.read("pack/voltage")) / float(mount.read("pack/cell_voltage_max")))
        self.assertIn(cells, (4, 12))
        self.assertEqual(int(shown["voltage_max"]), round(float(mount.read("CMAX")) * cells * 1e6))
        self.assertEqual(mount.read(f"{HWMON}/in5_label"), "unit 2 cell 1")
        self.assertAlmostEqual(int(mount.read(f"{HWMON}/in5_input")) / 1000,
                               float(mount.read("units/2/cells/1/voltage")), 1)

    def test_chemistry_that_nobody_knows(self):
        mount = self.mount_sim()
        self.assertEqual(self.sim.command("put CHEM 9"), "ok")
        until(lambda: True if mount.read("pack/chemistry") == "unknown, number 9" else None)
        self.assertEqual(mount.read(f"{SUPPLY}/technology"), "Unknown")

    def test_large_pack(self):
        """More ampere-hours than a byte of LCD3, or an int of microampere-hours, can hold."""
        mount = self.mount_sim()
        self.assertEqual(self.sim.command("put CAPA 3000"), "ok")
        until(lambda: True if mount.read("pack/capacity") == "3000.0" else None)
        soc, soh = (float(mount.read(f"pack/{name}")) / 100 for name in ("soc", "soh"))
        missing = float(mount.read("pack/charge_missing"))
        self.assertGreater(missing, 255)
        self.assertAlmostEqual(missing, (1 - soc) * soh * 3000, delta=5)
        self.assertAlmostEqual(float(mount.read("pack/remaining")), soc * soh * 3000, delta=5)
        shown = self.supply(mount)
        for name in ("charge_now", "charge_full", "charge_full_design"):
            self.assertEqual(shown[name], "EOPNOTSUPP", name)
        self.assertNotIn("CHARGE_", shown["uevent"])
        self.assertIn(f"POWER_SUPPLY_CAPACITY={shown['capacity']}\n", shown["uevent"])
        self.assertEqual(self.i3status(mount, "%percentage"), shown["capacity"] + "%")

    @needs("acpi")
    def test_acpi(self):
        mount = self.mount_sim()
        capacity = mount.read(f"{SUPPLY}/capacity")
        said = self.run_program("acpi", "-b", "-d", mount.path("class"))
        self.assertRegex(said, rf"^Battery 0: [A-Z][a-z ]+, {capacity}%")
        self.unplug()
        until(lambda: True if mount.read(f"{SUPPLY}/present") == "0" and
              self.outcome(mount, f"{SUPPLY}/capacity") == "EOPNOTSUPP" else None)
        done = subprocess.run(["acpi", "-b", "-d", mount.path("class")], text=True, check=False,
                              capture_output=True, timeout=harness.PATIENCE)
        self.assertNotRegex(done.stdout, r"\d%")

    def i3status(self, mount, shown):
        """The first line that it prints."""
        config = os.path.join(self.folder, "i3status")
        with open(config, "w", encoding="ascii") as file:
            file.write('general { output_format = "none" interval = 1 }\n'
                       'order += "battery 0"\n'
                       f'battery 0 {{ path = "{mount.path(SUPPLY)}/uevent"\n'
                       f'format = "{shown}" integer_battery_capacity = true }}\n')
        program = subprocess.Popen(["i3status", "-c", config], stdout=subprocess.PIPE, text=True,
                                   env=self.environment)
        try:
            return program.stdout.readline().strip()
        finally:
            program.kill()
            program.wait()
            program.stdout.close()

    @needs("i3status")
    def test_i3status(self):
        mount = self.mount_sim()
        capacity = mount.read(f"{SUPPLY}/capacity")
        self.assertRegex(self.i3status(mount, "%status %percentage"), rf"^[A-Z]+ {capacity}%$")
        self.unplug()
        until(lambda: True if mount.read(f"{SUPPLY}/uevent").count("\n") == 4 else None)
        self.assertEqual(self.i3status(mount, "%status %percentage"), "No battery")

    @needs("i3status")
    def test_i3status_and_the_size_of_the_pack(self):
        """It needs all it makes watts of, or none; and it takes time_to_empty_now for minutes."""
        bms, mount = self.mount_responder("ttl=0", "ttl_settings=0")
        del bms.verbatim["CAPA?"]
        bms.set_main(current=-2)
        for capacity in (5.0, 30.0, 40.0, 45.0, 60.0, 450.0, 3000.0):
            bms.set_setting("CAPA", capacity)
            time_s = int(mount.read("pack/time_to_empty"))
            shown = self.i3status(mount, "%status %percentage %remaining %consumption")
            of_design = f"{0.7846351 * 0.9897 * 100:.0f}"
            if capacity < 38:
                time = f"{time_s // 3600:02}:{time_s // 60 % 60:02}"
                self.assertEqual(shown, f"BAT {of_design}% {time} 110.97W", capacity)
            else:
                self.assertEqual(shown, "BAT 78%", capacity)


class Units(Case):
    """The units of a master, with the addresses that LCD3 calls them by."""

    def agree(self, mount):
        """Whether what LCD3 points at is what LCD1 says; between two of them the cells may move."""
        unit = {mount.read(f"units/{number}/address"): number for number in "123"}
        volts = {(number, cell): mount.read(f"units/{number}/cells/{cell}/voltage")
                 for number in "123" for cell in "1234"}
        heat = {(number, sensor): mount.read(f"units/{number}/sensors/{sensor}/temperature")
                for number in "123" for sensor in "12"}
        for name, values, choose in (("cell_min", volts, min), ("cell_max", volts, max),
                                     ("temperature_max", heat, max)):
            number = name if values is volts else "temperature_max_sensor"
            place = unit[mount.read(f"pack/{name}_unit")], mount.read(f"pack/{number}")
            value = name.replace("cell_", "cell_voltage_")
            if not values[place] == choose(values.values(), key=float) == mount.read(
                    f"pack/{value}"):
                return None
        return True

    def test_extremes(self):
        mount = self.mount_sim("--model", "master", "--units", "3", "--cells", "4",
                               "--sensors", "2", "--baud", "0", "--turnaround", "0",
                               options=("ttl=0", "address=16"))
        until(lambda: self.agree(mount))
        self.assertEqual(sum(float(mount.read(f"units/{unit}/cells/{cell}/voltage")) > 2
                             for unit in "123" for cell in "1234"), 12)

    def test_temperature_of_a_unit(self):
        """A master tells one temperature, and nobody knows whose it is."""
        mount = self.mount_sim("--model", "master", "--units", "2", options=(*QUICK, "address=16"))
        self.assertEqual(self.outcome(mount, "units/1/temperature"), "ENODATA")
        mount = self.mount("sim:")
        self.assertRegex(mount.read("units/1/temperature"), r"^\d+\.\d$")


class Sources(Case):
    """docs/ABI says which instructions a file is made of: these are asked for and no others."""

    def documented(self):
        found = {}
        for page in os.scandir(os.path.join(SOURCE, "docs", "ABI")):
            with open(page.path, encoding="ascii") as file:
                entries = file.read().split("\nWhat:\t\tMOUNTPOINT/")
            for entry in entries[1:]:
                made = re.search(r"Computed from: ([^.]+)\.", entry)
                found[entry.split("\n")[0]] = set(re.split(r",\s+", made.group(1))
                                                  if made else ())
        return found

    @staticmethod
    def template(name):
        for pattern, letter in ((r"(units/)\d+", "N"), (r"(cells/)\d+", "M"),
                                (r"(sensors/)\d+", "K"), (r"(/in)[1-9]\d*(?=_)", "N"),
                                (r"(/temp)(?:[2-9]|\d\d+)(?=_)", "N")):
            name = re.sub(pattern, rf"\g<1>{letter}", name)
        return name

    def asked(self, mount, log, name):
        start = os.path.getsize(log)
        try:
            mount.raw(name, os.O_DIRECT)
        except OSError:
            pass
        with open(log, encoding="ascii") as file:
            file.seek(start)
            return set(re.findall(r" > \w+ (\S+)\?$", file.read(), re.M))

    def check(self, model, *arguments):
        log = os.path.join(self.folder, "log")
        mount = self.mount_sim("--model", model, "--baud", "0", "--turnaround", "0", "--log", log,
                               *arguments, options=(f"model={model}", "timeout=5", "deadline=30"))
        documented = self.documented()
        known = {row["mnemonic"] for row in self.table()
                 if any(v["model"] == model and v["present"] for v in row["variants"])}
        checked = 0
        for folder, _, names in os.walk(mount.place):
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), mount.place)
                if path.isupper() or path.startswith(("bus/", "metrics/", "snapshot")):
                    continue
                self.assertEqual(self.asked(mount, log, path),
                                 documented[self.template(path)] & known, path)
                checked += 1
        self.assertGreater(checked, 70)

    def test_1q(self):
        self.check("1q")

    def test_2q(self):
        self.check("2q", "--cells", "5", "--sensors", "2")

    def test_abms(self):
        self.check("abms")

    def test_master(self):
        self.check("master", "--units", "2", "--cells", "3", "--sensors", "2")


@needs("collectd")
@unittest.skipUnless(harness.ROOT, "only root can put the mount in the place of /sys/class")
class Collectd(Case):
    """Its battery plugin knows no other place than /sys/class/power_supply."""

    def start(self, mount):
        """collectd, to which the mount's class/ is /sys/class; it writes what it reads as CSV."""
        top = os.path.dirname(os.path.dirname(shutil.which("collectd")))
        self.values = os.path.join(self.folder, "values")
        config = os.path.join(self.folder, "collectd.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'''
                Hostname "boat"
                BaseDir "{self.folder}"
                PIDFile "{self.folder}/pid"
                PluginDir "{top}/lib/collectd"
                TypesDB "{top}/share/collectd/types.db"
                Interval 0.1
                LoadPlugin battery
                LoadPlugin csv
                <Plugin csv>
                    DataDir "{self.values}"
                </Plugin>
            ''')
        program = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /sys/class && exec collectd -f -C "$2"',
             "sh", mount.path("class"), config], env=self.environment)
        self.addCleanup(program.wait, harness.PATIENCE)
        self.addCleanup(program.terminate)

    def newest(self, kind):
        """The last value of that kind that it has written, or None."""
        for path in glob.glob(f"{self.values}/boat/battery-0/{kind}-2*"):
            with open(path, encoding="ascii") as file:
                lines = file.read().split("\n")[1:-1]  # a heading, and what is not whole yet
            if lines:
                return float(lines[-1].split(",")[1])
        return None

    def test_battery_plugin_finds_charge_voltage_current_and_power(self):
        bms, mount = self.mount_responder("ttl=0", "ttl_settings=0")
        bms.set_main(current=2)
        charge = int(mount.read(f"{SUPPLY}/charge_now")) / 1e6
        empty = int(mount.read(f"{SUPPLY}/voltage_min_design")) / 1e6
        self.start(mount)
        for kind, value in (("capacity", charge * empty), ("voltage", 55.487492), ("current", 2),
                            ("power", 110.974983)):
            self.assertAlmostEqual(until(lambda kind=kind: self.newest(kind)), value, 3, kind)


@needs("prometheus-node-exporter")
class NodeExporter(Case):
    """All three collectors at once; it succeeds whatever happens, and shows nothing old."""

    def start(self, mount):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = subprocess.Popen(
            ["prometheus-node-exporter", "--collector.disable-defaults",
             *(f"--collector.{name}" for name in COLLECTORS),
             f"--path.sysfs={mount.place}",
             f"--collector.textfile.directory={mount.path('metrics')}",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        until(self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), harness.PATIENCE):
                return True
        except ConnectionRefusedError:
            return None

    def scrape(self):
        """{name: {labels: value}} of what is about the battery; all collectors must succeed."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics",
                                    timeout=harness.PATIENCE) as page:
            lines = page.read().decode().splitlines()
        found = collections.defaultdict(dict)
        for line in lines:
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)|#.*", line).groups()
            if name:
                found[name][labels] = value
        success = found["node_scrape_collector_success"]
        self.assertEqual(success, {f'collector="{name}"': "1" for name in COLLECTORS})
        self.assertEqual(found["node_textfile_scrape_error"], {None: "0"})
        return {name: samples for name, samples in found.items()
                if name.startswith(("bms", "node_power", "node_hwmon", "node_textfile_mtime"))}

    def values(self, scraped):
        """Names of what only a BMS that answers can have told."""
        constant = {"bms_up", "node_power_supply_present", "node_power_supply_info",
                    "node_hwmon_chip_names", "node_hwmon_sensor_label",
                    "node_textfile_mtime_seconds"}
        return {name for name in scraped if name not in constant and
                not name.startswith(("bmsfs_", "bms_sample_"))}

    def is_away(self):
        scraped = self.scrape()
        if scraped["bms_up"] != {None: "0"} or self.values(scraped):
            return None
        return scraped

    def is_there(self):
        scraped = self.scrape()
        wanted = {"bms_cell_voltage_volts", "bms_info", "bms_setting_cmax_volts",
                  "node_power_supply_capacity", "node_power_supply_charge_ampere",
                  "node_hwmon_in_volts", "node_hwmon_temp_celsius", "node_hwmon_curr_amps"}
        # The cells are listed once the BMS has told how many there are.
        if not wanted <= self.values(scraped) or len(scraped["node_hwmon_in_volts"]) < 15:
            return None
        return scraped

    def check_away(self):
        scraped = until(self.is_away)
        for _ in range(5):
            self.assertIsNotNone(self.is_away(), "an old value came back")
        self.assertEqual(scraped["node_power_supply_present"], {'power_supply="bms0"': "0"})
        (info,) = scraped["node_power_supply_info"]
        self.assertEqual(set(re.findall(r"(\w+)=", info)),
                         {"manufacturer", "power_supply", "scope", "type"})

    def check_there(self, capacity):
        scraped = until(self.is_there)
        self.assertEqual(scraped["bms_up"], {None: "1"})
        self.assertEqual(scraped["node_power_supply_present"], {'power_supply="bms0"': "1"})
        self.assertIn(int(scraped["node_power_supply_capacity"]['power_supply="bms0"']),
                      (capacity, capacity + 1))
        self.assertEqual(len(scraped["bms_cell_voltage_volts"]), 14)
        self.assertEqual(len(scraped["node_hwmon_in_volts"]), 15)
        self.assertNotEqual(list(scraped["node_textfile_mtime_seconds"].values()), ["0"])

    def test_units(self):
        mount = self.mount_sim("--model", "master", "--units", "3", "--cells", "4",
                               options=(*QUICK, "address=16", "name=house"))
        self.start(mount)
        scraped = until(lambda: (lambda found: found if
                                 len(found["bms_cell_voltage_volts"]) == 12 else None)(self.scrape()))
        self.assertEqual(set(scraped["bms_cell_voltage_volts"]),
                         {f'cell="{cell}",unit="{unit}"' for unit in "123" for cell in "1234"})
        self.assertEqual(set(scraped["node_power_supply_present"]), {'power_supply="house"'})
        labels = [re.search(r'label="unit (\d) cell (\d)"', sample)
                  for sample in scraped["node_hwmon_sensor_label"]]
        self.assertEqual({found.groups() for found in labels if found},
                         {(unit, cell) for unit in "123" for cell in "1234"})

    def test_four_states(self):
        mount = self.mount_sim()
        self.start(mount)
        capacity = int(mount.read(f"{SUPPLY}/capacity"))
        self.check_there(capacity)
        self.sim.command("silence on")
        self.check_away()
        self.sim.command("silence off")
        self.check_there(capacity)
        self.unplug()
        self.check_away()
        self.plug()
        self.check_there(int(until(lambda: (
            lambda text: text if text.isdigit() else None)(
                self.outcome(mount, f"{SUPPLY}/capacity")))))


    def test_design_voltages_and_power(self):
        bms, mount = self.mount_responder(*QUICK)
        bms.set_main(current=-2)
        self.start(mount)
        scraped = until(lambda: (lambda found: found if "node_power_supply_power_watt" in found
                                 else None)(self.scrape()))
        for name, file in (("voltage_min_design", "voltage_min_design"),
                           ("voltage_max_design", "voltage_max_design"),
                           ("power_watt", "power_now"), ("current_ampere", "current_now")):
            (value,) = scraped["node_power_supply_" + name].values()
            self.assertAlmostEqual(float(value), int(mount.read(f"{SUPPLY}/{file}")) / 1e6, 3, name)


class Online(Case):
    """bus/state, pack/online, present and bms_up say the same, whatever else can be read."""

    def told(self, mount):
        """What each of them says, as "1" or "0"."""
        metrics = exposition.parse(mount.raw(METRICS).decode())
        return {
            "pack/online": "1" if self.outcome(mount, "pack/online") == "1" else "0",
            "present": mount.read(f"{SUPPLY}/present"),
            "uevent": re.search(r"POWER_SUPPLY_PRESENT=(\d)", mount.read(f"{SUPPLY}/uevent"))[1],
            "bms_up": metrics["bms_up"][()],
            "snapshot": str(int(json.loads(mount.raw("snapshot.json"))["link"]["state"] == "online")),
            "bus/state": str(int(mount.read("bus/state") == "online")),
        }, metrics

    def check_told(self, mount, wanted):
        told = until(lambda: (lambda told: told if set(told[0].values()) == {wanted} else None)(
            self.told(mount)))
        self.assertEqual(set(told[0].values()), {wanted})
        return told[1]

    def test_with_grace_and_a_silent_bms_values_stay_and_nothing_is_online(self):
        responder, mount = self.mount_responder("grace=60", *QUICK)
        mount.expects("nobody answers", "no answer")
        metrics = self.check_told(mount, "1")
        voltage = metrics["bms_pack_voltage_volts"]
        age = float(metrics["bms_sample_age_seconds"][(("instruction", "LCD1"),)])
        responder.silent = True
        metrics = self.check_told(mount, "0")
        self.assertEqual(metrics["bms_pack_voltage_volts"], voltage)
        self.assertGreater(float(metrics["bms_sample_age_seconds"][(("instruction", "LCD1"),)]), age)
        self.assertEqual(mount.read(f"{SUPPLY}/capacity"), "78")
        responder.heal()
        self.check_told(mount, "1")

    def test_while_the_reply_to_LCD1_is_longer_than_expected_the_bms_is_online(self):
        responder, mount = self.mount_responder(*QUICK)
        mount.expects("LCD1")
        until(lambda: True if self.outcome(mount, "pack/voltage") == "55.487" else None)
        responder.set_array("LCD1", b"32", bytes(32))
        until(lambda: True if self.outcome(mount, "pack/voltage") == "EIO" else None)
        metrics = self.check_told(mount, "1")
        self.assertEqual(len(metrics["bms_cell_voltage_volts"]), 14)
        self.assertIn("bms_setting_cmax_volts", metrics)
        self.assertNotIn("bms_pack_voltage_volts", metrics)
        self.assertEqual(metrics["bms_sample_error"][(("error", "EIO"), ("instruction", "LCD1"))], "1")

    def test_a_bms_that_nothing_reads_is_idle(self):
        _, mount = self.mount_responder("ttl=0.1", "deadline=0.2", "timeout=0.1", "tries=1")
        mount.read("pack/online")
        until(lambda: True if mount.read("bus/state") == "idle" else None)
        mount.read("pack/online")
        until(lambda: True if self.outcome(mount, "pack/online") == "1" and
              mount.read("bus/state") == "online" else None)


class Metrics(Case):
    def check(self, text):
        families = exposition.parse(text)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                  capture_output=True, check=False, timeout=harness.PATIENCE)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return families

    def test_there_and_away(self):
        mount = self.mount_sim()
        families = self.check(mount.raw(METRICS).decode())
        self.assertEqual(families["bms_up"], {(): "1"})
        self.assertEqual(len(families["bms_cell_voltage_volts"]), 14)
        self.assertEqual(families["bms_setting_cmax_volts"], {(): mount.read("CMAX")})
        (info,) = families["bms_info"]
        self.assertEqual(dict(label[:2] for label in info)["identification"], mount.read("IDN"))
        counters = {f"bmsfs_{name}_total" for name in mount.counters()}
        self.unplug()
        families = until(lambda: (lambda found: found if found["bms_up"] == {(): "0"} else None)(
            self.check(mount.raw(METRICS).decode())))
        left = counters | {"bms_up", "bms_sample_error", "bmsfs_build_info"}
        families = until(lambda: (lambda found: found if set(found) == left else None)(
            self.check(mount.raw(METRICS).decode())))
        self.assertEqual(families["bms_sample_error"][
            (("error", "ENODEV"), ("instruction", "LCD1"))], "1")

    def test_largest(self):
        mount = self.mount("sim:model=master,units=15,cells=16,sensors=8,baud=0")
        until(lambda: True if self.outcome(mount, "units/15/sensors/1/temperature")[0].isdigit()
              else None)
        families = self.check(mount.raw(METRICS).decode())
        self.assertEqual(len(families["bms_cell_voltage_volts"]), 240)

    def test_dashboard(self):
        """It uses the names that there are, with the labels that they have, and nothing else."""
        mount = self.mount("sim:")
        mount.read("PTEM")
        families = self.check(mount.raw(METRICS).decode())
        with open(os.path.join(SOURCE, "docs", "ABI", "metrics"), encoding="ascii") as page:
            documented = set(re.findall(r"^\t\t(bms_\w+)", page.read(), re.M))
        with open(os.path.join(SOURCE, "data", "grafana", "bmsfs.json"), encoding="utf-8") as file:
            board = json.load(file)
        used = 0
        for panel in board["panels"]:
            for target in panel["targets"]:
                for name in re.findall(r"\bbms(?:fs)?_\w+", target["expr"]):
                    self.assertIn(name, families.keys() | documented, panel["title"])
                    used += 1
                    for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                        for labels in families[name]:
                            self.assertIn(label, [pair[0] for pair in labels], panel["title"])
        self.assertGreater(used, 30)
        for variable in board["templating"]["list"]:
            for name in re.findall(r"\bbms(?:fs)?_\w+", variable.get("definition", "")):
                self.assertIn(name, families)
        self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))


def flatten(place, node, found):
    """The values of a part of the snapshot, by path."""
    if "value" in node and "age" in node:
        found[place] = node
        return
    for name, child in node.items():
        flatten(f"{place}/{name}" if place else name, child, found)


class Snapshot(Case):
    def load(self, mount):
        return json.loads(mount.raw("snapshot.json"), parse_float=str, parse_int=str)

    def test_it_says_what_the_files_say(self):
        mount = self.mount_sim(options=("ttl=600", "ttl_settings=600"))
        shot = self.load(mount)
        requests = mount.counters()["requests"]
        found = {}
        for part in ("pack", "units"):
            flatten(part, shot[part], found)
        flatten("", shot["instructions"], found)
        for name, value in found.items():
            text = mount.read(name)
            shown = value["value"]
            if isinstance(shown, dict):
                shown = "\n".join(shown.values())
            elif isinstance(shown, list):
                shown = "\n".join(shown)
            self.assertEqual(shown, text, name)
            self.assertGreaterEqual(float(value["age"]), 0, name)
            self.assertLess(float(value["age"]), 600, name)
            try:
                unit = os.getxattr(mount.path(name), "user.bms.unit").decode()
            except OSError:
                unit = None
            if not isinstance(value["value"], dict):
                self.assertEqual(value.get("unit"), unit, name)
        for name, error in shot["failed"].items():
            self.assertEqual(self.outcome(mount, name), error, name)
        files = {os.path.relpath(os.path.join(folder, name), mount.place)
                 for part in ("pack", "units") for folder, _, names in os.walk(mount.path(part))
                 for name in names}
        files |= {name for name in os.listdir(mount.place)
                  if name.isupper() and name not in ("SOC", "SOH")}
        self.assertEqual(found.keys() | shot["failed"].keys(), files)
        self.assertFalse(found.keys() & shot["failed"].keys())
        # All of that was fresh, and the next one is.
        self.load(mount)
        self.assertEqual(mount.counters()["requests"], requests)

    def test_the_log_of_errors_is_left_alone(self):
        mount = self.mount_sim("--model", "abms", options=("deadline=30", "address=2"))
        self.assertNotIn("ERRL", json.dumps(self.load(mount)))
        self.assertNotIn("ERRL", mount.raw(METRICS).decode().upper())

    def test_away(self):
        mount = self.mount_sim()
        self.unplug()
        shot = until(lambda: (lambda shot: shot if shot["link"]["state"] == "absent" and
                              not shot["instructions"] else None)(self.load(mount)))
        self.assertEqual((shot["pack"], shot["units"], shot["model"]), ({}, {}, None))
        self.assertEqual(shot["failed"]["LCD1"], "ENODEV")
        self.assertEqual(shot["failed"]["pack/online"], "ENODEV")

    def test_what_is_lost_costs_no_more_than_the_deadline(self):
        mount = self.mount_sim(options=("ttl=0", "ttl_settings=0", "deadline=1.5"))
        self.sim.command("fault drop=0.4")
        before = time.monotonic()
        shot = self.load(mount)
        self.assertLess(time.monotonic() - before, 1.5 + harness.PATIENCE / 2)
        self.assertTrue(shot["failed"])
        self.assertTrue(set(shot["failed"].values()) <=
                        {"ETIMEDOUT", "EIO", "ENODATA", "ENODEV", "EOPNOTSUPP"})
        self.sim.command("fault drop=0")

    def test_every_reader_gets_all_of_it(self):
        mount = self.mount_sim()
        path, copy = mount.path("snapshot.json"), os.path.join(self.folder, "copy")
        to = f"> {copy}"
        readers = [f"cat {path} {to}", f"cat < {path} {to}", f"cp {path} {copy}",
                   f"tail -c +1 {path} {to}", f"tail -n 100000 {path} {to}",
                   f"head -c 1000000 {path} {to}", f"dd if={path} bs=100 status=none {to}",
                   f"sed p -n {path} {to}", f"grep '' {path} {to}", f"awk 1 {path} {to}",
                   f"busybox cat {path} {to}", f"busybox cp {path} {copy}",
                   f"install {path} {copy}"]
        for program, reader in (
                ("jq", f"jq . {path} {to}"), ("less", f"less {path} {to}"),
                ("node", "node -e 'const fs = require(\"fs\"); fs.writeFileSync("
                         f"\"{copy}\", fs.readFileSync(\"{path}\"))'")):
            if shutil.which(program):
                readers.append(reader)
        for reader in readers:
            self.run_program("sh", "-c", reader)
            with open(copy, encoding="ascii") as file:
                self.assertEqual(json.load(file)["model"], "1q", reader)
            os.remove(copy)
        shutil.copyfile(path, copy)
        with open(copy, encoding="ascii") as file:
            self.assertEqual(json.load(file)["model"], "1q")
        tail = self.run_program("tail", "-c", "5", path)
        self.assertEqual(tail, "\t}\n}\n")

    def test_size_is_exact(self):
        mount = self.mount_sim()
        for name in ("snapshot.json", METRICS):
            with open(mount.path(name), "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                text = file.read()
                self.assertEqual(len(text), size)
                self.assertEqual(file.seek(0, os.SEEK_END), size)
                self.assertEqual(os.pread(file.fileno(), 10, size - 3), text[-3:])
                self.assertEqual(os.pread(file.fileno(), 1 << 20, 0), text)
            self.assertEqual(os.stat(mount.path(name)).st_size, size)


if __name__ == "__main__":
    harness.main()
