#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""bmsfs-mqtt between a mount and a real broker, seen with the broker's own clients."""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "mount"))

import harness
from harness import PATIENCE, Lines

BMSFS_MQTT = os.environ.get("BMSFS_MQTT", "bmsfs-mqtt")
DEVICE = "homeassistant/device/bmsfs_house/config"
STILL = "ttl=1000,ttl_settings=1000"  # values stay as they were first read

# What Home Assistant's documents know, for the platforms that are used here.
ROOT_KEYS = {"device", "origin", "availability", "availability_mode", "state_topic", "components"}
DEVICE_KEYS = {"identifiers", "name", "manufacturer", "model", "serial_number", "sw_version",
               "hw_version"}
SHARED_KEYS = {"platform", "unique_id", "default_entity_id", "name", "device_class",
               "entity_category", "value_template", "state_topic", "availability",
               "enabled_by_default"}
KEYS = {
    "sensor": SHARED_KEYS | {"expire_after", "state_class", "suggested_display_precision",
                             "suggested_unit_of_measurement", "unit_of_measurement"},
    "binary_sensor": SHARED_KEYS | {"expire_after", "payload_on", "payload_off"},
    "number": SHARED_KEYS | {"command_topic", "min", "max", "step", "mode", "optimistic",
                             "unit_of_measurement"},
}
UNITS = {"voltage": "V", "current": "A", "power": "W", "temperature": "°C", "battery": "%",
         "duration": "s"}
CATEGORIES = {"sensor": "diagnostic", "binary_sensor": "diagnostic", "number": "config"}


def look_up(state, template):
    """What a value_template of ours makes of a state."""
    place = re.fullmatch(r"\{\{ value_json((?:\['\w+'\]|\[\d+\])+) \| default\(none\) \}\}",
                         template).group(1)
    for name, index in re.findall(r"\['(\w+)'\]|\[(\d+)\]", place):
        state = state[name] if name else state[int(index)]
    return state


def accepts(address):
    """Whether somebody listens there."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as client:
        try:
            client.connect(address)
        except OSError:
            return False
    return True


def await_gone(pid):
    end = time.monotonic() + PATIENCE
    while harness.is_running(pid):
        if time.monotonic() > end:
            raise AssertionError(harness.describe(pid))
        time.sleep(0.02)


class Program:
    """A program of which stderr or stdout is read line by line."""

    def __init__(self, test, arguments, stream="stderr", **more):
        self.test = test
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
        pipes[stream] = subprocess.PIPE
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, text=True,
                                        errors="replace", env=test.environment, **pipes, **more)
        self.said = Lines(getattr(self.process, stream))
        test.addCleanup(self.kill)

    def wait_for(self, pattern, since=0):
        line = self.said.wait_for(pattern, since)
        self.test.assertIsNotNone(line, (pattern, self.said.lines))
        return line

    def mark(self):
        return len(self.said.lines)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait_end()

    def wait_end(self):
        status = self.process.wait(PATIENCE)
        self.said.close()
        return status

    def kill(self):
        if self.process.poll() is None:
            agents = harness.children(self.process.pid)
            self.process.kill()
            self.wait_end()
            for pid in agents:  # which may still hold a file of the mount
                await_gone(pid)
        elif not self.said.stream.closed:
            self.said.close()


class Listener(Program):
    """Everything that passes through the broker, as (topic, payload)."""

    def __init__(self, test, *arguments):
        super().__init__(test, ["mosquitto_sub", *arguments, "-t", "#", "-F", "%r %t %p"], "stdout")

    def wait_message(self, topic, payload="", since=0):
        """Returns the first such payload; @payload is a pattern for its beginning."""
        line = self.wait_for(rf"^[01] {re.escape(topic)} {payload}", since)
        return line.split(" ", 2)[2]

    def wait_json(self, topic, since=0):
        return json.loads(self.wait_message(topic, since=since))

    def messages(self, topic, since=0):
        return [line.split(" ", 2)[2]
                for line in self.said.find(rf"^[01] {re.escape(topic)} ", since)]


class Case(harness.MountTest):
    address = None

    def setUp(self):
        super().setUp()
        self.address = os.path.join(self.folder, "broker")
        self.settings = {"host": self.address}
        self.broker = self.start_broker()
        self.listener = self.listen()

    def start_broker(self, *lines, listener=None, address=None):
        path = os.path.join(self.folder, "mosquitto.conf")
        with open(path, "w", encoding="ascii") as conf:
            conf.write("\n".join([f"listener {listener or '0 ' + self.address}",
                                  "persistence false", "allow_anonymous true", *lines,
                                  *(["user root"] if harness.ROOT else []), ""]))
        broker = Program(self, ["mosquitto", "-c", path])
        end = time.monotonic() + PATIENCE
        while not accepts(address or self.address):
            self.assertIsNone(broker.process.poll(), broker.said.lines)
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        return broker

    def listen(self, *arguments):
        listener = Listener(self, *(arguments or ["--unix", self.address]))
        # It has subscribed once it hears what is said.
        while not listener.said.lines:
            self.publish("test/ready", "yes", *arguments)
        return listener

    def publish(self, topic, payload, *arguments):
        self.run_program("mosquitto_pub", *(arguments or ["--unix", self.address]), "-t", topic,
                         *(["-m", payload] if payload else ["-n"]))

    def configure(self, mode=0o600, **settings):
        path = os.path.join(self.folder, "mqtt.conf")
        with open(path, "w", encoding="ascii") as conf:
            for key, value in {**self.settings, **settings}.items():
                conf.write(f"{key} = {value}\n")
        os.chmod(path, mode)
        return path

    def bridge(self, place, *arguments, cwd=None, **settings):
        return Program(self, [BMSFS_MQTT, "--config", self.configure(**settings), "--name", "house",
                              *arguments, place], cwd=cwd)

    def start(self, *arguments, options=(), prefix="bmsfs", **settings):
        """A mount of sim: and a bridge that has told all that it has to tell at first."""
        self.bmsfs = self.mount("sim:", *options).expects("")
        mqtt = self.bridge(self.bmsfs.place, *arguments, prefix=prefix, **settings)
        self.listener.wait_message(f"{prefix}/house/daemon", "online")
        return mqtt


class Publishing(Case):
    def check_component(self, key, component):
        platform = component["platform"]
        self.assertEqual(set(component) - KEYS[platform], set(), key)
        self.assertRegex(component["default_entity_id"], rf"^{platform}\.house_[a-z0-9_]+$")
        self.assertRegex(component["unique_id"], r"^bmsfs_house_\w+$")
        self.assertTrue(component["name"])
        if platform != "number" and key != "connectivity":
            self.assertEqual(component["expire_after"], 30, key)
        if "entity_category" in component:
            self.assertEqual(component["entity_category"], CATEGORIES[platform])
        if platform != "binary_sensor" and "device_class" in component:
            self.assertEqual(component["unit_of_measurement"], UNITS[component["device_class"]])
        self.assertIn(component.get("state_class"), (None, "measurement", "total_increasing"))
        if platform == "number":
            self.assertLess(component["min"], component["max"])
            self.assertGreaterEqual(component["step"], 0.001)
            self.assertRegex(component["command_topic"], r"^bmsfs/house/set/[A-Z0-9]{1,4}$")

    def check_discovery(self, message):
        """Returns the components that are not removed."""
        self.assertEqual(set(message), ROOT_KEYS)
        self.assertEqual(set(message["device"]) - DEVICE_KEYS, set())
        self.assertEqual(message["device"]["identifiers"], ["bmsfs_house"])
        self.assertEqual(message["origin"]["name"], "bmsfs-mqtt")
        self.assertEqual(message["availability_mode"], "all")
        self.assertEqual([entry["topic"] for entry in message["availability"]],
                         ["bmsfs/house/daemon", "bmsfs/house/link"])
        shown = {key: component for key, component in message["components"].items()
                 if set(component) != {"platform"}}
        for key, component in shown.items():
            self.assertRegex(key, r"^\w+$")
            self.check_component(key, component)
        for unique in ("unique_id", "default_entity_id"):
            values = [component[unique] for component in shown.values()]
            self.assertEqual(len(values), len(set(values)))
        return shown

    def check_models(self, device, *options):
        self.bmsfs = self.mount(device, STILL, *options)
        mqtt = self.bridge(self.bmsfs.place)
        components = self.check_discovery(self.listener.wait_json(DEVICE))
        state = self.listener.wait_json("bmsfs/house/state")
        for key, component in components.items():
            if key != "connectivity":
                look_up(state, component["value_template"])  # must be there, if only as null
        self.assertEqual(mqtt.end(), 0)
        self.listener.wait_message("bmsfs/house/daemon", "offline")
        return components, state

    def test_values_are_those_of_the_files(self):
        components, state = self.check_models("sim:")
        for name in ("voltage", "current", "soc", "cell_min", "cycles"):
            self.assertEqual(state[name], float(self.bmsfs.read("pack/" + name)), name)
            self.assertIn(name, components)
        self.assertEqual(state["error_text"], self.bmsfs.read("pack/error_text"))
        self.assertIs(state["problem"], False)
        cells = sorted(map(int, os.listdir(self.bmsfs.path("cells"))))
        self.assertEqual(state["cells"],
                         [float(self.bmsfs.read(f"cells/{cell}/voltage")) for cell in cells])
        self.assertEqual(len(state["temperatures"]),
                         len(os.listdir(self.bmsfs.path("units/1/sensors"))))
        self.assertEqual(components["units_1_cells_3_voltage"]["value_template"],
                         "{{ value_json['cells'][2] | default(none) }}")
        for name, value in state["settings"].items():
            self.assertEqual(value, float(self.bmsfs.read(name)), name)
            self.assertEqual(components[name]["platform"], "sensor")
        self.assertGreater(len(state["settings"]), 20)

    def example(self, name):
        with open(os.path.join(HERE, "../../docs/home-assistant.md"), encoding="utf-8") as page:
            return json.loads(re.search(rf"<!-- mqtt: {name} -->\n```json\n(.*?)^```$", page.read(),
                                        flags=re.M | re.S).group(1))

    def test_examples_of_the_documents(self):
        self.start("--allow-write", title="House bank")
        message, shown = self.listener.wait_json(DEVICE), self.example("discovery")
        message["components"] = {key: message["components"][key] for key in shown["components"]}
        self.assertEqual(message, shown)
        state, shown = self.listener.wait_json("bmsfs/house/state"), self.example("state")
        self.assertEqual(set(state), set(shown))
        for group in ("settings", "instructions"):
            self.assertEqual(set(shown[group]) - set(state[group]), set())

    def test_several_units(self):
        components, state = self.check_models("sim:model=master,units=2,cells=4")
        self.assertEqual(len(state["cells"]), 8)
        self.assertEqual(components["units_2_cells_1_voltage"]["name"], "Unit 2 cell voltage 1")
        self.assertEqual(state["cells"][4], float(self.bmsfs.read("units/2/cells/1/voltage")))

    def test_padding_is_not_published(self):
        """Of the four numbers of an Active BMS one is a sensor."""
        components, state = self.check_models("sim:model=abms")
        self.assertEqual(state["temperatures"],
                         [float(self.bmsfs.read("units/1/sensors/1/temperature"))])
        self.assertIn("units_1_sensors_1_temperature", components)
        self.assertNotIn("units_1_sensors_2_temperature", components)

    def test_instructions_of_ones_own(self):
        """Those of docs/custom-instructions.md."""
        table = os.path.join(os.path.dirname(__file__), "../../data/examples/heater.ini")
        sim = self.simulator("--pty", os.path.join(self.folder, "tty"), "--instructions", table)
        sim.command("put HTMP 21.5")
        bmsfs = self.mount(sim.place, STILL, f"instructions={table}").expects("")
        self.bridge(bmsfs.place, "--allow-write")
        components = self.check_discovery(self.listener.wait_json(DEVICE))
        self.assertEqual(components["HTMP"]["name"], "Heater temperature")
        self.assertEqual(components["HTMP"]["device_class"], "temperature")
        self.assertEqual((components["HTON_number"]["min"], components["HTON_number"]["max"]),
                         (-20, 15))
        # The table ends at 3.65, and the BMS holds more until somebody sets it.
        self.assertEqual(components["CMAX_number"]["max"], 3.85)
        state = self.listener.wait_json("bmsfs/house/state")
        self.assertEqual(state["instructions"]["HTMP"], 21.5)
        self.assertEqual(state["settings"]["HTON"], 5)

    def test_birth_message(self):
        self.start(options=[STILL])
        since = self.listener.mark()
        self.publish("homeassistant/status", "online")
        self.listener.wait_message(DEVICE, since=since)
        self.listener.wait_message("bmsfs/house/state", since=since)

    def test_still_values_are_told_again(self):
        """Before they expire, without any change."""
        self.start(options=[STILL], expire_after=3)
        for _ in range(4):
            since = self.listener.mark()
            self.listener.wait_message("bmsfs/house/state", since=since)
        states = self.listener.messages("bmsfs/house/state")
        self.assertEqual(len(set(states)), 1)
        self.assertEqual(len(self.listener.messages(DEVICE)), 1)

    def test_retained_or_not(self):
        self.start()
        self.listener.wait_message("bmsfs/house/state")
        late = self.listen()
        late.wait_message("bmsfs/house/daemon", "online")
        late.wait_message("bmsfs/house/link", "online")
        late.wait_message(DEVICE)
        retained = [line.split()[1] for line in late.said.find("^1 ")]
        self.assertEqual(sorted(retained), [
            "bmsfs/house/daemon", "bmsfs/house/link", DEVICE])

    def test_two_batteries(self):
        one = self.mount("sim:seed=1")
        two = self.mount("sim:seed=2,cells=4")
        conf = self.configure()
        for name, mount in (("one", one), ("two", two)):
            Program(self, [BMSFS_MQTT, "--config", conf, "--name", name, mount.place])
        for name, cells in (("one", 14), ("two", 4)):
            self.listener.wait_message(f"homeassistant/device/bmsfs_{name}/config")
            self.assertEqual(len(self.listener.wait_json(f"bmsfs/{name}/state")["cells"]), cells)

    def test_without_discovery(self):
        self.start(discovery="", prefix="my/batteries")
        self.listener.wait_message("my/batteries/house/state")
        self.assertEqual(self.listener.said.find("homeassistant"), [])


class Writing(Case):
    def set(self, name, text):
        since = self.listener.mark()
        self.publish(f"bmsfs/house/set/{name}", text)
        return self.listener.wait_json(f"bmsfs/house/result/{name}", since)

    def test_set(self):
        self.start("--allow-write")
        since = self.listener.mark()
        self.assertEqual(self.set("CMAX", "3.7"), {"value": "3.7", "result": "ok"})
        self.assertEqual(self.bmsfs.read("CMAX"), "3.7")
        self.listener.wait_message("bmsfs/house/state", r".*\"CMAX\":3\.7[,}]", since)
        self.assertTrue(self.bmsfs.said.wait_for(r"\(bmsfs-mqtt\) set CMAX 3\.85 -> 3\.7$"))

    def test_refused(self):
        self.start("--allow-write")
        self.assertEqual(self.set("CMAX", "9.9"), {
            "value": "9.9", "result": "ERANGE", "reason": "CMAX: 9.9 is outside 2 to 4.3 V"})
        answer = self.set("CMIN", "3.99")
        self.assertEqual(answer["result"], "EINVAL")
        self.assertIn("must be below CLOW", answer["reason"])
        for text in ("", "3.6V", "3,6", " 3.6", "1e0", "nan", "\u20ac", "3.6" + 23 * "0"):
            self.assertEqual(self.set("CMAX", text)["result"], "EINVAL", text)
        for name in ("SOC", "NONE", "LCD1", "IOFF"):
            self.assertEqual(self.set(name, "1")["result"], "ENOENT", name)
        self.assertEqual(self.bmsfs.said.find("set CMAX"), [])
        self.assertEqual(self.bmsfs.read("CMAX"), "3.85")

    def test_what_is_no_name_is_dropped(self):
        mqtt = self.start("--allow-write")
        for name in ("..", "cmax", "CMAXX"):
            self.publish(f"bmsfs/house/set/{name}", "3.7")
        self.publish("bmsfs/house/set/../CMAX", "3.7")
        self.set("CMAX", "3.8")
        self.assertEqual(len(mqtt.said.find("dropped")), 3)
        self.assertEqual(len(self.bmsfs.said.find(" set ")), 1)

    def test_not_without_leave(self):
        self.start(options=[STILL])
        components = self.listener.wait_json(DEVICE)["components"]
        self.assertEqual(components["CMAX_number"], {"platform": "number"})
        self.assertEqual({component["platform"] for component in components.values()
                          if len(component) > 1}, {"sensor", "binary_sensor"})
        answer = self.set("CMAX", "3.7")
        self.assertEqual(answer["result"], "EACCES")
        self.assertIn("--allow-write", answer["reason"])
        self.assertEqual(self.bmsfs.read("CMAX"), "3.85")

    def test_read_only_mount(self):
        self.start("--allow-write", options=["ro"])
        self.assertIn(self.set("CMAX", "3.7")["result"], ("EROFS", "EACCES", "ENOENT"))
        self.assertEqual(self.bmsfs.read("CMAX"), "3.85")

    def test_retained_wish_is_none(self):
        """The broker would bring it again at each connect."""
        self.run_program("mosquitto_pub", "--unix", self.address, "-r", "-t",
                         "bmsfs/house/set/CMAX", "-m", "3.7")
        self.start("--allow-write")
        answer = self.listener.wait_json("bmsfs/house/result/CMAX")
        self.assertEqual(answer["result"], "EINVAL")
        self.assertIn("retained", answer["reason"])
        self.assertEqual(self.set("BMIN", "3.44")["result"], "ok")
        self.assertEqual(self.bmsfs.read("CMAX"), "3.85")


    def test_many_while_the_bms_is_silent(self):
        """Each waits for the BMS; that is no mount that hangs, and the silence is told meanwhile."""
        link = os.path.join(self.folder, "tty")
        sim = self.simulator("--pty", link)
        bmsfs = self.mount(link, "deadline=3").expects("")
        mqtt = self.bridge(bmsfs.place, "--allow-write", patience=5)
        self.listener.wait_message("bmsfs/house/daemon", "online")
        sim.command("silence on")
        since = self.listener.mark()
        for number in range(12):
            self.publish("bmsfs/house/set/CMAX", f"3.{number + 50}")
        self.listener.wait_message("bmsfs/house/link", "offline", since)
        self.listener.wait_message("bmsfs/house/result/CMAX", r".*\"3\.61\"", since)
        lines = self.listener.said.lines
        told = next(i for i, line in enumerate(lines) if "house/link offline" in line)
        last = next(i for i, line in enumerate(lines) if "result/CMAX" in line and "3.61" in line)
        self.assertLess(told, last)
        self.assertEqual(mqtt.end(), 0)


class Faults(Case):
    def test_broker_dies_and_comes_back(self):
        mqtt = self.start()
        self.broker.end(signal.SIGKILL)
        mqtt.wait_for("connection was lost; next attempt in 1 s")
        os.unlink(self.address)
        since = mqtt.mark()
        self.broker = self.start_broker()
        self.listener = self.listen()
        mqtt.wait_for("connected to the broker", since)
        for topic in (DEVICE, "bmsfs/house/state"):
            self.listener.wait_message(topic)
        for topic in ("link", "daemon"):
            self.listener.wait_message(f"bmsfs/house/{topic}", "online")
        self.assertEqual(mqtt.end(), 0)

    def test_started_before_the_broker(self):
        self.broker.end()
        bmsfs = self.mount("sim:")
        mqtt = self.bridge(bmsfs.place)
        mqtt.wait_for("next attempt in 1 s")
        if os.path.exists(self.address):
            os.unlink(self.address)
        self.broker = self.start_broker()
        self.listener = self.listen()
        self.listener.wait_message("bmsfs/house/state")

    def test_bms_comes_goes_and_comes_back(self):
        link = os.path.join(self.folder, "tty")
        bmsfs = self.mount(link).expects("")
        self.bridge(bmsfs.place, expire_after=3)
        self.listener.wait_message("bmsfs/house/daemon", "online")
        self.listener.wait_message("bmsfs/house/link", "offline")
        self.assertEqual(self.listener.messages(DEVICE), [], "entities made of nothing")
        self.assertEqual(self.listener.messages("bmsfs/house/state"), [])
        for _ in range(2):
            since = self.listener.mark()
            sim = harness.Simulator(self, "--pty", link, "--cells", "6")
            self.listener.wait_message("bmsfs/house/link", "online", since)
            state = self.listener.wait_json("bmsfs/house/state", since)
            self.assertEqual(len(state["cells"]), 6)
            self.listener.wait_message(DEVICE)
            since = self.listener.mark()
            sim.stop()
            self.listener.wait_message("bmsfs/house/link", "offline", since)
            gone = self.listener.mark()
            self.publish("homeassistant/status", "online")
            self.listener.wait_message("bmsfs/house/link", "offline", gone)
            self.listener.wait_message("bmsfs/house/daemon", "online", gone)
            self.assertEqual(self.listener.messages("bmsfs/house/state", gone), [])
        for message in self.listener.messages(DEVICE):
            cell = json.loads(message)["components"]["units_1_cells_6_voltage"]
            self.assertEqual(cell["name"], "Cell voltage 6")

    def test_with_grace_a_silent_bms_is_offline(self):
        """The mount shows its last values for a minute, and it is offline all the same."""
        responder, bmsfs = self.mount_responder("grace=60")
        bmsfs.expects("")
        self.bridge(bmsfs.place, expire_after=3)
        self.listener.wait_message("bmsfs/house/link", "online")
        since = self.listener.mark()
        responder.silent = True
        self.listener.wait_message("bmsfs/house/link", "offline", since)
        self.assertEqual(bmsfs.read("pack/voltage"), "55.487")
        since = self.listener.mark()
        responder.heal()
        self.listener.wait_message("bmsfs/house/link", "online", since)

    def test_what_has_gone_meanwhile_is_removed(self):
        """From Home Assistant, that was told of it by an earlier life of the program."""
        for cells in (4, 3):
            since = self.listener.mark()
            bmsfs = self.mount(f"sim:cells={cells}").expects("")
            mqtt = self.bridge(bmsfs.place)
            self.listener.wait_message("bmsfs/house/daemon", "online", since)
            if cells == 3:
                self.listener.wait_message(
                    DEVICE, r'.*"units_1_cells_4_voltage":{"platform":"sensor"}', since)
            mqtt.end()
        component = json.loads(self.listener.messages(DEVICE)[-1])["components"]
        self.assertEqual(component["units_1_cells_3_voltage"]["name"], "Cell voltage 3")

    def test_killed(self):
        mqtt = self.start()
        mqtt.end(signal.SIGKILL)
        self.listener.wait_message("bmsfs/house/daemon", "offline")
        since = self.listener.mark()
        self.bridge(self.bmsfs.place)
        self.listener.wait_message("bmsfs/house/daemon", "online", since)

    def test_mount_goes_and_comes_back(self):
        mqtt = self.start()
        place = self.bmsfs.place
        self.bmsfs.status = 128 + signal.SIGKILL
        since = self.listener.mark()
        os.kill(self.bmsfs.server, signal.SIGKILL)
        self.listener.wait_message("bmsfs/house/link", "offline", since)
        mqtt.wait_for("mount")
        self.bmsfs.wait_end()
        since = self.listener.mark()
        again = self.mount("sim:", place=place)
        self.listener.wait_message("bmsfs/house/link", "online", since)
        self.listener.wait_message("bmsfs/house/state", since=since)
        mqtt.end()
        again.unmount()
        again.wait_end()

    def test_no_mount_yet(self):
        place = os.path.join(self.folder, "later")
        os.mkdir(place)
        mqtt = self.bridge(place)
        self.listener.wait_message("bmsfs/house/link", "offline")
        mqtt.wait_for("no bmsfs is mounted there")
        self.mount("sim:", place=place)
        self.listener.wait_message("bmsfs/house/link", "online")
        mqtt.end()

    def test_mount_that_hangs(self):
        """The program ends by itself, and the broker says so."""
        mqtt = self.start(patience=8, expire_after=3)
        os.kill(self.bmsfs.server, signal.SIGSTOP)
        try:
            mqtt.wait_for("has not answered for 8 s")
            self.listener.wait_message("bmsfs/house/daemon", "offline")
        finally:
            os.kill(self.bmsfs.server, signal.SIGCONT)
        self.assertEqual(mqtt.wait_end(), 1)


    def test_mount_that_hangs_from_the_beginning(self):
        bmsfs = self.mount("sim:").expects("")
        os.kill(bmsfs.server, signal.SIGSTOP)
        try:
            mqtt = self.bridge(bmsfs.place, patience=2)
            mqtt.wait_for("has not answered for 2 s")
        finally:
            os.kill(bmsfs.server, signal.SIGCONT)
        self.assertEqual(mqtt.wait_end(), 1)


class Ends(Case):
    """Whatever the mount does: within 2 s, most of which is for the broker."""
    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def check_end(self, mqtt, number):
        since = self.listener.mark()
        self.assertEqual(mqtt.end(number), 0)
        self.listener.wait_message("bmsfs/house/daemon", "offline", since)

    def check_hanging(self, call):
        for number in self.SIGNALS:
            with self.subTest(signal=number):
                mount = harness.HangingMount(self, call)
                since = self.listener.mark()
                mqtt = self.bridge(mount.place, "--allow-write", patience=600)
                if call == "write":
                    self.listener.wait_message("bmsfs/house/daemon", "online", since)
                    self.publish("bmsfs/house/set/CMAX", "3.7")
                mount.wait_for_caller()
                agent, = harness.children(mqtt.process.pid)
                since = self.listener.mark()
                self.check_end(mqtt, number)
                if call == "write":
                    result = self.listener.wait_json("bmsfs/house/result/CMAX", since)
                    self.assertEqual(result["result"], "EINTR")
                    self.assertIn("may be set or not", result["reason"])
                mount.stop()
                await_gone(agent)

    def test_sigterm_while_the_mount_hangs_in_open(self):
        self.check_hanging("open")

    def test_sigterm_while_the_mount_hangs_in_read(self):
        self.check_hanging("read")

    def test_sigterm_while_the_mount_hangs_in_poll(self):
        self.check_hanging("poll")

    def test_sigterm_while_the_mount_hangs_in_stat(self):
        self.check_hanging("lookup")
        self.check_hanging("getattr")
        self.check_hanging("getxattr")

    def test_sigterm_while_the_mount_hangs_in_write(self):
        self.check_hanging("write")

    def test_sigterm_while_the_server_is_stopped(self):
        """Once in a wait for a change, and once in a reading, which a setting causes."""
        for waiting in (True, False):
            with self.subTest(waiting=waiting):
                since = self.listener.mark()
                bmsfs = self.mount("sim:", STILL).expects("")
                mqtt = self.bridge(bmsfs.place, "--allow-write", patience=600)
                self.listener.wait_message("bmsfs/house/daemon", "online", since)
                os.kill(bmsfs.server, signal.SIGSTOP)
                try:
                    if not waiting:
                        self.publish("bmsfs/house/set/CMAX", "3.7")
                        self.await_hanging(harness.children(mqtt.process.pid)[0])
                    self.check_end(mqtt, signal.SIGTERM)
                finally:
                    os.kill(bmsfs.server, signal.SIGCONT)

    def await_hanging(self, pid):
        """Until it waits for the server of a mount."""
        end = time.monotonic() + PATIENCE
        while True:
            with open(f"/proc/{pid}/wchan", encoding="ascii") as wchan:
                if wchan.read() in ("request_wait_answer", "0"):
                    return
            self.assertLess(time.monotonic(), end, harness.describe(pid))
            time.sleep(0.02)


class Busy(Case):
    """Descriptors of the mount are held while a poll is pending, and at no other time."""

    def test_umount_is_not_busy_between_two_readings(self):
        mqtt = self.start(interval=30, expire_after=300)
        self.listener.wait_message("bmsfs/house/state")
        # The battery lives, so a change comes, and is published only 30 s after the last.
        self.bmsfs.unmount_when_free()
        self.bmsfs.wait_end()
        self.assertEqual(mqtt.end(), 0)

    def test_umount_is_not_busy_without_a_broker(self):
        bmsfs = self.mount("sim:", STILL).expects("")
        mqtt = self.bridge(".", cwd=bmsfs.place)
        self.listener.wait_message("bmsfs/house/daemon", "online")
        self.broker.end(signal.SIGKILL)
        mqtt.wait_for("next attempt in 1 s")
        bmsfs.unmount_when_free()
        bmsfs.wait_end()
        self.assertEqual(mqtt.end(), 0)

    def test_umount_after_the_client_was_stopped(self):
        """The order that the documents name."""
        mqtt = self.start(options=[STILL])
        self.assertEqual(mqtt.end(), 0)
        self.bmsfs.unmount()
        self.bmsfs.wait_end()

class FakeBroker(threading.Thread):
    """Takes connections and answers CONNECT with what is given, or not at all; then it hangs up."""

    def __init__(self, test, path, answers):
        super().__init__(daemon=True)
        self.answers = answers
        self.levels = []  # of MQTT, that clients asked for
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.start()
        test.addCleanup(self.stop)

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                packet = client.recv(4096)
                level = packet[packet.index(b"MQTT") + 4]
                self.levels.append(level)
                client.sendall(self.answers.get(level, b""))

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join(PATIENCE)
        self.socket.close()


class Refusals(Case):
    """What the broker does not want is said in words, and is not tried again and again."""

    def restart_broker(self, *lines):
        self.broker.end()
        if os.path.exists(self.address):
            os.unlink(self.address)
        self.broker = self.start_broker(*lines)

    def test_publishes_that_the_access_list_denies_are_reported(self):
        """They once looked delivered."""
        acl = os.path.join(self.folder, "acl")
        with open(acl, "w", encoding="ascii") as file:
            file.write("topic readwrite bmsfs/house/link\ntopic read #\n"
                       "topic readwrite test/#\ntopic write homeassistant/status\n")
        self.restart_broker(f"acl_file {acl}")
        self.listener = self.listen()
        bmsfs = self.mount("sim:")
        mqtt = self.bridge(bmsfs.place, expire_after=3)
        for topic in (DEVICE, "bmsfs/house/state", "bmsfs/house/daemon"):
            mqtt.wait_for(rf"the broker refuses {topic}: Not authorized; check username, password "
                          "and the broker's access list")
        self.listener.wait_message("bmsfs/house/link", "online")
        # Once for each, however often the state is published.
        for _ in range(3):
            since = self.listener.mark()
            self.publish("homeassistant/status", "online")
            self.listener.wait_message("bmsfs/house/link", "online", since)
        self.assertEqual(len(mqtt.said.find("the broker refuses")), 3, mqtt.said.lines)
        self.assertEqual(self.listener.messages("bmsfs/house/state"), [])
        self.assertEqual(mqtt.end(), 0)

    def test_a_message_over_the_limit_of_the_broker_ends_no_connection(self):
        """It once meant a connection each second, with no reason."""
        self.restart_broker("max_packet_size 9000")
        self.listener = self.listen()
        bmsfs = self.mount("sim:")
        mqtt = self.bridge(bmsfs.place, expire_after=3)
        mqtt.wait_for(rf"the broker refuses {DEVICE}: \d+ bytes and its limit is 9000; raise the "
                      "limit of the broker")
        for _ in range(3):
            since = self.listener.mark()
            self.listener.wait_message("bmsfs/house/state", since=since)
        self.assertEqual(len(mqtt.said.find("connected to the broker with MQTT 5")), 1)
        self.assertEqual(mqtt.said.find("next attempt"), [])
        self.assertEqual(mqtt.end(), 0)

    def test_a_message_that_the_broker_drops_for_its_size(self):
        self.restart_broker("message_size_limit 9000")
        self.listener = self.listen()
        bmsfs = self.mount("sim:")
        mqtt = self.bridge(bmsfs.place)
        # Newer versions of libmosquitto end the connection, once.
        mqtt.wait_for(rf"the broker refuses {DEVICE}: Packet too large; raise the limit of the "
                      "broker|a message may be over its limit, which should be raised; using MQTT "
                      "3.1.1, which gives no reasons; next attempt in 1 s")
        ended = len(mqtt.said.find("next attempt"))
        self.listener.wait_message("bmsfs/house/state", since=self.listener.mark())
        self.assertEqual(len(mqtt.said.find("next attempt")), ended)
        self.assertEqual(mqtt.end(), 0)

    def test_the_reason_of_a_broker_that_ends_the_connection(self):
        path = os.path.join(self.folder, "fake")
        welcome, taken_over = b"\x20\x03\x00\x00\x00", b"\xe0\x02\x8e\x00"
        FakeBroker(self, path, {5: welcome + taken_over})
        mqtt = self.bridge(self.folder, host=path)
        mqtt.wait_for("the connection is ended: Session taken over; another program uses this "
                      "name; give one another name; next attempt in 1 s")
        self.assertEqual(mqtt.end(), 0)

    def test_the_wait_for_a_broker_that_hangs_up_grows(self):
        path = os.path.join(self.folder, "fake")
        FakeBroker(self, path, {})
        mqtt = self.bridge(self.folder, host=path)
        for attempt in range(4):
            line = mqtt.wait_for("next attempt", attempt)
            wait = int(re.search(r"next attempt in (\d+) s$", line).group(1))
            self.assertIn(wait, range(2 ** attempt // 2, 2 ** attempt + 1))
        self.assertEqual(mqtt.end(), 0)

    def test_a_broker_without_mqtt_5(self):
        path = os.path.join(self.folder, "fake")
        unacceptable, welcome = b"\x20\x02\x00\x01", b"\x20\x02\x00\x00"
        fake = FakeBroker(self, path, {5: unacceptable, 4: welcome})
        mqtt = self.bridge(self.folder, host=path)
        mqtt.wait_for("it does not speak MQTT 5; using MQTT 3.1.1, which gives no reasons; next")
        mqtt.wait_for("connected to the broker with MQTT 3.1.1")
        self.assertEqual(fake.levels[:2], [5, 4])
        self.assertEqual(mqtt.end(), 0)

    def test_example_access_list_of_the_documents(self):
        """It lets bmsfs-mqtt and Home Assistant do what they do, and nothing else."""
        with open(os.path.join(HERE, "../../docs/home-assistant.md"), encoding="utf-8") as page:
            text = re.search(r"<!-- mqtt: access list -->\n```\n(.*?)^```$", page.read(),
                             flags=re.M | re.S).group(1)
        acl, users = (os.path.join(self.folder, name) for name in ("acl", "users"))
        with open(acl, "w", encoding="ascii") as file:
            file.write(text)
        for name in ("bms", "homeassistant", "guest"):
            self.run_program("mosquitto_passwd", "-b", *([] if os.path.exists(users) else ["-c"]),
                             users, name, name + "-word")
        self.restart_broker(f"acl_file {acl}", f"password_file {users}", "allow_anonymous false")

        def as_user(name):
            return ["--unix", self.address, "-u", name, "-P", name + "-word"]

        def denied(name, topic):
            done = subprocess.run(
                ["mosquitto_pub", *as_user(name), "-V", "5", "-q", "1", "-d", "-t", topic, "-m",
                 "x"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                check=False, env=self.environment)
            return "Not authorized" in done.stdout + done.stderr

        hub = Listener(self, *as_user("homeassistant"))
        guest = Listener(self, *as_user("guest"))
        bmsfs = self.mount("sim:").expects("")
        mqtt = self.bridge(bmsfs.place, "--allow-write", username="bms", password="bms-word")
        for topic in (DEVICE, "bmsfs/house/state"):
            hub.wait_message(topic)
        since = hub.mark()
        self.publish("homeassistant/status", "online", *as_user("homeassistant"))
        hub.wait_message(DEVICE, since=since)
        self.publish("bmsfs/house/set/CMAX", "3.7", *as_user("homeassistant"))
        self.assertEqual(hub.wait_json("bmsfs/house/result/CMAX")["result"], "ok")
        self.assertEqual(mqtt.said.find("refuses"), [])
        self.assertEqual(mqtt.end(), 0)
        hub.wait_message("bmsfs/house/daemon", "offline")
        # A second life finds what the first has left.
        mqtt = self.bridge(bmsfs.place, username="bms", password="bms-word")
        mqtt.wait_for("publishing")
        for name, topics in {"bms": ["bmsfs/house/set/CMAX", "bmsfs/shed/state",
                                     "homeassistant/device/bmsfs_shed/config", "other"],
                             "guest": ["bmsfs/house/set/CMAX", "bmsfs/house/state", DEVICE],
                             "homeassistant": ["bmsfs/house/state", DEVICE]}.items():
            for topic in topics:
                self.assertTrue(denied(name, topic), (name, topic))
        self.assertFalse(denied("homeassistant", "bmsfs/house/set/NONE"))
        self.assertEqual(guest.said.lines, [])


needs_openssl = unittest.skipUnless(shutil.which("openssl"), "there is no openssl here")
needs_strace = unittest.skipUnless(shutil.which("strace"), "there is no strace here")


class Secrets(Case):
    def openssl(self, *arguments):
        self.run_program("openssl", *arguments, cwd=self.folder)

    def make_certificates(self, name):
        """A throw-away authority and a certificate for localhost by it."""
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-keyout", f"{name}-ca.key", "-out", f"{name}-ca.pem", "-days", "2",
                     "-subj", f"/CN=throw-away {name}")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost")
        with open(os.path.join(self.folder, "san"), "w", encoding="ascii") as extensions:
            extensions.write("subjectAltName=DNS:localhost\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey",
                     f"{name}-ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", "2",
                     "-extfile", "san")
        return os.path.join(self.folder, name)

    @staticmethod
    def free_port():
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return listener.getsockname()[1]

    def start_tls_broker(self):
        """A broker on localhost that wants a password; returns the names of its certificates."""
        names = self.make_certificates("house")
        users = os.path.join(self.folder, "users")
        self.run_program("mosquitto_passwd", "-b", "-c", users, "bms", "hunter two")
        port = self.free_port()
        self.start_broker(f"cafile {names}-ca.pem", f"certfile {names}.pem", f"keyfile {names}.key",
                          f"password_file {users}", "allow_anonymous false",
                          listener=f"{port} 127.0.0.1", address=("127.0.0.1", port))
        self.settings = {"host": "localhost", "port": port}
        return names

    @needs_openssl
    def test_tls_and_password(self):
        names = self.start_tls_broker()
        other = self.make_certificates("other")
        self.settings["ca"] = f"{names}-ca.pem"
        port = self.settings["port"]
        bmsfs = self.mount("sim:")
        mqtt = self.bridge(bmsfs.place, username="bms", password="hunter2")
        mqtt.wait_for("the connection is refused: Not authorized; check username, password")
        mqtt.end()
        mqtt = self.bridge(bmsfs.place, username="bms", password="hunter two")
        listener = Listener(self, "-h", "localhost", "-p", str(port), "--cafile",
                            f"{names}-ca.pem", "-u", "bms", "-P", "hunter two")
        listener.wait_message("bmsfs/house/state")
        self.assertNotIn("hunter", self.command_line(mqtt.process.pid))
        mqtt.end()
        mqtt = self.bridge(bmsfs.place, ca=f"{other}-ca.pem")
        mqtt.wait_for("certificate verify failed")
        mqtt.wait_for("TLS")
        self.assertEqual(mqtt.wait_end(), 1)
        mqtt = self.bridge(bmsfs.place, host="127.0.0.1")
        mqtt.wait_for("host name verification failed")
        self.assertEqual(mqtt.wait_end(), 1)
        self.assertEqual(mqtt.said.find("next attempt"), [])

    @needs_openssl
    def test_certificates_of_the_system(self):
        names = self.start_tls_broker()
        bmsfs = self.mount("sim:")
        mqtt = self.bridge(bmsfs.place, tls="yes", username="bms", password="hunter two")
        mqtt.wait_for("certificate verify failed")
        self.assertEqual(mqtt.wait_end(), 1)
        self.environment["SSL_CERT_FILE"] = f"{names}-ca.pem"
        mqtt = self.bridge(bmsfs.place, tls="yes", username="bms", password="hunter two")
        mqtt.wait_for("connected to the broker")
        self.assertEqual(mqtt.end(), 0)

    @needs_openssl
    def test_certificate_of_our_own(self):
        """With the authorities of the system, too."""
        names = self.start_tls_broker()
        port = self.free_port()
        self.start_broker(f"cafile {names}-ca.pem", f"certfile {names}.pem", f"keyfile {names}.key",
                          "require_certificate true", listener=f"{port} 127.0.0.1",
                          address=("127.0.0.1", port))
        self.settings["port"] = port
        bmsfs = self.mount("sim:")
        own = {"cert": f"{names}.pem", "key": f"{names}.key"}
        for authorities in ({"ca": f"{names}-ca.pem"}, {"tls": "yes"}):
            mqtt = self.bridge(bmsfs.place, **authorities, **own)
            mqtt.wait_for("connected to the broker")
            self.assertEqual(mqtt.end(), 0)
            self.environment["SSL_CERT_FILE"] = f"{names}-ca.pem"

    def trace(self, *arguments):
        """Returns a program and what it hands to the system: lines written, sent and looked up."""
        path = os.path.join(self.folder, "trace")
        # A leak cannot be looked for while another program traces.
        self.environment["ASAN_OPTIONS"] = "detect_leaks=0"
        program = Program(self, [
            "strace", "-f", "-q", "-s", "65536", "-o", path,
            "-e", "trace=%network,write,writev,execve,openat", BMSFS_MQTT, *arguments])

        def read():
            with open(path, encoding="utf-8", errors="replace") as trace:
                return trace.read()
        return program, read

    def write_configuration(self, text):
        path = os.path.join(self.folder, "by-hand.conf")
        with open(path, "w", encoding="ascii") as conf:
            conf.write(text)
        os.chmod(path, 0o600)
        return path

    @needs_strace
    def test_indented_configuration_sends_and_logs_no_password(self):
        """Once a continuation of "host": in the log, and in a question to the name server."""
        for text in ("  host = broker.invalid\n  username = me\n  password = hunter2\n",
                     "host = broker.invalid\n  username = me\n  password = hunter2\n",
                     "host = broker.invalid\npassword =\n  hunter2\n",
                     "host = broker.invalid password = hunter2\n",
                     "host = me:hunter2@broker.invalid\n",
                     "password hunter2=\n"):
            mqtt, trace = self.trace("--config", self.write_configuration(text), "/mnt")
            line = mqtt.wait_for(r"/by-hand\.conf:\d+: ")
            self.assertEqual(mqtt.wait_end(), 2)
            self.assertNotIn("hunter2", line)
            self.assertIn("by-hand.conf", trace())
            self.assertFalse("hunter2" in trace(), text)
            self.assertFalse("connect(" in trace(), text)

    @needs_openssl
    @needs_strace
    def test_no_output_has_the_password(self):
        """Whatever the program writes and sends from its start to its end, refused and accepted."""
        names = self.start_tls_broker()
        bmsfs = self.mount("sim:")
        for password in ("hunter two", "hunter three"):
            conf = self.configure(ca=f"{names}-ca.pem", username="bms", password=password)
            mqtt, trace = self.trace("--config", conf, "--name", "house", bmsfs.place)
            mqtt.wait_for("connected to the broker" if password == "hunter two" else "refuse")
            traced = harness.children(mqtt.process.pid)[0]
            self.assertNotIn("hunter", self.command_line(traced))
            os.kill(traced, signal.SIGTERM)
            self.assertEqual(mqtt.wait_end(), 0)
            self.assertTrue(re.search(r"write\(2, \"bmsfs-mqtt: ", trace()))
            self.assertFalse("hunter" in trace(), "the password is in what is written")

    def test_no_core_has_the_password(self):
        def ends_with_core(arguments, wait=None):
            program = Program(self, arguments, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
                cwd=self.folder)
            if wait:
                program.wait_for(wait)
            os.kill(program.process.pid, signal.SIGABRT)
            _, status = os.waitpid(program.process.pid, 0)
            program.process.returncode = -signal.SIGABRT
            program.wait_end()
            return os.WCOREDUMP(status)

        try:
            if not ends_with_core(["sleep", "1000"]):
                self.skipTest("no program leaves a core file here")
        except (ValueError, subprocess.SubprocessError):
            self.skipTest("the size of core files is limited here")
        conf = self.configure(username="bms", password="hunter two")
        self.assertFalse(ends_with_core([BMSFS_MQTT, "--config", conf, "/mnt"], "broker"))

    @needs_openssl
    def test_configuration_is_copied_as_documents_print_it(self):
        names = self.start_tls_broker()
        self.environment["SSL_CERT_FILE"] = f"{names}-ca.pem"
        bmsfs = self.mount("sim:")
        docs = os.path.join(HERE, "../../docs")
        with open(os.path.join(docs, "home-assistant.md"), encoding="utf-8") as page:
            shown = [re.search(r"<!-- mqtt: configuration -->\n```ini\n(.*?)^```$", page.read(),
                               flags=re.M | re.S).group(1)]
        with open(os.path.join(docs, "bmsfs-mqtt.1"), encoding="utf-8") as page:
            shown.append(re.search(r"^\.Bd -literal\n(host = .*?)^\.Ed$", page.read(),
                                   flags=re.M | re.S).group(1))
        for text in shown:
            for old, new in (("homeassistant.local", "localhost"), ("= ...", "= hunter two")):
                self.assertIn(old, text)
                text = text.replace(old, new)
            conf = self.write_configuration(text + f"port = {self.settings['port']}\n")
            mqtt = Program(self, [BMSFS_MQTT, "--config", conf, "--name", "house", bmsfs.place])
            mqtt.wait_for("connected to the broker")
            self.assertEqual(mqtt.end(), 0)

    def test_password_reaches_another_machine_only_if_asked_to(self):
        clear = {"host": "192.0.2.1", "username": "bms", "password": "hunter2"}
        self.refuse("clear text; add tls = yes, or allow_clear_text = yes",
                    "--config", self.configure(**clear), "/mnt")
        self.refuse("port: 8883 is for TLS; add tls = yes",
                    "--config", self.configure(host="192.0.2.1", port=8883), "/mnt")

    @staticmethod
    def command_line(pid):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as line:
            return line.read()

    def refuse(self, pattern, *arguments):
        done = subprocess.run([BMSFS_MQTT, *arguments], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=PATIENCE, check=False,
                              env=self.environment)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, pattern)
        self.assertNotIn("hunter2", done.stderr)

    def test_refused(self):
        for mode in (0o644, 0o640, 0o604, 0o660):
            self.refuse("chmod 600", "--config", self.configure(mode, password="hunter2"), "/mnt")
        self.refuse("unknown key", "--config", self.configure(pasword="hunter2"), "/mnt")
        self.refuse("No such file", "--config", os.path.join(self.folder, "no"), "/mnt")
        self.refuse("one MOUNTPOINT")
        self.refuse("one MOUNTPOINT", "/mnt", "/mnt")
        self.refuse("unrecognized", "--password=x", "/mnt")
        self.refuse("name: ", "--config", self.configure(), "--name", "a/b", "/mnt")


if __name__ == "__main__":
    if not shutil.which("mosquitto") or not shutil.which("mosquitto_sub"):
        print("skipped: mosquitto or its clients are not installed")
        sys.exit(77)
    harness.main()
