/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What every unit test includes: cmocka needs its four companions in this order. */
#ifndef BMSFS_TEST_H
#define BMSFS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
