// SPDX-License-Identifier: LGPL-3.0-or-later
#include "top/screen.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "top/chart.h"

#define GAP              3  /* between two things in a row */
#define CELL_WIDTH_MIN   20 /* number, voltage, a short bar, mark */
#define PAST_TEXT        32 /* columns for what the sparkline shows */
#define LINE             256
#define TEMPERATURE_ROWS 16 /* of the canvas, from which on they have one */

struct screen {
	struct canvas *canvas;
	const struct model *model;
	const struct history *history;
	const struct view *view;
	unsigned row, column; /* where the next thing goes */
};

/* What of the screen is shown, from the top; each from a certain height of the canvas on. */
struct section {
	unsigned rows;
	void (*draw)(struct screen *screen);
};

static void end_row(struct screen *screen)
{
	if (screen->column)
		screen->row++;
	screen->column = 0;
}

/* Puts @text beside what is in the row already, or into the next. */
static void add(struct screen *screen, enum ink ink, const char *text)
{
	unsigned width = canvas_width(text);

	if (!width)
		return;
	if (screen->column && screen->column + GAP + width > screen->canvas->columns)
		end_row(screen);
	screen->column += screen->column ? GAP : 0;
	canvas_text(screen->canvas, screen->row, screen->column, ink, text);
	screen->column += width;
}

/* A sentence over as many rows as it needs, broken between words. */
static void add_sentence(struct screen *screen, enum ink ink, const char *sentence)
{
	char word[LINE];
	size_t length;

	end_row(screen);
	for (; *sentence; sentence += length + (sentence[length] == ' ')) {
		length = strcspn(sentence, " ");
		if (length >= sizeof(word))
			length = sizeof(word) - 1;
		memcpy(word, sentence, length);
		word[length] = '\0';
		if (screen->column &&
		    screen->column + 1 + canvas_width(word) > screen->canvas->columns)
			end_row(screen);
		screen->column += screen->column ? 1 : 0;
		canvas_text(screen->canvas, screen->row, screen->column, ink, word);
		screen->column += canvas_width(word);
	}
	end_row(screen);
}

static void add_letters(struct screen *screen, enum ink ink, const wchar_t *letter, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		canvas_put(screen->canvas, screen->row, screen->column++, ink, letter[i]);
}

/* @width columns at most, of which as many are drawn as there are to the right. */
static void add_bar(struct screen *screen, enum ink ink, double share, unsigned width)
{
	wchar_t bar[LINE];

	if (width > LINE)
		width = LINE;
	chart_bar(bar, width, share, screen->view->utf8);
	add_letters(screen, ink, bar, width);
}

static void add_number(struct screen *screen, double number, int decimals, bool sign,
		       const char *unit)
{
	char text[CHART_TEXT];

	chart_number(text, number, decimals, sign, unit);
	add(screen, isnan(number) ? INK_FAINT : INK_PLAIN, text);
}

static const char *degrees(const struct screen *screen)
{
	return screen->view->utf8 ? "\u00b0C" : "C";
}

static unsigned room_right(const struct screen *screen, unsigned margin)
{
	unsigned used = screen->column + margin;

	return used < screen->canvas->columns ? screen->canvas->columns - used : 0;
}

static void draw_title(struct screen *screen)
{
	const struct model *model = screen->model;
	char text[LINE];

	add(screen, INK_TITLE, model->name[0] ? model->name : "bmsfs-top");
	add(screen, model->online ? INK_GOOD : INK_BAD, model->link[0] ? model->link : "no data");
	if (model->identity[0] && model->kind[0])
		snprintf(text, sizeof(text), "%s (%s)", model->identity, model->kind);
	else
		snprintf(text, sizeof(text), "%s", model->identity);
	canvas_text(screen->canvas, screen->row, screen->column + GAP, INK_TITLE, text);
	screen->column += GAP + canvas_width(text);
	if (room_right(screen, GAP) >= canvas_width(screen->view->mount))
		canvas_text(screen->canvas, screen->row,
			    screen->canvas->columns - canvas_width(screen->view->mount), INK_FAINT,
			    screen->view->mount);
	end_row(screen);
}

/* All that is wrong, in words. */
static void draw_problems(struct screen *screen)
{
	const struct model *model = screen->model;
	char text[LINE];

	add_sentence(screen, INK_BAD, screen->view->note);
	add_sentence(screen, INK_BAD, model->problem);
	add_sentence(screen, INK_PLAIN, model->advice);
	if (!(model->error > 0))
		return;
	snprintf(text, sizeof(text), "error %.0f: %s", model->error, model->error_text);
	add_sentence(screen, INK_BAD, text);
}

static void draw_charge(struct screen *screen)
{
	double soc = screen->model->soc;

	add(screen, INK_PLAIN, "SoC");
	screen->column -= GAP - 1;
	add_number(screen, soc, 2, false, "%");
	screen->column++;
	add_bar(screen, INK_GOOD, chart_share(soc, 0, 100), room_right(screen, 0));
	end_row(screen);
}

static const char *direction(double shown_A)
{
	if (isnan(shown_A))
		return "";
	if (shown_A == 0)
		return " at rest";
	return shown_A > 0 ? " charging" : " discharging";
}

static void draw_power(struct screen *screen)
{
	const struct model *model = screen->model;
	char number[CHART_TEXT], text[LINE];

	add_number(screen, model->voltage_V, 2, false, "V");
	chart_number(number, model->current_A, 2, true, "A");
	snprintf(text, sizeof(text), "%s%s", number, direction(round(model->current_A * 100)));
	add(screen, isnan(model->current_A) ? INK_FAINT : INK_PLAIN, text);
	add_number(screen, model->power_W, 0, true, "W");
	end_row(screen);
}

/* Until full or until empty, as the current flows. */
static void add_time(struct screen *screen)
{
	const struct model *model = screen->model;
	bool fills = model->current_A > 0;
	char number[CHART_TEXT], text[LINE];

	if (!fills && !(model->current_A < 0))
		return;
	chart_duration(number, fills ? model->to_full_s : model->to_empty_s);
	snprintf(text, sizeof(text), "%s in %s", fills ? "full" : "empty", number);
	add(screen, INK_PLAIN, text);
}

static void draw_health(struct screen *screen)
{
	const struct model *model = screen->model;
	char number[CHART_TEXT], of[CHART_TEXT], text[LINE];

	chart_number(number, model->remaining_Ah, 1, false, "");
	chart_number(of, model->capacity_Ah, 1, false, "Ah");
	snprintf(text, sizeof(text), "%s of %s", number, of);
	add(screen, INK_PLAIN, text);
	add_time(screen);
	chart_number(number, model->soh, 2, false, "%");
	snprintf(text, sizeof(text), "SoH %s", number);
	add(screen, INK_PLAIN, text);
	add_number(screen, model->cycles, 0, false, "cycles");
	if (isnan(model->error))
		add(screen, INK_FAINT, "error --");
	else if (model->error == 0)
		add(screen, INK_PLAIN, "no error");
	end_row(screen);
}

/* "-3.1 to +48.2 A in 4 min" */
static void describe_past(char text[LINE], const struct history *history, unsigned count)
{
	struct chart_range range = chart_extremes(history->mean + history->used - count, count);
	char low[CHART_TEXT], high[CHART_TEXT], time[CHART_TEXT];

	chart_number(low, range.low, 1, true, "");
	chart_number(high, range.high, 1, true, "A");
	chart_duration(time, count * history->span_s);
	snprintf(text, LINE, "%s to %s in %s", low, high, time);
}

static void draw_past(struct screen *screen)
{
	const struct history *history = screen->history;
	unsigned room, count = history->used;
	wchar_t line[HISTORY_SPANS];
	char text[LINE];

	if (screen->view->printed)
		return;
	add(screen, INK_PLAIN, "current");
	screen->column++;
	room = room_right(screen, PAST_TEXT);
	count = count < room ? count : room;
	chart_sparkline(line, history->mean + history->used - count, count, screen->view->utf8);
	add_letters(screen, INK_HIGH, line, count);
	describe_past(text, history, count);
	add(screen, INK_PLAIN, count ? text : "--");
	end_row(screen);
}

static void draw_link(struct screen *screen)
{
	const struct model *model = screen->model;
	double broken = chart_share(model->broken, 0, model->replies + model->broken);
	char number[CHART_TEXT], text[LINE];

	add_number(screen, model->requests, 0, false, "requests");
	add_number(screen, model->replies, 0, false, "replies");
	add_number(screen, model->timeouts, 0, false, "timeouts");
	chart_number(number, broken * 100, 2, false, "%");
	snprintf(text, sizeof(text), "%s of frames broken", number);
	add(screen, INK_PLAIN, text);
	end_row(screen);
}

/* --- cells --- */

/* The cells of a unit as they are shown: which first, and which stand out. */
struct lineup {
	const struct unit *unit;
	unsigned order[MODEL_CELLS], lowest, highest, balanced;
	double low_V, high_V;
};

static void find_extremes(struct lineup *lineup)
{
	lineup->lowest = lineup->highest = MODEL_CELLS;
	lineup->low_V = lineup->high_V = NAN;
	for (unsigned i = 0; i < lineup->unit->cells; i++) {
		double cell_V = lineup->unit->cell_V[i];

		if (isnan(cell_V))
			continue;
		if (!(cell_V >= lineup->low_V)) {
			lineup->low_V = cell_V;
			lineup->lowest = i;
		}
		if (!(cell_V <= lineup->high_V)) {
			lineup->high_V = cell_V;
			lineup->highest = i;
		}
	}
}

/* Highest first; what is missing comes last. */
static bool goes_before(const struct unit *unit, unsigned a, unsigned b)
{
	return !isnan(unit->cell_V[a]) && !(unit->cell_V[a] <= unit->cell_V[b]);
}

static void line_up(struct lineup *lineup, const struct screen *screen, unsigned unit)
{
	lineup->unit = &screen->model->unit[unit];
	lineup->balanced = model_balanced(screen->model, unit);
	find_extremes(lineup);
	for (unsigned i = 0, at; i < lineup->unit->cells; i++) {
		for (at = i; screen->view->by_voltage && at; at--) {
			if (!goes_before(lineup->unit, i, lineup->order[at - 1]))
				break;
			lineup->order[at] = lineup->order[at - 1];
		}
		lineup->order[at] = i;
	}
}

static void add_balancing(struct screen *screen)
{
	const struct model *model = screen->model;
	char text[LINE] = "no balancing";
	enum ink ink = INK_FAINT;

	switch (model->balancing) {
	case BALANCING_UNTOLD:
		snprintf(text, sizeof(text), "balancing not told");
		break;
	case BALANCING_MISSING:
		snprintf(text, sizeof(text), "balancing --");
		break;
	case BALANCING_TOLD:
		if (!strcmp(model->balanced, "0"))
			break;
		snprintf(text, sizeof(text), "balancing %s%s%s",
			 isdigit((unsigned char)*model->balanced) ? "cell " : "", model->balanced,
			 model->units > 1 ? ", unit not told" : "");
		ink = INK_BUSY;
		break;
	}
	add(screen, ink, text);
}

static void draw_cells_title(struct screen *screen, const struct lineup *lineup, unsigned unit)
{
	char low[CHART_TEXT], high[CHART_TEXT], apart[CHART_TEXT], text[LINE];

	if (screen->model->units > 1) {
		chart_number(low, lineup->unit->address, 0, false, "");
		snprintf(text, sizeof(text), "unit %u of %u, address %s", unit + 1,
			 screen->model->units, low);
		add(screen, INK_TITLE, text);
	}
	chart_number(low, lineup->low_V, 4, false, "");
	chart_number(high, lineup->high_V, 4, false, "V");
	chart_number(apart, (lineup->high_V - lineup->low_V) * 1000, 1, false, "mV");
	snprintf(text, sizeof(text), "cells %s to %s, %s apart", low, high, apart);
	add(screen, INK_PLAIN, text);
	add_balancing(screen);
	end_row(screen);
}

static enum ink cell_ink(const struct lineup *lineup, unsigned cell)
{
	if (cell + 1 == lineup->balanced)
		return INK_BUSY;
	if (lineup->lowest == lineup->highest)
		return INK_PLAIN;
	if (cell == lineup->lowest)
		return INK_LOW;
	return cell == lineup->highest ? INK_HIGH : INK_PLAIN;
}

static const char *cell_mark(const struct lineup *lineup, unsigned cell)
{
	if (lineup->lowest == lineup->highest)
		return "";
	if (cell == lineup->lowest)
		return "min";
	return cell == lineup->highest ? "max" : "";
}

/* " 5 3.3441 ########.... max bal", in @width columns from @column. */
static void draw_cell(struct screen *screen, const struct lineup *lineup, unsigned cell,
		      unsigned column, unsigned width)
{
	const struct model *model = screen->model;
	double cell_V = lineup->unit->cell_V[cell];
	double share = chart_share(cell_V, model->scale_low_V, model->scale_high_V);
	enum ink ink = cell_ink(lineup, cell);
	unsigned marks = lineup->balanced ? sizeof("max bal") : sizeof("max");
	char number[CHART_TEXT], text[LINE];

	chart_number(number, cell_V, 4, false, "");
	snprintf(text, sizeof(text), "%2u %6s ", cell + 1, number);
	screen->column = column;
	canvas_text(screen->canvas, screen->row, column, ink, text);
	screen->column += canvas_width(text);
	if (width > canvas_width(text) + marks)
		add_bar(screen, ink, share, width - canvas_width(text) - marks);
	snprintf(text, sizeof(text), "%-3s%s", cell_mark(lineup, cell),
		 cell + 1 == lineup->balanced ? " bal" : "");
	canvas_text(screen->canvas, screen->row, screen->column + 1, ink, text);
}

/* Rows of a table of cells, as many columns wide as it takes and as fit. */
static unsigned cell_columns(const struct screen *screen, unsigned cells, unsigned rows)
{
	unsigned columns = 1;

	while (rows * columns < cells && (columns + 1) * CELL_WIDTH_MIN <= screen->canvas->columns)
		columns++;
	return columns;
}

static void draw_cell_table(struct screen *screen, const struct lineup *lineup, unsigned rows)
{
	unsigned cells = lineup->unit->cells, top = screen->row;
	unsigned columns = cell_columns(screen, cells, rows);
	unsigned width = screen->canvas->columns / columns, shown = rows * columns;
	char text[CHART_TEXT];

	if (shown >= cells) {
		shown = cells;
		rows = (cells + columns - 1) / columns;
	} else if (shown) {
		shown--;
	}
	for (unsigned i = 0; i < shown; i++) {
		screen->row = top + i % rows;
		draw_cell(screen, lineup, lineup->order[i], i / rows * width,
			  width - (columns > 1));
	}
	if (shown < cells && rows) {
		snprintf(text, sizeof(text), "%u more", cells - shown);
		canvas_text(screen->canvas, top + shown % rows, shown / rows * width, INK_FAINT,
			    text);
	}
	screen->row = top + rows;
	screen->column = 0;
}

static void draw_temperatures(struct screen *screen, const struct unit *unit)
{
	char number[CHART_TEXT], text[LINE];

	add(screen, INK_PLAIN, "temperature");
	for (unsigned i = 0; i < unit->sensors; i++) {
		screen->column -= GAP - 1;
		add_number(screen, unit->sensor_degC[i], 1, false, degrees(screen));
	}
	if (!unit->sensors)
		add(screen, INK_FAINT, "--");
	chart_number(number, unit->temperature_degC, 1, false, degrees(screen));
	snprintf(text, sizeof(text), "BMS %s", number);
	add(screen, INK_PLAIN, text);
	end_row(screen);
}

static void draw_unit(struct screen *screen, unsigned unit, unsigned rows_below)
{
	unsigned bottom = screen->canvas->rows - rows_below;
	struct lineup lineup;

	line_up(&lineup, screen, unit);
	draw_cells_title(screen, &lineup, unit);
	if (screen->canvas->rows >= TEMPERATURE_ROWS)
		draw_temperatures(screen, lineup.unit);
	draw_cell_table(screen, &lineup, screen->row < bottom ? bottom - screen->row : 0);
}

static void add_extreme(struct screen *screen, const char *what, double extreme_V, double unit,
			double cell)
{
	char voltage[CHART_TEXT], address[CHART_TEXT], number[CHART_TEXT], text[LINE];

	chart_number(voltage, extreme_V, 4, false, "V");
	chart_number(address, unit, 0, false, "");
	chart_number(number, cell, 0, false, "");
	snprintf(text, sizeof(text), "%s %s (address %s, cell %s)", what, voltage, address, number);
	add(screen, INK_PLAIN, text);
}

static void draw_extremes(struct screen *screen)
{
	const struct model *model = screen->model;

	if (model->units < 2)
		return;
	add_extreme(screen, "lowest", model->lowest_V, model->lowest_unit, model->lowest_cell);
	add_extreme(screen, "highest", model->highest_V, model->highest_unit, model->highest_cell);
	end_row(screen);
}

static void draw_cells(struct screen *screen)
{
	const struct view *view = screen->view;

	if (!view->printed) {
		draw_unit(screen, view->unit, 1);
		return;
	}
	for (unsigned unit = 0; unit < screen->model->units; unit++)
		draw_unit(screen, unit, 0);
}

static void draw_help(struct screen *screen)
{
	char text[LINE];

	if (screen->view->printed)
		return;
	screen->row = screen->canvas->rows - 1;
	add(screen, INK_FAINT, "q quit");
	add(screen, INK_FAINT, screen->view->by_voltage ? "s sort by number" : "s sort by voltage");
	if (screen->model->units > 1)
		add(screen, INK_FAINT, "u unit");
	snprintf(text, sizeof(text), "space read now (every %g s)", screen->view->delay_s);
	add(screen, INK_FAINT, text);
}

static const struct section sections[] = {
	{ 1, draw_title },  { 2, draw_problems }, { 1, draw_charge }, { 1, draw_power },
	{ 6, draw_health }, { 16, draw_past },    { 18, draw_link },  { 16, draw_extremes },
	{ 8, draw_cells },  { 7, draw_help },
};

void screen_draw(struct canvas *canvas, const struct model *model, const struct history *history,
		 const struct view *view)
{
	struct screen screen = { canvas, model, history, view, 0, 0 };

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (canvas->rows >= sections[i].rows)
			sections[i].draw(&screen);
}
