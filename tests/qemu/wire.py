# SPDX-License-Identifier: LGPL-3.0-or-later
"""bmsfs-sim and the wire from it to the adapter. Connecting the wire plugs the adapter in."""
import os
import selectors
import socket
import subprocess
import threading
import time

LIMIT = 30  # seconds


def connect(path):
    until = time.monotonic() + LIMIT
    while True:
        end = socket.socket(socket.AF_UNIX)
        try:
            end.connect(path)
            return end
        except (FileNotFoundError, ConnectionRefusedError):
            end.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


class Simulator:
    """A running bmsfs-sim; it ends with its standard input."""

    def __init__(self, program, folder, *arguments):
        self.path = os.path.join(folder, "bms")
        self.log = os.path.join(folder, "frames")
        self.process = subprocess.Popen(
            [program, "--control", "--unix", self.path, "--log", self.log, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().startswith("ready "):
            self.process.wait()
            raise RuntimeError(f"{program} did not start")

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"bmsfs-sim, {line}: {answer}")

    def requests(self):
        """The texts of all requests so far."""
        with open(self.log, encoding="ascii") as file:
            lines = [line.rstrip("\n").split(" ", 3) for line in file]
        return [line[3] for line in lines if line[1] == ">"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()


class Wire:
    """Carries bytes both ways. It always reads, because qemu stands still when nobody does."""

    def __init__(self, bms, adapter):
        self.adapter_path = adapter
        self.bms = connect(bms)
        self.adapter = None
        self.lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.bms, selectors.EVENT_READ)
        self.running = True
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def plug(self):
        end = connect(self.adapter_path)
        with self.lock:
            self.adapter = end
            self.selector.register(end, selectors.EVENT_READ)

    def unplug(self):
        with self.lock:
            end, self.adapter = self.adapter, None
            if not end:
                return
            self.selector.unregister(end)
            end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _carry(self):
        while self.running:
            for key, _ in self.selector.select(0.05):
                with self.lock:
                    self._move(key.fileobj)

    def _move(self, source):
        if source not in (self.bms, self.adapter):
            return
        try:
            data = source.recv(4096)
            target = self.adapter if source is self.bms else self.bms
            if data and target:
                target.sendall(data)
        except ConnectionError:
            data = b""
        if not data and source is self.adapter:
            self.selector.unregister(source)
            source.close()
            self.adapter = None

    def stop(self):
        self.unplug()
        self.running = False
        self.thread.join(LIMIT)
        self.selector.close()
        self.bms.close()
