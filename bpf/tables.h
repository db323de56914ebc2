/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps. A table of the rules is an outer array of two slots: the agent
 * fills fresh inner maps, puts them into the slot that no program reads, and
 * then switches `state`. A program reads `state` once and uses that slot for
 * everything, so that old and new rules never mix within a verdict.
 */
#ifndef PALISADE_TABLES_H
#define PALISADE_TABLES_H

#define SLOTS 2

#define TABLE(NAME, TYPE, FLAGS, KEY, VALUE)                    \
	struct NAME##_inner {                                   \
		__uint(type, TYPE);                             \
		__uint(max_entries, 1);                         \
		__uint(map_flags, FLAGS);                       \
		__type(key, KEY);                               \
		__type(value, VALUE);                           \
	};                                                      \
	struct {                                                \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);       \
		__uint(max_entries, SLOTS);                     \
		__type(key, __u32);                             \
		__array(values, struct NAME##_inner);           \
	} NAME SEC(".maps")

TABLE(containers, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, __u64, struct container_value);
TABLE(programs, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct program_key, struct program_value);
TABLE(frontends, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct frontend_key, struct destination_value);
TABLE(destinations, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct destination_key, struct destination_value);
TABLE(cells, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct cell_key, struct cell_value);
TABLE(spans, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP, __u32, struct port_span);
TABLE(decisions, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP, __u32, struct decision_value);
TABLE(listeners, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct listener_key, struct listener_value);
TABLE(veths, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, __u32, struct veth_value);
TABLE(sources, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct destination_key, struct source_value);
TABLE(receiver_cells, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct receiver_cell_key, struct cell_value);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} state SEC(".maps");

/* The agent sets the real size; it also bounds what is kept while no agent reads. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 19);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* What earlier generations of these programs counted; the agent alone writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} carried SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connect_record);
} connects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct try_key);
	__type(value, struct try_value);
} tries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct askers);
} asked SEC(".maps");

/* Askers that their socket has no more room for. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct answer_key);
	__type(value, __u64);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct send_key);
	__type(value, struct send_record);
} sends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows SEC(".maps");

/* By interface. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct share_value);
} shares SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct fragment_key);
	__type(value, __u64);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct owned_port);
} owned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct drop_key);
	__type(value, struct drop_value);
} drops SEC(".maps");

/* While holders of sockets are looked up, else empty. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct listening_key);
	__type(value, __u64);
} listening SEC(".maps");

/* The file that a process was started from, by its first thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct started_from);
} starts SEC(".maps");

static __always_inline void count(__u32 index)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &index);

	if (value)
		*value += 1; /* of this CPU alone */
}

static __always_inline __u64 read_state(void)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&state, &zero);

	return value ? *(volatile __u64 *)value : 0;
}

static __always_inline __u32 slot_of(__u64 state_word)
{
	return state_word & STATE_SLOT;
}

static __always_inline __u64 revision_of(__u64 state_word)
{
	return state_word >> STATE_REVISION_SHIFT;
}

/* The live inner map of a table; its absence is counted. */
#define LIVE(TABLE, SLOT)                                               \
	({                                                              \
		__u32 slot_ = (SLOT);                                   \
		void *inner_ = bpf_map_lookup_elem(&(TABLE), &slot_);   \
		if (!inner_)                                            \
			count(COUNTER_NO_TABLE);                        \
		inner_;                                                 \
	})

#endif
