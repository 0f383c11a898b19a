#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""Every errno that a mount gives, each provoked by what stands behind it, with its sentence."""
import errno
import os
import shutil
import signal

import harness
import responder as wire
from harness import Call


# Prints the errno of a read that a signal ends. Python itself would read again.
READER = """
import ctypes, errno, signal
signal.signal(signal.SIGUSR1, lambda *_: None)
file = os.open(sys.argv[1], os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)
got = libc.read(file, ctypes.create_string_buffer(64), 64)
print(errno.errorcode[ctypes.get_errno()] if got < 0 else got)
"""


class Reading(harness.MountTest):
    def test_nobody_answers(self):
        bms, bmsfs = self.mount_responder("deadline=1")
        bmsfs.expects("nobody answers|no answer")
        bms.silent = True
        self.assert_errno(errno.ETIMEDOUT, bmsfs.read, "SOC")
        bms.heal()
        self.assertEqual(bmsfs.read("SOC", os.O_DIRECT), "78.46")

    def test_nobody_answers_at_all(self):
        bms = self.responder()
        bms.silent = True
        bmsfs = self.mount(bms.device, "wait=0.1").expects("nobody answers at address 1")
        self.assert_errno(errno.ETIMEDOUT, bmsfs.read, "SOC")
        self.assertRegex(bmsfs.last_error(), "nobody answers at address 1")
        self.assertEqual(bmsfs.read("bus/state"), "silent")

    def test_a_failure_is_shared(self):
        bms, bmsfs = self.mount_responder("deadline=1", "ttl=60")
        bmsfs.expects("nobody answers|no answer")
        bms.silent = True
        calls = [Call(bmsfs.raw, "SOC") for _ in range(5)]
        self.assertEqual({call.result() for call in calls}, {errno.ETIMEDOUT})
        self.assertLessEqual(len(bms.requests("LCD1?")), 3)

    def test_no_link(self):
        bmsfs = self.mount(os.path.join(self.folder, "nowhere")).expects("nowhere")
        self.assert_errno(errno.ENODEV, bmsfs.read, "SOC")
        self.assert_errno(errno.ENODEV, bmsfs.write, "BMIN", "3.94")
        bmsfs.expects("set BMIN .* failed: .*nowhere")
        self.assertRegex(bmsfs.last_error(), "nowhere")
        self.assertEqual(bmsfs.read("bus/state"), "absent")
        self.assert_errno(errno.ENODATA, bmsfs.read, "bus/baud")

    def test_spoilt_answers(self):
        bms, bmsfs = self.mount_responder("tries=2")
        bms.fault("LCD1?", "corrupt")
        with self.assertRaises(OSError) as caught:
            bmsfs.read("SOC")
        self.assertIn(caught.exception.errno, (errno.EIO, errno.ETIMEDOUT))
        self.assertEqual(len(bms.requests("LCD1?")), 2)

    def test_too_few_frames(self):
        bms, bmsfs = self.mount_responder()
        bms.fault("LCD1?", "short")
        self.assert_errno(errno.EIO, bmsfs.read, "SOC")

    def test_too_few_frames_for_its_header(self):
        bms, bmsfs = self.mount_responder()
        bms.set_array("CELL", b"2", wire.floats(3.9, 3.8))
        self.assert_errno(errno.EIO, bmsfs.read, "CELL", os.O_DIRECT)

    def test_an_answer_of_another_form(self):
        bms, bmsfs = self.mount_responder()
        bms.set_array("BVOL", b"yes", b"no")
        self.assert_errno(errno.EIO, bmsfs.read, "BVOL")

    def test_no_number(self):
        bms, bmsfs = self.mount_responder()
        bms.texts["BVOL"] = "four"
        self.assert_errno(errno.EIO, bmsfs.read, "BVOL")

    def test_nan_is_no_value(self):
        bms, bmsfs = self.mount_responder()
        bms.set_array("BTEM", b"1", wire.floats(float("nan")))
        self.assert_errno(errno.EIO, bmsfs.read, "BTEM")

    def test_spoilt_once(self):
        for kind in ("silent", "corrupt", "short", "extra", "echo", "foreign"):
            with self.subTest(kind):
                bms = self.responder(kind)
                bmsfs = self.mount(bms.device)
                bms.fault("LCD1?", kind, 1)
                self.assertEqual(bmsfs.read("SOC"), "78.46")
                self.assertEqual(bmsfs.read("BVOL"), "4.08")
                self.assertEqual(bmsfs.read("BMIN"), "3.95")

    def test_bytes_that_nobody_asked_for(self):
        bms, bmsfs = self.mount_responder()
        bms.send(os.urandom(300) + wire.frame("4.08000e0") + wire.frame("SET"))
        self.assertEqual(bmsfs.read("BMIN"), "3.95")
        self.assertEqual(bmsfs.read("BVOL"), "4.08")

    def test_unknown_instruction(self):
        bms, bmsfs = self.mount_responder()
        del bms.settings["CHAC"]
        self.assert_errno(errno.EOPNOTSUPP, bmsfs.read, "CHAC")
        asked = bms.mark()
        self.assert_errno(errno.EOPNOTSUPP, bmsfs.read, "CHAC", os.O_DIRECT)
        self.assertEqual(bms.requests("CHAC?", asked), [])
        self.assertEqual(bmsfs.read("DCHC"), "1.5")

    def test_refused_query(self):
        bms, bmsfs = self.mount_responder()
        bms.fault("CHAC?", "refuse")
        self.assert_errno(errno.EOPNOTSUPP, bmsfs.read, "CHAC")

    def test_undefined_value(self):
        bms, bmsfs = self.mount_responder("ttl=0")
        for current, empty, full in ((0, True, True), (5, True, False), (-5, False, True)):
            bms.set_main(current=current)
            for name, undefined in (("time_to_empty", empty), ("time_to_full", full)):
                pack, supply = f"pack/{name}", f"class/power_supply/bms0/{name}_now"
                with self.subTest(f"{name} at {current} A"):
                    if undefined:
                        self.assert_errno(errno.ENODATA, bmsfs.read, pack)
                        self.assert_errno(errno.EOPNOTSUPP, bmsfs.read, supply)
                    else:
                        self.assertGreater(int(bmsfs.read(pack)), 0)
                        self.assertEqual(bmsfs.read(supply), bmsfs.read(pack))

    def test_no_such_cell(self):
        bmsfs = self.mount(os.path.join(self.folder, "nowhere")).expects("nowhere")
        self.assert_errno(errno.ENODEV, bmsfs.read, "units/15/cells/16/voltage")
        self.assert_errno(errno.ENOENT, bmsfs.read, "units/16/cells/1/voltage")
        self.assert_errno(errno.ENOENT, bmsfs.read, "units/1/cells/17/voltage")

    def test_no_such_cell_once_it_is_known(self):
        _, bmsfs = self.mount_responder()
        self.assert_errno(errno.ENOENT, bmsfs.read, "units/1/cells/15/voltage")
        self.assert_errno(errno.ENOENT, bmsfs.read, "units/2/cells/1/voltage")

    def test_grace(self):
        bms, bmsfs = self.mount_responder("ttl=0", "grace=600", "deadline=1")
        bmsfs.expects("nobody answers|no answer")
        self.assertEqual(bmsfs.read("SOC"), "78.46")
        before = os.stat(bmsfs.path("SOC")).st_mtime_ns
        bms.silent = True
        self.assertEqual(bmsfs.read("SOC"), "78.46")
        self.assertEqual(os.stat(bmsfs.path("SOC")).st_mtime_ns, before)


class Writing(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder("deadline=3")
        self.bmsfs.expects("set BMIN .* failed", "nobody answers|no answer")

    def test_no_value(self):
        self.assert_errno(errno.EINVAL, self.bmsfs.write, "BMIN", "x")
        self.assertRegex(self.bmsfs.last_error(), "BMIN")

    def test_out_of_range(self):
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "BMIN", "9")
        self.assertRegex(self.bmsfs.last_error(), r"BMIN.*2\.5.*4\.3")

    def test_refused(self):
        self.bms.fault("BMIN ", "refuse")
        self.assert_errno(errno.EREMOTEIO, self.bmsfs.write, "BMIN", "3.94")
        self.assertRegex(self.bmsfs.last_error(), "BMIN")

    def test_nobody_answers(self):
        self.bms.silent = True
        self.assert_errno(errno.ETIMEDOUT, self.bmsfs.write, "BMIN", "3.94")
        self.assertEqual(self.bms.sets(), [])

    def test_silent_from_the_set_on(self):
        self.bms.fault("BMIN ", "silent")
        self.bms.fault("*IDN?", "silent")
        self.assert_errno(errno.ETIMEDOUT, self.bmsfs.write, "BMIN", "3.94")

    def test_reading_back_differs(self):
        self.bms.fault("BMIN ", "clamp")
        self.assert_errno(errno.EIO, self.bmsfs.write, "BMIN", "3.94")

    def test_unknown_instruction(self):
        del self.bms.settings["CHAC"]
        with self.assertRaises(OSError) as caught:
            self.bmsfs.write("CHAC", "0.5")
        self.assertIn(caught.exception.errno, (errno.EOPNOTSUPP, errno.ETIMEDOUT))
        self.bmsfs.expects("set CHAC .* failed")
        self.assertEqual(len(self.bms.sets()) <= 3, True)

    def test_link_lost_on_the_way(self):
        self.bms.fault("BMIN ", "silent")
        writer = Call(self.bmsfs.write, "BMIN", "3.94")
        self.bms.await_request("BMIN 3.94")
        self.bms.hang_up()
        self.assertEqual(writer.result(), errno.ENODEV)
        self.bmsfs.expects("gone")
        self.bms.appear()


class Refusals(harness.MountTest):
    """What is not for sale, to root neither."""

    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder()
        self.soc = self.bmsfs.path("SOC")
        self.bmin = self.bmsfs.path("BMIN")

    def test_read_only_file(self):
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            self.assert_errno(errno.EACCES, os.open, self.soc, flags)
        self.assert_errno(errno.EACCES, os.truncate, self.soc, 0)

    def test_chmod(self):
        self.assert_errno(errno.EPERM, os.chmod, self.bmin, 0o666)

    def test_chown(self):
        self.assert_errno(errno.EPERM, os.chown, self.bmin, 1, 1)

    def test_utime(self):
        self.assert_errno(errno.EPERM, os.utime, self.bmin, (1, 1))

    def test_touch(self):
        self.assert_errno(errno.EPERM, os.utime, self.bmin)
        self.run_program("touch", self.bmin, status=1)

    def test_create(self):
        self.assert_errno(errno.EACCES, os.open, self.bmsfs.path("NEW"), os.O_WRONLY | os.O_CREAT)

    def test_mkdir(self):
        self.assert_errno(errno.EPERM, os.mkdir, self.bmsfs.path("new"))

    def test_mkfifo(self):
        self.assert_errno(errno.EPERM, os.mkfifo, self.bmsfs.path("new"))

    def test_unlink(self):
        self.assert_errno(errno.EPERM, os.unlink, self.soc)

    def test_rmdir(self):
        self.assert_errno(errno.EPERM, os.rmdir, self.bmsfs.path("pack"))

    def test_rename(self):
        self.assert_errno(errno.EPERM, os.rename, self.soc, self.bmsfs.path("soc"))

    def test_link(self):
        self.assert_errno(errno.EPERM, os.link, self.soc, self.bmsfs.path("soc"))

    def test_symlink(self):
        self.assert_errno(errno.EPERM, os.symlink, "SOC", self.bmsfs.path("soc"))

    def test_setxattr(self):
        self.assert_errno(errno.EPERM, os.setxattr, self.bmin, "user.bms.max", b"9")

    def test_removexattr(self):
        self.assert_errno(errno.EPERM, os.removexattr, self.bmin, "user.bms.max")

    def test_directory_as_file(self):
        self.assert_errno(errno.EISDIR, self.bmsfs.raw, "pack")

    def test_nothing_there(self):
        for name in ("nothing", "pack/nothing", "soc", "units/0", "units/01", "cells/1/nothing"):
            self.assert_errno(errno.ENOENT, os.stat, self.bmsfs.path(name))

    def test_rm_r(self):
        with self.assertRaises(OSError):
            shutil.rmtree(self.bmsfs.path("pack"))
        self.assertIn("soc", os.listdir(self.bmsfs.path("pack")))

    def test_nothing_of_this_went_out(self):
        before = self.bms.mark()
        for test in (self.test_read_only_file, self.test_chmod, self.test_touch, self.test_create,
                     self.test_unlink, self.test_rename):
            test()
        self.assertEqual(self.bms.requests(since=before), [])


class LastError(harness.MountTest):
    """bus/last_error has one sentence on the last failure, whatever its errno, with its age."""

    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder("deadline=2", "ttl=0")
        self.bmsfs.expects("set \\S+ .* failed", "nobody answers", "gone|unplugged|hung up")

    def assert_failed(self, number, sentence, function, *arguments):
        self.assert_errno(number, function, *arguments)
        self.assertRegex(self.bmsfs.last_error(), f"^{sentence}$")

    def open_for_writing(self, name):
        os.close(os.open(self.bmsfs.path(name), os.O_WRONLY))

    def test_empty_until_something_fails(self):
        self.assertEqual(self.bmsfs.read("SOC"), "78.46")
        self.assertEqual(self.bmsfs.raw("bus/last_error"), b"")

    def test_ages(self):
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "BMIN", "9\n")
        self.assertRegex(self.bmsfs.read("bus/last_error"),
                         r"^BMIN: 9 is outside 2\.5 to 4\.3 V \(\d+ s ago\)$")

    def test_einval_no_value(self):
        self.assert_failed(errno.EINVAL, 'BMIN: "3,8" is not a number; write a decimal point: 3.8',
                           self.bmsfs.write, "BMIN", "3,8\n")

    def test_einval_contradiction(self):
        self.assert_failed(errno.EINVAL, "BMIN: 4.2 is refused because it must be below .* BVOL, "
                           "which is 4.08", self.bmsfs.write, "BMIN", "4.2\n")

    def test_einval_through_the_page_cache(self):
        for name in ("CELL", "bus/last_error"):
            with open(self.bmsfs.path(name), "rb") as file, open(os.devnull, "wb") as copy:
                self.assert_failed(errno.EINVAL, r"CELL: sendfile\(\), .*; use read\(\)",
                                   os.sendfile, copy.fileno(), file.fileno(), 0, 10)

    def test_erange(self):
        self.assert_failed(errno.ERANGE, "BMIN: 9 is outside 2.5 to 4.3 V",
                           self.bmsfs.write, "BMIN", "9\n")

    def test_erange_of_a_value_without_a_newline(self):
        self.assert_failed(errno.ERANGE, "BMIN: 9 is outside 2.5 to 4.3 V",
                           self.bmsfs.write, "BMIN", "9")

    def test_eacces_read_only_file(self):
        self.assert_failed(errno.EACCES, "CELL: the file is read-only; .*",
                           self.open_for_writing, "CELL")
        self.assert_failed(errno.EACCES, "pack/soc: the file is read-only; .*",
                           os.truncate, self.bmsfs.path("pack/soc"), 0)

    def test_eacces_locked_setting_names_unlock(self):
        self.assert_failed(errno.EACCES, "IOFF: the setting is locked .*; mount with -o unlock .*",
                           self.open_for_writing, "IOFF")

    def test_eacces_no_such_file(self):
        self.assert_failed(errno.EACCES, "CMXA: there is no such file, .*; ls shows the files",
                           os.open, self.bmsfs.path("CMXA"), os.O_WRONLY | os.O_CREAT)

    def test_eperm(self):
        bmin = self.bmsfs.path("BMIN")
        for call in ((os.chmod, bmin, 0o666), (os.chown, bmin, 1, 1), (os.utime, bmin, (1, 1))):
            self.assert_failed(errno.EPERM, "BMIN: mode, owner and times cannot be changed; .*",
                               *call)
        self.assert_failed(errno.EPERM, "BMIN: names cannot be .*", os.unlink, bmin)
        self.assert_failed(errno.EPERM, "pack/new: names cannot be .*", os.mkdir,
                           self.bmsfs.path("pack/new"))
        self.assert_failed(errno.EPERM, "BMIN: extended attributes cannot be changed",
                           os.setxattr, bmin, "user.bms.max", b"9")

    def test_eremoteio(self):
        self.bms.fault("BMIN ", "refuse")
        self.assert_failed(errno.EREMOTEIO, "BMIN: the BMS refused 3.94 .*",
                           self.bmsfs.write, "BMIN", "3.94\n")

    def test_etimedout(self):
        self.bms.silent = True
        self.assert_failed(errno.ETIMEDOUT, "pack/voltage: .*(nobody answers|no answer) .*",
                           self.bmsfs.read, "pack/voltage")

    def test_etimedout_of_a_write_names_both_values(self):
        self.bms.fault("BMIN ", "silent")
        self.bms.fault("*IDN?", "silent")
        self.assert_failed(errno.ETIMEDOUT, "BMIN: .*; it was 3.95 and may be 3.94 now",
                           self.bmsfs.write, "BMIN", "3.94\n")

    def test_enodev(self):
        bmsfs = self.mount(os.path.join(self.folder, "nowhere")).expects("nowhere")
        self.assert_errno(errno.ENODEV, bmsfs.read, "pack/voltage")
        self.assertRegex(bmsfs.last_error(), "^pack/voltage: LCD1: .*/nowhere: ")

    def test_enodev_no_such_cell(self):
        with open(self.bmsfs.path("units/1/cells/14/voltage"), encoding="ascii") as cell:
            self.bms.cells = 13
            self.bms.set_array("CELL", b"1", wire.floats(*[3.9] * 13))
            self.assert_failed(errno.ENODEV, "units/1/cells/14/voltage: this BMS does not have .*",
                               cell.read)

    def test_eio(self):
        self.bms.set_array("BVOL", b"yes", b"no")
        self.assert_failed(errno.EIO, "BVOL: the reply does not fit: .*; bus/trace shows .*",
                           self.bmsfs.read, "BVOL")

    def test_eio_of_a_verification_names_both_values(self):
        self.bms.fault("BMIN ", "clamp")
        self.assert_failed(errno.EIO, "BMIN: 3.94 was written, but the BMS says .*",
                           self.bmsfs.write, "BMIN", "3.94\n")

    def test_enodata(self):
        self.bms.set_main(current=5)
        self.assert_failed(errno.ENODATA, "pack/time_to_empty: the value is not defined now; .*",
                           self.bmsfs.read, "pack/time_to_empty")

    def test_eopnotsupp(self):
        del self.bms.settings["CHAC"]
        self.assert_failed(errno.EOPNOTSUPP, "CHAC: this BMS does not answer this instruction; .*",
                           self.bmsfs.read, "CHAC")

    def test_eintr(self):
        self.bms.silent = True
        before = self.bms.mark()
        reader = self.python(READER, self.bmsfs.path("CELL"))
        self.bms.await_request("CELL?", 1, before)
        reader.send_signal(signal.SIGUSR1)
        self.assertEqual(reader.communicate(timeout=harness.PATIENCE)[0], "EINTR\n")
        self.assertRegex(self.bmsfs.last_error(), "^CELL: a signal ended the read; read the file "
                                                  "again$")

    def test_a_later_success_on_the_same_file_is_added(self):
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "BMIN", "9\n")
        refused = self.bmsfs.last_error()
        self.bmsfs.write("BMIN", "3.94\n")
        self.assertEqual(self.bmsfs.last_error(), refused + "; succeeded since")
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "BMIN", "9\n")
        self.assertEqual(self.bmsfs.last_error(), refused)

    def test_other_files_and_programs_do_not_change_it(self):
        self.bms.set_main(current=5)
        del self.bms.settings["CHAC"]
        self.assert_errno(errno.ERANGE, self.bmsfs.write, "BMIN", "9\n")
        refused = self.bmsfs.last_error()
        for folder, _, files in os.walk(self.bmsfs.place):
            for name in files:
                path = os.path.relpath(os.path.join(folder, name), self.bmsfs.place)
                if path.startswith(("class", "bus", "metrics", "snapshot", "pack/soc", "BVOL")):
                    try:
                        self.bmsfs.raw(path)
                    except OSError:
                        pass
                    self.assertEqual(self.bmsfs.last_error(), refused, path)
        self.bmsfs.read("BMIN")
        self.assertEqual(self.bmsfs.last_error(), refused, "reading does not make a write succeed")
        self.assertEqual(os.listdir(self.bmsfs.path("pack")), os.listdir(self.bmsfs.path("pack")))
        self.assert_errno(errno.ENOENT, os.stat, self.bmsfs.path("nothing"))
        self.assert_errno(errno.ENODATA, os.getxattr, self.bmsfs.path("BMIN"), "user.nothing")
        self.assertEqual(self.bmsfs.last_error(), refused)

    def test_class_shows_the_failure_behind_eopnotsupp(self):
        self.bms.silent = True
        voltage = "class/power_supply/bms0/voltage_now"
        self.assert_failed(errno.EOPNOTSUPP, f"{voltage}: LCD1: (nobody answers|no answer) .*",
                           self.bmsfs.read, voltage)

    def test_the_line_is_lost_while_only_snapshots_are_read(self):
        """mqtt and others read snapshot.json alone, and that never fails."""
        self.bms.silent = True
        for _ in range(harness.PATIENCE):
            self.bmsfs.read("snapshot.json")
            if self.bmsfs.last_error():
                break
        self.assertRegex(self.bmsfs.last_error(), "^nobody answers at address 1")
        self.bms.heal()
        self.bmsfs.read("SOC", os.O_DIRECT)
        self.assertRegex(self.bmsfs.last_error(), "; succeeded since$")


class ReadOnlyMount(harness.MountTest):
    def test_writing(self):
        bms, bmsfs = self.mount_responder("ro")
        self.assert_errno(errno.EROFS, os.open, bmsfs.path("BMIN"), os.O_WRONLY)
        self.assert_errno(errno.EROFS, os.chmod, bmsfs.path("BMIN"), 0o666)
        self.assertEqual(bmsfs.read("BMIN"), "3.95")
        self.assertEqual(bms.sets(), [])


if __name__ == "__main__":
    harness.main()
