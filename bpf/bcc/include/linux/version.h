/* SPDX-License-Identifier: GPL-2.0-only */
/* bcc asks only whether the kernel is newer than 4.8; nothing else depends on it. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE	KERNEL_VERSION(6, 12, 0)
