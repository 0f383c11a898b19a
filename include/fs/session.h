/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of this room share; nobody else includes it. */
#ifndef BMSFS_FS_SESSION_H
#define BMSFS_FS_SESSION_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "fs/fs.h"
#include "tree/forest.h"

#define ARMED_MAX    1024
#define FS_READ_MAX  65536
#define FS_SCRATCH   262144
#define FS_FOR_LONG  86400.0 /* seconds an attribute or entry is good for when it is settled */
#define FS_FOR_A_BIT 1.0     /* ... and while shape or model are unknown */

/* One BMS of those that are mounted. */
struct branch {
	struct device *device;
	struct tree *tree;
	struct row_set dirty; /* rows sampled since the last fs_run() */
	bool reshaped;
};

/* Text that was written to a handle without a newline, and not set yet; write.c has the rules. */
struct held {
	pid_t opener;  /* the thread that opened the file; 0: of another pid namespace */
	pid_t process; /* ... and its process, known while text is held */
	int spent;     /* -errno that any further text gets, or 0 */
	bool told;     /* bus/last_error has had the reason */
	size_t size;
	char text[VALUE_TEXT_MAX];
};

/* An open file. */
struct handle {
	struct fs *fs;
	struct branch *branch;
	uint64_t ino;
	bool lengthy;     /* a TREE_LONG: the text was made when it was opened and stays */
	bool patient;     /* a signal does not end its reads */
	bool flushed;     /* the kernel sends a FLUSH when a descriptor of it is closed */
	bool about_mount; /* bus/last_error shows no failed read of it */
	bool rendered;    /* the text, or the error, is what it read last */
	int error;
	uint32_t revision; /* tree_revision() of what it read last */
	char *text;        /* allocated */
	size_t size;
	struct held held;

	struct fuse_pollhandle *poll; /* somebody waits for a change, then it is in fs->waiters */
	bool told;   /* ... or did so until told to poll again, then it is in fs->told */
	int64_t due; /* when to ask the device for them */
	struct device_query query;
	struct row_set needs;
	bool asking; /* the query is under way */
	bool asked;  /* it has ended and the kernel is to be told */

	TAILQ_ENTRY(handle) entry;   /* fs->handles */
	TAILQ_ENTRY(handle) waiting; /* fs->waiters or fs->told */
};

enum parked_kind { PARKED_OPEN, PARKED_READ, PARKED_WRITE, PARKED_FLUSH };

/* A request that waits for the device. */
struct parked {
	fuse_req_t req; /* NULL: answered already, but the device is not done with it */
	struct handle *handle;
	struct fs *fs;
	uint64_t ino;
	enum parked_kind kind;
	struct fuse_file_info info; /* of an open */
	size_t size;
	off_t offset;
	bool completes; /* a write: it brings the newline for text held before */
	union {
		struct device_query query;
		struct device_write write;
	};
	TAILQ_ENTRY(parked) entry; /* fs->parked */
};

/* An inode whose attributes the kernel keeps. */
struct armed {
	uint64_t ino;
	const struct branch *branch;
	struct row_set needs;
	bool missed; /* the kernel did not know the inode when told: it may just be learning it */
};

TAILQ_HEAD(handle_list, handle);
TAILQ_HEAD(parked_list, parked);

struct fs {
	struct fs_config config;
	struct fuse_session *session;
	struct fuse_buf buffer;
	struct forest *forest;
	struct branch branch[FOREST_MAX];
	bool ready;
	int broken;           /* -errno: the kernel takes no answers any more */
	int64_t mounted;      /* when, on the clock of the bus */
	int64_t clock_offset; /* real time less the clock of the bus */
	int64_t refresh_due;  /* when the kernel is to drop all times that it keeps */
	unsigned refreshes;   /* how often still */

	struct handle_list handles;
	int flushed; /* handles of which the kernel sends a FLUSH */
	struct handle_list waiters;
	struct handle_list told;
	struct parked_list parked;

	bool submitted;   /* the last fs_run() asked the device, whose turn it is now */
	int64_t poll_due; /* when the waiters are to be looked at */
	unsigned armed_count;
	struct armed armed[ARMED_MAX];

	char scratch[FS_SCRATCH]; /* room for all but the longest texts */
};

extern const struct fuse_lowlevel_ops fs_ops;

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

static inline bool row_set_meets(const struct row_set *a, const struct row_set *b)
{
	for (size_t i = 0; i < sizeof(a->word) / sizeof(a->word[0]); i++)
		if (a->word[i] & b->word[i])
			return true;
	return false;
}

static inline bool row_set_contains(const struct row_set *set, const struct row_set *part)
{
	for (size_t i = 0; i < sizeof(set->word) / sizeof(set->word[0]); i++)
		if (part->word[i] & ~set->word[i])
			return false;
	return true;
}

static inline void row_set_join(struct row_set *set, const struct row_set *other)
{
	for (size_t i = 0; i < sizeof(set->word) / sizeof(set->word[0]); i++)
		set->word[i] |= other->word[i];
}

/* All share one bus. */
static inline int64_t fs_now(const struct fs *fs)
{
	return bus_now(device_bus(fs->branch[0].device));
}

/* The BMS that an inode belongs to; NULL for the directory above several. */
static inline struct branch *branch_of(struct fs *fs, uint64_t ino)
{
	int index = forest_index(fs->forest, ino);

	return index < 0 ? NULL : &fs->branch[index];
}

/* reply.c: every request in words and its answer, if the mount says -d. */
void request_tell(fuse_req_t req, uint64_t ino, const char *what, const char *detail);
void piece_tell(fuse_req_t req, uint64_t ino, const char *what, size_t size, off_t offset,
		const char *how);
void answer_tell(const struct fs *fs, uint64_t ino, const char *answer);
void reply_error(fuse_req_t req, uint64_t ino, int error); /* 0 or -errno */
void reply_text(fuse_req_t req, uint64_t ino, const char *text, size_t size);

/*
 * A failure with -errno that bus/last_error is to show. @reason: "problem; remedy"; "": what @error
 * says. reply_failure() answers the request, too.
 */
void failure_record(struct fs *fs, uint64_t ino, enum access access, int error, const char *reason);
void reply_failure(fuse_req_t req, uint64_t ino, enum access access, int error, const char *reason);
const char *error_words(int error, const char *reason); /* @reason, or what -errno says */

/* attr.c. @handle is the file that was asked about, or NULL if it was the inode. */
int attr_fill(struct fs *fs, uint64_t ino, const struct handle *handle, struct stat *attr);
double attr_timeout(struct fs *fs, uint64_t ino);
double entry_timeout(struct fs *fs, uint64_t ino);

/* Tells the kernel of each inode whose time it keeps and which has changed since. */
void attr_notify(struct fs *fs);

/* Schedules attr_refresh() if the wall clock was set since the last call. */
void attr_check_clock(struct fs *fs);

/* Makes the kernel drop the times of all inodes. */
void attr_refresh(struct fs *fs);

/* file.c. Replies: open: open or error; read: buf or error. */
void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	       struct fuse_file_info *info);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void handle_free(struct handle *handle);

struct parked *parked_new(fuse_req_t req, uint64_t ino, enum parked_kind kind,
			  const struct fuse_file_info *info);
void parked_free(struct parked *parked);
void parked_fail(struct parked *parked, int error, const char *reason);

/* Answers a parked request because the server ends or its file is gone. */
void parked_abandon(struct parked *parked);

/* write.c. Replies: write: write or error; flush: error. */
void file_write(fuse_req_t req, fuse_ino_t ino, const char *text, size_t size, off_t offset,
		struct fuse_file_info *info);
void file_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void write_abandon(struct parked *parked); /* as parked_abandon() */

/* Drops the text held, if any; log and bus/last_error say so. @why: "the reason; the remedy". */
void held_drop(struct handle *handle, const char *why);

/* caller.c. The name of the program that makes a request; "" if it cannot be seen. */
void caller_name(pid_t thread, char *name, size_t size);

/* The process (thread group) of @thread; 0 if it cannot be seen. */
pid_t caller_process(pid_t thread);
bool caller_is_of(pid_t thread, pid_t process);

/*
 * Whether a signal ends @process, whose @thread waits for an answer: 1, 0, or -errno if it cannot be
 * seen. Also 1 if a thread other than the first has called exit(3), which looks the same.
 */
int caller_was_killed(pid_t thread, pid_t process);

/* poll.c. Replies: poll or error. */
void poll_begin(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
		struct fuse_pollhandle *poll);
void poll_end(struct handle *handle); /* nobody waits for it any more */
void poll_run(struct fs *fs);

#endif
