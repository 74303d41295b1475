/* SPDX-License-Identifier: GPL-2.0-only */
/* The same, by its name outside of the kernel. */
#include <uapi/linux/ioctl.h>
