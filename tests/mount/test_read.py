#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Reading: snapshots, freshness, shared transactions, interrupts, and all the ways to copy."""
import errno
import os
import select
import shutil
import signal
import subprocess

import harness
from harness import Call

STALE_NEVER = "ttl=3600"

# Reads a file and says what came of it. A handled signal ends the read, as Ctrl-C would.
READER = """
import errno, signal
class Enough(Exception): pass
def enough(*_): raise Enough
signal.signal(signal.SIGUSR1, enough)
print("ready", flush=True)
try:
    print(repr(open(sys.argv[1]).read()))
except OSError as error:
    print(errno.errorcode[error.errno])
except Enough:
    print("interrupted")
"""


class Snapshots(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()

    def test_small_reads_are_of_one_moment(self):
        whole = self.bmsfs.raw("CELL")
        fd = os.open(self.bmsfs.path("CELL"), os.O_RDONLY | os.O_DIRECT)
        self.addCleanup(os.close, fd)
        first = os.read(fd, 5)
        self.bms.set_array("CELL", b"1", bytes(14 * 4))
        asked = self.bms.mark()
        while part := os.read(fd, 3):
            first += part
        self.assertEqual(first, whole)
        self.assertEqual(self.bms.requests(since=asked), [])

    def test_reading_from_the_start_again_is_a_new_moment(self):
        fd = os.open(self.bmsfs.path("CELL"), os.O_RDONLY | os.O_DIRECT)
        self.addCleanup(os.close, fd)
        before = os.read(fd, 4096)
        self.bms.set_array("CELL", b"1", bytes(14 * 4))
        os.lseek(fd, 0, os.SEEK_SET)
        self.assertNotEqual(os.read(fd, 4096), before)
        self.assertEqual(os.pread(fd, 4096, 0), b"0\n" * 14)

    def test_descriptors_have_moments_of_their_own(self):
        one = os.open(self.bmsfs.path("SOC"), os.O_RDONLY | os.O_DIRECT)
        self.addCleanup(os.close, one)
        start = os.read(one, 2)
        self.bms.set_soc(0.25)
        self.assertEqual(self.bmsfs.read("SOC", os.O_DIRECT), "25.00")
        self.assertEqual(start + os.read(one, 4096), b"78.46\n")

    def test_behind_the_end_is_nothing(self):
        fd = os.open(self.bmsfs.path("SOC"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.pread(fd, 4096, 6), b"")
        self.assertEqual(os.pread(fd, 4096, 1 << 40), b"")

    def test_first_read_in_the_middle(self):
        fd = os.open(self.bmsfs.path("SOC"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.pread(fd, 4096, 3), b"46\n")

    def test_nonblock_waits_all_the_same(self):
        self.assertEqual(self.bmsfs.read("SOC", os.O_NONBLOCK | os.O_DIRECT), "78.46")


class Freshness(harness.MountTest):
    def test_a_fresh_value_is_not_asked_for_again(self):
        bms, bmsfs = self.mount_responder(STALE_NEVER)
        for _ in range(5):
            self.assertEqual(bmsfs.read("SOC"), "78.46")
        self.assertEqual(len(bms.requests("LCD1?")), 1)

    def test_files_share_a_sample(self):
        bms, bmsfs = self.mount_responder(STALE_NEVER)
        for name in ("SOC", "SOH", "LCD1", "pack/voltage", "pack/current", "pack/soc"):
            bmsfs.read(name)
        self.assertEqual(len(bms.requests("LCD1?")), 1)

    def test_direct_asks_each_time(self):
        bms, bmsfs = self.mount_responder(STALE_NEVER)
        for share in (0.1, 0.2, 0.3):
            bms.set_soc(share)
            self.assertEqual(bmsfs.read("SOC", os.O_DIRECT), f"{share * 100:.2f}")
        self.assertEqual(len(bms.requests("LCD1?")), 3)

    def test_ttl_0_asks_each_time(self):
        bms, bmsfs = self.mount_responder("ttl=0")
        for share in (0.1, 0.2, 0.3):
            bms.set_soc(share)
            self.assertEqual(bmsfs.read("SOC"), f"{share * 100:.2f}")

    def test_a_setting_is_kept_longer(self):
        bms, bmsfs = self.mount_responder("ttl=0", "ttl_settings=3600")
        for _ in range(3):
            bmsfs.read("BVOL")
        self.assertEqual(len(bms.requests("BVOL?")), 1)

    def test_nobody_reading_means_a_silent_bus(self):
        bms, bmsfs = self.mount_responder("ttl=0.1")
        bmsfs.read("SOC")
        asked = bms.mark()
        clock = self.mount(self.responder("other").device, "ttl=0.1")
        for _ in range(30):
            clock.read("SOC", os.O_DIRECT)
        self.assertEqual(bms.requests(since=asked), [])


class Consuming(harness.MountTest):
    """ERRL gives each entry once: what it gave must not be lost, and never asked for in passing."""

    def setUp(self):
        super().setUp()
        self.bms = self.responder()
        self.bms.identity = "ACTIVE"
        self.entries = [f"{n},3;14:41:0{n};23.02.2025" for n in range(1, 6)]
        self.bms.logs["ERRL"] = list(self.entries)
        self.bmsfs = self.mount(self.bms.device)

    def asked(self):
        return len(self.bms.requests("ERRL?"))

    def test_each_read_asks_once(self):
        for number in range(1, 4):
            self.assertEqual(self.bmsfs.read("ERRL").split("\n"), self.entries[:number])
            self.assertEqual(self.asked(), number)

    def test_a_lost_answer_is_not_asked_for_again(self):
        self.bms.fault("ERRL?", "silent", 1)
        with self.assertRaises(OSError):
            self.bmsfs.read("ERRL")
        self.assertEqual(self.asked(), 1)

    def test_only_for_its_owner(self):
        self.assertEqual(os.stat(self.bmsfs.path("ERRL")).st_mode & 0o7777, 0o400)

    def test_waiting_for_a_change_takes_nothing(self):
        fd = os.open(self.bmsfs.path("ERRL"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        poller = select.poll()
        poller.register(fd, select.POLLPRI)
        poller.poll(0)
        self.run_program("ls", "-lR", self.bmsfs.place)
        self.bmsfs.read("SOC")
        self.assertEqual(self.asked(), 0)


class Together(harness.MountTest):
    def test_readers_share_one_transaction(self):
        bms, bmsfs = self.mount_responder(STALE_NEVER)
        bms.delay = lambda request: 0.3
        calls = [Call(bmsfs.raw, "SOC") for _ in range(20)]
        self.assertEqual({call.result() for call in calls}, {b"78.46\n"})
        self.assertEqual(len(bms.requests("LCD1?")), 1)

    def test_readers_of_different_files_do_too(self):
        bms, bmsfs = self.mount_responder(STALE_NEVER)
        bms.delay = lambda request: 0.3
        calls = [Call(bmsfs.raw, name) for name in ("SOC", "SOH", "LCD1", "pack/voltage")]
        self.assertEqual([call.result() for call in calls][:2], [b"78.46\n", b"98.97\n"])
        self.assertEqual(len(bms.requests("LCD1?")), 1)

    def test_direct_readers_do_not_join_what_was_asked_before_them(self):
        bms, bmsfs = self.mount_responder()
        bms.delay = lambda request: 0.3
        first = Call(bmsfs.raw, "SOC", os.O_DIRECT)
        bms.await_request("LCD1?")
        second = Call(bmsfs.raw, "SOC", os.O_DIRECT)
        self.assertEqual([first.result(), second.result()], [b"78.46\n"] * 2)
        self.assertEqual(len(bms.requests("LCD1?")), 2)

    def test_many_processes(self):
        bms, bmsfs = self.mount_responder()
        readers = [subprocess.Popen(["cat", bmsfs.path("SOC"), bmsfs.path("BVOL"),
                                     bmsfs.path("CAPA")], stdout=subprocess.PIPE, text=True)
                   for _ in range(10)]
        said = [reader.communicate(timeout=harness.PATIENCE)[0] for reader in readers]
        self.assertEqual(set(said), {"78.46\n4.08\n450\n"})
        self.assertEqual([len(bms.requests(name)) for name in ("BVOL?", "CAPA?")], [1, 1])


class Interrupts(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder("deadline=60")
        self.bmsfs.expects("LCD1|nobody answers|no answer")

    def start_reader(self):
        """A process that waits for an answer, which the responder holds back."""
        reader = self.python(READER, self.bmsfs.path("SOC"))
        self.assertEqual(reader.stdout.readline(), "ready\n")
        self.bms.await_request("LCD1?")
        return reader

    def test_a_handled_signal_ends_the_read(self):
        self.bms.delay = lambda request: 0.3
        reader = self.start_reader()
        reader.send_signal(signal.SIGUSR1)
        self.assertEqual(reader.communicate(timeout=harness.PATIENCE)[0], "interrupted\n")

    def test_the_transaction_runs_to_its_end(self):
        self.bms.delay = lambda request: 0.3
        reader = self.start_reader()
        reader.send_signal(signal.SIGUSR1)
        reader.wait(harness.PATIENCE)
        self.assertEqual(self.bmsfs.read("SOC"), "78.46")
        self.assertEqual(len(self.bms.requests("LCD1?")), 1)

    def test_a_killed_reader_is_gone_at_once(self):
        self.bms.silent = True
        reader = self.start_reader()
        reader.kill()
        self.assertEqual(reader.wait(harness.PATIENCE), -signal.SIGKILL)
        self.bms.heal()
        self.assertEqual(self.bmsfs.read("SOC", os.O_DIRECT), "78.46")

    def test_others_who_wait_get_their_value(self):
        self.bms.delay = lambda request: 0.3
        reader = self.start_reader()
        other = Call(self.bmsfs.raw, "SOC")
        reader.send_signal(signal.SIGUSR1)
        self.assertEqual(other.result(), b"78.46\n")
        self.assertEqual(len(self.bms.requests("LCD1?")), 1)

    def read_and_interrupt(self, name):
        """Python would start an interrupted read again; here it shows what read(2) returned."""
        self.bms.delay = lambda request: 0.3
        code = """
import ctypes, errno, signal
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.siginterrupt(signal.SIGUSR1, True)
fd = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
buffer = ctypes.create_string_buffer(100)
got = libc.read(fd, buffer, 100)
print(got, errno.errorcode.get(ctypes.get_errno()))
"""
        reader = self.python(code, self.bmsfs.path(name))
        self.assertEqual(reader.stdout.readline(), "ready\n")
        self.bms.await_request("LCD1?")
        reader.send_signal(signal.SIGUSR1)
        return reader.communicate(timeout=harness.PATIENCE)[0]

    def test_errno(self):
        self.assertEqual(self.read_and_interrupt("SOC"), "-1 EINTR\n")

    def test_under_class_it_waits_on(self):
        """Go's own signals reach node_exporter while it reads, and EINTR would end a collector."""
        self.assertEqual(self.read_and_interrupt("class/power_supply/bms0/present"), "2 None\n")


class PageCache(harness.MountTest):
    """What goes through the page cache would tear; who asks so is told to read(2)."""

    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()
        self.fd = os.open(self.bmsfs.path("SOC"), os.O_RDONLY)
        self.addCleanup(os.close, self.fd)

    def pipe(self):
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    def test_sendfile(self):
        _, write_end = self.pipe()
        self.assert_errno(errno.EINVAL, os.sendfile, write_end, self.fd, 0, 4096)

    def test_splice(self):
        _, write_end = self.pipe()
        self.assert_errno(errno.EINVAL, os.splice, self.fd, write_end, 4096)

    def test_read_works_afterwards(self):
        self.test_sendfile()
        self.assertEqual(os.read(self.fd, 4096), b"78.46\n")

    def test_shared_mapping(self):
        mapper = self.python("import mmap\n"
                             "mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 4096,"
                             " mmap.MAP_SHARED, mmap.PROT_READ)[0]", self.bmsfs.path("SOC"))
        _, said = mapper.communicate(timeout=harness.PATIENCE)
        self.assertTrue("No such device" in said or mapper.returncode == -signal.SIGBUS, said)

    def test_private_mapping(self):
        mapper = self.python("import mmap\n"
                             "mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 4096,"
                             " mmap.MAP_PRIVATE, mmap.PROT_READ)[0]", self.bmsfs.path("SOC"))
        _, said = mapper.communicate(timeout=harness.PATIENCE)
        self.assertTrue("No such device" in said or mapper.returncode == -signal.SIGBUS, said)


class Programs(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()
        self.soc = self.bmsfs.path("SOC")

    def check(self, *arguments):
        if not shutil.which(arguments[0]):
            self.skipTest(f"{arguments[0]} is not installed")
        self.assertEqual(self.run_program(*arguments), "78.46\n")

    def copy(self, function, *more):
        target = os.path.join(self.folder, "copy")
        function(self.soc, target, *more)
        with open(target, encoding="ascii") as copy:
            self.assertEqual(copy.read(), "78.46\n")

    def test_cat(self):
        self.check("cat", self.soc)

    def test_busybox_cat(self):
        self.check("busybox", "cat", self.soc)

    def test_head(self):
        self.check("head", "-n", "1", self.soc)

    def test_tail(self):
        self.check("tail", "-n", "1", self.soc)

    def test_dd(self):
        self.check("dd", "status=none", "if=" + self.soc)

    def test_dd_byte_by_byte(self):
        self.check("dd", "status=none", "bs=1", "if=" + self.soc)

    def test_grep(self):
        self.check("grep", ".", self.soc)

    def test_awk(self):
        self.check("awk", "{ print }", self.soc)

    def test_shell_read(self):
        self.check("sh", "-c", 'read -r value <"$1" && echo "$value"', "sh", self.soc)

    def test_bash_substitution(self):
        self.check("bash", "-c", 'echo "$(<"$1")"', "bash", self.soc)

    def test_python(self):
        self.check("python3", "-c", "import sys; print(open(sys.argv[1]).read(), end='')", self.soc)

    def test_node(self):
        self.check("node", "-e",
                   "process.stdout.write(require('fs').readFileSync(process.argv[1]))", self.soc)

    def test_perl(self):
        self.check("perl", "-pe", "1", self.soc)

    def test_cp(self):
        self.copy(lambda source, target: self.run_program("cp", source, target))

    def test_busybox_cp(self):
        self.copy(lambda source, target: self.run_program("busybox", "cp", source, target))

    def test_copyfile(self):
        self.copy(shutil.copyfile)

    def test_diff(self):
        self.run_program("diff", self.soc, self.bmsfs.path("pack/soc"))


if __name__ == "__main__":
    harness.main()
