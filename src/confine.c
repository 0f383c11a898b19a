// SPDX-License-Identifier: LGPL-3.0-or-later
#include "confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"
#include "log.h"

#define GROUPS_MAX 4096

static int find_groups(struct confine_user *user)
{
	for (int size = 32; size <= GROUPS_MAX; size *= 2) {
		user->group = calloc((size_t)size, sizeof(*user->group));
		if (!user->group)
			return -ENOMEM;
		user->groups = size;
		if (getgrouplist(user->name, user->gid, user->group, &user->groups) >= 0)
			return 0;
		confine_user_free(user);
	}
	return -E2BIG;
}

/* A number without an entry would leave open whose groups open the port, so it is nobody. */
static const struct passwd *find_entry(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	unsigned long number;

	if (!digits || name[digits])
		return getpwnam(name);
	errno = 0;
	number = strtoul(name, NULL, 10);
	return errno || number >= UINT32_MAX ? NULL : getpwuid((uid_t)number);
}

static int take_entry(struct confine_user *user, const struct passwd *entry)
{
	size_t length = strlen(entry->pw_name);

	if (length >= sizeof(user->name))
		return -ENAMETOOLONG;
	memcpy(user->name, entry->pw_name, length + 1);
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	user->other = true;
	return find_groups(user);
}

int confine_user_find(struct confine_user *user, const char *name, char *reason, size_t size)
{
	const struct passwd *entry;
	int err;

	*user = (struct confine_user){ .uid = getuid(), .gid = getgid() };
	if (!name && geteuid() != 0)
		return 0;
	entry = find_entry(name ? name : CONFINE_USER);
	if (!entry && !name)
		return 0;
	if (!entry) {
		snprintf(reason, size, "user=%s: there is no such user", name);
		return -EAGAIN;
	}
	if (entry->pw_uid == getuid())
		return 0;
	if (geteuid() != 0) {
		snprintf(reason, size, "user=%s: only root can let another user serve", name);
		return -EPERM;
	}
	err = take_entry(user, entry);
	if (err < 0)
		snprintf(reason, size, "user %s: %s", entry->pw_name, strerror(-err));
	return err;
}

void confine_user_free(struct confine_user *user)
{
	free(user->group);
	user->group = NULL;
	user->groups = 0;
}

/* What could be regained. Only who has CAP_SETPCAP may and needs to do this. */
static void limit_capabilities(uint64_t kept)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap >= 64 || !(kept >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* Of those that it has, it keeps these. */
static int keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(kept >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int become(const struct confine_user *user)
{
	if (!user->other)
		return 0;
	if (setgroups((size_t)user->groups, user->group) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0) {
		int err = errno;

		log_print("cannot become user %s: %s", user->name, strerror(err));
		return -err;
	}
	log_print("serving as user %s", user->name);
	return 0;
}

static int give_up_rights(void)
{
	static const struct rlimit no_core = { 0, 0 };
	int err;

	setrlimit(RLIMIT_CORE, &no_core);
	err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : keep_capabilities(0);
	if (err < 0)
		log_print("cannot give up rights: %s", strerror(-err));
	/* The leak check attaches to its own process, which a changed user forbids. */
	if (!filter_built())
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return err;
}

int confine_server(const struct confine_user *user, const char *device, bool filter)
{
	int err;

	limit_capabilities(0);
	err = become(user);
	if (!err)
		err = give_up_rights();
	if (err || !filter || !filter_built())
		return err;
	err = filter_load(filter_needs(device));
	if (err < 0)
		log_print("cannot restrict the system calls: %s; -o nofilter does without",
			  strerror(-err));
	return err;
}

int confine_keeper(const struct confine_user *user)
{
	/* Its place may lie in somebody's private folder. */
	uint64_t kept = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_DAC_READ_SEARCH;

	if (geteuid() != 0)
		return 0;
	if (user->other)
		kept |= UINT64_C(1) << CAP_KILL;
	/* Others unmount by way of fusermount3, which this would take the right from. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	limit_capabilities(kept);
	return keep_capabilities(kept);
}
