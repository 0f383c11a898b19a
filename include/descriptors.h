/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef BMSFS_DESCRIPTORS_H
#define BMSFS_DESCRIPTORS_H

/*
 * Opens those of the three standard files that the caller has closed, so that no file of ours takes
 * their place and what we print goes into it. 0 or -errno.
 */
int descriptors_fill(void);

#endif
