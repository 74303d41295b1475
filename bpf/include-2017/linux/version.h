/* SPDX-License-Identifier: GPL-2.0-only */
/* For SEC("version"), which samples of the time have and nobody reads. */
#ifndef _LINUX_VERSION_H
#define _LINUX_VERSION_H

#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE	KERNEL_VERSION(4, 13, 0)

#endif
