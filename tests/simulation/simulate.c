// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * simulate: many lives of the engine on a line with faults, each from one seed.
 *
 *	simulate [--seed N] [--seeds N] [--transactions N] [--seconds N] [--jobs N]
 *	         [--mutation NAME] [--verbose]
 *
 * Seeds are lived through from --seed on ("any": from one drawn now), --transactions requests each, until there were --seeds of
 * them (0: no end) or --seconds are over (0: never). A violation is shown with what came before it
 * and the command that replays it; the exit status is 1. With --mutation, the name that this program
 * was weakened by, a violation is what is expected, and its absence the failure.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define JOBS_MAX 64

struct options {
	uint64_t seed, seeds, transactions;
	double seconds;
	unsigned jobs;
	const char *mutation;
	bool verbose;
};

/* One process' share, in memory that the first process sees. */
struct share {
	struct figures figures;
	bool violated;
	uint64_t seed; /* of the violation */
	char violation[512];
	double seconds; /* until it was found */
};

static double clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void share_run(const struct options *options, struct share *share, unsigned job)
{
	struct world *world = calloc(1, sizeof(*world));
	struct instruction_table table;
	struct table_error error;
	double start = clock_s();

	if (!world || instruction_table_init(&table, &error)) {
		share->violated = true;
		snprintf(share->violation, sizeof(share->violation), "out of memory");
		free(world);
		return;
	}
	world->telling = options->verbose;
	world->out = options->verbose ? stdout : NULL;
	for (uint64_t i = job; !options->seeds || i < options->seeds; i += options->jobs) {
		uint64_t seed = options->seed + i;

		if (options->seconds > 0 && clock_s() - start >= options->seconds)
			break;
		if (world_live(world, &table, seed, options->transactions, &share->figures))
			continue;
		share->violated = true;
		share->seed = seed;
		share->seconds = clock_s() - start;
		memcpy(share->violation, world->violation, sizeof(share->violation));
		break;
	}
	instruction_table_free(&table);
	free(world);
}

/* Lives the seed once more, now with words. */
static void show(const struct options *options, const struct share *share)
{
	struct world *world = calloc(1, sizeof(*world));
	struct figures figures = { 0 };
	struct instruction_table table;
	struct table_error error;

	if (!world || instruction_table_init(&table, &error)) {
		free(world);
		return;
	}
	world->telling = true;
	world_live(world, &table, share->seed, options->transactions, &figures);
	for (uint64_t i = world->events > EVENTS_SHOWN ? world->events - EVENTS_SHOWN : 0;
	     i < world->events; i++)
		printf("%s\n", world->event[i % EVENTS_SHOWN]);
	instruction_table_free(&table);
	free(world);
}

static void figures_add(struct figures *to, const struct figures *from)
{
	to->seeds += from->seeds;
	to->transactions += from->transactions;
	to->reads += from->reads;
	to->values += from->values;
	to->errors += from->errors;
	to->writes += from->writes;
	to->written += from->written;
	to->refused += from->refused;
	to->interrupts += from->interrupts;
	to->turns += from->turns;
	to->heals += from->heals;
	to->simulated_s += from->simulated_s;
	for (int i = 0; i < FAULTS; i++)
		to->hits[i] += from->hits[i];
}

static void line_print(const char *name, uint64_t count)
{
	printf("  %-20s %12llu\n", name, (unsigned long long)count);
}

static void figures_print(const struct figures *figures, double seconds)
{
	line_print("seeds", figures->seeds);
	line_print("transactions", figures->transactions);
	line_print("reads", figures->reads);
	line_print("values checked", figures->values);
	line_print("reads that failed", figures->errors);
	line_print("writes", figures->writes);
	line_print("writes refused", figures->refused);
	line_print("writes confirmed", figures->written);
	line_print("interrupts", figures->interrupts);
	line_print("turns of the loop", figures->turns);
	line_print("times healed", figures->heals);
	line_print("simulated hours", (uint64_t)(figures->simulated_s / 3600));
	for (int i = 0; i < FAULTS; i++)
		line_print(fault_name[i], figures->hits[i]);
	printf("  %.1f s, %.0f transactions a second\n", seconds,
	       (double)figures->transactions / seconds);
}

/* Runs the shares, each in a process of its own if there are several. */
static void shares_run(const struct options *options, struct share *share)
{
	pid_t child[JOBS_MAX];

	if (options->jobs == 1) {
		share_run(options, share, 0);
		return;
	}
	fflush(stdout);
	for (unsigned job = 0; job < options->jobs; job++) {
		child[job] = fork();
		if (child[job] == 0) {
			share_run(options, &share[job], job);
			exit(0);
		}
	}
	for (unsigned job = 0; job < options->jobs; job++) {
		int status = -1;

		if (child[job] > 0)
			waitpid(child[job], &status, 0);
		if (status == 0 || share[job].violated)
			continue;
		share[job].violated = true;
		snprintf(share[job].violation, sizeof(share[job].violation),
			 "a process ended with status %d", status);
	}
}

static const struct share *shares_violated(const struct options *options, const struct share *share)
{
	for (unsigned job = 0; job < options->jobs; job++)
		if (share[job].violated)
			return &share[job];
	return NULL;
}

static int verdict(const struct options *options, const struct share *share, double seconds)
{
	const struct share *violated = shares_violated(options, share);
	struct figures figures = { 0 };

	for (unsigned job = 0; job < options->jobs; job++)
		figures_add(&figures, &share[job].figures);
	if (options->mutation) {
		if (violated)
			printf("%-28s caught after %6.2f s, %8llu transactions: %s\n",
			       options->mutation, violated->seconds,
			       (unsigned long long)figures.transactions, violated->violation);
		else
			printf("%-28s NOT CAUGHT in %.0f s, %llu transactions\n", options->mutation,
			       seconds, (unsigned long long)figures.transactions);
		return violated ? 0 : 1;
	}
	if (violated) {
		show(options, violated);
		printf("VIOLATION of seed %llu: %s\nreplay: simulate --seed %llu --seeds 1 "
		       "--transactions %llu --verbose\n",
		       (unsigned long long)violated->seed, violated->violation,
		       (unsigned long long)violated->seed,
		       (unsigned long long)options->transactions);
		return 1;
	}
	figures_print(&figures, seconds);
	return 0;
}

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "seeds", required_argument, NULL, 'n' },
	{ "transactions", required_argument, NULL, 't' },
	{ "seconds", required_argument, NULL, 'd' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "mutation", required_argument, NULL, 'm' },
	{ "verbose", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static uint64_t any_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint64_t)time(NULL) << 32;
	seed >>= 8;
	printf("seed %llu\n", (unsigned long long)seed);
	return seed;
}

static bool options_read(struct options *options, int argc, char *argv[])
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			options->seed =
				strcmp(optarg, "any") ? strtoull(optarg, NULL, 10) : any_seed();
			break;
		case 'n':
			options->seeds = strtoull(optarg, NULL, 10);
			break;
		case 't':
			options->transactions = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			options->seconds = strtod(optarg, NULL);
			break;
		case 'j':
			options->jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			options->mutation = optarg;
			break;
		case 'v':
			options->verbose = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc && options->jobs >= 1 && options->jobs <= JOBS_MAX;
}

int main(int argc, char *argv[])
{
	struct options options = { .seed = 1, .seeds = 1, .transactions = 3000, .jobs = 1 };
	struct share *share;
	double start = clock_s();
	int status;

	if (!options_read(&options, argc, argv)) {
		fprintf(stderr, "usage: simulate [--seed N] [--seeds N] [--transactions N] "
				"[--seconds N] [--jobs N] [--mutation NAME] [--verbose]\n");
		return 2;
	}
	share = mmap(NULL, JOBS_MAX * sizeof(*share), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (share == MAP_FAILED)
		return 2;
	shares_run(&options, share);
	status = verdict(&options, share, clock_s() - start);
	munmap(share, JOBS_MAX * sizeof(*share));
	return status;
}
