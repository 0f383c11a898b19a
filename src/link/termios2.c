// SPDX-License-Identifier: LGPL-3.0-or-later
/* Apart from all else, because <asm/termbits.h> and <termios.h> exclude each other. */
#include <asm/termbits.h>
#include <errno.h>
#include <sys/ioctl.h>

#include "link/serial.h"

int termios2_get_speed(int fd, uint32_t *baud)
{
	struct termios2 settings;

	if (ioctl(fd, TCGETS2, &settings) < 0)
		return -errno;
	*baud = settings.c_ospeed;
	return 0;
}
