/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fragments: the later ones do not repeat the ports, so they pass with the first one. */
#ifndef PALISADE_FRAGMENT_H
#define PALISADE_FRAGMENT_H

/* Longer than the kernel waits for the rest. */
#define FRAGMENTS_FOR (30 * SECOND)

/* Notes a first fragment, whose ports the later ones do not repeat. */
static __always_inline void note_fragment(const struct packet *packet, bool out, __u64 now)
{
	struct fragment_key key = {};

	if (!packet->first_fragment)
		return;
	__builtin_memcpy(key.source, packet->source, 16);
	__builtin_memcpy(key.destination, packet->destination, 16);
	key.id = packet->fragment_id;
	key.protocol = packet->key.protocol;
	key.origin = out ? FLOW_OUT : FLOW_IN;
	if (bpf_map_update_elem(&fragments, &key, &now, BPF_ANY))
		count(COUNTER_MAP_FULL);
}

static __always_inline bool fragment_is_known(const struct packet *packet, bool out, __u64 now)
{
	struct fragment_key key = {};
	__u64 *first;

	__builtin_memcpy(key.source, packet->source, 16);
	__builtin_memcpy(key.destination, packet->destination, 16);
	key.id = packet->fragment_id;
	key.protocol = packet->key.protocol;
	key.origin = out ? FLOW_OUT : FLOW_IN;
	first = bpf_map_lookup_elem(&fragments, &key);
	return first && now - *first < FRAGMENTS_FOR;
}

#endif
