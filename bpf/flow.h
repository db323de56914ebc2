/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of flows: how long one lives, how many a pod may have, what is counted and told of it. */
#ifndef PALISADE_FLOW_H
#define PALISADE_FLOW_H

#define MILLISECOND 1000000ULL
#define DATAGRAMS_ONE_WAY (30 * SECOND)
#define DATAGRAMS_TWO_WAY (180 * SECOND)
/* A closed connection's last packets still pass for this long. */
#define CLOSED_FOR (10 * SECOND)
/* Longer than any keep-alive: such a flow is made anew from its next packet. */
#define STREAM_IDLE (24 * 3600 * SECOND)
#define UPDATE_EVERY (30 * SECOND)

/* What the table of flows holds; set when loading. */
const volatile __u32 flows_max = 16384;

/*
 * New flows of a pod within a window that nobody has answered: a quarter of the table, so that no pod pushes out all others.
 * Answered or not, it may turn the table over twice a second: what others wait for is in it for half a second.
 */
#define SHARE_WINDOW (30 * SECOND)
#define UNANSWERED_OF_A_POD (flows_max / 4)
#define FLOWS_A_SECOND (2 * flows_max)

static __always_inline bool is_syn(const struct packet *packet)
{
	return packet->key.protocol == IPPROTO_TCP &&
	       (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

static __always_inline bool is_over(const struct flow_key *key, const struct flow_value *flow, __u64 now)
{
	__u64 idle = now - flow->last;

	if ((__s64)idle < 0)
		return false;
	if (key->protocol == IPPROTO_TCP && (flow->closing & CLOSING_TOLD))
		return idle > CLOSED_FOR;
	if (key->protocol == IPPROTO_TCP && flow->packets_in && flow->packets_out)
		return idle > STREAM_IDLE;
	if (key->protocol == IPPROTO_TCP)
		return idle > DATAGRAMS_TWO_WAY; /* longer than a SYN is sent again */
	return idle > (flow->packets_in && flow->packets_out ? DATAGRAMS_TWO_WAY : DATAGRAMS_ONE_WAY);
}

/* False when the pod has made more than its share. */
static __always_inline bool take_share(__u32 interface, __u64 now)
{
	struct share_value *share = bpf_map_lookup_elem(&shares, &interface);

	if (!share) {
		struct share_value one = {};

		one.began = now;
		one.second = now / SECOND;
		one.unanswered = one.begun = 1;
		if (bpf_map_update_elem(&shares, &interface, &one, BPF_ANY))
			count(COUNTER_MAP_FULL);
		return true;
	}
	if (now - share->began > SHARE_WINDOW) {
		share->began = now;
		share->unanswered = 0;
	}
	if (share->second != now / SECOND) {
		share->second = now / SECOND;
		share->begun = 0;
	}
	if (share->unanswered >= UNANSWERED_OF_A_POD || share->begun >= FLOWS_A_SECOND)
		return false;
	__sync_fetch_and_add(&share->unanswered, 1);
	__sync_fetch_and_add(&share->begun, 1);
	return true;
}

/* A flow was answered, or ends without an answer. */
static __always_inline void give_share(__u32 interface)
{
	struct share_value *share = bpf_map_lookup_elem(&shares, &interface);

	if (share && share->unanswered)
		__sync_fetch_and_add(&share->unanswered, -1);
}

static __always_inline void count_packet(struct __sk_buff *skb, struct flow_value *flow, bool out, __u64 now)
{
	if (now - flow->last >= MILLISECOND)
		flow->last = now;
	if (out) {
		__sync_fetch_and_add(&flow->packets_out, 1);
		__sync_fetch_and_add(&flow->bytes_out, skb->len);
	} else {
		__sync_fetch_and_add(&flow->packets_in, 1);
		__sync_fetch_and_add(&flow->bytes_in, skb->len);
	}
}

static __always_inline void account(struct __sk_buff *skb, const struct veth_value *veth, const struct packet *packet,
				    struct flow_value *flow, bool out, __u64 now)
{
	bool is_unanswered = flow->origin == FLOW_OUT && !flow->packets_in;
	__u8 closing = flow->closing;

	if (is_unanswered && !out)
		give_share(flow->interface);
	count_packet(skb, flow, out, now);
	if (packet->key.protocol != IPPROTO_TCP || !(packet->tcp_flags & (TCP_FIN | TCP_RST)))
		return;
	if (packet->tcp_flags & TCP_RST)
		closing |= CLOSING_RESET;
	else
		closing |= out ? CLOSING_POD : CLOSING_REMOTE;
	if (!(closing & CLOSING_TOLD) &&
	    ((closing & CLOSING_RESET) || (closing & (CLOSING_POD | CLOSING_REMOTE)) == (CLOSING_POD | CLOSING_REMOTE))) {
		closing |= CLOSING_TOLD;
		flow->closing = closing;
		if (is_unanswered && out)
			give_share(flow->interface);
		if (flow->enforced == VERDICT_ALLOW)
			tell_flow(&packet->key, flow, veth->cgroup, PHASE_END, 0, now);
		return;
	}
	flow->closing = closing;
}

/* A packet of a flow that was judged before. */
static __always_inline int pass_known(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				      struct packet *packet, struct flow_value *flow, bool out, __u64 now)
{
	if (is_stale(flow, state_word))
		rejudge(&packet->key, flow, state_word);
	/* The reset that ends a refused connection is all that passes of it. */
	if (flow->enforced != VERDICT_ALLOW && !(packet->key.protocol == IPPROTO_TCP && (packet->tcp_flags & TCP_RST)))
		return drop(skb, state_word, veth, packet, DROP_REFUSED, out ? FLOW_OUT : FLOW_IN);
	account(skb, veth, packet, flow, out, now);
	return TCX_NEXT;
}

static __always_inline struct flow_value *clean_flow(void)
{
	struct scratch *room = find_scratch();

	if (!room)
		return NULL;
	__builtin_memset(&room->flow, 0, sizeof(room->flow));
	return &room->flow;
}

/* Refusals of the same kind are told a few times, as those of connects are. True when this one is told; sets `repeats`. */
static __always_inline bool refusal_is_told(const struct packet *packet, const struct flow_value *flow, __u64 now,
					    __u32 *repeats)
{
	struct try_key key = {};
	struct try_value first = {};
	struct try_value *last;

	key.caller = ((__u64)flow->interface << 8) | flow->origin;
	key.container = flow->container;
	__builtin_memcpy(key.address, flow->origin == FLOW_OUT ? packet->key.remote : flow->peer, 16);
	key.port = flow->origin == FLOW_OUT ? packet->key.remote_port : packet->key.pod_port;
	key.protocol = packet->key.protocol;
	key.decision = flow->decision;
	last = bpf_map_lookup_elem(&tries, &key);
	if (!last) {
		first.time = now;
		first.told = 1;
		if (bpf_map_update_elem(&tries, &key, &first, BPF_ANY))
			count(COUNTER_MAP_FULL);
		return true;
	}
	if (now - last->time >= CONNECTS_MERGED_FOR) {
		last->time = now;
		last->told = 1;
		*repeats = *(volatile __u32 *)&last->repeats;
		__sync_fetch_and_add(&last->repeats, -*repeats);
		return true;
	}
	if (last->told < CONNECTS_TOLD) {
		last->told += 1;
		return true;
	}
	__sync_fetch_and_add(&last->repeats, 1);
	count(COUNTER_MERGED);
	return false;
}

/* Keeps a flow that was just judged, tells of it, and lets its first packet through or not. */
static __always_inline int start_flow(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				      struct packet *packet, struct flow_value *flow, bool out, bool told, __u64 now)
{
	bool allowed = flow->enforced == VERDICT_ALLOW;
	__u32 repeats = 0;

	/* The earlier generation knew more of it. */
	if (!allowed && (state_word & STATE_LEARNING))
		return TCX_NEXT;
	flow->first = flow->last = flow->told = now;
	flow->interface = skb->ifindex;
	/* What comes in counts for its sender alone: else it could use up the receiver's share. */
	if (out && flow->origin == FLOW_OUT && !take_share(skb->ifindex, now))
		return drop(skb, state_word, veth, packet, DROP_FLOW_LIMIT, FLOW_OUT);
	if (allowed) {
		if (out) {
			__builtin_memcpy(flow->hardware, packet->hardware, 6);
			flow->packets_out = 1;
			flow->bytes_out = skb->len;
		} else {
			flow->packets_in = 1;
			flow->bytes_in = skb->len;
		}
		note_fragment(packet, out, now);
	}
	count(COUNTER_FLOWS);
	if (bpf_map_update_elem(&flows, &packet->key, flow, BPF_ANY))
		count(COUNTER_MAP_FULL);
	if (told && (allowed || refusal_is_told(packet, flow, now, &repeats)))
		tell_flow(&packet->key, flow, veth->cgroup, PHASE_START, repeats, now);
	if (allowed)
		return TCX_NEXT;
	count(COUNTER_DROPPED + DROP_REFUSED);
	if (out || !(veth->flags & VETH_RESET))
		return TCX_DROP;
	if (is_syn(packet))
		return reset(skb, packet->six);
	/* Its next ones, while this flow is remembered, meet silence. */
	if (packet->key.protocol == IPPROTO_UDP && !packet->first_fragment)
		return unreachable(skb, packet->six);
	return TCX_DROP;
}

#endif
