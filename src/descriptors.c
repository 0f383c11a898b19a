// SPDX-License-Identifier: LGPL-3.0-or-later
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int descriptors_fill(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}
