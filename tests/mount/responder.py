# SPDX-License-Identifier: LGPL-3.0-or-later
"""A REC 1Q BMS on a pty or a Unix socket, written from the description of the wire alone.

It plays captured replies byte for byte where there are any, keeps what is set, logs every request,
and misbehaves on demand. Replies keep the order of their requests, however late they are.
"""
import os
import select
import socket
import struct
import sys
import threading
import time
import tty
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "captures"))
import captures  # noqa: E402 pylint: disable=wrong-import-position

PATIENCE = 30  # seconds until a request that must come counts as missing

# Recorded from a REC 1Q with 14 cells.
CAPTURED = {text: captures.exchanges("rec-1q")[text][1] for text in ("CAPA?", "CELL?")}
CELL = ("3.966 3.9661 3.9666 3.9663 3.967 3.9635 3.9644 3.9577 3.9648 3.9669 3.9652 3.9641 "
        "3.9656 3.9643").split()
RINT = [format(Decimal(shown), "f") for shown in (
    "0.0001108202 0.0001035537 9.103767E-05 0.0001470417 0.0001925638 0.0001923965 0.0001522747 "
    "0.0003862436 6.002274E-05 8.185021E-05 0.0001809511 0.0001758716 0.0001872099 "
    "0.0001529547").split()]

IDENTITY = "REC BMS 1Q VICTRON"

# All of them different, so that no answer can pass for another one's.
SETTINGS = {
    "BVOL": 4.08, "BMIN": 3.95, "CMAX": 4.2, "MAXH": 0.25, "CMIN": 2.8, "MINH": 0.1, "CHAR": 4.15,
    "CHIS": 0.26, "RAZL": 0.27, "CLOW": 2.95, "CFVC": 0.81, "TMAX": 55.0, "TMIN": -10.0,
    "TBAL": 56.0, "BMTH": 5.5, "CAPA": 450.0, "SOCS": 0.7846, "SOCH": 0.05, "CHAC": 0.6,
    "DCHC": 1.5, "MAXC": 70.0, "MAXD": 100.0, "IOFF": 0.0, "IOJA": 0.0078125, "REFC": 5.0,
    "EAVC": 0.0001, "ODDC": -0.0002, "CHEM": 3, "CYCL": 103, "SISN": 1, "CANF": 2, "VMAX": 4,
    "VMIN": 6,
}


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


def frame(payload, dst=0, snd=1):
    if isinstance(payload, str):
        payload = payload.encode("ascii")
    body = bytes([dst, snd, len(payload)]) + payload
    return b"\x55" + body + crc16(body).to_bytes(2, "big") + b"\xaa"


def exponent_text(value):
    """As the BMS writes floats: one digit, five decimals, the exponent without padding."""
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def take_frames(buffer):
    """Cuts the whole frames out of a bytearray, drops what is none, leaves what is incomplete."""
    found = []
    while buffer:
        if buffer[0] != 0x55:
            del buffer[0]
            continue
        if len(buffer) < 4 or len(buffer) < buffer[3] + 7:
            break
        size = buffer[3] + 7
        raw = bytes(buffer[:size])
        if raw[-1] == 0xAA and crc16(raw[1:-3]) == int.from_bytes(raw[-3:-1], "big"):
            found.append(raw)
            del buffer[:size]
        else:
            del buffer[0]
    return found


class Request:
    def __init__(self, raw):
        self.time = time.monotonic()
        self.raw = raw
        self.text = raw[4:-3].decode("ascii", "backslashreplace")
        name, space, value = self.text.partition(" ")
        self.is_set = bool(space)
        self.value = value
        self.name = name.rstrip("?")

    def __repr__(self):
        return f"<{self.text!r} at {self.time:.3f}>"


class Pty:
    """The device is a symbolic link to the slave, as udev makes them for adapters."""

    def __init__(self, path):
        self.device = path
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        # While the slave is held, the master knows nothing of who opens and closes it.
        os.symlink(os.ttyname(self.slave), path)

    def descriptors(self):
        return [self.master]

    def read(self, fd):
        return os.read(fd, 4096)

    def write(self, data):
        os.write(self.master, data)

    def close(self):
        os.unlink(self.device)
        os.close(self.slave)
        os.close(self.master)


class UnixSocket:
    def __init__(self, path):
        self.device = "unix:" + path
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.client = None

    def descriptors(self):
        return [self.listener.fileno()] + ([self.client.fileno()] if self.client else [])

    def read(self, fd):
        if fd == self.listener.fileno():
            client, _ = self.listener.accept()
            if self.client:
                self.client.close()
            self.client = client
            return b""
        data = self.client.recv(4096)
        if not data:
            self.client.close()
            self.client = None
        return data

    def write(self, data):
        if self.client:
            self.client.sendall(data)

    def close(self):
        if self.client:
            self.client.close()
        self.listener.close()
        os.unlink(self.path)


class Responder:
    def __init__(self, path, door=Pty):
        self.path = path
        self.door_kind = door
        self.address = 1
        self.identity = IDENTITY
        self.settings = dict(SETTINGS)
        self.texts = {"SWVR": "2.5", "HWVR": "1.3"}
        self.logs = {}  # lists of texts, of which each query takes the first
        self.arrays = {
            "LCD1": [b"28", floats(3.9607, 3.9656, 0.5800781, 18.5, 55.48749, 0.7846351, 0.9897)],
            "LCD3": [b"8", bytes([1, 8, 1, 13, 1, 3]) + (105).to_bytes(2, "big")],
            "CELL": [b"1", floats(*map(float, CELL))],
            "RINT": [b"1", floats(*map(float, RINT))],
            "PTEM": [b"1", floats(17.5, 18.0, 18.5)],
            "BTEM": [b"1", floats(25.89443)],
            "ERRO": [b"4", bytes(4)],
        }
        self.verbatim = dict(CAPTURED)
        self.delay = lambda request: 0
        self.silent = False
        self.faults = {}
        self.log = []
        self.changed = threading.Condition(threading.RLock())
        self.pending = []  # (due, bytes), in the order of the requests
        self.buffer = bytearray()
        self.wake_read, self.wake_write = os.pipe()
        self.running = True
        self.door = door(path)
        self.device = self.door.device
        self.thread = threading.Thread(target=self._run, name="responder", daemon=True)
        self.thread.start()

    # --- for the test ---

    def fault(self, request, kind, times=None):
        """What happens to a request, "CELL?", "BMIN " for its sets, or "" for all.

        silent: no reply; lost: as if it had never come; corrupt, refuse, clamp, short, extra, echo,
        foreign: see _misbehave(). A number of times, or until it is healed.
        """
        with self.changed:
            self.faults[request] = [kind, times]

    def heal(self):
        with self.changed:
            self.faults.clear()
            self.silent = False

    def set_array(self, name, *payloads):
        with self.changed:
            self.verbatim.pop(name + "?", None)
            self.arrays[name] = list(payloads)

    def set_main(self, current=0.5800781, soc=0.7846351):
        self.set_array("LCD1", b"28", floats(3.9607, 3.9656, current, 18.5, 55.48749, soc, 0.9897))

    def set_soc(self, share):
        self.set_main(soc=share)

    def set_setting(self, name, value):
        with self.changed:
            self.verbatim.pop(name + "?", None)
            self.settings[name] = value

    def requests(self, text=None, since=0):
        """Those logged from number since on: all, or the ones that start with text."""
        with self.changed:
            return [r for r in self.log[since:] if text is None or r.text.startswith(text)]

    def sets(self):
        return [request.text for request in self.requests() if request.is_set]

    def mark(self):
        with self.changed:
            return len(self.log)

    def await_request(self, text, count=1, since=0):
        """Waits until so many requests that start with text have come."""
        with self.changed:
            came = self.changed.wait_for(
                lambda: len(self.requests(text, since)) >= count, PATIENCE)
            if not came:
                raise AssertionError(f"{count} x {text!r} did not come, but {self.log[since:]}")

    def hang_up(self):
        """As pulling out the adapter: the other end is closed and its name is gone."""
        with self.changed:
            self.door.close()
            self.door = None
            self.pending.clear()
            self.buffer.clear()
        self._wake()

    def appear(self):
        with self.changed:
            self.door = self.door_kind(self.path)
        self._wake()

    def send(self, data):
        """Puts bytes on the line that nobody asked for."""
        with self.changed:
            self.pending.append((time.monotonic(), data))
        self._wake()

    def stop(self):
        with self.changed:
            self.running = False
        self._wake()
        self.thread.join(PATIENCE)
        if self.door:
            self.door.close()
        os.close(self.wake_read)
        os.close(self.wake_write)

    # --- the line ---

    def _wake(self):
        os.write(self.wake_write, b"w")

    def _run(self):
        while True:
            with self.changed:
                if not self.running:
                    return
                watched = self.door.descriptors() if self.door else []
                left = max(0, self.pending[0][0] - time.monotonic()) if self.pending else None
            try:
                ready, _, _ = select.select([self.wake_read, *watched], [], [], left)
            except (OSError, ValueError):  # hung up in between
                continue
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
            with self.changed:
                if self.door and watched == self.door.descriptors():
                    for fd in ready:
                        if fd != self.wake_read:
                            self._receive(fd)
                self._transmit()

    def _receive(self, fd):
        try:
            self.buffer += self.door.read(fd)
        except (BlockingIOError, ConnectionError):
            return
        for raw in take_frames(self.buffer):
            if raw[1] == self.address and raw[2] == 0:
                self._serve(Request(raw))

    def _transmit(self):
        while self.door and self.pending and self.pending[0][0] <= time.monotonic():
            _, data = self.pending.pop(0)
            try:
                self.door.write(data)
            except (BlockingIOError, ConnectionError):
                pass

    def _serve(self, request):
        self.log.append(request)
        self.changed.notify_all()
        if self.silent:
            return
        data = self._misbehave(request)
        if data:
            due = time.monotonic() + self.delay(request)
            if self.pending:
                due = max(due, self.pending[-1][0])
            self.pending.append((due, data))

    def _draw_fault(self, request):
        for prefix, fault in self.faults.items():
            if request.text.startswith(prefix) and fault[1] != 0:
                if fault[1] is not None:
                    fault[1] -= 1
                return fault[0]
        return None

    def _misbehave(self, request):
        kind = self._draw_fault(request)
        if kind == "lost":
            return None
        if kind == "refuse":
            return frame("ERROR1")
        if kind == "clamp":
            self.set_setting(request.name, round(float(request.value) - 0.01, 5))
            return frame("SET")
        frames = self._answer(request)
        if kind == "silent" or not frames:
            return None
        data = b"".join(frames)
        if kind == "corrupt":  # one bit of the last payload
            return data[:-4] + bytes([data[-4] ^ 1]) + data[-3:]
        if kind == "short":  # the last frame does not come
            return b"".join(frames[:-1])
        if kind == "extra":
            return data + frames[-1]
        if kind == "echo":
            return request.raw + data
        if kind == "foreign":  # another master asks, and is answered first
            return frame("BVOL?", 1, 0) + frame("3.58000e0") + data
        return data

    # --- the BMS ---

    def _answer(self, request):
        if request.is_set:
            return self._set(request)
        if not request.text.endswith("?"):
            return []
        name = request.name
        if request.text in self.verbatim:
            return [self.verbatim[request.text]]
        if name == "*IDN":
            return [frame(self.identity)]
        if name in self.texts:
            return [frame(self.texts[name])]
        if self.logs.get(name):
            return [frame(self.logs[name].pop(0))]
        if name in self.arrays:
            return [frame(payload) for payload in self.arrays[name]]
        if name in self.settings:
            value = self.settings[name]
            return [frame(str(value) if isinstance(value, int) else exponent_text(value))]
        return []

    def _set(self, request):
        old = self.settings.get(request.name)
        if old is None:
            return []
        try:
            self.set_setting(request.name, type(old)(request.value))
        except ValueError:
            return [frame("ERROR1")]
        return [frame("SET")]
