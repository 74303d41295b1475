/* SPDX-License-Identifier: GPL-2.0-only */
/* Those that our programs return. */
#define EPERM  1
#define ENOENT 2
