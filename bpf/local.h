/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Netfilter's input hook in the node's own network (BPF programs since 6.4).
 *
 * Why here: what a pod sends to a Service's backend with the node's own network
 * has been translated by now, and passes no link again; before a socket gets it,
 * the kernel lets go of its connection tracking.
 * Cost: what pass_to_backend costs. It can drop and not answer: the agent ends
 * a stream's socket, a datagram is met with silence.
 */
#ifndef PALISADE_LOCAL_H
#define PALISADE_LOCAL_H

#define NF_DROP 0
#define NF_ACCEPT 1

SEC("netfilter")
int node_in(struct bpf_nf_ctx *ctx)
{
	__u64 state_word = read_state();
	struct nf_conn *track = NULL;

	if (revision_of(state_word) && bpf_core_type_exists(struct nf_conn))
		track = (struct nf_conn *)(ctx->skb->_nfct & NFCT_POINTER);
	if (!track || pass_to_backend(track, state_word) || (state_word & STATE_LEARNING))
		return NF_ACCEPT;
	count(COUNTER_DROPPED + DROP_REFUSED);
	return NF_DROP;
}

#endif
