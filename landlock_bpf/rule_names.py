# SPDX-License-Identifier: GPL-2.0-only
"""Names in rule sources: those that are C's own, those that no rule may use, and the helpers of 2017."""

from __future__ import annotations

# Names that mean the same in every file. All others of a rule source are renamed, so what is missing here does not
# work in rules, and what is not C's own cannot be reached from them.
_OWN = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    _Alignas _Alignof _Bool _Generic _Noreturn _Static_assert
    typeof __typeof __typeof__ __inline __inline__ __const __const__ __volatile __volatile__ __signed __signed__
    __extension__ __attribute __attribute__ __alignof __alignof__ __restrict __restrict__ __label__ __auto_type
    __int128 __int128_t __uint128_t
    __VA_ARGS__ __VA_OPT__ __LINE__ __FILE__ __DATE__ __TIME__
    __STDC__ __STDC_VERSION__ __GNUC__ __clang__ __clang_major__ __clang_minor__
    __bpf__ __BPF__ __BYTE_ORDER__ __ORDER_LITTLE_ENDIAN__ __ORDER_BIG_ENDIAN__ __CHAR_BIT__ __SIZEOF_POINTER__
"""
OWN = frozenset(_OWN.split())
OWN_PREFIXES = ("__builtin_", "__sync_", "__atomic_")

# Attributes that change neither where a thing is put nor how it is called.
_ATTRIBUTES = """
    unused used packed aligned always_inline const pure fallthrough nonnull returns_nonnull warn_unused_result deprecated
    may_alias
"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())

_ASSEMBLY = "assembly, in which a rule could hide anything"
_SHOWS = "shows a name that was changed, for all files of a layer are compiled together"
REFUSED = {
    "asm": _ASSEMBLY,
    "__asm": _ASSEMBLY,
    "__asm__": _ASSEMBLY,
    "_Pragma": "a hidden #pragma",
    "__func__": _SHOWS,
    "__FUNCTION__": _SHOWS,
    "__PRETTY_FUNCTION__": _SHOWS,
    "__COUNTER__": "counts in all files of a layer together",
}

# Helpers of BPF by number, as of August 2017; DEBUG_HELPERS are open to rules with LANDLOCK_ABILITY_DEBUG.
HELPERS = {
    1: "bpf_map_lookup_elem",
    2: "bpf_map_update_elem",
    3: "bpf_map_delete_elem",
    4: "bpf_probe_read",
    5: "bpf_ktime_get_ns",
    6: "bpf_trace_printk",
    7: "bpf_get_prandom_u32",
    8: "bpf_get_smp_processor_id",
    9: "bpf_skb_store_bytes",
    10: "bpf_l3_csum_replace",
    11: "bpf_l4_csum_replace",
    12: "bpf_tail_call",
    13: "bpf_clone_redirect",
    14: "bpf_get_current_pid_tgid",
    15: "bpf_get_current_uid_gid",
    16: "bpf_get_current_comm",
    17: "bpf_get_cgroup_classid",
    18: "bpf_skb_vlan_push",
    19: "bpf_skb_vlan_pop",
    20: "bpf_skb_get_tunnel_key",
    21: "bpf_skb_set_tunnel_key",
    22: "bpf_perf_event_read",
    23: "bpf_redirect",
    24: "bpf_get_route_realm",
    25: "bpf_perf_event_output",
    26: "bpf_skb_load_bytes",
    27: "bpf_get_stackid",
    28: "bpf_csum_diff",
    29: "bpf_skb_get_tunnel_opt",
    30: "bpf_skb_set_tunnel_opt",
    31: "bpf_skb_change_proto",
    32: "bpf_skb_change_type",
    33: "bpf_skb_under_cgroup",
    34: "bpf_get_hash_recalc",
    35: "bpf_get_current_task",
    36: "bpf_probe_write_user",
    37: "bpf_current_task_under_cgroup",
    38: "bpf_skb_change_tail",
    39: "bpf_skb_pull_data",
    40: "bpf_csum_update",
    41: "bpf_set_hash_invalid",
    42: "bpf_get_numa_node_id",
    43: "bpf_skb_change_head",
    44: "bpf_xdp_adjust_head",
    45: "bpf_probe_read_str",
    46: "bpf_get_socket_cookie",
    47: "bpf_get_socket_uid",
    48: "bpf_set_hash",
    49: "bpf_setsockopt",
    50: "bpf_skb_adjust_room",
    51: "bpf_redirect_map",
    52: "bpf_sk_redirect_map",
    53: "bpf_sock_map_update",
}
DEBUG_HELPERS = frozenset((6, 14, 15, 16))


def is_own(name: str) -> bool:
    """Tell whether a name is C's own, and so means the same in every file."""
    return name in OWN or name.startswith(OWN_PREFIXES)
