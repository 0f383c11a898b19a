// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/ini.h"
#include "nsec.h"
#include "options.h"
#include "protocol/value.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

enum key_kind {
	KEY_NUMBER,
	KEY_ADDRESSES,
	KEY_SECONDS,
	KEY_OCTAL,
	KEY_USER,
	KEY_GROUP,
	KEY_NAME,
	KEY_WORD,
	KEY_FILES,
	KEY_ON,
	KEY_OFF,
};

struct key {
	const char *name;
	const char *value; /* what to write after '='; NULL: nothing */
	const char *def;   /* parsed at the start */
	const char *shown; /* in place of the default, where that depends on other things */
	const char *help;
	enum key_kind kind;
	size_t offset;
	double min, max;
	bool of_mount; /* in fstab, mount(8) has an option of this name */
};

#define DAY        86400
#define YEAR       (366 * DAY)
#define AT(member) .offset = offsetof(struct options, member)

static const struct key keys[] = {
	{ .name = "baud",
	  .value = "RATE",
	  .def = "56000",
	  .kind = KEY_NUMBER,
	  AT(baud),
	  .min = 50,
	  .max = 4000000,
	  .help = "line rate in baud" },
	{ .name = "address",
	  .value = "N[,N...]",
	  .shown = "the model's factory address, or 1",
	  .kind = KEY_ADDRESSES,
	  AT(address),
	  .min = 1,
	  .max = 127,
	  .help = "address of the BMS; of several each gets a directory" },
	{ .name = "timeout",
	  .value = "SECONDS",
	  .def = "0.35",
	  .kind = KEY_SECONDS,
	  AT(timeout),
	  .min = 0.01,
	  .max = 60,
	  .help = "how long to wait for the first byte of a reply" },
	{ .name = "tries",
	  .value = "N",
	  .def = "3",
	  .kind = KEY_NUMBER,
	  AT(tries),
	  .min = 1,
	  .max = 10,
	  .help = "how often to ask before giving up" },
	{ .name = "deadline",
	  .value = "SECONDS",
	  .def = "5",
	  .kind = KEY_SECONDS,
	  AT(deadline),
	  .min = 0.1,
	  .max = 3600,
	  .help = "every call is answered within this time" },
	{ .name = "ttl",
	  .value = "SECONDS",
	  .def = "1",
	  .kind = KEY_SECONDS,
	  AT(ttl),
	  .max = DAY,
	  .help = "how long a live value may be shown again without asking" },
	{ .name = "ttl_settings",
	  .value = "SECONDS",
	  .def = "10",
	  .kind = KEY_SECONDS,
	  AT(ttl_settings),
	  .max = DAY,
	  .help = "the same for settings" },
	{ .name = "grace",
	  .value = "SECONDS",
	  .def = "0",
	  .kind = KEY_SECONDS,
	  AT(grace),
	  .max = YEAR,
	  .help = "how long the last value is shown after a failure" },
	{ .name = "wait",
	  .value = "SECONDS",
	  .def = "2",
	  .kind = KEY_SECONDS,
	  AT(wait),
	  .max = 3600,
	  .help = "how long the start may wait for the BMS's first answers" },
	{ .name = "model",
	  .value = "NAME",
	  .def = "auto",
	  .kind = KEY_NAME,
	  AT(model),
	  .help = "model of the BMS; auto: by its identity" },
	{ .name = "sensors",
	  .value = "N",
	  .shown = "1 for an Active BMS or unknown model, else what the BMS answers",
	  .kind = KEY_NUMBER,
	  AT(sensors),
	  .max = SENSORS_MAX,
	  .help = "temperature sensors of each unit; what follows them is not shown" },
	{ .name = "name",
	  .value = "NAME",
	  .shown = "bms0; of several addresses bms, and each adds its own",
	  .kind = KEY_WORD,
	  AT(name),
	  .max = TREE_NAME_MAX - 4,
	  .help = "name of the battery under class/power_supply/" },
	{ .name = "instructions",
	  .value = "FILE",
	  .kind = KEY_FILES,
	  AT(instructions),
	  .help = "more rows for the instruction table; may be repeated" },
	{ .name = "capture",
	  .value = "FILE",
	  .kind = KEY_NAME,
	  AT(capture),
	  .help = "append what goes over the line to this file" },
	{ .name = "unlock",
	  .kind = KEY_ON,
	  AT(unlock),
	  .help = "permit settings that could cut the link or decalibrate the BMS" },
	{ .name = "ro", .kind = KEY_ON, AT(read_only), .help = "nothing can be written" },
	{ .name = "rw",
	  .kind = KEY_OFF,
	  AT(read_only),
	  .help = "settings can be written, which is so unless ro is given" },
	{ .name = "uid",
	  .value = "USER",
	  .shown = "yours",
	  .kind = KEY_USER,
	  AT(uid),
	  .help = "owner of the files, a name or a number" },
	{ .name = "gid",
	  .value = "GROUP",
	  .shown = "yours",
	  .kind = KEY_GROUP,
	  AT(gid),
	  .help = "group of the files, a name or a number" },
	{ .name = "umask",
	  .value = "OCTAL",
	  .def = "0",
	  .kind = KEY_OCTAL,
	  AT(umask),
	  .max = 0777,
	  .help = "permissions that the files shall not have" },
	{ .name = "user",
	  .value = "USER",
	  .shown = "bmsfs if root mounts and there is such a user, else you",
	  .kind = KEY_NAME,
	  AT(user),
	  .of_mount = true,
	  .help = "who the serving process runs as, for root's mounts" },
	{ .name = "setuid",
	  .value = "USER",
	  .kind = KEY_NAME,
	  AT(user),
	  .help = "the same, for fstab, where mount(8) takes user= for itself" },
	{ .name = "nofilter",
	  .kind = KEY_ON,
	  AT(nofilter),
	  .help = "do not restrict the system calls of the serving process" },
	{ .name = "private",
	  .kind = KEY_ON,
	  AT(private),
	  .help = "only the mounting user has access, root's mounts included" },
	{ .name = "allow_other",
	  .kind = KEY_ON,
	  AT(allow_other),
	  .shown = "if root mounts",
	  .help = "other users have access" },
};

_Static_assert(sizeof("nodev,nosuid,noexec,noatime,sync,dirsync") <=
		       sizeof(((struct options *)0)->kernel),
	       "all options for libfuse at once");

enum passing {
	NO_EFFECT,  /* on a file system without times of access, or mount(8)'s own matter */
	BY_LIBFUSE, /* by its name */
	BY_FLAG,    /* of mount(2), by root alone: not every libfuse knows its name */
	LABEL,      /* with its value, for SELinux */
	REMOUNT,
};

/* What mount(8) and fstab add. A '*' ends a prefix. */
static const struct {
	const char *name;
	enum passing passing;
	unsigned long flag;
} passed[] = {
	{ "nodev", BY_LIBFUSE, MS_NODEV },
	{ "nosuid", BY_LIBFUSE, MS_NOSUID },
	{ "noexec", BY_LIBFUSE, MS_NOEXEC },
	{ "noatime", BY_LIBFUSE, MS_NOATIME },
	{ "sync", BY_LIBFUSE, MS_SYNCHRONOUS },
	{ "dirsync", BY_LIBFUSE, MS_DIRSYNC },
	{ "nosymfollow", BY_FLAG, MS_NOSYMFOLLOW },
	{ "context=*", LABEL, 0 },
	{ "fscontext=*", LABEL, 0 },
	{ "defcontext=*", LABEL, 0 },
	{ "rootcontext=*", LABEL, 0 },
	{ "remount", REMOUNT, 0 },
	{ "dev", NO_EFFECT, 0 },
	{ "suid", NO_EFFECT, 0 },
	{ "exec", NO_EFFECT, 0 },
	{ "async", NO_EFFECT, 0 },
	{ "symfollow", NO_EFFECT, 0 },
	{ "atime", NO_EFFECT, 0 },
	{ "diratime", NO_EFFECT, 0 },
	{ "nodiratime", NO_EFFECT, 0 },
	{ "relatime", NO_EFFECT, 0 },
	{ "norelatime", NO_EFFECT, 0 },
	{ "strictatime", NO_EFFECT, 0 },
	{ "nostrictatime", NO_EFFECT, 0 },
	{ "lazytime", NO_EFFECT, 0 },
	{ "nolazytime", NO_EFFECT, 0 },
	{ "iversion", NO_EFFECT, 0 },
	{ "noiversion", NO_EFFECT, 0 },
	{ "mand", NO_EFFECT, 0 },
	{ "nomand", NO_EFFECT, 0 },
	{ "silent", NO_EFFECT, 0 },
	{ "loud", NO_EFFECT, 0 },
	{ "auto", NO_EFFECT, 0 },
	{ "noauto", NO_EFFECT, 0 },
	{ "user", NO_EFFECT, 0 },
	{ "nouser", NO_EFFECT, 0 },
	{ "users", NO_EFFECT, 0 },
	{ "nousers", NO_EFFECT, 0 },
	{ "owner", NO_EFFECT, 0 },
	{ "noowner", NO_EFFECT, 0 },
	{ "group", NO_EFFECT, 0 },
	{ "nogroup", NO_EFFECT, 0 },
	{ "nofail", NO_EFFECT, 0 },
	{ "defaults", NO_EFFECT, 0 },
	{ "_netdev", NO_EFFECT, 0 },
	{ "x-*", NO_EFFECT, 0 },
	{ "X-*", NO_EFFECT, 0 },
	{ "comment=*", NO_EFFECT, 0 },
	{ "uhelper=*", NO_EFFECT, 0 },
	{ "helper=*", NO_EFFECT, 0 },
	{ "seclabel", NO_EFFECT, 0 },
	{ "default_permissions", NO_EFFECT, 0 },
};

enum flag_code { FLAG_LIST = 256, FLAG_WRITABLE, FLAG_CATEGORY, FLAG_JSON, FLAG_PROBE };

static const struct flag {
	int code; /* its letter, if it has one */
	const char *name;
	const char *value;
	const char *help;
} flags[] = {
	{ 'f', NULL, NULL, "stay in the foreground" },
	{ 'd', NULL, NULL, "tell of every frame and every file request; implies -f" },
	{ 'o', NULL, "OPTIONS", "one or more of those below, with commas between" },
	{ 'c', "config", "FILE",
	  "take them from this file; what follows on the line overrides it" },
	{ 'h', "help", NULL, "print this" },
	{ 'V', "version", NULL, "print the version" },
	{ FLAG_LIST, "list", NULL, "print the instruction table" },
	{ FLAG_WRITABLE, "writable", NULL, "with --list: only what can be written" },
	{ FLAG_CATEGORY, "category", "NAME", "with --list: only this category" },
	{ FLAG_JSON, "json", NULL, "with --list: as JSON" },
	{ FLAG_PROBE, "probe", NULL, "find BMSs on DEVICE, or on all serial ports on USB" },
};

static const struct place {
	const char *key; /* in a configuration file */
	const char *name;
	size_t offset;
} places[] = {
	{ "device", "DEVICE", offsetof(struct options, device) },
	{ "mountpoint", "MOUNTPOINT", offsetof(struct options, mountpoint) },
};

struct parser {
	struct options *options;
	char *room;        /* where the next string goes in options->text */
	char *config_room; /* and in options->config */
	char *labels_end;  /* in options->labels */
	unsigned words;    /* that were taken for places */
	bool list_detail;
	bool helper;  /* of mount(8) */
	bool sloppy;  /* mount(8) says that unknown options do not matter */
	bool unknown; /* there was an unknown option, which the reason names */
	char *reason;
	size_t size;
};

static int refuse(const struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->reason, parser->size, format, args);
	va_end(args);
	return -EINVAL;
}

/* A service of names that is not up yet is the likely reason at boot. */
static int refuse_unknown(const struct parser *parser, const struct key *key, const char *text,
			  const char *what)
{
	int err = refuse(parser, "%s=%s: there is no such %s", key->name, text, what);

	/* A number that is out of range stays so. */
	return text[strspn(text, "-0123456789")] ? -EAGAIN : err;
}

static int refuse_range(const struct parser *parser, const struct key *key, const char *text)
{
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	value_format_float(min, sizeof(min), (float)key->min);
	value_format_float(max, sizeof(max), (float)key->max);
	return refuse(parser, "%s=%s: must be %s from %s to %s", key->name, text,
		      key->kind == KEY_SECONDS ? "a number of seconds" : "a whole number", min,
		      max);
}

static int set_number(struct parser *parser, const struct key *key, const char *text, void *member)
{
	int64_t number;

	if (value_parse_int(text, strlen(text), &number) < 0 || (double)number < key->min ||
	    (double)number > key->max)
		return refuse_range(parser, key, text);
	*(uint32_t *)member = (uint32_t)number;
	return 0;
}

static int set_addresses(struct parser *parser, const struct key *key, const char *text,
			 void *member)
{
	struct options *options = parser->options;
	uint8_t *address = member;
	int64_t number;
	size_t length;

	options->addresses = 0;
	do {
		length = strcspn(text, ",");
		if (value_parse_int(text, length, &number) < 0 || (double)number < key->min ||
		    (double)number > key->max)
			return refuse_range(parser, key, text);
		if (memchr(address, (int)number, options->addresses))
			return refuse(parser, "%s: %d is there twice", key->name, (int)number);
		if (options->addresses == FOREST_MAX)
			return refuse(parser, "%s: at most %d", key->name, FOREST_MAX);
		address[options->addresses++] = (uint8_t)number;
		text += length + (text[length] == ',');
	} while (*text);
	return 0;
}

static int set_seconds(struct parser *parser, const struct key *key, const char *text, void *member)
{
	float seconds;

	/* Limits as float32 too, so that 0.01 is not below 0.01. */
	if (value_parse_float(text, strlen(text), &seconds) < 0 || seconds < (float)key->min ||
	    seconds > (float)key->max)
		return refuse_range(parser, key, text);
	/* A float32 holds microseconds well enough for what anybody would write here. */
	*(int64_t *)member = (int64_t)((double)seconds * 1e6 + 0.5) * (NSEC_PER_SEC / 1000000);
	return 0;
}

static int set_octal(struct parser *parser, const struct key *key, const char *text, void *member)
{
	uint32_t bits = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '7' && bits <= key->max; at++)
		bits = bits * 8 + (uint32_t)(*at - '0');
	if (*at || at == text || bits > key->max)
		return refuse(parser, "%s=%s: must be an octal number from 0 to 777", key->name,
			      text);
	*(uint32_t *)member = bits;
	return 0;
}

/* The number -1 means "unchanged" to the kernel and is nobody. */
static bool parse_id(const char *text, uint32_t *id)
{
	int64_t number;

	if (value_parse_int(text, strlen(text), &number) < 0 || number < 0 || number >= UINT32_MAX)
		return false;
	*id = (uint32_t)number;
	return true;
}

static int set_user(struct parser *parser, const struct key *key, const char *text, void *member)
{
	const struct passwd *entry;

	if (parse_id(text, member))
		return 0;
	entry = getpwnam(text);
	if (!entry)
		return refuse_unknown(parser, key, text, "user");
	*(uint32_t *)member = entry->pw_uid;
	return 0;
}

static int set_group(struct parser *parser, const struct key *key, const char *text, void *member)
{
	const struct group *entry;

	if (parse_id(text, member))
		return 0;
	entry = getgrnam(text);
	if (!entry)
		return refuse_unknown(parser, key, text, "group");
	*(uint32_t *)member = entry->gr_gid;
	return 0;
}

static int set_name(struct parser *parser, const struct key *key, const char *text, void *member)
{
	if (!*text)
		return refuse(parser, "%s=: a name is missing", key->name);
	*(const char **)member = text;
	return 0;
}

/* The name of a file, which other programs take for the name of a metric or a variable, too. */
static int set_word(struct parser *parser, const struct key *key, const char *text, void *member)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789_";
	size_t length = strspn(text, characters);

	if (!length || text[length] || (double)length > key->max)
		return refuse(parser, "%s=%s: must be 1 to %d letters, digits and underscores",
			      key->name, text, (int)key->max);
	*(const char **)member = text;
	return 0;
}

static int set_files(struct parser *parser, const struct key *key, const char *text, void *member)
{
	struct options *options = parser->options;

	if (!*text)
		return refuse(parser, "%s=: a file is missing", key->name);
	if (options->instructions_count == OPTIONS_FILE_MAX)
		return refuse(parser, "%s= can be given %d times", key->name, OPTIONS_FILE_MAX);
	((const char **)member)[options->instructions_count++] = text;
	return 0;
}

static int set_on(struct parser *parser, const struct key *key, const char *text, void *member)
{
	bool yes = !strcmp(text, "yes");

	if (!yes && strcmp(text, "no") != 0)
		return refuse(parser, "%s=%s: must be yes or no", key->name, text);
	*(bool *)member = yes == (key->kind == KEY_ON);
	return 0;
}

static int (*const setters[])(struct parser *, const struct key *, const char *, void *) = {
	[KEY_NUMBER] = set_number,   [KEY_ADDRESSES] = set_addresses,
	[KEY_SECONDS] = set_seconds, [KEY_OCTAL] = set_octal,
	[KEY_USER] = set_user,       [KEY_GROUP] = set_group,
	[KEY_NAME] = set_name,       [KEY_WORD] = set_word,
	[KEY_FILES] = set_files,     [KEY_ON] = set_on,
	[KEY_OFF] = set_on,
};

static int set_key(struct parser *parser, const struct key *key, const char *text)
{
	return setters[key->kind](parser, key, text, (char *)parser->options + key->offset);
}

static bool passed_fits(const char *name, const char *text)
{
	size_t length = strlen(name);

	if (name[length - 1] == '*')
		return !strncmp(name, text, length - 1);
	return !strcmp(name, text);
}

static void add_to_list(char *list, size_t size, const char *name)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used ? "," : "", name);
}

/* libfuse splits at commas too. */
static void add_label(struct parser *parser, const char *text)
{
	char *to = parser->labels_end;

	if (to > parser->options->labels)
		*to++ = ',';
	for (; *text; text++) {
		if (*text == ',' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to = '\0';
	parser->labels_end = to;
}

static int pass(struct parser *parser, size_t row, const char *text)
{
	struct options *options = parser->options;
	bool again = options->flags & passed[row].flag;

	options->flags |= passed[row].flag;
	switch (passed[row].passing) {
	case NO_EFFECT:
		break;
	case BY_LIBFUSE:
		if (!again)
			add_to_list(options->kernel, sizeof(options->kernel), text);
		break;
	case BY_FLAG:
		if (geteuid() != 0)
			return refuse(parser, "%s: only mounts by root can have it", text);
		options->flags_left = true;
		break;
	case LABEL:
		add_label(parser, text);
		break;
	case REMOUNT:
		if (options->action == ACTION_MOUNT)
			options->action = ACTION_REMOUNT;
		break;
	}
	return 0;
}

static int take_passed(struct parser *parser, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		if (passed_fits(passed[i].name, text))
			return pass(parser, i, text);
	/* Whether it matters is known at the end: for a remount mount(8) adds what the kernel shows. */
	if (!parser->unknown)
		refuse(parser, "%s: unknown option; bmsfs --help lists them", text);
	parser->unknown = true;
	return 0;
}

static const struct key *find_key(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == length && !strncmp(keys[i].name, name, length))
			return &keys[i];
	return NULL;
}

/* One option of -o, NAME or NAME=VALUE. NAME alone means NAME=yes, where that fits. */
static int take_option(struct parser *parser, char *text)
{
	size_t length = strcspn(text, "=");
	bool given = text[length] == '=';
	const struct key *key = find_key(text, length);

	if (!key)
		return take_passed(parser, text);
	if (key->of_mount && (parser->helper || !given)) {
		parser->options->of_mount = given ? text : NULL;
		return 0;
	}
	if (key->value && !given)
		return refuse(parser, "%s: write %s=%s", text, text, key->value);
	if (key->offset != offsetof(struct options, read_only))
		parser->options->own = true;
	return set_key(parser, key, given ? text + length + 1 : "yes");
}

/* No option starts with a digit: it goes on a list of numbers. */
static bool ends_option(const char *at)
{
	return *at == ',' && (at[1] < '0' || at[1] > '9');
}

/*
 * Splits at commas; a backslash takes the next character as it is, a comma in a file name, say. A
 * value in quotes keeps its commas and its quotes, as mount(8) has it.
 */
static int take_options(struct parser *parser, const char *list)
{
	int err = 0;

	while (!err && *list) {
		char *text = parser->room;
		bool quoted = false;

		for (; *list && (quoted || !ends_option(list)); list++) {
			if (*list == '"' &&
			    (quoted || (parser->room > text && parser->room[-1] == '=')))
				quoted = !quoted;
			if (*list == '\\' && list[1])
				list++;
			*parser->room++ = *list;
		}
		*parser->room++ = '\0';
		if (*list)
			list++;
		if (*text)
			err = take_option(parser, text);
	}
	return err;
}

static const char **place_of(struct parser *parser, const struct place *place)
{
	return (const char **)((char *)parser->options + place->offset);
}

static int set_place(struct parser *parser, const struct place *place, const char *text)
{
	if (!*text)
		return refuse(parser, "%s is empty", place->name);
	*place_of(parser, place) = text;
	return 0;
}

static int take_place(struct parser *parser, const char *text)
{
	parser->words++;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!*place_of(parser, &places[i]))
			return set_place(parser, &places[i], text);
	return refuse(parser, "%s: one DEVICE and one MOUNTPOINT, and nothing else", text);
}

/* A line of the configuration file. */
static int take_pair(void *user, const char *name, const char *value)
{
	struct parser *parser = user;
	const struct key *key = find_key(name, strlen(name));
	const char *text = parser->config_room;

	/* A line of the file is longer than its value, so there is room for all. */
	parser->config_room = stpcpy(parser->config_room, value) + 1;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (strcmp(places[i].key, name) != 0)
			continue;
		if (*place_of(parser, &places[i]))
			return refuse(parser, "%s is given already", places[i].name);
		return set_place(parser, &places[i], text);
	}
	if (!key)
		return refuse(parser, "%s: unknown key; bmsfs --help lists the options", name);
	return set_key(parser, key, text);
}

static int take_config(struct parser *parser, const char *file)
{
	struct options *options = parser->options;
	int err = -ENOMEM;

	if (options->config)
		return refuse(parser, "%s: one configuration file only", file);
	options->config = malloc(INI_FILE_MAX);
	parser->config_room = options->config;
	if (options->config)
		err = ini_read(file, "instructions", take_pair, parser, parser->reason,
			       parser->size);
	if (err == -ENOMEM)
		snprintf(parser->reason, parser->size, "out of memory");
	return err;
}

static int take_flag(struct parser *parser, int code, char *argument, const char *raw)
{
	struct options *options = parser->options;

	switch (code) {
	case 1: /* getopt_long() found no option but a word */
		return take_place(parser, argument);
	case 'o':
		return take_options(parser, argument);
	case 'c':
		return take_config(parser, argument);
	case 'd':
		options->debug = true;
		/* fall through */
	case 'f':
		options->foreground = true;
		return 0;
	case 'h':
		options->action = ACTION_HELP;
		return 0;
	case 'V':
		options->action = ACTION_VERSION;
		return 0;
	case FLAG_LIST:
		options->action = ACTION_LIST;
		return 0;
	case FLAG_PROBE:
		options->action = ACTION_PROBE;
		return 0;
	case FLAG_WRITABLE:
		options->list_writable = parser->list_detail = true;
		return 0;
	case FLAG_JSON:
		options->list_json = parser->list_detail = true;
		return 0;
	case FLAG_CATEGORY:
		options->list_category = argument;
		parser->list_detail = true;
		return 0;
	case ':':
		return refuse(parser, "%s: something must follow", raw);
	default:
		return refuse(parser, "%s: not understood; bmsfs --help lists the options", raw);
	}
}

/* mount(8) has a convention of its own: SOURCE TARGET [-sfnv] [-o OPTIONS] [-t TYPE]. */
static bool is_helper(const char *program)
{
	return program && !strncmp(basename(program), "mount.", 6);
}

static int take_helper_arguments(struct parser *parser, int argc, char *argv[])
{
	int code, err = 0;

	optind = 0;
	opterr = 0;
	while (!err && (code = getopt(argc, argv, "-:sfnvo:t:")) >= 0) {
		switch (code) {
		case 1:
			err = take_place(parser, optarg);
			break;
		case 'o':
			err = take_options(parser, optarg);
			break;
		case 'f':
			parser->options->action = ACTION_NOTHING;
			break;
		case 's':
			parser->sloppy = true;
			break;
		case 'n':
		case 'v':
		case 't':
			break;
		default:
			err = refuse(parser, "-%c: not understood; mount(8) should call this",
				     optopt);
		}
	}
	return err;
}

static int take_arguments(struct parser *parser, int argc, char *argv[])
{
	/* '-': words in their order, whatever POSIXLY_CORRECT says; ':': messages are ours. */
	char letters[2 * ARRAY_SIZE(flags) + 3] = "-:", *letter = letters + 2;
	struct option longs[ARRAY_SIZE(flags) + 1] = { 0 }, *next = longs;
	int code, err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct flag *flag = &flags[i];

		if (flag->code < FLAG_LIST) {
			*letter++ = (char)flag->code;
			if (flag->value)
				*letter++ = ':';
		}
		if (flag->name)
			*next++ = (struct option){ .name = flag->name,
						   .has_arg = flag->value ? required_argument
									  : no_argument,
						   .val = flag->code };
	}
	optind = 0; /* GNU: start anew */
	opterr = 0;
	while (!err) {
		char short_raw[] = "-?";

		code = getopt_long(argc, argv, letters, longs, NULL);
		if (code < 0)
			break;
		/* An unknown letter may stand in the middle of a word. */
		short_raw[1] = (char)optopt;
		err = take_flag(parser, code, optarg,
				optopt > 0 && optopt < FLAG_LIST ? short_raw : argv[optind - 1]);
	}
	return err;
}

static int check_whole(struct parser *parser)
{
	switch (parser->options->action) {
	case ACTION_HELP:
	case ACTION_VERSION:
		return 0;
	case ACTION_LIST:
		if (parser->words)
			return refuse(parser, "--list takes no DEVICE");
		return 0;
	case ACTION_PROBE:
	case ACTION_MOUNT:
		if (parser->unknown && !parser->sloppy)
			return -EINVAL;
		break;
	case ACTION_NOTHING:
	case ACTION_REMOUNT:
		break;
	}
	if (parser->list_detail)
		return refuse(parser, "--writable, --category and --json belong to --list");
	if (parser->options->action == ACTION_PROBE && parser->words > 1)
		return refuse(parser, "--probe takes one DEVICE at most");
	if (parser->options->action == ACTION_PROBE)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!*place_of(parser, &places[i]))
			return refuse(parser, "%s is missing; bmsfs --help explains",
				      places[i].name);
	return 0;
}

int options_parse(struct options *options, int argc, char *argv[], char *reason, size_t size)
{
	struct parser parser = { .options = options, .reason = reason, .size = size };
	size_t room = 1;
	int err;

	*options = (struct options){
		.uid = getuid(),
		.gid = OPTIONS_NO_GROUP,
		.sensors = OPTIONS_NO_SENSORS,
		.allow_other = geteuid() == 0,
	};
	for (int i = 0; i < argc; i++)
		room += strlen(argv[i]) + 1;
	options->text = malloc(room);
	/* With a backslash before each character. */
	options->labels = malloc(2 * room);
	if (!options->text || !options->labels) {
		snprintf(reason, size, "out of memory");
		return -ENOMEM;
	}
	*options->labels = '\0';
	parser.room = options->text;
	parser.labels_end = options->labels;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].def)
			set_key(&parser, &keys[i], keys[i].def);
	parser.helper = is_helper(argv[0]);
	err = parser.helper ? take_helper_arguments(&parser, argc, argv)
			    : take_arguments(&parser, argc, argv);
	while (!err && optind < argc)
		err = take_place(&parser, argv[optind++]);
	if (options->read_only)
		options->flags |= MS_RDONLY;
	return err ? err : check_whole(&parser);
}

void options_free(struct options *options)
{
	free(options->text);
	free(options->labels);
	free(options->config);
	options->text = options->labels = options->config = NULL;
}

static void help_flag(FILE *out, const struct flag *flag)
{
	char left[40];

	if (!flag->name)
		snprintf(left, sizeof(left), "-%c%s%s", flag->code, flag->value ? " " : "",
			 flag->value ? flag->value : "");
	else if (flag->code < FLAG_LIST)
		snprintf(left, sizeof(left), "-%c, --%s%s%s", flag->code, flag->name,
			 flag->value ? "=" : "", flag->value ? flag->value : "");
	else
		snprintf(left, sizeof(left), "--%s%s%s", flag->name, flag->value ? "=" : "",
			 flag->value ? flag->value : "");
	fprintf(out, "  %-23s %s\n", left, flag->help);
}

static void help_key(FILE *out, const struct key *key)
{
	const char *shown = key->shown ? key->shown : key->def;
	char left[40];

	snprintf(left, sizeof(left), "%s%s%s", key->name, key->value ? "=" : "",
		 key->value ? key->value : "");
	fprintf(out, "  %-23s %s%s%s%s\n", left, key->help, shown ? " [" : "", shown ? shown : "",
		shown ? "]" : "");
}

void options_help(FILE *out)
{
	fputs("Usage: bmsfs [-f] [-d] [-o OPTIONS] DEVICE MOUNTPOINT\n"
	      "       bmsfs [-f] [-d] -c FILE [-o OPTIONS]\n"
	      "       bmsfs --list [--writable] [--category=NAME] [--json]\n"
	      "       bmsfs --probe [DEVICE]\n"
	      "\n"
	      "Mounts a REC battery management system as a directory: each instruction is a file.\n"
	      "\n"
	      "DEVICE is a serial port (/dev/ttyUSB0, /dev/serial/by-id/...), a pty, "
	      "tcp:HOST:PORT,\n"
	      "unix:PATH, or sim: for the built-in simulated BMS (sim:KEY=VALUE,...).\n"
	      "\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		help_flag(out, &flags[i]);
	fputs("\nOPTIONS, with what holds when they are not given:\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		help_key(out, &keys[i]);
	fputs("What mount(8) passes along (nodev, noexec, _netdev, nofail, x-...) is accepted.\n"
	      "To unmount: fusermount3 -u MOUNTPOINT, or umount MOUNTPOINT as root.\n",
	      out);
}
