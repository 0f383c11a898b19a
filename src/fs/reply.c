// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/session.h"

const char *error_words(int error)
{
	static const char *const words[] = {
		[EINVAL] = "it contradicts another setting",
		[ERANGE] = "out of range",
		[EACCES] = "it cannot be written",
		[EPERM] = "not permitted",
		[EREMOTEIO] = "the BMS refused",
		[ETIMEDOUT] = "the BMS did not answer",
		[ENODEV] = "there is no link to the BMS",
		[EIO] = "the answer cannot be trusted, or reading back differs",
		[ENODATA] = "there is no such value now",
		[EOPNOTSUPP] = "this BMS does not know the instruction",
		[EINTR] = "interrupted, nothing was sent",
		[ENOENT] = "there is no such file",
		[ENOMEM] = "out of memory",
	};
	size_t number = (size_t)-error;

	return number < sizeof(words) / sizeof(words[0]) && words[number] ? words[number]
									  : "an error";
}

void request_tell(fuse_req_t req, uint64_t ino, const char *what, const char *detail)
{
	const struct fs *fs = fs_of(req);
	char path[FS_PATH_MAX];

	if (!fs->config.debug)
		return;
	forest_path(fs->forest, ino, path, sizeof(path));
	fs->config.log("%s %s%s%s by pid %d", what, *path ? path : "/", *detail ? " " : "", detail,
		       (int)fuse_req_ctx(req)->pid);
}

void piece_tell(fuse_req_t req, uint64_t ino, const char *what, size_t size, off_t offset,
		const char *how)
{
	char detail[64];

	if (!fs_of(req)->config.debug)
		return;
	snprintf(detail, sizeof(detail), "%zu@%lld%s", size, (long long)offset, how);
	request_tell(req, ino, what, detail);
}

void answer_tell(const struct fs *fs, uint64_t ino, const char *answer)
{
	char path[FS_PATH_MAX];

	if (!fs->config.debug)
		return;
	forest_path(fs->forest, ino, path, sizeof(path));
	fs->config.log("%s -> %s", *path ? path : "/", answer);
}

/*
 * What fuse_reply_*() return is never looked at: -ENOENT means that the caller was killed or the
 * connection ended, and then nobody waits for the answer.
 */
void reply_error(fuse_req_t req, uint64_t ino, int error)
{
	answer_tell(fs_of(req), ino, error ? strerrorname_np(-error) : "ok");
	fuse_reply_err(req, -error);
}

void reply_text(fuse_req_t req, uint64_t ino, const char *text, size_t size)
{
	const struct fs *fs = fs_of(req);
	char answer[32];

	if (fs->config.debug) {
		snprintf(answer, sizeof(answer), "%zu bytes", size);
		answer_tell(fs, ino, answer);
	}
	fuse_reply_buf(req, text, size);
}
