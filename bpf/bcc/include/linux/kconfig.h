/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bcc takes for the kernel's source tree: these few files, so that no package of
 * kernel headers is needed. bcc includes this one before everything.
 */
#define CONFIG_BPF_SYSCALL 1
