/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The helpers of samples/bpf/bpf_helpers.h of 2017.
 *
 * SEC() and LANDLOCK_FSVIEW() are no macros here: they are looked for in the source of the
 * rule. All helpers of the time are declared, so that a source that calls one that rules may
 * not call can be told so by name.
 */
#ifndef __BPF_HELPERS_H
#define __BPF_HELPERS_H

#include <uapi/linux/bpf.h>

/* The type and permissions of an object, or a negative errno. */
#define bpf_handle_fs_get_mode(handle_fs) __landlock_get_mode((__u64)(handle_fs))

/* The mark that a view has for an object: that of the nearest marked one on the way up, or 0. */
#define bpf_fsview_lookup(view, handle_fs) bpf_fsview_lookup_number((view), (__u64)(handle_fs))
static inline __u32 bpf_fsview_lookup_number(const struct bpf_fsview *view, __u64 handle)
{
	return __landlock_mark(view->number, handle);
}

/* 0: the object is beneath what a view marks, 1: it is not, else a negative errno. */
#define bpf_fsview_beneath(option, view, handle_fs) \
	bpf_fsview_beneath_number((option), (view), (__u64)(handle_fs))
static inline int bpf_fsview_beneath_number(__u64 option, const struct bpf_fsview *view,
					    __u64 handle)
{
	return __landlock_beneath(option, view->number, handle);
}

/* Helpers that rules with LANDLOCK_ABILITY_DEBUG may call. */
static int (*const bpf_trace_printk)(const char *fmt, int fmt_size, ...) = (void *)6;
static unsigned long long (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static unsigned long long (*const bpf_get_current_uid_gid)(void) = (void *)15;
static int (*const bpf_get_current_comm)(void *buf, int buf_size) = (void *)16;

/* Helpers that no rule may call. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static int (*const bpf_map_update_elem)(void *map, const void *key, const void *value,
					unsigned long long flags) = (void *)2;
static int (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static int (*const bpf_probe_read)(void *dst, int size, const void *unsafe_ptr) = (void *)4;
static unsigned long long (*const bpf_ktime_get_ns)(void) = (void *)5;
static unsigned int (*const bpf_get_prandom_u32)(void) = (void *)7;
static unsigned long long (*const bpf_get_smp_processor_id)(void) = (void *)8;
static int (*const bpf_skb_store_bytes)(void *ctx, int off, const void *from, int len,
					int flags) = (void *)9;
static int (*const bpf_l3_csum_replace)(void *ctx, int off, int from, int to,
					int flags) = (void *)10;
static int (*const bpf_l4_csum_replace)(void *ctx, int off, int from, int to,
					int flags) = (void *)11;
static int (*const bpf_tail_call)(void *ctx, void *map, int index) = (void *)12;
static int (*const bpf_clone_redirect)(void *ctx, int ifindex, int flags) = (void *)13;
static int (*const bpf_get_cgroup_classid)() = (void *)17;
static int (*const bpf_skb_vlan_push)() = (void *)18;
static int (*const bpf_skb_vlan_pop)() = (void *)19;
static int (*const bpf_skb_get_tunnel_key)() = (void *)20;
static int (*const bpf_skb_set_tunnel_key)() = (void *)21;
static int (*const bpf_perf_event_read)() = (void *)22;
static int (*const bpf_redirect)() = (void *)23;
static int (*const bpf_get_route_realm)() = (void *)24;
static int (*const bpf_perf_event_output)() = (void *)25;
static int (*const bpf_skb_load_bytes)() = (void *)26;
static int (*const bpf_get_stackid)() = (void *)27;
static int (*const bpf_csum_diff)() = (void *)28;
static int (*const bpf_skb_get_tunnel_opt)() = (void *)29;
static int (*const bpf_skb_set_tunnel_opt)() = (void *)30;
static int (*const bpf_skb_change_proto)() = (void *)31;
static int (*const bpf_skb_change_type)() = (void *)32;
static int (*const bpf_skb_under_cgroup)() = (void *)33;
static int (*const bpf_get_hash_recalc)() = (void *)34;
static unsigned long long (*const bpf_get_current_task)(void) = (void *)35;
static int (*const bpf_probe_write_user)(void *dst, const void *src, int size) = (void *)36;
static int (*const bpf_current_task_under_cgroup)(void *map, int index) = (void *)37;
static int (*const bpf_skb_change_tail)() = (void *)38;
static int (*const bpf_skb_pull_data)() = (void *)39;
static int (*const bpf_csum_update)() = (void *)40;
static int (*const bpf_set_hash_invalid)() = (void *)41;
static int (*const bpf_get_numa_node_id)() = (void *)42;
static int (*const bpf_skb_change_head)() = (void *)43;
static int (*const bpf_xdp_adjust_head)() = (void *)44;
static int (*const bpf_probe_read_str)() = (void *)45;
static int (*const bpf_get_socket_cookie)() = (void *)46;
static int (*const bpf_get_socket_uid)() = (void *)47;
static int (*const bpf_set_hash)() = (void *)48;
static int (*const bpf_setsockopt)() = (void *)49;
static int (*const bpf_skb_adjust_room)() = (void *)50;
static int (*const bpf_redirect_map)() = (void *)51;
static int (*const bpf_sk_redirect_map)() = (void *)52;
static int (*const bpf_sock_map_update)() = (void *)53;

#endif
