#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""poll(2) as in sysfs: ready at any time, and POLLPRI once the value has changed."""
import errno
import os
import select

import harness
from harness import Call

READY = select.POLLIN | select.POLLOUT | select.POLLRDNORM | select.POLLWRNORM
CHANGED = select.POLLPRI | select.POLLERR
LONG = harness.PATIENCE * 1000  # ms


def poll(fd, events, timeout=0):
    """The events that come for the descriptor, 0 for none in time."""
    poller = select.poll()
    poller.register(fd, events)
    return dict(poller.poll(timeout)).get(fd, 0)


class Polling(harness.MountTest):
    def setUp(self):
        super().setUp()
        self.bms, self.bmsfs = self.mount_responder("ttl=0.1")
        self.fd = self.open("SOC")

    def open(self, name):
        fd = os.open(self.bmsfs.path(name), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return fd

    def read(self, fd=None):
        return os.pread(self.fd if fd is None else fd, 4096, 0)

    def await_polls(self, name="LCD1?", count=3):
        """Until the value has been asked for so many times more."""
        self.bms.await_request(name, count, self.bms.mark())

    def test_ready_at_any_time(self):
        self.assertEqual(poll(self.fd, READY) & READY, READY)
        self.read()
        self.assertEqual(poll(self.fd, READY) & READY, READY)

    def test_never_read_counts_as_changed(self):
        self.assertEqual(poll(self.fd, select.POLLPRI) & CHANGED, CHANGED)

    def test_unchanged(self):
        self.read()
        self.assertEqual(poll(self.fd, select.POLLPRI), 0)

    def test_wakes_when_the_value_changes(self):
        self.read()
        waiter = Call(poll, self.fd, select.POLLPRI, LONG)
        self.await_polls()
        self.assertTrue(waiter.is_alive(), "woken, though nothing has changed")
        self.bms.set_soc(0.5)
        self.assertEqual(waiter.result() & CHANGED, CHANGED)
        self.assertEqual(self.read(), b"50.00\n")

    def test_changed_until_it_is_read(self):
        self.test_wakes_when_the_value_changes()
        self.bms.set_soc(0.6)
        self.assertEqual(poll(self.fd, select.POLLPRI, LONG) & CHANGED, CHANGED)
        self.assertEqual(poll(self.fd, select.POLLPRI) & CHANGED, CHANGED)
        self.assertEqual(self.read(), b"60.00\n")
        self.assertEqual(poll(self.fd, select.POLLPRI), 0)

    def test_again_and_again(self):
        self.read()
        for share in (0.1, 0.2, 0.3, 0.4):
            waiter = Call(poll, self.fd, select.POLLPRI, LONG)
            self.bms.set_soc(share)
            self.assertEqual(waiter.result() & CHANGED, CHANGED)
            self.assertEqual(self.read(), f"{share * 100:.2f}\n".encode())

    def test_another_value_of_the_same_sample(self):
        """SOC is a part of LCD1: the current may change without it."""
        current = self.open("pack/current")
        self.read()
        self.read(current)
        waiter = Call(poll, self.fd, select.POLLPRI, LONG)
        self.bms.set_main(current=7.5)
        self.assertEqual(poll(current, select.POLLPRI, LONG) & CHANGED, CHANGED)
        self.await_polls()
        self.assertTrue(waiter.is_alive())
        self.bms.set_soc(0.5)
        self.assertEqual(waiter.result() & CHANGED, CHANGED)

    def test_an_error_is_a_change(self):
        self.bmsfs.expects("gone")
        self.read()
        waiter = Call(poll, self.fd, select.POLLPRI, LONG)
        self.await_polls()
        self.bms.hang_up()
        self.assertEqual(waiter.result() & CHANGED, CHANGED)
        self.assert_errno(errno.ENODEV, self.read)
        again = Call(poll, self.fd, select.POLLPRI, LONG)
        self.bms.appear()
        self.assertEqual(again.result() & CHANGED, CHANGED)
        self.assertEqual(self.read(), b"78.46\n")

    def test_asking_for_input_only_asks_the_bms_nothing(self):
        self.read()
        before = self.bms.mark()
        clock = self.open("BTEM")
        self.read(clock)
        for _ in range(20):
            poll(self.fd, select.POLLIN)
        self.assertEqual(self.bms.requests("LCD1?", before), [])

    def test_a_forgotten_waiter_costs_nothing(self):
        self.read()
        waiter = os.open(self.bmsfs.path("BTEM"), os.O_RDONLY)
        os.pread(waiter, 4096, 0)
        poll(waiter, select.POLLPRI, 1)
        os.close(waiter)
        asked = self.bms.mark()
        clock = Call(poll, self.fd, select.POLLPRI, LONG)
        self.await_polls(count=5)
        self.assertLessEqual(len(self.bms.requests("BTEM?", asked)), 1)
        self.bms.set_soc(0.5)
        clock.result()

    def test_a_waiter_that_gave_up_costs_nothing(self):
        other = self.open("BTEM")
        self.read(other)
        self.assertEqual(poll(other, select.POLLPRI, 50), 0)
        self.read()
        clock = Call(poll, self.fd, select.POLLPRI, LONG)
        asked = self.bms.mark()
        self.await_polls(count=5)
        self.assertLessEqual(len(self.bms.requests("BTEM?", asked)), 1)
        self.bms.set_soc(0.5)
        clock.result()

    def test_waiting_keeps_the_pace_of_ttl(self):
        """Ten questions in ten times ttl, not in ten deadlines."""
        self.read()
        waiter = Call(poll, self.fd, select.POLLPRI, LONG)
        self.await_polls(count=10)
        asked = self.bms.requests("LCD1?")[-10:]
        self.assertLess(asked[-1].time - asked[0].time, 10)
        self.bms.set_soc(0.5)
        waiter.result()

    def test_many_waiters_share(self):
        fds = [self.open("SOC") for _ in range(10)]
        for fd in fds:
            self.read(fd)
        waiters = [Call(poll, fd, select.POLLPRI, LONG) for fd in fds]
        self.await_polls(count=2)
        self.bms.set_soc(0.5)
        self.assertEqual({waiter.result() & CHANGED for waiter in waiters}, {CHANGED})

    def test_select(self):
        self.read()
        waiter = Call(select.select, [], [], [self.fd], harness.PATIENCE)
        self.await_polls(count=1)
        self.bms.set_soc(0.5)
        self.assertEqual(waiter.result(), ([], [], [self.fd]))

    def test_epoll(self):
        self.read()
        epoll = select.epoll()
        self.addCleanup(epoll.close)
        epoll.register(self.fd, select.EPOLLPRI)
        waiter = Call(epoll.poll, harness.PATIENCE)
        self.await_polls(count=1)
        self.bms.set_soc(0.5)
        (fd, events), = waiter.result()
        self.assertEqual((fd, events & CHANGED), (self.fd, CHANGED))

    def test_a_setting_that_was_written(self):
        bmin = self.open("BMIN")
        self.assertEqual(self.read(bmin), b"3.95\n")
        waiter = Call(poll, bmin, select.POLLPRI, LONG)
        self.bmsfs.write("BMIN", "3.94")
        self.assertEqual(waiter.result() & CHANGED, CHANGED)
        self.assertEqual(self.read(bmin), b"3.94\n")


if __name__ == "__main__":
    harness.main()
