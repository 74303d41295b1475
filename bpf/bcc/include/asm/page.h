/* SPDX-License-Identifier: GPL-2.0-only */
/* Included by bcc, which needs nothing of it. */
