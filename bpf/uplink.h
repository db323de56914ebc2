/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcx at egress of the links by which a node's packets leave it (since 6.6).
 *
 * Why here: what a pod sends to a Service's backend on another node has been
 * translated by now, and its sender's flow, with container and program, is on
 * this node. And a pod that came while no agent lived has no program at its own
 * veth, but its packets come by here.
 * Cost: one lookup by the interface that the packet came in by, and what
 * pass_to_backend costs.
 */
#ifndef PALISADE_UPLINK_H
#define PALISADE_UPLINK_H

static __always_inline int refuse_at_uplink(struct __sk_buff *skb, __u64 state_word, __u32 reason)
{
	struct veth_value *link = find_veth(state_word, skb->ifindex);
	struct packet packet;

	if (state_word & STATE_LEARNING)
		return TCX_NEXT;
	if (!link || !(link->flags & LINK_ETHERNET)) {
		__builtin_memset(&packet, 0, sizeof(packet));
		return drop(skb, state_word, NULL, &packet, reason, FLOW_OUT);
	}
	if (read_packet(skb, &packet, 1) || reason != DROP_REFUSED)
		return drop(skb, state_word, NULL, &packet, reason, FLOW_OUT);
	/* The reset that ends a refused connection is all that passes of it. */
	if (packet.key.protocol == IPPROTO_TCP && (packet.tcp_flags & TCP_RST))
		return TCX_NEXT;
	count(COUNTER_DROPPED + DROP_REFUSED);
	if (is_syn(&packet))
		return reset(skb, packet.six);
	if (packet.key.protocol == IPPROTO_UDP && !packet.first_fragment && packet.kind == PACKET_FLOW)
		return unreachable(skb, packet.six);
	return TCX_DROP;
}

SEC("tcx/egress")
int uplink_out(struct __sk_buff *skb)
{
	__u64 state_word = read_state();
	__u32 from = skb->ingress_ifindex;
	struct nf_conn *track;

	/* Forwarded from a link that nobody told of: a pod's that came while no agent lives. */
	if (from && !(state_word & STATE_RECORD_UNKNOWN) && !find_veth(state_word, from))
		return refuse_at_uplink(skb, state_word, DROP_UNKNOWN_POD);
	if (!from && !(state_word & STATE_MIXED))
		return TCX_NEXT;
	track = find_track(skb);
	if (!track || pass_to_backend(track, state_word))
		return TCX_NEXT;
	return refuse_at_uplink(skb, state_word, DROP_REFUSED);
}

#endif
