// SPDX-License-Identifier: LGPL-3.0-or-later
#include <math.h>

#include "test.h"
#include "top/chart.h"

static void test_numbers(void **state)
{
	static const struct {
		double number;
		int decimals;
		bool sign;
		const char *unit, *text;
	} cases[] = {
		{ 46.788, 2, false, "V", "46.79 V" }, { NAN, 2, false, "V", "-- V" },
		{ NAN, 2, true, "", "--" },           { INFINITY, 1, false, "mV", "-- mV" },
		{ 48.2, 2, true, "A", "+48.20 A" },   { -12.304, 2, true, "A", "-12.30 A" },
		{ 0, 2, true, "A", "0.00 A" },        { -0.004, 2, true, "A", "0.00 A" },
		{ -0.004, 2, false, "A", "0.00 A" },  { 0.006, 2, true, "A", "+0.01 A" },
		{ -10, 1, false, "C", "-10.0 C" },    { 3987, 0, false, "replies", "3987 replies" },
		{ 12.7, 0, false, "", "13" },
	};
	char text[CHART_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		chart_number(text, cases[i].number, cases[i].decimals, cases[i].sign,
			     cases[i].unit);
		assert_string_equal(text, cases[i].text);
	}
	chart_number(text, 1e300, 2, true, "A");
	assert_int_equal(text[CHART_TEXT - 1], '\0');
}

static void test_durations(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{ NAN, "--" },
		{ -1, "--" },
		{ 0, "0 s" },
		{ 59.9, "59 s" },
		{ 60, "1 min" },
		{ 3599, "59 min" },
		{ 3600, "1 h 0 min" },
		{ 45448, "12 h 37 min" },
		{ 172799, "47 h 59 min" },
		{ 172800, "2 days" },
	};
	char text[CHART_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		chart_duration(text, cases[i].seconds);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_shares(void **state)
{
	(void)state;
	assert_true(chart_share(3, 2, 4) == 0.5);
	assert_true(chart_share(1, 2, 4) == 0);
	assert_true(chart_share(9, 2, 4) == 1);
	assert_true(isnan(chart_share(NAN, 2, 4)));
	assert_true(isnan(chart_share(3, NAN, 4)));
	assert_true(isnan(chart_share(3, 2, NAN)));
	assert_true(isnan(chart_share(3, 3, 3)));
	assert_true(isnan(chart_share(3, 4, 2)));
}

static void test_bars(void **state)
{
	static const struct {
		double share;
		bool utf8;
		const wchar_t *bar;
	} cases[] = {
		{ 0, false, L"...." },
		{ 1, false, L"####" },
		{ 0.5, false, L"##.." },
		{ 0.6, false, L"##.." },
		{ 0.63, false, L"###." },
		{ NAN, false, L"    " },
		{ 0, true, L"\u2591\u2591\u2591\u2591" },
		{ 1, true, L"\u2588\u2588\u2588\u2588" },
		{ 0.5, true, L"\u2588\u2588\u2591\u2591" },
		{ 0.53125, true, L"\u2588\u2588\u258f\u2591" },
		{ 0.71875, true, L"\u2588\u2588\u2589\u2591" },
		{ NAN, true, L"    " },
	};
	wchar_t bar[5] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		chart_bar(bar, 4, cases[i].share, cases[i].utf8);
		assert_int_equal(wcscmp(bar, cases[i].bar), 0);
	}
	bar[0] = L'x';
	chart_bar(bar, 0, 1, true);
	assert_int_equal(bar[0], L'x');
}

static void test_sparklines(void **state)
{
	static const double up[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	static const double mixed[] = { -10, NAN, 0, 10 };
	static const double still[] = { 0, 0 };
	struct chart_range range = chart_extremes(mixed, 4);
	wchar_t line[9] = { 0 };

	(void)state;
	chart_sparkline(line, up, 8, true);
	assert_int_equal(wcscmp(line, L"\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"), 0);
	chart_sparkline(line, up, 8, false);
	assert_int_equal(wcscmp(line, L"_.,-~=+#"), 0);
	line[4] = L'\0';
	chart_sparkline(line, mixed, 4, false);
	assert_int_equal(wcscmp(line, L"_ ~#"), 0);
	assert_true(range.low == -10 && range.high == 10);
	range = chart_extremes(mixed + 1, 1);
	assert_true(isnan(range.low) && isnan(range.high));
	range = chart_extremes(up + 3, 2);
	assert_true(range.low == 3 && range.high == 4);
	line[1] = L'\0';
	chart_sparkline(line, mixed + 1, 1, true);
	assert_int_equal(wcscmp(line, L" "), 0);
	line[2] = L'\0';
	chart_sparkline(line, still, 2, false);
	assert_int_equal(wcscmp(line, L"__"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),    cmocka_unit_test(test_durations),
		cmocka_unit_test(test_shares),     cmocka_unit_test(test_bars),
		cmocka_unit_test(test_sparklines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
