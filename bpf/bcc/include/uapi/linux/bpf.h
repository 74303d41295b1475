/* SPDX-License-Identifier: GPL-2.0-only */
/* Included by bcc, which has brought what it needs of it. */
