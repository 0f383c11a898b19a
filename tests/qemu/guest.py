# SPDX-License-Identifier: LGPL-3.0-or-later
"""A Debian kernel under qemu, with an FTDI adapter that can be pulled out and plugged in.

QEMU's usb-serial device is an FT232BM; the guest's own driver, ftdi_sio, serves it. Its other side
is a Unix socket, and the adapter is plugged in exactly while somebody is connected to that.
"""
import glob
import lzma
import os
import re
import select
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_LIMIT = 120  # seconds; software emulation on a busy machine is slow
COMMAND_LIMIT = 60
MODULES = "usb-common usbcore xhci-hcd xhci-pci usbserial ftdi_sio fuse".split()
XZ_MAGIC = bytes.fromhex("fd377a585a00")


def shared_libraries(program):
    """What the dynamic linker would load, itself included."""
    found = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return sorted(set(re.findall(r"(/\S+) \(0x", found)))


def find_kernel(folder):
    kernels = sorted(glob.glob(os.path.join(folder, "**/vmlinuz-*"), recursive=True))
    if not kernels:
        raise FileNotFoundError(f"there is no kernel in {folder}")
    return kernels[-1]


def unpack_kernel(kernel, place):
    """qemu starts the plain kernel twice as fast as the packed one. Returns what it shall start."""
    with open(kernel, "rb") as file:
        packed = file.read()
    start = packed.find(XZ_MAGIC)
    if start < 0:
        return kernel
    with open(place, "wb") as file:
        file.write(lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed[start:]))
    return place


def copy_into(root, path, at=None):
    place = os.path.join(root, (at or path).lstrip("/"))
    os.makedirs(os.path.dirname(place), exist_ok=True)
    shutil.copy(path, place)


def make_initramfs(folder, kernel_folder, programs):
    """Packs busybox, the modules and the programs with their libraries; they lie in /bin there."""
    root = os.path.join(folder, "root")
    for name in ("bin", "dev", "etc", "mnt", "modules", "proc", "sys", "tmp"):
        os.makedirs(os.path.join(root, name))
    copy_into(root, os.path.join(HERE, "init"), "/init")
    os.chmod(os.path.join(root, "init"), 0o755)
    copy_into(root, shutil.which("busybox"), "/bin/busybox")
    for program in programs:
        copy_into(root, program, "/bin/" + os.path.basename(program))
        for library in shared_libraries(program):
            copy_into(root, library)
    for module in MODULES:
        found = glob.glob(os.path.join(kernel_folder, f"**/{module}.ko"), recursive=True)
        if not found:
            raise FileNotFoundError(f"there is no module {module} in {kernel_folder}")
        copy_into(root, found[0], f"/modules/{module}.ko")
    with open(os.path.join(root, "modules/order"), "w", encoding="ascii") as order:
        order.write("".join(module + "\n" for module in MODULES))
    archive = os.path.join(folder, "initramfs")
    subprocess.run("find . -print0 | cpio --null --create --format=newc --quiet >" + archive,
                   shell=True, cwd=root, check=True)
    shutil.rmtree(root)
    return archive


class Guest:
    """A running machine. The adapter's socket is self.adapter, qemu's own trace self.trace."""

    def __init__(self, folder, kernel, initramfs):
        self.folder = folder
        self.adapter = os.path.join(folder, "adapter")
        self.trace_path = os.path.join(folder, "trace")
        self.console_path = os.path.join(folder, "console")
        self.buffer = b""
        self.errors = open(os.path.join(folder, "qemu"), "wb")
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "256", "-nodefaults",
             "-no-user-config", "-display", "none", "-no-reboot", "-kernel", kernel,
             "-initrd", initramfs, "-append", "console=ttyS0 quiet loglevel=4 panic=-1",
             "-serial", "file:" + self.console_path, "-serial", "stdio",
             "-device", "qemu-xhci,id=hc",
             "-chardev", f"socket,id=bms,path={self.adapter},server=on,wait=off",
             "-device", "usb-serial,id=ftdi,bus=hc.0,chardev=bms,serial=BMS01",
             "-trace", "usb_serial_set_*", "-D", self.trace_path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        try:
            self._read_line(BOOT_LIMIT, rb"^guest is ready$")
        except BaseException:
            self.stop()
            raise

    def _fill(self, until):
        left = until - time.monotonic()
        out = self.process.stdout.fileno()
        if left <= 0 or not select.select([out], [], [], left)[0]:
            raise TimeoutError(f"the guest does not answer; so far: {self.buffer!r}\n{self.said()}")
        data = os.read(out, 65536)
        if not data:
            raise ConnectionError("the guest has ended\n" + self.said())
        self.buffer += data

    def _read_line(self, limit, pattern):
        """Skips to a line that fits, and returns what came before it and the match."""
        until = time.monotonic() + limit
        while True:
            found = re.search(pattern + rb"\n", self.buffer.replace(b"\r", b""), re.M)
            if found:
                before = self.buffer.replace(b"\r", b"")[:found.start()]
                self.buffer = self.buffer.replace(b"\r", b"")[found.end():]
                return before, found
            self._fill(until)

    def run(self, command, limit=COMMAND_LIMIT):
        """Runs a line of shell in the guest. Returns its exit status and what it printed."""
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        output, found = self._read_line(limit, rb"@end (\d+) (\d+)$")
        return int(found.group(2)), output[-int(found.group(1)) or len(output):].decode()

    def trace(self):
        with open(self.trace_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def said(self):
        """What the kernel and qemu had to say."""
        text = ""
        self.errors.flush()
        for path in (self.console_path, self.errors.name):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
