// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The kernel keeps attributes for a day, so that ls, stat and find cost nothing; the one attribute
 * that changes is mtime, when the sample that a file shows was asked for. So remember which inodes
 * the kernel has been told about, and take their attributes back when a newer sample comes.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "fs/session.h"
#include "nsec.h"

/*
 * An answer with a time of before may be on its way to a caller while the kernel does not know the
 * inode yet, and cannot be told: so it is told a second time.
 */
#define REFRESHES     2
#define REFRESH_PAUSE NSEC_PER_SEC

static struct timespec nsec_timespec(int64_t nsec)
{
	return (struct timespec){ .tv_sec = nsec / NSEC_PER_SEC, .tv_nsec = nsec % NSEC_PER_SEC };
}

static int64_t wall_clock(const struct fs *fs)
{
	struct timespec real;

	if (fs->config.wall_clock)
		return fs->config.wall_clock();
	clock_gettime(CLOCK_REALTIME, &real);
	return real.tv_sec * NSEC_PER_SEC + real.tv_nsec;
}

/* Two clocks are read one after the other, so a small difference is not a clock that was set. */
void attr_check_clock(struct fs *fs)
{
	int64_t offset = wall_clock(fs) - fs_now(fs);

	if (llabs(offset - fs->clock_offset) <= 10 * NSEC_PER_MSEC)
		return;
	fs->clock_offset = offset;
	fs->refreshes = REFRESHES;
	fs->refresh_due = fs_now(fs);
}

/* The wall clock at @moment, a time on the clock of the bus. */
static struct timespec wall_time(struct fs *fs, int64_t moment)
{
	attr_check_clock(fs);
	return nsec_timespec(moment + fs->clock_offset);
}

static struct timespec modified(struct fs *fs, const struct tree_stat *stat)
{
	if (!stat->timed)
		return wall_time(fs, fs->mounted);
	if (!stat->sampled)
		return (struct timespec){ 0 };
	return wall_time(fs, stat->sampled);
}

/*
 * A program reads as much of a long file as fstat() says, and that comes without the descriptor: so
 * nobody who has one open may be told less than it holds. Too much does no harm, the text just ends.
 */
static off_t long_size(const struct fs *fs, uint64_t ino, const struct handle *asked, off_t last)
{
	const struct handle *handle;
	off_t size = 0;

	if (asked)
		return (off_t)asked->size;
	TAILQ_FOREACH (handle, &fs->handles, entry)
		if (handle->ino == ino && handle->rendered && (off_t)handle->size > size)
			size = (off_t)handle->size;
	return size ? size : last;
}

static mode_t mode_of(const struct fs *fs, const struct tree_stat *stat)
{
	mode_t group =
		S_ISREG(stat->mode) && fs->config.group_writes ? (stat->mode & 0200) >> 3 : 0;

	return stat->kind == TREE_LINK ? stat->mode : (stat->mode | group) & ~fs->config.umask;
}

int attr_fill(struct fs *fs, uint64_t ino, const struct handle *handle, struct stat *attr)
{
	struct tree_stat stat;
	int error = forest_stat(fs->forest, ino, &stat);

	if (error)
		return error;
	*attr = (struct stat){
		.st_ino = ino,
		.st_mode = mode_of(fs, &stat),
		.st_nlink = stat.kind == TREE_DIR ? 2 : 1,
		.st_uid = fs->config.uid,
		.st_gid = fs->config.gid,
		.st_size = stat.kind == TREE_DIR ? 0 : stat.size,
		.st_blksize = 4096,
		.st_mtim = modified(fs, &stat),
	};
	if (stat.kind == TREE_LONG)
		attr->st_size = long_size(fs, ino, handle, attr->st_size);
	attr->st_atim = attr->st_mtim;
	attr->st_ctim = attr->st_mtim;
	return 0;
}

static bool settled(const struct branch *branch)
{
	return device_shape(branch->device)->known && device_model(branch->device) != MODEL_UNKNOWN;
}

double entry_timeout(struct fs *fs, uint64_t ino)
{
	const struct branch *branch = branch_of(fs, ino);

	return !branch || settled(branch) ? FS_FOR_LONG : FS_FOR_A_BIT;
}

static bool arm(struct fs *fs, uint64_t ino)
{
	struct armed *armed = fs->armed;

	while (armed < fs->armed + fs->armed_count && armed->ino != ino)
		armed++;
	if (armed == fs->armed + ARMED_MAX)
		return false;
	if (armed == fs->armed + fs->armed_count)
		fs->armed_count++;
	armed->ino = ino;
	armed->branch = branch_of(fs, ino);
	armed->missed = false;
	tree_needs(armed->branch->tree, ino, &armed->needs);
	return true;
}

double attr_timeout(struct fs *fs, uint64_t ino)
{
	struct tree_stat stat;

	if (forest_stat(fs->forest, ino, &stat) || stat.kind == TREE_LONG ||
	    (stat.timed && !arm(fs, ino)))
		return 0;
	return entry_timeout(fs, ino);
}

/*
 * An inode that the kernel does not know may be one whose lookup has been answered a moment ago and
 * not arrived yet, so it stays for one more round.
 */
void attr_notify(struct fs *fs)
{
	for (unsigned i = 0; i < fs->armed_count;) {
		struct armed *armed = &fs->armed[i];

		if (!armed->branch->reshaped &&
		    !row_set_meets(&armed->needs, &armed->branch->dirty)) {
			i++;
		} else if (fuse_lowlevel_notify_inval_inode(fs->session, armed->ino, -1, 0) ==
				   -ENOENT &&
			   !armed->missed) {
			armed->missed = true;
			i++;
		} else {
			*armed = fs->armed[--fs->armed_count];
		}
	}
}

static void drop_times(struct fs *fs, uint64_t dir)
{
	char name[TREE_NAME_MAX];
	struct tree_stat stat;
	uint64_t ino;

	fuse_lowlevel_notify_inval_inode(fs->session, dir, -1, 0);
	for (unsigned i = 0; (ino = forest_entry(fs->forest, dir, i, name)); i++) {
		if (forest_stat(fs->forest, ino, &stat))
			continue;
		if (stat.kind == TREE_DIR)
			drop_times(fs, ino);
		else
			fuse_lowlevel_notify_inval_inode(fs->session, ino, -1, 0);
	}
}

void attr_refresh(struct fs *fs)
{
	drop_times(fs, TREE_ROOT);
	fs->refreshes--;
	fs->refresh_due = fs->refreshes ? fs_now(fs) + REFRESH_PAUSE : NSEC_NEVER;
}
