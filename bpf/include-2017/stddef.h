/* SPDX-License-Identifier: GPL-2.0-only */
/* The C library's name for it. */
#include <linux/types.h>
