// SPDX-License-Identifier: LGPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/session.h"

const char *error_words(int error, const char *reason)
{
	static const char *const words[] = {
		[EINVAL] = "the value is not valid; getfattr -d shows type and range",
		[ERANGE] = "the value is out of range; getfattr -d shows the range",
		[EACCES] = "the file is read-only",
		[EPERM] = "not permitted",
		[EREMOTEIO] = "the BMS refused",
		[ETIMEDOUT] = "the BMS did not answer; check the cable and the power of the BMS",
		[ENODEV] = "there is no link to the BMS; bus/state shows the state of the line",
		[EIO] = "the reply cannot be trusted; bus/trace shows its frames",
		[ENODATA] = "the value is not defined now; getfattr -d shows the description",
		[EOPNOTSUPP] = "this BMS does not have this value",
		[EINTR] = "a signal ended the call; call again",
		[ENOMEM] = "bmsfs has no memory left; call again",
	};
	size_t number = (size_t)-error;

	if (*reason)
		return reason;
	return number < sizeof(words) / sizeof(words[0]) && words[number] ? words[number]
									  : strerror((int)number);
}

void request_tell(fuse_req_t req, uint64_t ino, const char *what, const char *detail)
{
	const struct fs *fs = fs_of(req);
	char path[FOREST_PATH_MAX];

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
	char path[FOREST_PATH_MAX];

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

void failure_record(struct fs *fs, uint64_t ino, enum access access, int error, const char *reason)
{
	forest_failed(fs->forest, ino, "", access, error, error_words(error, reason));
}

void reply_failure(fuse_req_t req, uint64_t ino, enum access access, int error, const char *reason)
{
	failure_record(fs_of(req), ino, access, error, reason);
	reply_error(req, ino, error);
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
