/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup/post_bind4, post_bind6 (since 4.17): after the port is taken, so the
 * number is known even for port 0, and before anything can arrive on it.
 *
 * A port that a container's spec declares belongs to that container, also while
 * nobody listens; a second container of the pod that binds it (SO_REUSEPORT
 * would give it half of the connections) is refused.
 */
#ifndef PALISADE_BIND_H
#define PALISADE_BIND_H

static __always_inline int on_bind(struct bpf_sock *ctx, bool six)
{
	struct listener_key key = {};
	struct listener_value *owner;
	struct flow flow = {};
	__u32 *words = (__u32 *)flow.target.address;
	void *table;

	count(COUNTER_BINDS);
	flow.state = read_state();
	find_caller(flow.state, &flow.caller);
	if (!flow.caller.container || (flow.caller.value.flags & CONTAINER_HOST_NETWORK))
		return PASS; /* what an unknown one sends is refused; what it hears is the receiver's matter */
	table = LIVE(listeners, slot_of(flow.state));
	if (!table)
		return PASS;
	key.subject = flow.caller.value.subject;
	key.port = ctx->src_port;
	key.protocol = ctx->protocol == IPPROTO_MPTCP_NUMBER ? IPPROTO_TCP : ctx->protocol;
	owner = bpf_map_lookup_elem(table, &key);
	if (!owner || owner->container == flow.caller.container)
		return PASS;
	if (six) {
		words[0] = ctx->src_ip6[0];
		words[1] = ctx->src_ip6[1];
		words[2] = ctx->src_ip6[2];
		words[3] = ctx->src_ip6[3];
	} else {
		words[2] = bpf_htonl(0xffff);
		words[3] = ctx->src_ip4;
	}
	flow.target.port = key.port;
	flow.target.protocol = key.protocol;
	flow.now = bpf_ktime_get_boot_ns();
	flow.socket = bpf_get_socket_cookie(ctx);
	flow.network = bpf_get_netns_cookie(ctx);
	read_program(&flow.program, &flow.program_flags);
	check_start(&flow.program, &flow.program_flags);
	flow.class = class_of(flow.state, &flow.caller, &flow.program, &flow.program_flags);
	flow.judgement.enforced = VERDICT_DENY;
	flow.judgement.would = VERDICT_DENY;
	flow.judgement.cause = CAUSE_PORT_OWNER;
	flow.judgement.decision = DECISION_NONE;
	flow.judgement.destination = DESTINATION_SELF;
	report(&flow, HOOK_BIND);
	return verdict(&flow);
}

SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *ctx)
{
	return on_bind(ctx, false);
}

SEC("cgroup/post_bind6")
int post_bind6(struct bpf_sock *ctx)
{
	return on_bind(ctx, true);
}

#endif
