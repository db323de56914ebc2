/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The short way: a segment in the middle of a stream that was judged under the
 * rules that are live. Most packets are that, and all that is to be asked of
 * them is whether anything has changed. Whatever is not plainly so (options,
 * fragments, another kind of socket, a flow that both sides end or that is stale) goes the
 * long way, which decides; this one drops nothing.
 *
 * Fields are read from the packet itself, once, before any helper is called.
 * Cost: one lookup, of the flow.
 */
#ifndef PALISADE_SEGMENT_H
#define PALISADE_SEGMENT_H

#define FRAGMENTED 0x3fff /* more of them, or an offset */
#define SOCK_RAW 3
#define AF_PACKET 17

struct segment {
	struct flow_key key;
	__u8 hardware[6]; /* of the sender */
	__u8 ends; /* its sender sends no more */
};

/* Writes both ends of `key` from the packet's source and destination. */
static __always_inline void set_ipv4_ends(struct flow_key *key, bool out, const struct ipv4_header *four)
{
	write_ipv4(key->pod, out ? four->source : four->destination);
	write_ipv4(key->remote, out ? four->destination : four->source);
}

/* True for a segment of TCP that neither opens a stream nor resets it, without options of IP. */
static __always_inline bool read_segment(struct __sk_buff *skb, bool out, struct segment *segment)
{
	const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	const struct ethernet_header *ethernet = data;
	const struct tcp_header *tcp;

	if (skb->vlan_present || data + ETHERNET_BYTES + IPV4_BYTES + sizeof(*tcp) > end)
		return false;
	if (ethernet->type == bpf_htons(ETHERTYPE_IPV4)) {
		const struct ipv4_header *four = data + ETHERNET_BYTES;

		if (four->version_length != 0x45 || four->protocol != IPPROTO_TCP ||
		    (four->fragment & bpf_htons(FRAGMENTED)))
			return false;
		set_ipv4_ends(&segment->key, out, four);
		tcp = data + ETHERNET_BYTES + IPV4_BYTES;
	} else if (ethernet->type == bpf_htons(ETHERTYPE_IPV6)) {
		const struct ipv6_header *six = data + ETHERNET_BYTES;

		if (data + ETHERNET_BYTES + IPV6_BYTES + sizeof(*tcp) > end || six->next != IPPROTO_TCP ||
		    is_mapped_ipv4(six->source) || is_mapped_ipv4(six->destination))
			return false;
		__builtin_memcpy(segment->key.pod, out ? six->source : six->destination, 16);
		__builtin_memcpy(segment->key.remote, out ? six->destination : six->source, 16);
		tcp = data + ETHERNET_BYTES + IPV6_BYTES;
	} else {
		return false;
	}
	if ((tcp->flags & (TCP_RST | TCP_ACK)) != TCP_ACK)
		return false;
	segment->ends = tcp->flags & TCP_FIN;
	set_ports(&segment->key, out, tcp->source, tcp->destination);
	segment->key.protocol = IPPROTO_TCP;
	__builtin_memcpy(segment->hardware, ethernet->source, 6);
	return true;
}

/* False also when none is known. */
static __always_inline bool is_hardware_of(const struct segment *segment, const struct flow_value *flow)
{
	__u8 any = 0;

	for (int index = 0; index < 6; index++)
		any |= flow->hardware[index];
	return any && same_bytes(segment->hardware, flow->hardware, 6);
}

static __always_inline void pass(struct __sk_buff *skb, const struct segment *segment, struct flow_value *flow, bool out,
				 __u64 now)
{
	/* The first of both sides: the stream goes on, and nothing is told. */
	if (segment->ends)
		flow->closing = out ? CLOSING_POD : CLOSING_REMOTE;
	count_packet(skb, flow, out, now);
}

static __always_inline bool is_under_way(const struct flow_value *flow, __u32 interface, __u64 state_word, __u64 now)
{
	return flow->state == state_word && !flow->expires && flow->enforced == VERDICT_ALLOW && !flow->closing &&
	       flow->interface == interface && (__s64)(now - flow->last) < (__s64)DATAGRAMS_TWO_WAY;
}

/*
 * From the pod. `flow->hardware` says that a packet of this flow has passed check_sender under these rules: then the
 * addresses of its key are the pod's own, and only the hardware's can differ.
 */
static __always_inline bool pass_segment_out(struct __sk_buff *skb, __u64 state_word)
{
	struct bpf_sock *socket = skb->sk;
	struct segment segment = {};
	struct flow_value *flow;
	__u64 now;

	/* Of no socket: the long way tells whether it may be. */
	if (!socket || !read_segment(skb, true, &segment))
		return false;
	socket = bpf_sk_fullsock(socket);
	if (socket && (socket->family == AF_PACKET || socket->type == SOCK_RAW))
		return false;
	flow = bpf_map_lookup_elem(&flows, &segment.key);
	now = bpf_ktime_get_boot_ns();
	if (!flow || !is_under_way(flow, skb->ifindex, state_word, now) ||
	    !is_hardware_of(&segment, flow))
		return false;
	pass(skb, &segment, flow, true, now);
	return true;
}

/* To the pod. The first one may show which backend of a Service it is from. */
static __always_inline bool pass_segment_in(struct __sk_buff *skb, __u64 state_word)
{
	struct segment segment = {};
	struct flow_value *flow;
	__u64 now;

	if (!read_segment(skb, false, &segment))
		return false;
	flow = bpf_map_lookup_elem(&flows, &segment.key);
	now = bpf_ktime_get_boot_ns();
	if (!flow || !is_under_way(flow, skb->ifindex, state_word, now) || !flow->packets_in || flow->cause == CAUSE_MIXED)
		return false;
	pass(skb, &segment, flow, false, now);
	return true;
}

#endif
