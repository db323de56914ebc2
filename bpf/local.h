/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Netfilter's input hook in the node's own network (BPF programs since 6.4).
 *
 * Why here: what a pod sends to a Service's backend with the node's own network
 * has been translated by now, and passes no link again; before a socket gets it,
 * the kernel lets go of its connection tracking.
 * And a pod that came while no agent lived has no program at its own veth.
 * Cost: one lookup by the interface that the packet came in by, and what
 * pass_to_backend costs. It can drop and not answer: the agent ends a stream's
 * socket, a datagram is met with silence.
 */
#ifndef PALISADE_LOCAL_H
#define PALISADE_LOCAL_H

#define NF_DROP 0
#define NF_ACCEPT 1

static __always_inline bool is_reply(const struct sk_buff *buffer)
{
	__u8 info = buffer->_nfct & ~NFCT_POINTER;

	return info == IP_CT_ESTABLISHED_REPLY || info == IP_CT_RELATED_REPLY;
}

/*
 * By a veth that nobody told of: a pod's that came while no agent lives, and what it says is no neighbour's message, nor an
 * answer to the node, whose probes must not restart what is only new. Any other new link may be the node's own.
 */
static __always_inline bool is_of_unknown_pod(const struct sk_buff *buffer, __u64 state_word)
{
	struct net_device *device = buffer->dev;
	char kind[8] = {};
	__u8 next = 0;

	if (!device || (state_word & STATE_RECORD_UNKNOWN) || is_reply(buffer) ||
	    find_veth(state_word, BPF_CORE_READ(device, ifindex)))
		return false;
	bpf_probe_read_kernel_str(kind, sizeof(kind), BPF_CORE_READ(device, rtnl_link_ops, kind));
	if (kind[0] != 'v' || kind[1] != 'e' || kind[2] != 't' || kind[3] != 'h' || kind[4])
		return false;
	if (buffer->protocol == bpf_htons(ETHERTYPE_IPV6))
		bpf_probe_read_kernel(&next, sizeof(next),
				      buffer->head + buffer->network_header + offsetof(struct ipv6_header, next));
	return next != IPPROTO_ICMPV6;
}

SEC("netfilter")
int node_in(struct bpf_nf_ctx *ctx)
{
	__u64 state_word = read_state();
	struct nf_conn *track = NULL;

	if (!revision_of(state_word))
		return NF_ACCEPT;
	if (is_of_unknown_pod(ctx->skb, state_word)) {
		if (state_word & STATE_LEARNING)
			return NF_ACCEPT;
		count(COUNTER_DROPPED + DROP_UNKNOWN_POD);
		return NF_DROP;
	}
	if (bpf_core_type_exists(struct nf_conn))
		track = (struct nf_conn *)(ctx->skb->_nfct & NFCT_POINTER);
	if (!track || pass_to_backend(track, state_word) || (state_word & STATE_LEARNING))
		return NF_ACCEPT;
	count(COUNTER_DROPPED + DROP_REFUSED);
	return NF_DROP;
}

#endif
