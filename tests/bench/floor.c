// SPDX-License-Identifier: LGPL-3.0-or-later
/*
 * The least that a server of one file can do through libfuse's low-level interface, in the mode of
 * bmsfs: floor MOUNTPOINT mounts a directory with the file "value" and serves it until it is
 * unmounted. What bmsfs takes longer than this is its own.
 */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_INO 2
#define FOR_LONG  86400.0

static const char text[] = "78.46\n";

static void op_init(void *user, struct fuse_conn_info *connection)
{
	(void)user;
	connection->want &=
		FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_HANDLE_KILLPRIV;
	connection->max_write = 65536;
	connection->max_readahead = 0;
}

static struct stat attributes(fuse_ino_t ino)
{
	return (struct stat){
		.st_ino = ino,
		.st_mode = ino == VALUE_INO ? S_IFREG | 0444 : S_IFDIR | 0755,
		.st_nlink = 1,
		.st_size = 4096,
	};
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fuse_entry_param entry = {
		.ino = VALUE_INO,
		.generation = 1,
		.attr = attributes(VALUE_INO),
		.attr_timeout = FOR_LONG,
		.entry_timeout = FOR_LONG,
	};

	if (parent != FUSE_ROOT_ID || strcmp(name, "value") != 0)
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	const struct stat attr = attributes(ino);

	(void)info;
	fuse_reply_attr(req, &attr, FOR_LONG);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	info->direct_io = 1;
	info->noflush = 1;
	fuse_reply_open(req, info);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	size_t length = strlen(text);
	size_t start = (size_t)offset < length ? (size_t)offset : length;

	(void)ino;
	(void)info;
	length -= start;
	fuse_reply_buf(req, text + start, length < size ? length : size);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	(void)info;
	fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.open = op_open,
	.read = op_read,
	.release = op_release,
};

/* Returns 0 when nothing is left to be read, 1 when it is over. */
static int receive_all(struct fuse_session *session, struct fuse_buf *buffer)
{
	for (;;) {
		int received = fuse_session_receive_buf(session, buffer);

		if (received == -EAGAIN)
			return 0;
		if (received <= 0 && received != -EINTR)
			return 1;
		if (received > 0)
			fuse_session_process_buf(session, buffer);
	}
}

static void serve(struct fuse_session *session)
{
	struct pollfd wait = { .fd = fuse_session_fd(session), .events = POLLIN };
	struct fuse_buf buffer = { 0 };

	while (ppoll(&wait, 1, NULL, NULL) >= 0 && !receive_all(session, &buffer))
		;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session;

	if (argc != 2) {
		fprintf(stderr, "usage: floor MOUNTPOINT\n");
		return 2;
	}
	if (fuse_opt_add_arg(&args, "floor") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, geteuid() ? "default_permissions,subtype=floor"
					      : "default_permissions,subtype=floor,allow_other"))
		return 1;
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_session_mount(session, argv[1]) ||
	    fcntl(fuse_session_fd(session), F_SETFL, O_NONBLOCK))
		return 1;
	serve(session);
	return 0;
}
