// SPDX-License-Identifier: LGPL-3.0-or-later
#include "sim/faults.h"

#include <errno.h>
#include <string.h>

#include "nsec.h"

#define DELAY_MAX_S 0.3
#define LATE_MIN_S  0.4
#define LATE_MAX_S  1.6
#define SILENT_S    2

const char *const sim_fault_name[SIM_FAULTS] = {
	[SIM_DROP] = "drop",         [SIM_CORRUPT] = "corrupt", [SIM_DELAY] = "delay",
	[SIM_LATE] = "late",         [SIM_ECHO] = "echo",       [SIM_GARBAGE] = "garbage",
	[SIM_TRUNCATE] = "truncate", [SIM_SILENT] = "silent",   [SIM_ERROR] = "error",
	[SIM_FOREIGN] = "foreign",
};

void faults_init(struct faults *faults, const double rate[SIM_FAULTS], uint64_t seed)
{
	memcpy(faults->rate, rate, sizeof(faults->rate));
	faults->random.state = seed;
	faults->silent_until = 0;
}

int fault_find(const char *name)
{
	for (int i = 0; i < SIM_FAULTS; i++)
		if (!strcmp(sim_fault_name[i], name))
			return i;
	return -ENOENT;
}

static int64_t draw_delay(struct faults *faults, double min_s, double max_s)
{
	return (int64_t)(sim_random_between(&faults->random, min_s, max_s) * NSEC_PER_SEC);
}

void faults_draw(struct faults *faults, struct fault_plan *plan, int64_t now)
{
	int64_t delay = draw_delay(faults, 0, DELAY_MAX_S);
	int64_t late = draw_delay(faults, LATE_MIN_S, LATE_MAX_S);

	plan->detail.state = sim_random_next(&faults->random);
	for (int i = 0; i < SIM_FAULTS; i++)
		plan->hit[i] = sim_random_between(&faults->random, 0, 1) < faults->rate[i];
	plan->delay = plan->hit[SIM_DELAY] * delay + plan->hit[SIM_LATE] * late;

	if (now < faults->silent_until)
		plan->hit[SIM_SILENT] = true;
	else if (plan->hit[SIM_SILENT])
		faults->silent_until = now + SILENT_S * NSEC_PER_SEC;
}

size_t fault_corrupt(struct fault_plan *plan, size_t size)
{
	return sim_random_below(&plan->detail, (uint32_t)size * 8);
}

size_t fault_truncate(struct fault_plan *plan, size_t size)
{
	return 1 + sim_random_below(&plan->detail, (uint32_t)size - 1);
}

size_t fault_garbage(struct fault_plan *plan, uint8_t bytes[FAULT_GARBAGE_MAX])
{
	size_t size = 1 + sim_random_below(&plan->detail, FAULT_GARBAGE_MAX);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)sim_random_next(&plan->detail);
	return size;
}
