#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""docs/recipes.md: what stands in its blocks is what runs here, with another mount point and other ports."""
import csv
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mount"))

import harness

ROOT = HERE.parents[1]
DOCUMENT = ROOT / "docs" / "recipes.md"
BOARD = ROOT / "data" / "grafana" / "bmsfs.json"
EXAMPLES = ROOT / "data" / "examples"
MOUNT = "/mnt/bms"  # what the document calls the mount point
QUICK = ("timeout=0.1", "tries=1", "ttl=0.1", "ttl_settings=0.1", "deadline=3")
BLOCK = r"^<!-- recipe: (\S+) -->\n```\S*\n(.*?)^```$"
SFTP_SERVER = "/usr/lib/openssh/sftp-server"
TCGETS2 = 0x802C542A


def blocks():
    return dict(re.findall(BLOCK, DOCUMENT.read_text(), re.M | re.S))


def needs(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


def until(attempt):
    """The first result of attempt() that is not None; a result that never comes is a failure."""
    end = time.monotonic() + harness.PATIENCE
    while (result := attempt()) is None:
        if time.monotonic() > end:
            raise AssertionError("it does not come about")
        time.sleep(0.05)
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def shape(text):
    return re.sub(r"-?\d+(\.\d+)?", "#", text)


class Case(harness.MountTest):
    def block(self, name, *swaps):
        """A block of the document, with each (old, new) of swaps put in, which must be there."""
        text = blocks()[name]
        for old, new in swaps:
            self.assertIn(old, text, name)
            text = text.replace(old, str(new))
        return text

    def mount_sim(self, *arguments, options=QUICK):
        self.tty = os.path.join(self.folder, "tty")
        self.sim = harness.Simulator(self, "--pty", self.tty, *arguments)
        self.addCleanup(lambda: self.sim.stop())
        mount = self.mount(self.tty, *options)
        mount.expects("nobody answers", "is gone", "no such device", "no answer")
        mount.read("PTEM")
        return mount

    def save(self, name, text):
        path = Path(self.folder, name)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(self, command, **more):
        """Starts a program that goes on; it ends with the test."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=self.environment, **more)

        def end():
            process.terminate()
            process.wait(harness.PATIENCE)

        self.addCleanup(end)
        return process

    def start_lines(self, command):
        """Starts a program that goes on, and returns it with the lines that it prints."""
        opened = []
        self.addCleanup(lambda: opened and opened[0].close())
        process = self.start(command, stdout=subprocess.PIPE, text=True)
        opened.append(harness.Lines(process.stdout))
        return opened[0]

    def start_shell(self, text):
        """Starts shell lines whose last one is a program that goes on."""
        lines = text.replace("\\\n", "").splitlines()
        return self.start(["sh", "-c", "\n".join([*lines[:-1], "exec " + lines[-1]])],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def attempt(self, mount, name):
        try:
            return mount.read(name)
        except OSError:
            return None


class Document(unittest.TestCase):
    def test_every_block_runs(self):
        text = DOCUMENT.read_text()
        self.assertEqual(len(blocks()), len(re.findall(r"^```\S*\n.*?^```$", text, re.M | re.S)),
                         "a block without a name, or two of the same name")
        for name in blocks():
            self.assertIn(f'"{name}"', Path(__file__).read_text(), name)

    def test_contents(self):
        text = DOCUMENT.read_text()
        links = re.findall(r"^- \[(.*)\]\(#(.*)\)$", text, re.M)
        self.assertEqual([name for name, _ in links], re.findall(r"^## (.*)$", text, re.M))
        for name, anchor in links:
            self.assertEqual(re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-"), anchor)


class Poll(Case):
    def test_it_wakes_when_the_value_changes(self):
        mount = self.mount("sim:")
        script = self.save("poll.py", self.block("poll", (MOUNT, mount.place)))
        self.assertLessEqual(len(script.read_text().splitlines()), 5)
        said = self.start_lines([sys.executable, str(script)])
        first = said.wait_for(r"^\d+\.\d+$")
        self.assertIsNotNone(first)
        self.assertIsNotNone(said.wait_for(rf"^(?!{re.escape(first)}$)\d+\.\d+$", 1), said.lines)
        self.assertEqual(len(set(said.lines)), len(said.lines), "a line without a change")


class Asyncio(Case):
    def test_it_waits_for_a_change_without_blocking_the_loop(self):
        mount = self.mount("sim:")
        program = self.block("asyncio", (MOUNT, mount.place))
        # Beside main(), a task that shows that the loop runs on.
        program = program.replace("asyncio.run(main())", """
async def ticks():
    while True:
        print("tick", flush=True)
        await asyncio.sleep(0.05)

async def both():
    await asyncio.gather(main(), ticks())

asyncio.run(both())
""")
        said = self.start_lines([sys.executable, str(self.save("changes.py", program))])
        first = said.wait_for(r"^\d+\.\d+$")
        self.assertIsNotNone(first)
        other = said.wait_for(rf"^(?!{re.escape(first)}$)\d+\.\d+$")
        self.assertIsNotNone(other, said.lines)
        lines = list(said.lines)
        self.assertIn("tick", lines[lines.index(first):lines.index(other)])
        values = [line for line in lines if line != "tick"]
        self.assertEqual(len(set(values)), len(values), "a line without a change")


class Copies(Case):
    """The system calls behind the table of programs that copy or serve files."""

    def test_node_copyfile_rclone_and_web_servers_trust_size_or_sendfile(self):
        mount = self.mount("sim:")
        with open(mount.path("SOC"), "rb", buffering=0) as soc, open(os.devnull, "wb") as copy:
            self.assertEqual(os.fstat(soc.fileno()).st_size, 4096)
            with self.assertRaises(OSError) as refused:
                os.sendfile(copy.fileno(), soc.fileno(), 0, 4096)
            self.assertEqual(refused.exception.errno, errno.EINVAL)
            self.assertLess(len(os.pread(soc.fileno(), 4096, 0)), 10)
        with open(mount.path("snapshot.json"), "rb", buffering=0) as shot:
            self.assertEqual(len(shot.read(1 << 20)), os.fstat(shot.fileno()).st_size)


class Csv(Case):
    def test_a_line_each_time(self):
        mount = self.mount_sim()
        script = self.save("bms-csv", self.block("csv", (MOUNT, mount.place)))
        times, command = re.fullmatch(r"((?:\S+ ){5})(.*)\n", self.block(
            "crontab", ("/usr/local/bin/bms-csv", script))).groups()
        self.assertEqual(times, "*/5 * * * * ")
        self.assertNotIn("%", command)
        cron = {"PATH": "/usr/bin:/bin", "HOME": self.folder}
        for silent in (False, False, True):
            if silent:
                self.sim.command("silence on")
                until(lambda: True if self.attempt(mount, "SOC") is None else None)
            subprocess.run(["sh", "-c", command], env=cron, check=True, timeout=harness.PATIENCE)
        with open(os.path.join(self.folder, "bms.csv"), encoding="ascii", newline="") as file:
            head, *rows = csv.reader(file)
        shown_head, *shown_rows = csv.reader(blocks()["csv-output"].splitlines())
        self.assertEqual(head, shown_head)
        self.assertEqual([[shape(field) for field in row] for row in rows],
                         [[shape(field) for field in row] for row in shown_rows[:3]])
        self.assertAlmostEqual(float(rows[0][1]), 78.5, delta=1)


class Prometheus(Case):
    def fetch(self, port, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}",
                                        timeout=harness.PATIENCE) as page:
                return page.read().decode()
        except OSError:
            return None

    def query(self, expression):
        text = until(lambda: self.fetch(
            self.port, "api/v1/query?" + urllib.parse.urlencode({"query": expression})))
        answer = json.loads(text)
        self.assertEqual(answer["status"], "success", expression)
        return answer["data"]["result"]

    @needs("prometheus-node-exporter")
    def test_textfile(self):
        mount = self.mount("sim:")
        folder = Path(self.folder, "textfile")
        folder.mkdir()
        Path(folder, "other.prom").write_text("other 1\n")
        self.run_program("sh", "-c", self.block(
            "textfile", (MOUNT, mount.place), ("/var/lib/prometheus/node-exporter", folder)))
        port = free_port()
        self.start(["prometheus-node-exporter", "--collector.disable-defaults",
                    "--collector.textfile", f"--collector.textfile.directory={folder}",
                    f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        page = until(lambda: self.fetch(port, "metrics"))
        for line in ("node_textfile_scrape_error 0", "bms_up 1", "other 1"):
            self.assertIn(f"\n{line}\n", page)
        shown = re.search(r"^    \$ curl .*\n((?:    .*\n)+)", DOCUMENT.read_text(), re.M)[1]
        got = [shape(line) for line in page.splitlines() if "bms_state_of_charge" in line]
        self.assertEqual([shape(line.strip()) for line in shown.splitlines()], got)

    def serve(self):
        mount = self.mount("sim:")
        port = free_port()
        self.start_shell(self.block("serve", (MOUNT, mount.place), ("9814", port)))
        self.assertIn("\nbms_up 1\n", until(lambda: self.fetch(port, "bmsfs.prom")))
        return port

    def test_serve(self):
        self.serve()

    @needs("prometheus", "promtool")
    def test_scrape_and_dashboard(self):
        served = self.serve()
        config = self.save("prometheus.yml", self.block(
            "scrape", ("9814", served), ("scrape_interval: 10s", "scrape_interval: 1s")))
        self.run_program("promtool", "check", "config", str(config))
        self.port = free_port()
        self.start(["prometheus", f"--config.file={config}",
                    f"--storage.tsdb.path={self.folder}/tsdb",
                    f"--web.listen-address=127.0.0.1:{self.port}"], stderr=subprocess.DEVNULL)
        until(lambda: self.query("bms_up") or None)
        for panel in json.loads(BOARD.read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$instance", ".*")
                found = self.query(re.sub(r"\$__rate_interval|\$__interval", "1m", expression))
                # Rates need a second scrape, and some values are not there always.
                if "rate(" not in expression and "time_to" not in expression:
                    self.assertTrue(found, (panel["title"], expression))

    @needs("promtool")
    def test_rules(self):
        mount = self.mount("sim:")
        rules = self.save("rules.yml", self.block("rules"))
        self.run_program("promtool", "check", "rules", str(rules))
        used = set(re.findall(r"\bbms_\w+", rules.read_text()))
        self.assertGreaterEqual(len(used), 4)
        for name in used:
            self.assertRegex(mount.raw("metrics/bmsfs.prom").decode(), rf"(?m)^{name} ")
        alerts = {
            "BmsAway": {"bms_up": "0"}, "BmsError": {"bms_up": "1", "bms_error": "2"},
            "BatteryLow": {"bms_up": "1", "bms_state_of_charge_ratio": "0.1"},
            "CellNearSwitchOff": {"bms_up": "1", "bms_cell_voltage_max_volts": "3.84",
                                  "bms_setting_cmax_volts": "3.85"},
        }
        self.assertEqual(list(alerts), re.findall(r"alert: (\w+)", rules.read_text()))
        cases = [*alerts.items(), ("BmsAway", {"other": "1"})]
        tests = [{
            "interval": "1m",
            "input_series": [{"series": name, "values": f"{value}x10"}
                             for name, value in series.items()],
            "promql_expr_test": [{
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "8m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}]}],
        } for alert, series in cases]
        # JSON is YAML.
        test = self.save("test.yml", json.dumps({"rule_files": [str(rules)], "tests": tests}))
        self.run_program("promtool", "test", "rules", str(test))


@needs("i3status")
class Bar(Case):
    def test_line(self):
        mount = self.mount_sim()
        config = self.save("i3status", self.block(
            "i3status", (MOUNT, mount.place), ("interval = 10", "interval = 1")).replace(
                "colors = true", 'output_format = "none"'))
        said = self.start_lines(["i3status", "-c", str(config)])
        there, away = re.findall(r"^    (.*\|.*) A$", DOCUMENT.read_text(), re.M)
        self.assertEqual(shape(said.wait_for("")), shape(there) + " A")
        self.sim.command("silence on")
        self.assertIsNotNone(said.wait_for(f"^{re.escape(away)} A$"), said.lines)


class NodeRed(Case):
    def test_flow(self):
        mount = self.mount("sim:")
        flow = json.loads(self.block("node-red", (MOUNT, mount.place)))
        nodes = {node["id"]: node for node in flow}
        self.assertEqual(len(nodes), len(flow))
        (tab,) = (node for node in flow if node["type"] == "tab")
        followed = set()
        for node in flow:
            if node is not tab:
                self.assertEqual(node["z"], tab["id"])
                self.assertIsInstance(node["x"], int)
                self.assertIsInstance(node["y"], int)
                followed |= {target for wire in node["wires"] for target in wire}
        self.assertLessEqual(followed, nodes.keys())
        self.assertEqual({node["type"] for node in flow if node["id"] not in followed},
                         {"tab", "inject"})
        (command,) = (node for node in flow if node["type"] == "exec")
        self.assertGreater(float(command["timer"]), 5)
        said = self.run_program("sh", "-c", command["command"])
        self.assertAlmostEqual(float(said), float(mount.read("SOC")), delta=1)
        to = nodes[nodes[command["wires"][0][0]]["wires"][0][0]]["rules"][0]["to"]
        self.assertEqual(to, "$number($trim(payload))")


@needs("socat")
class Socat(Case):
    def setUp(self):
        super().setUp()
        self.tty = os.path.join(self.folder, "tty")
        self.sim = harness.Simulator(self, "--pty", self.tty)
        self.addCleanup(lambda: self.sim.stop())
        self.port = free_port()

    def share(self):
        self.start_shell(self.block("socat-56000", ("/dev/ttyUSB0", self.tty),
                                    ("4001", f"{self.port},bind=127.0.0.1")))

    def listens(self):
        """Looks into the kernel's table, for a connection would take the only place."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            return True if f":{self.port:04X} 00000000:0000 0A" in table.read() else None

    def test_tcp(self):
        self.share()
        until(self.listens)
        _, device, _ = self.block("socat-mount", ("pi:4001", f"127.0.0.1:{self.port}")).split()
        mount = self.mount(device, *QUICK)
        mount.expects("is gone", "no such", "nobody answers", "closed", "connect", "no answer",
                      "hung up")
        self.assertAlmostEqual(float(mount.read("SOC")), 78.5, delta=1)
        fd = os.open(self.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            words = struct.unpack("4I20x2I", fcntl.ioctl(fd, TCGETS2, bytes(44)))
        finally:
            os.close(fd)
        self.assertEqual(words, (0, 0, 0o10000 | 0x8B0, 0, 56000, 56000))
        mount.write("CMAX", "3.8")
        self.assertEqual(mount.read("CMAX"), "3.8")
        # The adapter is pulled and comes back.
        self.sim.stop()
        until(lambda: True if self.attempt(mount, "SOC") is None else None)
        self.sim = harness.Simulator(self, "--pty", self.tty)
        until(lambda: self.attempt(mount, "SOC"))

    def test_pty(self):
        self.share()
        until(self.listens)
        link = os.path.join(self.folder, "link")
        self.start_shell(self.block("socat-pty", ("/tmp/bms", link),
                                    ("pi:4001", f"127.0.0.1:{self.port}")))
        until(lambda: True if os.path.exists(link) else None)
        mount = self.mount(link, *QUICK)
        self.assertAlmostEqual(float(mount.read("SOC")), 78.5, delta=1)


@needs("sshfs")
@unittest.skipUnless(os.access(SFTP_SERVER, os.X_OK), "openssh-sftp-server is not installed")
class Sshfs(Case):
    """With what ssh would start on the other machine in place of ssh."""

    def test_session(self):
        mount = self.mount("sim:")
        far = os.path.join(self.folder, "far")
        os.mkdir(far)
        os.mkdir(os.path.join(self.folder, "bin"))
        self.save("bin/ssh", f"#!/bin/sh\nexec {SFTP_SERVER}\n")
        self.environment["PATH"] = f"{self.folder}/bin:{os.environ['PATH']}"
        self.addCleanup(lambda: harness.mounted_at(far) and
                        self.run_program("fusermount3", "-u", "-z", far))
        self.run_program("sh", "-c", self.block("sshfs", (MOUNT, mount.place), ("/mnt/pi", far)))
        run_session(self, self.block("sshfs-session", ("/mnt/pi", far)))
        for name in ("snapshot.json", "metrics/bmsfs.prom"):
            with open(os.path.join(far, name), encoding="ascii") as file:
                self.assertEqual(file.read()[-2:], mount.raw(name).decode()[-2:])
        self.run_program("bash", "-c", f"echo 3.8 > {far}/CMAX")
        self.assertEqual(mount.read("CMAX"), "3.8")
        with open(os.path.join(far, "CELL"), encoding="ascii") as file:
            self.assertEqual(len(file.readlines()), 14)


def run_session(test, text):
    """Runs a console block in one shell, and compares what it prints, numbers apart."""
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.M)
    mark = "--- next"
    script = "".join(f"{command}\necho '{mark}'\n" for command, _ in steps)
    done = subprocess.run(["bash", "-c", script], stdin=subprocess.DEVNULL, cwd=test.folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
                          timeout=harness.PATIENCE, env=test.environment)
    said = re.sub(r"^bash: line \d+: ", "bash: ", done.stdout, flags=re.M).split(mark + "\n")
    for (command, shown), got in zip(steps, said):
        test.assertEqual(shape(got), shape(shown), command)


# What a battery of another chemistry needs; each limit passes where its neighbour was.
LIFEPO4 = {"CHEM": "3", "CMIN": "2.8", "CLOW": "2.95", "BMIN": "3.45", "BVOL": "3.58",
           "CHAR": "3.58", "CMAX": "3.85", "TMIN": "-10", "TMAX": "55"}
REFUSED = r" set .* failed: "
LI_ION = {"CHEM": "5", "CMIN": "3.59", "CLOW": "3.6", "BMIN": "4.05", "BVOL": "4.1",
          "CHAR": "4.15", "CMAX": "4.2", "TMIN": "0", "TMAX": "45"}


class Settings(Case):
    script = str(EXAMPLES / "bms-settings")

    def call(self, verb, mount, text="", shell=("sh",), under=""):
        done = subprocess.run([*shell, self.script, verb, mount.path(under)], input=text, text=True,
                              capture_output=True, check=False, timeout=2 * harness.PATIENCE,
                              env=self.environment)
        return done.returncode, done.stdout, done.stderr

    def lines(self, values):
        return "".join(f"{name} {value}\n" for name, value in values.items())

    def test_session(self):
        mount = self.mount("sim:")
        self.environment["PATH"] = f"{EXAMPLES}:{os.environ['PATH']}"
        run_session(self, self.block("settings", (MOUNT, mount.place)))

    def test_what_is_saved(self):
        """All that can be set, and as comments what moves by itself."""
        for model, options in (("1q", ()), ("abms", ("address=2", "unlock"))):
            mount = self.mount(f"sim:model={model}", *options)
            status, saved, said = self.call("save", mount)
            self.assertEqual((status, said), (0, ""))
            rows = {row["file"]: row for row in self.table()}
            moving = {name for name, row in rows.items() if row["access"] == "rw" and
                      (row["class"] == "live" or row["verify"] == "none")}
            writable = {name for name in rows if os.path.exists(mount.path(name)) and
                        os.stat(mount.path(name)).st_mode & 0o200}
            shown = dict(line.split(" ", 1) for line in saved.splitlines()[1:])
            self.assertEqual({name for name in shown if not name.startswith("#")},
                             writable - moving)
            self.assertEqual({name[1:] for name in shown if name.startswith("#")},
                             writable & moving)
            self.assertEqual(shown["CMAX"], mount.read("CMAX"))
            self.assertEqual(self.call("compare", mount, saved)[0], 0)
            mount.unmount()
            mount.wait_end()

    def test_there_and_back(self):
        mount = self.mount("sim:baud=0,turnaround=0")
        mount.expects(REFUSED)
        _, saved, _ = self.call("save", mount)
        shells = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]
        for shell in (shell for shell in shells if shutil.which(shell[0])):
            for values in (LI_ION, LIFEPO4):
                status, said, wrong = self.call("restore", mount, self.lines(values), shell)
                self.assertEqual((status, wrong), (0, ""), shell)
                self.assertEqual(said.splitlines()[-1], f"all {len(values)} settings are as saved")
                self.assertEqual({name: mount.read(name) for name in values}, values)
        writes = len(mount.said.find(r" set "))
        self.assertEqual(self.call("restore", mount, saved)[0], 0)
        self.assertEqual(len(mount.said.find(r" set ")), writes, "written without need")

    def test_any_order(self):
        """Each order of the lines comes to the same end."""
        mount = self.mount("sim:baud=0,turnaround=0")
        mount.expects(REFUSED)
        names = ["CMIN", "CLOW", "BMIN", "BVOL", "CHAR", "CMAX"]
        for turn, first in enumerate(names):
            values = LIFEPO4 if turn % 2 else LI_ION
            order = [first, *(name for name in reversed(names) if name != first)]
            text = self.lines({name: values[name] for name in order})
            self.assertEqual(self.call("restore", mount, text)[0], 0, order)

    def test_what_cannot_be_restored(self):
        mount = self.mount("sim:")
        mount.expects(REFUSED)
        status, said, wrong = self.call(
            "restore", mount, "CMIN 3.6\nTMAX 70\nCMAX 3.80\nXYZ 1\nBVOL 3.5e0\n")
        self.assertEqual(status, 1)
        self.assertEqual(said, "CMAX 3.85 -> 3.80\n")
        self.assertIn("TMAX: 70 is outside -20 to 65 degC\n", wrong)
        self.assertRegex(wrong, r"CMIN: 3\.6 is refused because it must be below CLOW")
        self.assertRegex(wrong, r"BVOL: .*3\.5e0")
        for name in ("CMIN is 2.8 and not 3.6", "TMAX is 55 and not 70", "this BMS has no XYZ",
                     "BVOL is 3.58 and not 3.5e0"):
            self.assertIn(f"bms-settings: {name}\n", wrong)

    def test_bad_files_change_nothing(self):
        mount = self.mount("sim:")
        for text in ("", "# nothing\n", "CMAX 3.8\nBMIN\n", "CMAX 3.8\n../etc/passwd 1\n",
                     "CMAX 3.8\nbus/state x\n", "CMAX 3.8\nCMAXX 1\n"):
            status, said, wrong = self.call("restore", mount, text)
            self.assertEqual((status, said), (2, ""), text)
            self.assertTrue(wrong)
        self.assertEqual(mount.read("CMAX"), "3.85")
        self.assertEqual(self.call("forget", mount)[0], 2)

    def test_one_of_several(self):
        mount = self.mount("sim:address=1,2", "address=1,2")
        mount.expects("is online", REFUSED)
        status, said, wrong = self.call("restore", mount, "CMAX 9\nCMIN 2.7\n", under="2")
        self.assertEqual((status, said), (1, "CMIN 2.8 -> 2.7\n"))
        self.assertIn("CMAX: 9 is outside 2 to 4.3 V\n", wrong)
        self.assertEqual((mount.read("1/CMIN"), mount.read("2/CMIN")), ("2.8", "2.7"))

    def test_read_only(self):
        mount = self.mount("sim:", "ro")
        status, _, wrong = self.call("restore", mount, "CMAX 3.8\n")
        self.assertEqual(status, 1)
        self.assertIn("CMAX: Read-only file system\n", wrong)

    def test_away(self):
        mount = self.mount_sim()
        self.sim.command("silence on")
        until(lambda: True if self.attempt(mount, "BMIN") is None else None)
        for verb in ("save", "compare", "restore"):
            status, said, wrong = self.call(verb, mount, "CMAX 3.8\nCMIN 2.7\n")
            self.assertEqual(status, 1, verb)
            self.assertNotIn("as saved", said)
            self.assertRegex(wrong, "cannot be read: .*; stopped here")
        self.sim.command("silence off")
        until(lambda: self.attempt(mount, "CMAX"))
        self.assertEqual(self.call("restore", mount, "CMAX 3.8\nCMIN 2.7\n")[0], 0)


if __name__ == "__main__":
    harness.main()
