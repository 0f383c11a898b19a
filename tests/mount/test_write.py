#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Writing: what is accepted, what goes out, and what a lost or refused SET comes to."""
import errno
import os
import shutil
import signal

import harness
from harness import Call

# Prints what became of write() and of close(). A signal interrupts both and does nothing else.
WRITER = """
import ctypes, errno, signal
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.siginterrupt(signal.SIGUSR1, True)
fd = os.open(sys.argv[1], os.O_WRONLY)
text = sys.argv[2].encode()
for call in ((libc.write, fd, text, len(text)), (libc.close, fd)):
    failed = call[0](*call[1:]) < 0
    print(errno.errorcode[ctypes.get_errno()] if failed else "ok")
"""


class WriteTest(harness.MountTest):
    options = ()
    flags = ("-f",)

    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder(*self.options, flags=self.flags)
        self.path = self.bmsfs.path("BMIN")


class Ways(WriteTest):
    """Everything that people write files with."""

    def check(self, *sets):
        self.assertEqual(self.bms.sets(), list(sets))

    def shell(self, command):
        self.run_program("sh", "-c", command, "sh", self.path)

    def test_echo(self):
        self.shell('echo 3.94 >"$1"')
        self.check("BMIN 3.94")

    def test_without_newline(self):
        self.shell('printf %s 3.94 >"$1"')
        self.check("BMIN 3.94")

    def test_append(self):
        self.shell('echo 3.94 >>"$1"')
        self.check("BMIN 3.94")

    def test_tee(self):
        self.shell('echo 3.94 | tee "$1"')
        self.check("BMIN 3.94")

    def test_dd(self):
        self.shell('echo 3.94 | dd status=none of="$1"')
        self.check("BMIN 3.94")

    def test_cp(self):
        source = os.path.join(self.folder, "value")
        with open(source, "w", encoding="ascii") as file:
            file.write("3.94\n")
        self.run_program("cp", source, self.path)
        self.check("BMIN 3.94")

    def test_python(self):
        with open(self.path, "w", encoding="ascii") as file:
            print(3.94, file=file)
        self.check("BMIN 3.94")

    def test_node(self):
        if not shutil.which("node"):
            self.skipTest("node is not installed")
        self.run_program("node", "-e", "require('fs').writeFileSync(process.argv[1], '3.94\\n')",
                         self.path)
        self.check("BMIN 3.94")

    def test_read_and_write_on_one_descriptor(self):
        fd = os.open(self.path, os.O_RDWR)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.read(fd, 100), b"3.95\n")
        self.assertEqual(os.pwrite(fd, b"3.94\n", 0), 5)
        self.assertEqual(os.pread(fd, 100, 0), b"3.94\n")
        self.check("BMIN 3.94")

    def test_truncating_sends_nothing(self):
        before = self.bms.mark()
        os.close(os.open(self.path, os.O_WRONLY | os.O_TRUNC))
        os.truncate(self.path, 0)
        self.assertEqual(self.bms.requests(since=before), [])

    def test_first_write_at_an_offset(self):
        fd = os.open(self.path, os.O_WRONLY)
        self.addCleanup(os.close, fd)
        self.assert_errno(errno.EINVAL, os.pwrite, fd, b"3.94\n", 7)
        self.assertEqual(self.bmsfs.last_error(), "BMIN: a value must be written at offset 0; "
                                                  "open the file again or seek to its start")
        self.check()

    def test_again_from_the_start(self):
        fd = os.open(self.path, os.O_WRONLY)
        self.addCleanup(os.close, fd)
        for text in (b"3.94\n", b"3.93\n"):
            os.lseek(fd, 0, os.SEEK_SET)
            os.write(fd, text)
        self.check("BMIN 3.94", "BMIN 3.93")

    def test_append_again(self):
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.addCleanup(os.close, fd)
        for text in (b"3.94\n", b"3.93\n"):
            os.write(fd, text)
        self.check("BMIN 3.94", "BMIN 3.93")

    def test_second_write_behind_the_first(self):
        fd = os.open(self.path, os.O_WRONLY)
        self.addCleanup(os.close, fd)
        os.write(fd, b"3.94\n")
        self.assert_errno(errno.EINVAL, os.write, fd, b"3.93\n")
        self.check("BMIN 3.94")

    def test_byte_by_byte(self):
        fd = os.open(self.path, os.O_WRONLY)
        self.addCleanup(os.close, fd)
        self.assertEqual(os.write(fd, b"4"), 1)
        for byte in (b".", b"0", b"5\n"):
            self.assert_errno(errno.EINVAL, os.write, fd, byte)
        self.assertEqual(self.bmsfs.last_error(), "BMIN: the value came in pieces; "
                                                  "write the value and its newline with one write()")
        self.check()


class Values(WriteTest):
    def test_what_goes_out_is_the_shortest_decimal(self):
        for text, sent in (("3.940", "3.94"), ("003.93", "3.93"), ("3.9200000000", "3.92")):
            self.bmsfs.write("BMIN", text)
            self.assertEqual(self.bms.sets()[-1], "BMIN " + sent)

    def test_negative(self):
        self.bmsfs.write("TMIN", "-7.5\n")
        self.assertEqual(self.bms.sets(), ["TMIN -7.5"])
        self.assertEqual(self.bmsfs.read("TMIN"), "-7.5")

    def test_integer(self):
        self.bmsfs.write("CHEM", "4\n")
        self.assertEqual(self.bms.sets(), ["CHEM 4"])
        self.assertEqual(self.bmsfs.read("pack/chemistry"), "LiFePO4 A123")

    def test_limits_are_in(self):
        self.bmsfs.write("MAXH", "2")
        self.bmsfs.write("MAXH", "0.005")
        self.assertEqual(self.bms.sets(), ["MAXH 2", "MAXH 0.005"])

    def test_no_values(self):
        for text in ("", "\n", "x", "4.2x", "x4.2", " 4.2", "4.2 ", "4.2\n\n", "+4.2", "4,2", "4.",
                     ".5", "4e0", "0x4", "nan", "inf", "--4", "4.2\x00", "4.2\n4.1\n", "-",
                     "4." + 30 * "0", "\u0664"):
            with self.subTest(text):
                if text == "":  # the kernel does not even ask
                    continue
                self.assert_errno(errno.EINVAL, self.bmsfs.write, "CMAX", text)
        self.assertEqual(self.bms.sets(), [])

    def test_no_integers(self):
        for text in ("4.0", "4.5", "1e0"):
            with self.subTest(text):
                self.assert_errno(errno.EINVAL, self.bmsfs.write, "CHEM", text)
        self.assertEqual(self.bms.sets(), [])

    def test_out_of_range(self):
        for name, text in (("CMAX", "4.30001"), ("CMAX", "1.9"), ("CMAX", "99999999999999999999"),
                           ("CHEM", "0"), ("CHEM", "6"), ("TMIN", "-31"),
                           ("CHEM", "18446744073709551617")):
            with self.subTest(text):
                self.assert_errno(errno.ERANGE, self.bmsfs.write, name, text)
        self.assertEqual(self.bms.sets(), [])

    def test_too_much(self):
        self.assert_errno(errno.EINVAL, self.bmsfs.write, "CMAX", "4" * 100000)
        self.assertEqual(self.bms.sets(), [])

    def test_order(self):
        for name, text, other in (("BVOL", "4.25", "CMAX"), ("BMIN", "4.1", "BVOL"),
                                  ("CMAX", "4.0", "BVOL|CHAR"), ("CLOW", "2.75", "CMIN"),
                                  ("TMAX", "-15", "TMIN")):
            with self.subTest(name):
                self.assert_errno(errno.EINVAL, self.bmsfs.write, name, text)
                self.assertRegex(self.bmsfs.last_error(), other)
        self.bmsfs.expects("failed: .* is refused because it must be")
        self.assertEqual(self.bms.sets(), [])

    def test_order_is_that_of_now(self):
        """Operands are read afresh, whatever was shown before."""
        self.assertEqual(self.bmsfs.read("BVOL"), "4.08")
        self.bms.set_setting("BVOL", 4.0)
        self.assert_errno(errno.EINVAL, self.bmsfs.write, "BMIN", "4.05")
        self.bmsfs.expects("failed: .* is refused because it must be")
        self.assertEqual(self.bms.sets(), [])

    def test_an_order_that_is_violated_already(self):
        self.bms.set_setting("BVOL", 4.25)  # above CMAX
        self.assert_errno(errno.EINVAL, self.bmsfs.write, "BVOL", "4.26")
        self.bmsfs.write("BVOL", "4.22")
        self.bmsfs.expects("failed: .* is refused because it must be")
        self.assertEqual(self.bms.sets(), ["BVOL 4.22"])

    def test_a_write_makes_settings_be_read_again(self):
        self.assertEqual(self.bmsfs.read("CHIS"), "0.26")
        self.bms.set_setting("CHIS", 0.3)
        self.bmsfs.write("BMIN", "3.94")
        self.assertEqual(self.bmsfs.read("CHIS"), "0.3")

    def test_it_is_logged_who_and_what(self):
        self.bmsfs.write("BMIN", "3.94")
        self.assertTrue(self.bmsfs.said.wait_for(
            rf"uid {os.getuid()} pid {os.getpid()} \(\S+\) set BMIN 3\.95 -> 3\.94$"),
            self.bmsfs.said.lines)


class Locks(harness.MountTest):
    def test_locked(self):
        bms, bmsfs = self.mount_responder()
        self.assert_errno(errno.EACCES, bmsfs.write, "IOFF", "0.1")
        self.assertEqual(bms.sets(), [])

    def test_unlocked(self):
        bms, bmsfs = self.mount_responder("unlock")
        bmsfs.write("IOFF", "0.125")
        self.assertEqual(bms.sets(), ["IOFF 0.125"])


class Troubles(WriteTest):
    options = ("deadline=20",)

    def test_read_back(self):
        self.bmsfs.write("BMIN", "3.94")
        self.assertEqual([r.text for r in self.bms.requests("BMIN")][-2:], ["BMIN 3.94", "BMIN?"])

    def test_lost_confirmation_is_read_back_before_anything_else(self):
        self.bms.fault("BMIN ", "silent", 1)
        self.bmsfs.write("BMIN", "3.94")
        texts = [r.text for r in self.bms.requests()]
        after = [text for text in texts[texts.index("BMIN 3.94") + 1:] if text != "*IDN?"]
        self.assertEqual(after, ["BMIN?"])
        self.assertEqual(self.bms.settings["BMIN"], 3.94)

    def test_lost_set_is_sent_again_after_reading_back(self):
        self.bms.fault("BMIN ", "lost", 1)
        self.bmsfs.write("BMIN", "3.94")
        texts = [r.text for r in self.bms.requests("BMIN")]
        self.assertEqual(texts[texts.index("BMIN 3.94"):],
                         ["BMIN 3.94", "BMIN?", "BMIN 3.94", "BMIN?"])
        self.assertEqual(self.bms.settings["BMIN"], 3.94)

    def test_spoilt_confirmation(self):
        self.bms.fault("BMIN ", "corrupt", 1)
        self.bmsfs.write("BMIN", "3.94")
        self.assertEqual(self.bms.sets(), ["BMIN 3.94"])

    def test_clamped(self):
        self.bms.fault("BMIN ", "clamp")
        self.assert_errno(errno.EIO, self.bmsfs.write, "BMIN", "3.94")
        self.assertRegex(self.bmsfs.last_error(), r"BMIN.*3\.93")
        self.bmsfs.expects("set BMIN 3.95 -> .* failed")
        self.assertEqual(self.bmsfs.read("BMIN"), "3.93")

    def test_refused(self):
        self.bms.fault("BMIN ", "refuse")
        self.assert_errno(errno.EREMOTEIO, self.bmsfs.write, "BMIN", "3.94")
        self.bmsfs.expects("set BMIN 3.95 -> 3.94 failed")
        self.assertEqual(self.bms.sets(), ["BMIN 3.94"])
        self.assertEqual(self.bmsfs.read("BMIN"), "3.95")

    def test_an_operand_that_cannot_be_read(self):
        self.bms.fault("CLOW?", "corrupt")
        with self.assertRaises(OSError):
            self.bmsfs.write("BMIN", "3.94")
        self.bmsfs.expects("set BMIN .* failed", "CLOW")
        self.assertEqual(self.bms.sets(), [])

    def test_writers_one_after_the_other(self):
        self.bms.delay = lambda request: 0.01
        texts = [f"3.9{i}" for i in range(5)]
        calls = [Call(self.bmsfs.write, "BMIN", text) for text in texts]
        self.assertEqual([call.result() for call in calls], [None] * 5)
        self.assertEqual(sorted(self.bms.sets()), ["BMIN " + str(float(text)) for text in texts])
        jobs = [r.text for r in self.bms.requests("BMIN")]
        for number, text in enumerate(jobs):
            if text != "BMIN?":
                self.assertEqual(jobs[number + 1], "BMIN?", jobs)

    def test_readers_see_old_or_new(self):
        self.bms.delay = lambda request: 0.05
        writer = Call(self.bmsfs.write, "BMIN", "3.94")
        seen = [Call(self.bmsfs.read, "BMIN", os.O_DIRECT) for _ in range(5)]
        self.assertLessEqual({call.result() for call in seen}, {"3.94", "3.95"})
        self.assertIsNone(writer.result())
        self.assertEqual(self.bmsfs.read("BMIN"), "3.94")


class Deadline(WriteTest):
    options = ("deadline=1", "tries=1")

    def test_close_is_answered_within_the_deadline(self):
        fd = os.open(self.path, os.O_WRONLY)
        self.assertEqual(os.write(fd, b"3.94"), 4)
        self.bms.silent = True
        self.assert_errno(errno.ETIMEDOUT, os.close, fd)
        self.bmsfs.expects("failed: no answer|failed: nobody answers", "nobody answers", "is silent")
        self.assertEqual(self.bms.sets(), [])


class Interrupts(WriteTest):
    """Of a write(), whose value ends with a newline."""
    options = ("deadline=20",)
    flags = ("-d",)  # which tells of requests, so that we know when a writer waits
    text = "3.94\n"
    waits = "write BMIN"
    succeeded = "ok\nok\n"
    interrupted = "EINTR\nok\n"

    def setUp(self):
        super().setUp()
        self.bmsfs.expects(".*")

    def start_writer(self):
        return self.python(WRITER, self.path, self.text)

    def test_once_it_is_sent_there_is_no_eintr(self):
        self.bms.delay = lambda request: 0.3 if request.text.startswith("BMIN") else 0
        writer = self.start_writer()
        self.bms.await_request("BMIN 3.94")
        writer.send_signal(signal.SIGUSR1)
        self.assertEqual(writer.communicate(timeout=harness.PATIENCE)[0], self.succeeded)
        self.assertEqual(self.bmsfs.read("BMIN"), "3.94")
        self.assertEqual(self.bms.sets(), ["BMIN 3.94"])

    def test_before_it_is_sent(self):
        self.bms.delay = lambda request: 0.3 if request.name == "LCD1" else 0
        reader = Call(self.bmsfs.raw, "SOC")
        self.bms.await_request("LCD1?")
        writer = self.start_writer()
        self.bmsfs.said.wait_for(self.waits)
        writer.send_signal(signal.SIGUSR1)
        self.assertEqual(writer.communicate(timeout=harness.PATIENCE)[0], self.interrupted)
        self.assertEqual(reader.result(), b"78.46\n")
        self.assertEqual(self.bmsfs.last_error(), "BMIN: a signal came before anything was sent; "
                                                  "write the value again")
        # Nothing is left behind that could set it later.
        self.assertEqual(self.bmsfs.read("BMIN", os.O_DIRECT), "3.95")
        self.assertEqual(self.bms.sets(), [])

    def test_a_killed_writer(self):
        self.bms.delay = lambda request: 0.3 if request.text.startswith("BMIN ") else 0
        writer = self.start_writer()
        self.bms.await_request("BMIN 3.94")
        writer.kill()
        self.bms.await_request("BMIN?", 1, self.bms.mark())
        self.assertEqual(self.bmsfs.read("BMIN", os.O_DIRECT), "3.94")
        self.assertEqual(self.bms.sets(), ["BMIN 3.94"])


class InterruptedClose(Interrupts):
    """Of a close(), which sets a value without newline."""
    text = "3.94"
    waits = "flush BMIN"
    interrupted = "ok\nEINTR\n"


if __name__ == "__main__":
    harness.main()
