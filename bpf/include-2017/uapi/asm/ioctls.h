/* SPDX-License-Identifier: GPL-2.0-only */
/* The same on every machine that this runs on. */
#include <uapi/asm-generic/ioctls.h>
