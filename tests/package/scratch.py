# SPDX-License-Identifier: LGPL-3.0-or-later
"""A copy of this machine to install packages in, of which nothing is left.

The root directory is seen through an overlay, in a mount namespace of this process: what is written
there lies in memory and goes with the process. Devices and /sys are few and of its own.
"""
import ctypes
import errno
import os
import signal
import socket
import stat
import subprocess
import tempfile

PATIENCE = 60
CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 16384, 1 << 18
SYSTEMD = "/lib/systemd/systemd"
# (name, major, minor): what programs of all kinds expect.
DEVICES = [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9),
           ("tty", 5, 0), ("fuse", 10, 229), ("ttyUSB0", 188, 0)]
# What even PID 1 in there has no use for: it would change this machine.
NO_RIGHTS = "-sys_module,-sys_time,-net_admin,-sys_rawio,-syslog,-mac_admin,-audit_control"


class Unavailable(Exception):
    """Why there can be none here."""


def call(result, what):
    if result < 0:
        raise Unavailable(f"{what}: {os.strerror(ctypes.get_errno())}")


def run(*arguments, **more):
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False,
                          **more)


def processes_of(*names):
    """The numbers of the processes with these names."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/comm", encoding="utf-8") as comm:
                if comm.read().rstrip("\n") in names:
                    yield process
        except (FileNotFoundError, ProcessLookupError):
            pass


class Scratch:
    def __init__(self):
        if os.geteuid() != 0:
            raise Unavailable("only root can make one")
        libc = ctypes.CDLL(None, use_errno=True)
        call(libc.unshare(CLONE_NEWNS), "a mount namespace")
        call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
        self.folder = tempfile.mkdtemp(prefix="bmsfs-scratch.")
        self.root = os.path.join(self.folder, "root")
        self._mount("tmpfs", self.folder)
        for name in ("root", "upper", "work"):
            os.mkdir(os.path.join(self.folder, name))
        self._mount("overlay", self.root, f"lowerdir=/,upperdir={self.folder}/upper,"
                                          f"workdir={self.folder}/work")
        self._mount("proc", self.path("proc"))
        for name in ("dev", "run", "sys", "tmp"):
            self._mount("tmpfs", self.path(name))
        for name, major, minor in DEVICES:
            self._make_device(name, major, minor)
        os.mkdir(self.path("dev/pts"))
        os.symlink("/proc/self/fd", self.path("dev/fd"))
        os.chmod(self.path("tmp"), 0o1777)
        # An overlay does not show what is mounted below.
        for name in ("usr/bin/dpkg", "var/lib/dpkg/status"):
            if not os.path.exists(self.path(name)):
                raise Unavailable(f"/{name} lies on another file system")

    def close(self):
        """The mounts go with the process, but the place where they were does not."""
        run("umount", "-R", "-l", self.folder)
        os.rmdir(self.folder)

    @staticmethod
    def _mount(kind, place, options="mode=755"):
        if kind in ("proc", "sysfs"):
            options = "nosuid"
        done = run("mount", "-t", kind, "-o", options, kind, place)
        if done.returncode:
            raise Unavailable(done.stdout.strip())

    def _make_device(self, name, major, minor):
        try:
            os.mknod(self.path("dev/" + name), stat.S_IFCHR | 0o666, os.makedev(major, minor))
        except OSError as error:
            raise Unavailable(f"/dev/{name}: {error.strerror}") from error
        os.chmod(self.path("dev/" + name), 0o660 if name.startswith("tty") else 0o666)

    def holds(self, process):
        """Whether this process runs in there."""
        return os.readlink(f"/proc/{process}/root") == self.root

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def run(self, *arguments, user=None, environment=()):
        """Runs a program in there; the result has returncode and stdout, with stderr in it."""
        if user is not None:
            arguments = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                         *arguments]
        settings = dict(os.environ, LC_ALL="C", PATH="/usr/sbin:/usr/bin:/sbin:/bin",
                        **dict(environment))
        # A daemon that goes to the background keeps what it has for output.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(["chroot", self.root, *arguments], stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=output, timeout=PATIENCE, check=False,
                                  env=settings)
            output.seek(0)
            done.stdout = output.read()
        return done

    def changes(self):
        """The paths at which the copy differs from the machine, whatever happened in between."""
        upper = os.path.join(self.folder, "upper")
        for folder, folders, files in os.walk(upper):
            for name in folders + files:
                place = os.path.join(folder, name)[len(upper):]
                if self._content(upper + place) != self._content(place):
                    yield place

    @staticmethod
    def _content(path):
        """Of a file that was removed the overlay makes a device, which equals nothing."""
        if os.path.islink(path):
            return os.readlink(path)
        if os.path.isdir(path):
            return "directory"
        if not os.path.isfile(path):
            return "absent"
        with open(path, "rb") as file:
            return file.read()


def own_groups():
    """Maps the mount point of each hierarchy of control groups to where this process is in it."""
    places = {}
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        for line in lines:
            _, names, place = line.rstrip("\n").split(":", 2)
            places[names] = place
    found = {}
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        for line in lines:
            _, point, kind, options, *_ = line.split()
            if kind == "cgroup2":
                found[point] = (kind, "", places.get("", "/"))
            elif kind == "cgroup":
                for names, place in places.items():
                    if names and set(names.split(",")) <= set(options.split(",")):
                        found[point] = (kind, names, place)
    return found


class Groups:
    """Control groups for one system, in all hierarchies there are."""

    def __init__(self):
        self.made = {}
        for point, (kind, names, place) in own_groups().items():
            if names == "cpuset":  # one of those takes nobody before it is told more
                continue
            above = point + place.rstrip("/")
            folder = os.path.join(above if os.path.isdir(above) else point,
                                  f"bmsfs-test-{os.getpid()}")
            try:
                os.mkdir(folder)
            except OSError as error:
                self.remove()
                raise Unavailable(f"{folder}: {error.strerror}") from error
            self.made[folder] = (point, kind, names)
        if not self.made:
            raise Unavailable("there are no control groups")

    def mounts(self, root):
        """Commands that mount them in there, in a namespace of control groups."""
        for point, kind, names in sorted(self.made.values()):
            place = root + point
            if point == "/sys/fs/cgroup":
                yield f"mount -t cgroup2 cgroup2 {place}"
                continue
            yield f"mountpoint -q {root}/sys/fs/cgroup || mount -t tmpfs tmpfs {root}/sys/fs/cgroup"
            options = "" if kind == "cgroup2" else "-o " + (
                "none," + names if names.startswith("name=") else names)
            yield f"mkdir -p {place} && mount -t {kind} {options} {kind} {place}"

    def enter(self):
        for folder in self.made:
            with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

    def remove(self):
        for folder in self.made:
            for place, _, _ in os.walk(folder, topdown=False):
                os.rmdir(place)


class System:
    """systemd as PID 1 in a scratch copy, with no units but those of the test."""

    UNITS = "/etc/bmsfs-test-units"

    def __init__(self, scratch, units):
        if not os.path.exists(SYSTEMD):
            raise Unavailable(f"{SYSTEMD} is missing")
        self.scratch = scratch
        for name, text in units.items():
            scratch.write(os.path.join(self.UNITS, name), text)
        self.groups = Groups()
        self.process = None
        try:
            self._boot()
        except BaseException:
            self.stop()
            raise

    def _boot(self):
        root = self.scratch.root
        script = "\n".join([
            "set -e",
            f"mount -t proc proc {root}/proc",
            f"mount --bind {root}/proc/sys {root}/proc/sys",
            f"mount -o remount,bind,ro {root}/proc/sys",
            f"mount -t sysfs -o ro sysfs {root}/sys",
            *self.groups.mounts(root),
            f"mount -t devpts -o newinstance,ptmxmode=666 devpts {root}/dev/pts",
            f"exec setpriv --bounding-set {NO_RIGHTS} --inh-caps {NO_RIGHTS} chroot {root} "
            f"{SYSTEMD} --system --unit=test.target --show-status=no --log-target=null",
        ])
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(self.scratch.path("run/host"))
        ready.settimeout(1)
        command = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--fork",
                   "--kill-child=KILL", "sh", "-c", script]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, preexec_fn=self.groups.enter,
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "container": "test",
                     "NOTIFY_SOCKET": "/run/host", "SYSTEMD_UNIT_PATH": self.UNITS})
        except subprocess.SubprocessError as error:
            raise Unavailable("no process can enter control groups") from error
        with ready:
            self._wait_for(ready)
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as children:
            self.init = children.read().split()[0]

    def _wait_for(self, ready):
        for _ in range(PATIENCE):
            try:
                if b"READY=1" in ready.recv(4096).splitlines():
                    return
            except TimeoutError:
                if self.process.poll() is not None:
                    raise Unavailable("systemd ended: " + self.process.stdout.read()) from None
        raise Unavailable("systemd does not get ready")

    def run(self, *arguments):
        return run("nsenter", "--target", self.init, "--mount", "--uts", "--ipc", "--pid",
                   "--cgroup", "--root", "--wd", *arguments,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        # The kernel counts out the last of them a moment later.
        for _ in range(PATIENCE * 10):
            try:
                self.groups.remove()
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
            signal.sigtimedwait([], 0.1)
