/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From {class, address, protocol, port} to a verdict, as the engine compiled it. */
#ifndef PALISADE_DECIDE_H
#define PALISADE_DECIDE_H

struct target {
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 unused;
};

struct judgement {
	__u64 expires; /* of the decision; 0 = never */
	__u32 destination;
	__u32 decision;
	__u8 enforced;
	__u8 would;
	__u8 cause;
	__u8 unused[5];
};

/* Whatever keeps a verdict (judgement, flow, record of a connect or a send) names its parts as `struct judgement` does. */
#define COPY_VERDICT(to, from)                                                                                         \
	do {                                                                                                           \
		(to)->expires = (from)->expires;                                                                       \
		(to)->decision = (from)->decision;                                                                     \
		(to)->enforced = (from)->enforced;                                                                     \
		(to)->would = (from)->would;                                                                           \
		(to)->cause = (from)->cause;                                                                           \
	} while (0)

/* A span table covers 65,536 ports, so it has at most so many spans: 17 halvings. */
#define SEARCH_STEPS 17
/* Decisions that follow each other by expiry; only those that are past are walked, and a living agent compiles anew. */
#define EXPIRY_STEPS 32

static __always_inline bool is_mapped_ipv4(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void write_ipv4(__u8 *address, __u32 four)
{
	__u32 *words = (__u32 *)address;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = four;
}

static __always_inline bool same_address(const __u8 *one, const __u8 *other)
{
	const __u32 *a = (const __u32 *)one, *b = (const __u32 *)other;

	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6;
}

/* Several get what goes there: multicast, and all of the link. */
static __always_inline bool is_to_many(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	if (is_mapped_ipv4(address))
		return (words[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || words[3] == 0xffffffff;
	return address[0] == 0xff;
}

/* Loopback and the unspecified address, which connects to loopback. */
static __always_inline bool is_loopback(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	if (is_mapped_ipv4(address))
		return (words[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) || words[3] == 0;
	return words[0] == 0 && words[1] == 0 && words[2] == 0 && (words[3] == 0 || words[3] == bpf_htonl(1));
}

/* The keys that an address is looked up by, one after the other: the stack is small. */
union address_key {
	struct frontend_key frontend;
	struct destination_key network;
};

/*
 * What the rules say of an address: of that one alone, which most are, or of the
 * longest prefix that it is in. A search by prefix takes longer the more
 * prefixes there are; that for one address does not.
 */
static __always_inline struct destination_value *find_address(__u32 slot, const __u8 *address, union address_key *key)
{
	struct destination_value *found;
	void *table = LIVE(frontends, slot);

	__builtin_memcpy(key->frontend.address, address, 16);
	key->frontend.port = 0;
	key->frontend.protocol = 0;
	key->frontend.unused = 0;
	found = table ? bpf_map_lookup_elem(table, key) : NULL;
	if (found)
		return found;
	table = LIVE(destinations, slot);
	if (!table)
		return NULL;
	key->network.prefix_length = 128;
	__builtin_memcpy(key->network.address, address, 16);
	return bpf_map_lookup_elem(table, key);
}

static __always_inline __u32 find_destination(__u32 slot, __u32 subject, const struct target *target)
{
	struct destination_value *found;
	union address_key key;
	void *table;

	if (is_loopback(target->address))
		return DESTINATION_SELF;
	table = LIVE(frontends, slot);
	if (table && target->port) {
		__builtin_memcpy(key.frontend.address, target->address, 16);
		key.frontend.port = target->port;
		key.frontend.protocol = target->protocol;
		key.frontend.unused = 0;
		found = bpf_map_lookup_elem(table, &key);
		if (found)
			return found->destination;
	}
	found = find_address(slot, target->address, &key);
	if (!found)
		return DESTINATION_NONE;
	if (found->own_subject && found->own_subject - 1 == subject)
		return DESTINATION_SELF;
	return found->destination;
}

static __always_inline __u32 find_decision(__u32 slot, const struct cell_value *cell, __u16 port)
{
	__u32 low = cell->first;
	__u32 high = cell->first + cell->count;
	void *table = LIVE(spans, slot);

	if (!table)
		return DECISION_NONE;
	for (int step = 0; step < SEARCH_STEPS; step++) {
		struct port_span *span;
		__u32 middle;

		if (low >= high)
			break;
		middle = low + (high - low) / 2;
		span = bpf_map_lookup_elem(table, &middle);
		if (!span) {
			count(COUNTER_NO_TABLE);
			break;
		}
		if (port < span->first)
			high = middle;
		else if (port > span->last)
			low = middle + 1;
		else
			return span->decision;
	}
	return DECISION_NONE;
}

/* Refuses by default: each way out without an answer leaves the refusal in place. */
static __always_inline void refuse_by_default(struct judgement *judgement)
{
	judgement->enforced = VERDICT_DENY;
	judgement->would = VERDICT_DENY;
	judgement->cause = CAUSE_NO_RULE;
	judgement->decision = DECISION_NONE;
	judgement->expires = 0;
}

/* From a cell of the sender's or the receiver's answers to the decision that holds now. */
static __always_inline void decide_by(__u32 slot, const struct cell_value *cell, __u16 port, struct judgement *judgement)
{
	__u32 index;
	void *table;

	if (!cell) {
		count(COUNTER_NO_CELL);
		return;
	}
	index = find_decision(slot, cell, port);
	if (index == DECISION_NONE) {
		count(COUNTER_NO_DECISION);
		return;
	}
	table = LIVE(decisions, slot);
	if (!table)
		return;
	for (int step = 0; step < EXPIRY_STEPS; step++) {
		struct decision_value *decision = bpf_map_lookup_elem(table, &index);

		if (!decision) {
			count(COUNTER_NO_DECISION);
			return;
		}
		judgement->decision = index;
		if (!decision->expires || bpf_ktime_get_tai_ns() < decision->expires) {
			judgement->enforced = decision->enforced;
			judgement->would = decision->would;
			judgement->expires = decision->expires;
			judgement->cause = decision->mixed ? CAUSE_MIXED : CAUSE_TABLE;
			return;
		}
		index = decision->next;
	}
	count(COUNTER_LIMIT);
	judgement->cause = CAUSE_LIMIT;
}

/* Verified once, not at each of its callers: its loops are most of what loading a program takes. */
__noinline int decide(__u64 state_word, __u32 subject, __u32 class, struct target *target, struct judgement *judgement)
{
	__u32 slot = slot_of(state_word);
	struct cell_key key = {};
	void *table;

	if (!target || !judgement)
		return 0;
	refuse_by_default(judgement);
	judgement->destination = find_destination(slot, subject, target);
	key.class = class;
	key.destination = judgement->destination;
	/* A ping socket's address may have a port, which is the echo's id. */
	key.protocol = has_ports(target->protocol) ? target->protocol : PROTOCOL_PORTLESS;
	table = LIVE(cells, slot);
	decide_by(slot, table ? bpf_map_lookup_elem(table, &key) : NULL, key.protocol ? target->port : 0, judgement);
	return 0;
}

#endif
