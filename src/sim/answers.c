// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/answers.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static uint8_t unit_address(const struct responder *responder, unsigned unit)
{
	return responder->profile->units_max > 1 ? (uint8_t)(unit + 1) : responder->address;
}

static void add_frame(struct answer *answer, uint8_t snd, const void *payload, size_t size)
{
	if (answer->frames < ANSWER_FRAME_MAX && size <= FRAME_PAYLOAD_MAX)
		frame_make(&answer->frame[answer->frames++], FRAME_HOST, snd, payload,
			   (uint8_t)size);
}

void answer_add_text(const struct responder *responder, struct answer *answer, const char *text)
{
	add_frame(answer, responder->address, text, strlen(text));
}

static void add_number(const struct responder *responder, struct answer *answer, unsigned number)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", number);
	answer_add_text(responder, answer, text);
}

static uint8_t *put_float(uint8_t *at, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; i < 4; i++)
		*at++ = (uint8_t)(bits >> 8 * i);
	return at;
}

/* A data frame of bytes behind a header that counts them. */
static void add_block(const struct responder *responder, struct answer *answer,
		      const uint8_t *bytes, size_t size)
{
	add_number(responder, answer, (unsigned)size);
	add_frame(answer, responder->address, bytes, size);
}

static void answer_identity(struct responder *responder, const struct instruction *row,
			    struct answer *answer)
{
	(void)row;
	answer_add_text(responder, answer, responder->identity);
}

static void look(const struct responder *responder, struct battery_view *view)
{
	struct battery_limits limits;

	responder_limits(responder, &limits);
	battery_look(&responder->battery, &limits, view);
}

static void answer_main(struct responder *responder, const struct instruction *row,
			struct answer *answer)
{
	uint8_t bytes[28], *at = bytes;
	struct battery_view view;

	(void)row;
	look(responder, &view);
	at = put_float(at, view.min_V);
	at = put_float(at, view.max_V);
	at = put_float(at, view.current_A);
	at = put_float(at, view.hot_degC);
	at = put_float(at, view.pack_V);
	at = put_float(at, (float)responder->battery.soc);
	put_float(at, (float)responder->battery.soh);
	add_block(responder, answer, bytes, sizeof(bytes));
}

static void answer_extremes(struct responder *responder, const struct instruction *row,
			    struct answer *answer)
{
	unsigned cells = responder->shape.cells, sensors = responder->shape.sensors;
	struct battery_view view;

	(void)row;
	look(responder, &view);
	uint8_t bytes[8] = {
		unit_address(responder, view.min_cell / cells),
		(uint8_t)(view.min_cell % cells + 1),
		unit_address(responder, view.max_cell / cells),
		(uint8_t)(view.max_cell % cells + 1),
		unit_address(responder, view.hot_sensor / sensors),
		(uint8_t)(view.hot_sensor % sensors + 1),
		(uint8_t)(view.missing_Ah >> 8),
		(uint8_t)view.missing_Ah,
	};
	add_block(responder, answer, bytes, sizeof(bytes));
}

static void answer_error(struct responder *responder, const struct instruction *row,
			 struct answer *answer)
{
	uint8_t bytes[4] = { 0, responder->address, 0, 0 };
	struct battery_view view;

	(void)row;
	look(responder, &view);
	if (view.alarm != BATTERY_NO_ALARM) {
		const struct battery_watch *watch = &responder->battery.watch[view.alarm];

		bytes[0] = 1;
		bytes[1] = unit_address(responder, watch->unit);
		bytes[2] = (uint8_t)view.alarm;
		bytes[3] = (uint8_t)(watch->number + 1);
	}
	add_block(responder, answer, bytes, sizeof(bytes));
}

typedef float unit_number(const struct responder *responder, unsigned unit, unsigned index);

static float cell_voltage(const struct responder *responder, unsigned unit, unsigned index)
{
	return (float)responder->battery.cell[unit * responder->shape.cells + index].voltage_V;
}

static float cell_resistance(const struct responder *responder, unsigned unit, unsigned index)
{
	return (float)responder->battery.cell[unit * responder->shape.cells + index].ohm;
}

/* Behind the sensors that are fitted, an Active BMS sends numbers that look like cell voltages. */
static float sensor_temperature(const struct responder *responder, unsigned unit, unsigned index)
{
	unsigned sensors = responder->shape.sensors;

	if (index < sensors)
		return battery_sensor(&responder->battery, unit * sensors + index);
	return cell_voltage(responder, unit, index % responder->shape.cells);
}

/*
 * A header that counts the units, and a data frame of each; or all in one frame, as far as one
 * holds, where the table says so.
 */
static void add_units(struct responder *responder, const struct instruction *row,
		      struct answer *answer, unit_number *number, unsigned count)
{
	bool one_frame = instruction_variant(row, responder->model)->one_frame;
	uint8_t bytes[FRAME_PAYLOAD_MAX - FRAME_PAYLOAD_MAX % 4], *at = bytes;

	add_number(responder, answer, responder->shape.units);
	for (unsigned unit = 0; unit < responder->shape.units; unit++) {
		for (unsigned i = 0; i < count && at < bytes + sizeof(bytes); i++)
			at = put_float(at, number(responder, unit, i));
		if (one_frame && unit + 1 < responder->shape.units)
			continue;
		add_frame(answer, unit_address(responder, unit), bytes, (size_t)(at - bytes));
		at = bytes;
	}
}

static void answer_cells(struct responder *responder, const struct instruction *row,
			 struct answer *answer)
{
	add_units(responder, row, answer, cell_voltage, responder->shape.cells);
}

static void answer_resistances(struct responder *responder, const struct instruction *row,
			       struct answer *answer)
{
	add_units(responder, row, answer, cell_resistance, responder->shape.cells);
}

static void answer_temperatures(struct responder *responder, const struct instruction *row,
				struct answer *answer)
{
	unsigned numbers = responder->profile->temperatures;

	add_units(responder, row, answer, sensor_temperature,
		  numbers ? numbers : responder->shape.sensors);
}

static void answer_board(struct responder *responder, const struct instruction *row,
			 struct answer *answer)
{
	uint8_t bytes[4];

	(void)row;
	put_float(bytes, (float)responder->battery.board_degC[0]);
	add_number(responder, answer, 1);
	add_frame(answer, responder->address, bytes, sizeof(bytes));
}

/* Blank while no cell is balanced. */
static void answer_balanced(struct responder *responder, const struct instruction *row,
			    struct answer *answer)
{
	(void)row;
	if (responder->battery.balanced)
		add_number(responder, answer, responder->battery.balanced);
	else
		answer_add_text(responder, answer, " ");
}

/* The BMS's clock as a date and a time. */
static void clock_fields(int64_t epoch_s, struct tm *tm)
{
	time_t seconds = (time_t)epoch_s;

	gmtime_r(&seconds, tm);
}

static void format_time(int64_t epoch_s, char *text, size_t size)
{
	struct tm tm;

	clock_fields(epoch_s, &tm);
	snprintf(text, size, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void format_date(int64_t epoch_s, char *text, size_t size)
{
	struct tm tm;

	clock_fields(epoch_s, &tm);
	snprintf(text, size, "%02d.%02d.%04d", tm.tm_mday, tm.tm_mon + 1, tm.tm_year + 1900);
}

static void answer_time(struct responder *responder, const struct instruction *row,
			struct answer *answer)
{
	char text[16];

	(void)row;
	format_time(responder->battery.clock_s, text, sizeof(text));
	answer_add_text(responder, answer, text);
}

static void answer_date(struct responder *responder, const struct instruction *row,
			struct answer *answer)
{
	char text[40];

	(void)row;
	format_date(responder->battery.clock_s, text, sizeof(text));
	answer_add_text(responder, answer, text);
}

/* The oldest line of the error log, which is then gone; an empty text when there is none. */
static void answer_log(struct responder *responder, const struct instruction *row,
		       struct answer *answer)
{
	char time[16], date[40], text[80] = "";
	struct battery_event event;

	(void)row;
	if (battery_pop(&responder->battery, &event)) {
		format_time(event.epoch_s, time, sizeof(time));
		format_date(event.epoch_s, date, sizeof(date));
		snprintf(text, sizeof(text), "%u,%u;%s;%s", event.code, event.number, time, date);
	}
	answer_add_text(responder, answer, text);
}

static const struct {
	const char *mnemonic;
	void (*make)(struct responder *responder, const struct instruction *row,
		     struct answer *answer);
} live_answers[] = {
	{ "*IDN", answer_identity },    { "LCD1", answer_main },
	{ "LCD3", answer_extremes },    { "CELL", answer_cells },
	{ "RINT", answer_resistances }, { "PTEM", answer_temperatures },
	{ "BTEM", answer_board },       { "ERRO", answer_error },
	{ "ERRL", answer_log },         { "TIME", answer_time },
	{ "DATE", answer_date },        { "WCBI", answer_balanced },
	{ "WCIB", answer_balanced },
};

bool answer_live(struct responder *responder, const struct instruction *row, struct answer *answer)
{
	for (size_t i = 0; i < sizeof(live_answers) / sizeof(live_answers[0]); i++) {
		if (!strcmp(live_answers[i].mnemonic, row->mnemonic)) {
			live_answers[i].make(responder, row, answer);
			return true;
		}
	}
	return false;
}
