// SPDX-License-Identifier: GPL-2.0-only
/* An empty program of BPF_LSM_CGROUP for each hook that an operation of operations.py asks. 1
 * allows. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define EMPTY(hook)                                          \
	SEC("lsm_cgroup/" #hook) int empty_##hook(void *ctx) \
	{                                                    \
		return 1;                                    \
	}

EMPTY(file_lock)
EMPTY(file_open)
EMPTY(file_permission)
EMPTY(inode_getattr)
EMPTY(inode_permission)
EMPTY(mmap_file)
EMPTY(path_chmod)
EMPTY(path_link)
EMPTY(path_mkdir)
EMPTY(path_mknod)
EMPTY(path_rename)
EMPTY(path_rmdir)
EMPTY(path_truncate)
EMPTY(path_unlink)

char LICENSE[] SEC("license") = "GPL";
