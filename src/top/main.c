// SPDX-License-Identifier: LGPL-3.0-or-later
/* bmsfs-top: a mount in a terminal. It knows the mount by its files alone. */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "top/history.h"
#include "top/model.h"
#include "top/mounts.h"
#include "top/reader.h"
#include "top/screen.h"
#include "top/terminal.h"

#define EXIT_USAGE     2
#define DELAY_S        2
#define DELAY_MIN_S    0.1
#define DELAY_MAX_S    60
#define SPAN_S         5  /* of the history of the current, unless the delay is longer */
#define WAIT_NOTED_S   2  /* from then on a slow answer is spoken of */
#define ANSWER_LIMIT_S 10 /* from then on the values of before are gone */
#define OLD_S          5  /* as is a value this much older than it has to be */
#define TICK_MS        1000
#define PRINT_ROWS     300 /* more than all units have */
#define PRINT_COLUMNS  80
#define REASON_SIZE    512

struct program {
	char *mount;
	bool once, ended;
	struct view view;
	struct model model;
	struct history history;
	struct reader reader;
	double asked_s, answered_s, due_s;
	char note[128];
	int signals;
};

static const char help[] = "bmsfs-top [OPTIONS] [MOUNTPOINT]\n"
			   "\n"
			   "Shows a mounted BMS in a terminal. MOUNTPOINT need not be given where "
			   "only one is mounted.\n"
			   "\n"
			   "  -d, --delay SECONDS   between two readings, 0.1 to 60 [2]\n"
			   "  -1, --once            print one screen as plain text and end\n"
			   "  -h, --help            this text\n"
			   "  -V, --version         the version\n"
			   "\n"
			   "Keys: q quit, s sort by number or voltage, u or left and right another "
			   "unit, space read now.\n";

static const struct option options[] = {
	{ "delay", required_argument, NULL, 'd' },
	{ "once", no_argument, NULL, '1' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list args;

	fputs("bmsfs-top: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- readings --- */

static void start_reading(struct program *program)
{
	char reason[REASON_SIZE];
	int ret = reader_ask(&program->reader);

	program->asked_s = now_s();
	program->due_s = program->asked_s + program->view.delay_s;
	if (!ret)
		return;
	snprintf(reason, sizeof(reason), "cannot start the reading process: %s", strerror(-ret));
	model_fail(&program->model, reason);
	reader_stop(&program->reader);
}

static void give_up(struct program *program)
{
	char reason[REASON_SIZE];

	snprintf(reason, sizeof(reason), "%s: no answer for %d s", program->mount, ANSWER_LIMIT_S);
	model_fail(&program->model, reason);
}

static void take_reading(struct program *program)
{
	char reason[REASON_SIZE];
	json_t *snapshot = reader_take(&program->reader, reason, sizeof(reason));

	if (program->reader.waiting)
		return;
	if (snapshot)
		model_read(&program->model, snapshot);
	else
		model_fail(&program->model, reason);
	json_decref(snapshot);
	program->answered_s = now_s();
	history_add(&program->history, program->answered_s, program->model.current_A);
}

/* What would be taken for a live value but is none is spoken of. */
static void take_note(struct program *program)
{
	double now = now_s(), waited_s = now - program->asked_s;
	double age_s = now - program->answered_s + fmax(program->model.age_s, 0);
	bool waits = program->reader.waiting && waited_s >= WAIT_NOTED_S;
	bool old =
		model_is_live(&program->model) && (waits || age_s >= program->view.delay_s + OLD_S);
	char waiting[64] = "", ageing[64] = "";

	if (waits)
		snprintf(waiting, sizeof(waiting), "waiting for an answer, %.0f s",
			 floor(waited_s));
	if (old)
		snprintf(ageing, sizeof(ageing), "these values are %.0f s old", floor(age_s));
	snprintf(program->note, sizeof(program->note), "%s%s%s", waiting, waits && old ? "; " : "",
		 ageing);
}

/* --- on a terminal --- */

static void change_unit(struct program *program, unsigned by)
{
	unsigned units = program->model.units;

	if (units)
		program->view.unit = (program->view.unit + units + by) % units;
}

static void obey(struct program *program, enum command command)
{
	switch (command) {
	case COMMAND_NONE:
		break;
	case COMMAND_QUIT:
		program->ended = true;
		break;
	case COMMAND_SORT:
		program->view.by_voltage = !program->view.by_voltage;
		break;
	case COMMAND_NEXT_UNIT:
		change_unit(program, 1);
		break;
	case COMMAND_LAST_UNIT:
		change_unit(program, -1U);
		break;
	case COMMAND_READ:
		program->due_s = now_s();
		break;
	case COMMAND_REDRAW:
		terminal_redraw();
		break;
	}
}

static int show(struct program *program)
{
	struct view view = program->view;
	struct canvas canvas;
	int ret = terminal_canvas(&canvas);

	if (ret)
		return ret;
	if (program->reader.waiting && now_s() - program->asked_s >= ANSWER_LIMIT_S)
		give_up(program);
	take_note(program);
	if (view.unit >= program->model.units)
		view.unit = 0;
	screen_draw(&canvas, &program->model, &program->history, &view);
	terminal_show(&canvas);
	canvas_free(&canvas);
	return 0;
}

static void take_signal(struct program *program)
{
	struct signalfd_siginfo info;

	if (read(program->signals, &info, sizeof(info)) == sizeof(info))
		program->ended |= info.ssi_signo != SIGWINCH;
}

static int wait_ms(const struct program *program)
{
	double wait_s = program->due_s - now_s();

	if (program->reader.waiting || wait_s * 1000 > TICK_MS)
		return TICK_MS;
	return wait_s > 0 ? (int)(wait_s * 1000) + 1 : 0;
}

/* A terminal that is gone is readable too, and has no keys. */
static void take_events(struct program *program)
{
	struct pollfd fds[] = {
		{ STDIN_FILENO, POLLIN, 0 },
		{ program->signals, POLLIN, 0 },
		{ reader_fd(&program->reader), POLLIN, 0 },
	};
	enum command command;

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(program)) < 0)
		return;
	if (fds[0].revents & (POLLHUP | POLLERR))
		program->ended = true;
	else if (fds[0].revents)
		while ((command = terminal_command()) != COMMAND_NONE)
			obey(program, command);
	if (fds[1].revents)
		take_signal(program);
	if (fds[2].revents)
		take_reading(program);
}

static int catch_signals(struct program *program)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	program->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return program->signals < 0 ? -errno : 0;
}

static int watch(struct program *program)
{
	char reason[REASON_SIZE];
	int ret = catch_signals(program);

	if (ret) {
		complain("signalfd: %s", strerror(-ret));
		return ret;
	}
	ret = terminal_open(reason, sizeof(reason));
	if (ret) {
		complain("%s", reason);
		goto out_close;
	}
	while (!program->ended && !ret) {
		if (!program->reader.waiting && now_s() >= program->due_s)
			start_reading(program);
		ret = show(program);
		if (!ret)
			take_events(program);
	}
	terminal_close();
	reader_stop(&program->reader);
out_close:
	close(program->signals);
	return ret;
}

/* --- without a terminal --- */

static unsigned print_columns(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return PRINT_COLUMNS;
}

static int print(struct program *program)
{
	struct canvas canvas;
	int ret = canvas_init(&canvas, PRINT_ROWS, print_columns());

	if (ret)
		return ret;
	take_note(program);
	screen_draw(&canvas, &program->model, &program->history, &program->view);
	canvas_print(&canvas, stdout);
	canvas_free(&canvas);
	if (fflush(stdout) || ferror(stdout))
		return -EIO;
	return model_is_live(&program->model) ? 0 : -ETIMEDOUT;
}

static int print_once(struct program *program)
{
	struct pollfd answered = { .events = POLLIN };

	program->view.printed = true;
	start_reading(program);
	answered.fd = reader_fd(&program->reader);
	while (program->reader.waiting) {
		double left_s = program->asked_s + ANSWER_LIMIT_S - now_s();

		if (left_s <= 0 || poll(&answered, 1, (int)(left_s * 1000) + 1) < 0)
			break;
		take_reading(program);
	}
	if (program->reader.waiting)
		give_up(program);
	reader_stop(&program->reader);
	if (program->model.link[0])
		return print(program);
	complain("%s", program->model.problem);
	return -EIO;
}

/* --- options --- */

static int set_delay(struct program *program, const char *text)
{
	char *end;
	double delay_s = strtod(text, &end);

	if (end == text || *end || !(delay_s >= DELAY_MIN_S && delay_s <= DELAY_MAX_S)) {
		complain("%s: is no delay from %g to %d seconds", text, DELAY_MIN_S, DELAY_MAX_S);
		return -EINVAL;
	}
	program->view.delay_s = delay_s;
	return 0;
}

static int take_option(struct program *program, int option)
{
	switch (option) {
	case 'd':
		return set_delay(program, optarg);
	case '1':
		program->once = true;
		return 0;
	case 'h':
		fputs(help, stdout);
		program->ended = true;
		return 0;
	case 'V':
		puts("bmsfs-top " BMSFS_VERSION);
		program->ended = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int take_options(struct program *program, int argc, char **argv)
{
	int option, ret = 0;

	while (!ret && !program->ended &&
	       (option = getopt_long(argc, argv, "d:1hV", options, NULL)) != -1)
		ret = take_option(program, option);
	if (ret || program->ended || optind == argc)
		return ret;
	if (optind + 1 < argc) {
		complain("only one MOUNTPOINT can be shown");
		return -EINVAL;
	}
	program->mount = strdup(argv[optind]);
	return program->mount ? 0 : -ENOMEM;
}

/* The only mount there is. */
static int choose_mount(struct program *program)
{
	FILE *table = fopen("/proc/self/mounts", "re");
	char *place[MOUNTS_MAX];
	size_t places = table ? mounts_find(table, place) : 0;

	if (table)
		fclose(table);
	if (places == 1) {
		program->mount = place[0];
		return 0;
	}
	if (places)
		complain("several are mounted, name one of them:");
	else
		complain("no bmsfs is mounted; mount one, or name its MOUNTPOINT");
	for (size_t i = 0; i < places; i++) {
		fprintf(stderr, "  %s\n", place[i]);
		free(place[i]);
	}
	return -ENOENT;
}

static int run(struct program *program)
{
	int ret = program->mount ? 0 : choose_mount(program);
	char *mount;

	if (ret)
		return ret;
	mount = agent_leave_mount(program->mount);
	if (!mount)
		return -ENOMEM;
	free(program->mount);
	program->mount = mount;
	program->reader.mount = mount;
	program->view.mount = program->mount;
	program->view.note = program->note;
	program->view.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	program->history.span_s = fmax(SPAN_S, program->view.delay_s);
	model_fail(&program->model, "waiting for the first answer");
	return program->once ? print_once(program) : watch(program);
}

int main(int argc, char **argv)
{
	struct program program = { .view.delay_s = DELAY_S };
	int status = EXIT_USAGE;

	if (descriptors_fill())
		return EXIT_FAILURE;
	/* Not of numbers. */
	setlocale(LC_CTYPE, "");
	if (!take_options(&program, argc, argv))
		status = !program.ended && run(&program) ? EXIT_FAILURE : EXIT_SUCCESS;
	free(program.mount);
	return status;
}
