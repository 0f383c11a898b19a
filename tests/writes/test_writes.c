// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * Writing is dangerous: feeds every setting of every model with inputs of all kinds, alone and two
 * at once, and looks at the wire and into the simulated BMS for what came of each.
 *
 *	test_writes [COUNT [SEED]]
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "inputs.h"
#include "nsec.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define WRITERS           2    /* at once, at most */
#define COMPLAINTS_MAX    20   /* printed */
#define WIRE_DIGITS       1e-5 /* the BMS replies in six digits */
#define DAY_s             86400

enum outcome {
	OUT_WRITTEN,
	OUT_INVALID, /* no value */
	OUT_RANGE,
	OUT_ACCESS,  /* a file that cannot be written */
	OUT_ORDER,   /* contradicts another setting */
	OUT_REFUSED, /* by the BMS */
	OUT_FAILED,  /* by a fault on the line */
	OUTCOMES,
};

static const char *const outcome_name[OUTCOMES] = {
	"written", "no value", "range", "access", "order", "BMS refused", "failed",
};

/* Of the README: each below the next that the BMS has, or equal to it. */
static const struct chain {
	unsigned members;
	struct {
		const char *name;
		bool or_equal; /* to the next */
	} member[5];
} chains[] = {
	{ 5, { { "CMIN", 0 }, { "CLOW", 0 }, { "BMIN", 1 }, { "BVOL", 1 }, { "CMAX", 0 } } },
	{ 3, { { "CLOW", 0 }, { "CHAR", 1 }, { "CMAX", 0 } } },
	{ 2, { { "TMIN", 0 }, { "TMAX", 0 } } },
};

/* A stage of the test. */
static const struct stage {
	const char *name, *model;
	unsigned units, share; /* of the inputs, in percent */
	bool locked, faulty;
} stages[] = {
	{ "1q", "1q", 1, 20, false, false },
	{ "2q", "2q", 1, 20, false, false },
	{ "abms", "abms", 1, 20, false, false },
	{ "master of 3", "master", 3, 20, false, false },
	{ "1q, locked", "1q", 1, 10, true, false },
	{ "1q, bad line", "1q", 1, 5, false, true },
	{ "abms, bad line", "abms", 1, 5, false, true },
};

struct writer {
	struct run *run;
	struct device_write write;
	struct input input;
	unsigned row;
	int expected, error;
	double number;
	bool queued; /* the device has it, or had it */
};

struct run {
	const struct stage *stage;
	struct bench *bench;
	struct sim_random random;
	unsigned long input, inputs;
	unsigned left, sets_seen;
	struct writer writer[WRITERS];
	unsigned writers;
	struct device_query reader;
	bool reading;
	unsigned long count[INPUT_KINDS][OUTCOMES], sets, wrong;
};

static const struct instruction *row_of(const struct writer *writer)
{
	return &writer->run->bench->table.row[writer->row];
}

static void complain(const struct writer *writer, const char *what)
{
	struct run *run = writer->run;
	const struct input *input = &writer->input;

	if (run->wrong++ >= COMPLAINTS_MAX)
		return;
	printf("%s, input %lu, %s \"", run->stage->name, run->input, row_of(writer)->file);
	for (size_t i = 0; i < input->size && i < 48; i++)
		printf(input->text[i] >= ' ' && input->text[i] <= '~' ? "%c" : "\\x%02x",
		       (unsigned char)input->text[i]);
	printf("\" (%s): %s; it gave %s, \"%s\"\n", input_kind_name[input->kind], what,
	       writer->error ? strerrorname_np(-writer->error) : "success", writer->write.reason);
}

/* Whether the wire carries the number whole. */
static bool is_round(double number)
{
	char text[32];

	snprintf(text, sizeof(text), "%.5e", number);
	return (double)strtof(text, NULL) == number;
}

static bool same(double a, double b)
{
	return fabs(a - b) <= WIRE_DIGITS * fmax(fabs(a), fabs(b));
}

/* 1: in order; -1: not; 0: too close for the digits of the wire to tell. */
static int pair_order(double low, double high, bool or_equal)
{
	double gap = high - low;

	if (fabs(gap) > WIRE_DIGITS * fmax(1, fmax(fabs(low), fabs(high))))
		return gap > 0 ? 1 : -1;
	if (!is_round(low) || !is_round(high))
		return 0;
	return gap > 0 || (or_equal && gap >= 0) ? 1 : -1;
}

/*
 * The order of a chain as the BMS holds it, with @name at @number instead, of pairs with @name in
 * them. Of all pairs if that is NULL; then equality is no matter, because what differs only in digits
 * that the wire does not carry may be made equal.
 */
static int chain_order(struct bench *bench, const struct chain *chain, const char *name,
		       double number)
{
	double last = NAN;
	int order = 1;
	bool or_equal = true, last_named = false;

	for (unsigned i = 0; i < chain->members; i++) {
		bool named = name && !strcmp(chain->member[i].name, name);
		double here = bench_holds(bench, chain->member[i].name);

		if (isnan(here)) {
			or_equal = or_equal && chain->member[i].or_equal;
			continue;
		}
		if (named)
			here = number;
		if (!isnan(last) && (!name || named || last_named)) {
			int pair = pair_order(last, here, or_equal || !name);

			order = pair < order ? pair : order;
		}
		last = here;
		last_named = named;
		or_equal = chain->member[i].or_equal;
	}
	return order;
}

static int order_with(struct bench *bench, const char *name, double number)
{
	int order = 1;

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		int here = chain_order(bench, &chains[i], name, number);

		order = here < order ? here : order;
	}
	return order;
}

/* What the rules say to a write. What was out of order before may stay so. */
static int order_of(const struct writer *writer)
{
	const char *name = row_of(writer)->mnemonic, *before = writer->write.before;
	struct bench *bench = writer->run->bench;
	int order = order_with(bench, name, writer->number);

	if (order < 0 && *before && order_with(bench, name, (double)strtof(before, NULL)) < 1)
		return 0;
	return order;
}

static bool is_in_order(struct bench *bench)
{
	return order_with(bench, NULL, 0) >= 0;
}

/* The number, or the text, that a SET carries. */
static bool set_fits(const struct writer *writer, const char *payload)
{
	const struct instruction *row = row_of(writer);
	size_t length = strlen(row->mnemonic);
	size_t size = writer->input.size;

	if (strncmp(payload, row->mnemonic, length) || payload[length] != ' ')
		return false;
	payload += length + 1;
	if (row->type == VALUE_FLOAT)
		return strspn(payload, "-0123456789.") == strlen(payload) &&
		       (double)strtof(payload, NULL) == writer->number;
	if (row->type == VALUE_INT)
		return strspn(payload, "-0123456789") == strlen(payload) &&
		       strtod(payload, NULL) == writer->number;
	size -= size && writer->input.text[size - 1] == '\n';
	return strlen(payload) == size && !memcmp(payload, writer->input.text, size);
}

/* Numbers that the battery itself moves. */
static double slack_of(const struct instruction *row)
{
	static const char *const counters[] = { "CYCL", "VMAX", "VMIN" };

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		if (!strcmp(counters[i], row->mnemonic))
			return 1;
	return row->verify == VERIFY_NEAR ? row->verify_near : 0;
}

static bool is_in_force(struct writer *writer)
{
	double holds = bench_holds(writer->run->bench, row_of(writer)->mnemonic);

	if (isnan(holds)) /* no number; reading it back tells */
		return true;
	/* A SET that was lost is not repeated when the BMS says that very value already. */
	if (writer->run->stage->faulty && same(holds, writer->number))
		return true;
	return fabs(holds - writer->number) <= slack_of(row_of(writer));
}

static bool has_reason(const struct writer *writer)
{
	return *writer->write.reason;
}

/* Whether the six digits of a reply are the whole number. Of other types all is shown. */
static bool is_shown_whole(const struct writer *writer)
{
	char reply[32];

	if (row_of(writer)->type != VALUE_FLOAT || row_of(writer)->verify != VERIFY_SAME)
		return true;
	snprintf(reply, sizeof(reply), "%.5e", writer->number);
	return (double)strtof(reply, NULL) == writer->number;
}

static void judge_healthy(struct writer *writer, unsigned sets, int order)
{
	switch (-writer->error) {
	case 0:
		if (order < 0)
			complain(writer, "contradicts another setting and was written");
		if (sets != 1)
			complain(writer, "was not set once");
		if (!is_shown_whole(writer))
			complain(writer, "has more digits than the reply that is to prove it");
		return;
	case EINVAL:
		if (order > 0)
			complain(writer, "contradicts no other setting and was refused");
		if (sets)
			complain(writer, "was refused and yet sent");
		if (!has_reason(writer))
			complain(writer, "was refused without a word");
		return;
	case EREMOTEIO:
	case EIO:
		/* Dates that no calendar has pass the pattern: the BMS refuses, or takes another. */
		if (row_of(writer)->type != VALUE_TEXT && is_shown_whole(writer))
			complain(writer, "did not do");
		return;
	default:
		complain(writer, "failed");
	}
}

static void judge_faulty(struct writer *writer, unsigned sets, int order)
{
	switch (-writer->error) {
	case 0:
	case EINVAL:
		if (writer->error ? order > 0 || sets : order < 0 || !sets)
			complain(writer, "came out wrong");
		return;
	case ETIMEDOUT:
	case EIO:
	case EREMOTEIO:
	case EOPNOTSUPP:
		return;
	default:
		complain(writer, "failed in a way that it must not");
	}
}

static enum outcome outcome_of(const struct writer *writer)
{
	switch (-writer->error) {
	case 0:
		return OUT_WRITTEN;
	case EACCES:
		return OUT_ACCESS;
	case ERANGE:
		return OUT_RANGE;
	case EINVAL:
		return writer->queued ? OUT_ORDER : OUT_INVALID;
	case EREMOTEIO:
	case EIO:
		return writer->run->stage->faulty ? OUT_FAILED : OUT_REFUSED;
	default:
		return OUT_FAILED;
	}
}

static void write_done(struct device_write *write, int error)
{
	struct writer *writer = write->user;
	struct run *run = writer->run;
	struct bench *bench = run->bench;
	unsigned sets = bench->sets - run->sets_seen;
	int order = order_of(writer);

	run->left--;
	writer->error = error;
	for (unsigned i = run->sets_seen; i < bench->sets && i < BENCH_SETS; i++)
		if (!set_fits(writer, bench->set[i]))
			complain(writer, "something else was sent");
	run->sets_seen = bench->sets;
	run->sets += sets;
	if (run->stage->faulty)
		judge_faulty(writer, sets, order);
	else
		judge_healthy(writer, sets, order);
	if (!error && !is_in_force(writer))
		complain(writer, "is said to be written and is not in force");
	if (!is_in_order(bench))
		complain(writer, "the settings of the BMS contradict each other");
}

static bool is_writable(const struct run *run, unsigned row)
{
	const struct instruction *instruction = &run->bench->table.row[row];

	return instruction->writable && (!instruction->locked || !run->stage->locked);
}

/* A setting; and now and then, where the stage has locked ones, any other file. */
static unsigned choose_row(struct run *run)
{
	struct bench *bench = run->bench;

	for (;;) {
		unsigned row = sim_random_below(&run->random, (uint32_t)bench->table.rows);

		if (!instruction_variant(&bench->table.row[row], bench->model)->present)
			continue;
		if (is_writable(run, row) ||
		    (run->stage->locked && sim_random_below(&run->random, 8) == 0))
			return row;
	}
}

/* What some member of the chains holds. */
static double choose_near(struct run *run)
{
	const struct chain *chain =
		&chains[sim_random_below(&run->random, (uint32_t)ARRAY_SIZE(chains))];
	double holds = bench_holds(
		run->bench, chain->member[sim_random_below(&run->random, chain->members)].name);

	return isnan(holds) ? 1 : holds;
}

/* Offers an input to the tree, as a write to its file would. */
static void offer(struct writer *writer)
{
	struct run *run = writer->run;
	struct bench *bench = run->bench;
	const struct instruction *row;
	const struct instruction_variant *variant;
	uint64_t ino;

	writer->row = choose_row(run);
	writer->queued = false;
	row = row_of(writer);
	/* A BMS that was silent for long may be another one, and is unknown until it answers. */
	variant = instruction_variant(row, device_model(bench->device));
	input_make(&writer->input, row, variant, choose_near(run), &run->random);
	writer->expected = input_judge(&writer->input, row, variant, &writer->number);
	if (!is_writable(run, writer->row))
		writer->expected = -EACCES;
	ino = tree_lookup(bench->tree, TREE_ROOT, row->file);
	writer->write = (struct device_write){ .done = write_done, .user = writer };
	writer->error = tree_accept(bench->tree, ino, writer->input.text, writer->input.size,
				    &writer->write);
	if (!ino)
		complain(writer, "has no file");
	if (writer->error != writer->expected)
		complain(writer, "was expected to be judged otherwise");
	if (writer->error && writer->error != -EACCES && !has_reason(writer))
		complain(writer, "was refused without a word");
}

static bool is_overwritten(const struct run *run, unsigned i)
{
	for (unsigned k = i + 1; k < run->writers; k++)
		if (run->writer[k].queued && run->writer[k].row == run->writer[i].row)
			return true;
	return false;
}

static bool text_agrees(const struct writer *writer, const struct sample *sample)
{
	size_t size = writer->input.size;

	size -= size && writer->input.text[size - 1] == '\n';
	return sample->size == size && !memcmp(sample->text, writer->input.text, size);
}

static bool number_agrees(const struct writer *writer, const struct sample *sample)
{
	double off = fabs(sample->number[0] - writer->number);

	/* A clock goes on, and on a bad line it takes a while until it is read. */
	if (row_of(writer)->type == VALUE_CLOCK)
		return fmin(off, DAY_s - off) <= (writer->run->stage->faulty ? 60 : 5);
	return off <= slack_of(row_of(writer)) || same(sample->number[0], writer->number);
}

/* The file shows what was written. */
static void read_back(struct writer *writer)
{
	struct bench *bench = writer->run->bench;
	const struct instruction *row = row_of(writer);
	const struct freshness fresh = { .call = bench->now };
	static char text[TREE_TEXT_MAX];
	struct sample sample;
	ssize_t size;

	if (row->verify == VERIFY_NONE)
		return;
	if (bench_read(bench, writer->row, &sample)) {
		if (!writer->run->stage->faulty)
			complain(writer, "cannot be read back");
		return;
	}
	if (row->type == VALUE_TEXT ? !text_agrees(writer, &sample)
				    : !number_agrees(writer, &sample))
		complain(writer, "reads back otherwise");
	size = tree_render(bench->tree, tree_lookup(bench->tree, TREE_ROOT, row->file), &fresh,
			   text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	if (size <= 0 || text[size - 1] != '\n' ||
	    (row->type == VALUE_FLOAT && (double)strtof(text, NULL) != sample.number[0]) ||
	    (row->type == VALUE_INT && strtod(text, NULL) != sample.number[0]))
		complain(writer, "its file shows something else");
}

static void reader_done(struct device_query *query)
{
	struct run *run = query->user;

	run->reading = false;
	run->left--;
}

/* Somebody who reads meanwhile, and whom no job may let in between. */
static void start_reader(void *user)
{
	struct run *run = user;
	struct bench *bench = run->bench;

	if (run->reading || sim_random_below(&run->random, 4))
		return;
	run->reader = (struct device_query){
		.fresh = { .call = ++bench->now, .direct = true },
		.done = reader_done,
		.user = run,
	};
	for (unsigned i = 0; i < 3; i++)
		row_set_add(&run->reader.need, choose_row(run));
	run->reading = !device_query(bench->device, &run->reader);
	run->left += run->reading;
}

/* Somebody else, at the display of the BMS, sets something that contradicts nothing. */
static void other_hand(struct run *run)
{
	const struct chain *chain =
		&chains[sim_random_below(&run->random, (uint32_t)ARRAY_SIZE(chains))];
	const char *name = chain->member[sim_random_below(&run->random, chain->members)].name;
	double value = choose_near(run) + sim_random_between(&run->random, -0.2, 0.2);

	if (!isnan(bench_holds(run->bench, name)) && order_with(run->bench, name, value) > 0)
		sim_put(run->bench->sim, name, value);
}

static void check_jobs(struct run *run)
{
	/* A bad line needs its fence. */
	if (run->bench->interrupted && !run->stage->faulty)
		complain(&run->writer[0], "something came between writing and reading back");
	run->bench->interrupted = 0;
}

/* One writer, or two at once. */
static void round_of(struct run *run)
{
	struct bench *bench = run->bench;
	unsigned long requests = bench->requests;

	run->writers = 1 + (sim_random_below(&run->random, 8) == 0);
	bench_forget(bench);
	run->sets_seen = run->left = 0;
	for (unsigned i = 0; i < run->writers; i++) {
		run->writer[i].run = run;
		offer(&run->writer[i]);
	}
	for (unsigned i = 0; i < run->writers; i++) {
		struct writer *writer = &run->writer[i];

		if (writer->error)
			continue;
		writer->queued = true;
		run->left++;
		device_write(bench->device, &writer->write);
	}
	if (run->left) {
		start_reader(run);
		bench_run(bench, 60 * NSEC_PER_SEC, &run->left);
		if (run->left)
			complain(&run->writer[0], "never ends");
	} else {
		bench_run(bench, NSEC_PER_MSEC, NULL);
		if (bench->sets || (bench->requests != requests && !run->stage->faulty))
			complain(&run->writer[0], "was refused and yet something was sent");
	}
	check_jobs(run);
	for (unsigned i = 0; i < run->writers; i++) {
		struct writer *writer = &run->writer[i];

		run->count[writer->input.kind][outcome_of(writer)]++;
		if (!writer->error && !is_overwritten(run, i))
			read_back(writer);
		run->input++;
	}
}

static void run_stage(struct run *run, const struct stage *stage, unsigned long inputs,
		      uint64_t seed)
{
	struct sim_config config = sim_config_default;
	struct bench *bench = calloc(1, sizeof(*bench));

	if (!bench)
		exit(2);
	*run = (struct run){ .stage = stage, .bench = bench, .random = { seed } };
	snprintf(config.model, sizeof(config.model), "%s", stage->model);
	config.units = (uint8_t)stage->units;
	config.seed = seed;
	config.baud = 0;
	config.turnaround_s = 0.001;
	if (stage->faulty) {
		static const enum sim_fault faults[] = { SIM_DROP,     SIM_CORRUPT, SIM_DELAY,
							 SIM_LATE,     SIM_ECHO,    SIM_GARBAGE,
							 SIM_TRUNCATE, SIM_ERROR,   SIM_FOREIGN };

		for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
			config.rate[faults[i]] = 0.02;
	}
	bench_start(bench, &config, !stage->locked);
	bench->after_set = start_reader;
	bench->user = run;
	if (!is_in_order(bench)) {
		printf("%s: the settings of the factory contradict each other\n", stage->name);
		run->wrong++;
	}
	while (run->input < inputs) {
		if (sim_random_below(&run->random, 16) == 0)
			other_hand(run);
		round_of(run);
	}
	run->inputs = run->input;
	bench_stop(bench);
	free(bench);
}

static void print_head(const char *first)
{
	printf("%-16s %9s", first, "inputs");
	for (unsigned i = 0; i < OUTCOMES; i++)
		printf(" %11s", outcome_name[i]);
	puts("   SETs sent  wrong");
}

static void print_row(const char *name, const unsigned long count[OUTCOMES])
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < OUTCOMES; i++)
		sum += count[i];
	printf("%-16s %9lu", name, sum);
	for (unsigned i = 0; i < OUTCOMES; i++)
		printf(" %11lu", count[i]);
}

static void add_up(unsigned long to[OUTCOMES], const unsigned long from[OUTCOMES])
{
	for (unsigned i = 0; i < OUTCOMES; i++)
		to[i] += from[i];
}

static unsigned long number_argument(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (!*text || *end || !number) {
		fputs("Usage: test_writes [COUNT [SEED]]\n", stderr);
		exit(2);
	}
	return number;
}

int main(int argc, char *argv[])
{
	static struct run run;
	static unsigned long kinds[INPUT_KINDS][OUTCOMES], all[OUTCOMES];
	unsigned long inputs = argc > 1 ? number_argument(argv[1]) : 100000;
	unsigned long seed = argc > 2 ? number_argument(argv[2]) : 1, wrong = 0, sets = 0;

	print_head("BMS");
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		unsigned long count[OUTCOMES] = { 0 };

		run_stage(&run, &stages[i], (inputs * stages[i].share + 99) / 100, seed + i);
		for (unsigned k = 0; k < INPUT_KINDS; k++) {
			add_up(count, run.count[k]);
			add_up(kinds[k], run.count[k]);
		}
		print_row(stages[i].name, count);
		printf(" %11lu %6lu\n", run.sets, run.wrong);
		fflush(stdout);
		add_up(all, count);
		wrong += run.wrong;
		sets += run.sets;
	}
	print_row("all", all);
	printf(" %11lu %6lu\n\n", sets, wrong);
	print_head("input");
	for (unsigned k = 0; k < INPUT_KINDS; k++) {
		print_row(input_kind_name[k], kinds[k]);
		puts("");
	}
	if (wrong)
		printf("again: test_writes %lu %lu\n", inputs, seed);
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
