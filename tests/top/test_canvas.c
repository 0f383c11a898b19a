// SPDX-License-Identifier: LGPL-3.0-or-later
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "top/canvas.h"

static void assert_prints(const struct canvas *canvas, const char *expected)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	canvas_print(canvas, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, expected);
	free(text);
}

static void test_clips(void **state)
{
	struct canvas canvas;

	(void)state;
	assert_int_equal(canvas_init(&canvas, 3, 4), 0);
	canvas_text(&canvas, 0, 0, INK_PLAIN, "abcdef");
	canvas_text(&canvas, 1, 2, INK_BAD, "xyz");
	canvas_text(&canvas, 3, 0, INK_PLAIN, "below");
	canvas_text(&canvas, 0, 4, INK_PLAIN, "beside");
	canvas_put(&canvas, -1U, -1U, INK_PLAIN, L'!');
	assert_prints(&canvas, "abcd\n  xy\n");
	assert_int_equal(canvas.glyph[4 + 2].ink, INK_BAD);
	assert_int_equal(canvas.glyph[4].ink, INK_PLAIN);
	canvas_free(&canvas);
}

static void test_nothing(void **state)
{
	static const unsigned sizes[][2] = { { 0, 0 }, { 0, 5 }, { 5, 0 }, { 2, 2 } };
	struct canvas canvas;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(canvas_init(&canvas, sizes[i][0], sizes[i][1]), 0);
		assert_prints(&canvas, "");
		canvas_free(&canvas);
	}
}

/* Of another locale, of two columns, of none, and of half a character. */
static void test_letters(void **state)
{
	static const char *const cases[][2] = {
		{ "19 \u00b0C", "19 \u00b0C\n" },
		{ "\u4e2d.", "?.\n" },
		{ "a\033[2Jb", "a?[2Jb\n" },
		{ "\xff\xfe", "??\n" },
		{ "x\xc2", "x?\n" },
		{ "a\tb\n", "a?b?\n" },
	};
	struct canvas canvas;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(canvas_init(&canvas, 1, 9), 0);
		canvas_text(&canvas, 0, 0, INK_PLAIN, cases[i][0]);
		assert_prints(&canvas, cases[i][1]);
		canvas_free(&canvas);
	}
	assert_int_equal(canvas_width("19 \u00b0C"), 5);
	assert_int_equal(canvas_width(""), 0);
}

static void test_plain_locale(void **state)
{
	struct canvas canvas;

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_int_equal(canvas_init(&canvas, 1, 9), 0);
	canvas_text(&canvas, 0, 0, INK_PLAIN, "\u00b0C");
	assert_prints(&canvas, "??C\n");
	canvas_free(&canvas);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clips),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_plain_locale),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
