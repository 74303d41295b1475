// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lesson 3: one type of file is denied, block devices: whoever reads a disk reads all files on it.
 *
 * Try it:  landlock-bpf run -r policies/rules/no-block-devices.c -- bash -i
 *
 * or with a policy on files, which a raw disk is a way round: add -p policies/home-minus-ssh.toml
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/stat.h>
#include "bpf_helpers.h"

/*
 * Rules are asked at each access, not only at open(2): a disk that was opened before is not read
 * any more either. The price of denying all: `ls -l /dev` complains, for stat(2) asks about READ
 * too.
 *
 * mount(2) reads a disk by itself and asks about the directory that it mounts on: no rule on types
 * sees that.
 */
SEC("landlock1")
static int landlock_no_block_devices(struct landlock_context *ctx)
{
	long long mode = bpf_handle_fs_get_mode((void *)ctx->arg1);

	/*
	 * Of a name in the making there is no mode yet, but -ENOENT. It is allowed: a device node
	 * that cannot be opened does no harm, and to deny it would be to deny all new files.
	 */
	return mode >= 0 && S_ISBLK(mode);
}

SEC("subtype")
static const union bpf_prog_subtype _subtype = {
	.landlock_rule = {
		.abi = 1,
		.event = LANDLOCK_SUBTYPE_EVENT_FS,
	},
};

SEC("license")
static const char _license[] = "GPL";
