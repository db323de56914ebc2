/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tcx at egress of the host side of a pod's veth: what comes in to the pod, after every translation. */
#ifndef PALISADE_RECEIVER_H
#define PALISADE_RECEIVER_H

/* A socket of this node, and of no pod with a network of its own: not what was forwarded or masqueraded. */
static __always_inline bool is_of_own_node(struct __sk_buff *skb, __u64 state_word)
{
	if (!bpf_skb_cgroup_id(skb))
		return false;
	return bpf_skb_ancestor_cgroup_id(skb, root_level) != root_cgroup || is_of_host_network(skb, state_word);
}

/*
 * Whether the sender's verdict is on this very link: nothing was translated on the way, nobody else gets it as well, and no
 * rules changed.
 */
static __always_inline bool is_same_link(const struct flow_value *sender, const struct flow_key *original,
					 const struct packet *packet, const struct veth_value *veth, __u64 state_word)
{
	return sender->cause == CAUSE_TABLE && !is_stale(sender, state_word) && has_ports(packet->key.protocol) &&
	       original->remote_port == packet->key.pod_port && same_address(original->remote, packet->destination) &&
	       same_address(packet->destination, packet->six ? veth->six : veth->four);
}

/*
 * The first packet of a flow to the pod: the receiver's end is judged by who can
 * be proven to have sent it.
 */
static __always_inline int open_in(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				   struct packet *packet, struct flow_value *known, __u64 now)
{
	struct flow_key original;
	struct flow_value *sender = NULL;
	struct flow_value *flow = clean_flow();

	if (!flow)
		return TCX_DROP;
	find_original(skb, packet, &original);
	flow->origin = FLOW_IN;
	flow->interface = skb->ifindex;
	__builtin_memcpy(flow->peer, original.pod, 16);
	__builtin_memcpy(flow->dialled, original.remote, 16);
	flow->peer_port = original.pod_port;
	flow->dialled_port = original.remote_port;
	if (is_of_own_node(skb, state_word)) {
		flow->strength = STRENGTH_OWN_NODE;
	} else {
		sender = bpf_map_lookup_elem(&flows, &original);
		if (sender && sender->origin == FLOW_OUT && sender->enforced == VERDICT_ALLOW) {
			flow->strength = STRENGTH_SAME_NODE;
			flow->container = sender->container;
			flow->program = sender->program;
			flow->socket = sender->socket;
			flow->attempt = sender->attempt;
		} else {
			flow->strength = STRENGTH_ADDRESS;
		}
	}
	/* The same try once more. */
	if (known && known->origin == FLOW_IN && !(known->closing & ~CLOSING_TOLD) && known->strength == flow->strength &&
	    known->attempt == flow->attempt && known->container == flow->container) {
		if (known->enforced != VERDICT_ALLOW && !is_stale(known, state_word) && (veth->flags & VETH_RESET) &&
		    is_syn(packet) && !(state_word & STATE_LEARNING))
			return reset(skb, packet->six);
		return pass_known(skb, state_word, veth, packet, known, false, now);
	}
	if (flow->strength == STRENGTH_ADDRESS && (state_word & STATE_RECEIVERS) && is_of_this_node(state_word, flow->peer)) {
		flow->state = state_word;
		flow->cause = CAUSE_NO_SENDER;
		flow->decision = DECISION_NONE;
	} else if (sender && flow->strength == STRENGTH_SAME_NODE &&
		   is_same_link(sender, &original, packet, veth, state_word)) {
		take_verdict(flow, sender);
	} else {
		answer(&packet->key, flow, state_word);
		if (sender && flow->strength == STRENGTH_SAME_NODE && flow->dialled_port && has_ports(packet->key.protocol) &&
		    (flow->dialled_port != packet->key.pod_port || !same_address(flow->dialled, packet->destination)))
			reached(&original, sender, packet, flow, state_word);
	}
	return start_flow(skb, state_word, veth, packet, flow, false, true, now);
}

/* Neighbours' messages are of one link: what was forwarded has lost a hop, and link-local addresses are not forwarded. */
static __always_inline bool is_of_the_link(const struct packet *packet)
{
	const __u32 *source = (const __u32 *)packet->source;

	if (packet->icmp_type >= ICMPV6_ROUTER_SOLICITATION && packet->icmp_type <= ICMPV6_REDIRECT)
		return packet->hops == 255;
	return (source[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* The size of what it writes. */
static __always_inline __u32 write_tuple(const struct packet *packet, struct bpf_sock_tuple *tuple)
{
	const __u32 *source = (const __u32 *)packet->source, *destination = (const __u32 *)packet->destination;

	__builtin_memset(tuple, 0, sizeof(*tuple));
	if (packet->six) {
		__builtin_memcpy(tuple->ipv6.saddr, source, 16);
		__builtin_memcpy(tuple->ipv6.daddr, destination, 16);
		tuple->ipv6.sport = bpf_htons(packet->key.remote_port);
		tuple->ipv6.dport = bpf_htons(packet->key.pod_port);
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = source[3];
	tuple->ipv4.daddr = destination[3];
	tuple->ipv4.sport = bpf_htons(packet->key.remote_port);
	tuple->ipv4.dport = bpf_htons(packet->key.pod_port);
	return sizeof(tuple->ipv4);
}

/*
 * The flow of a question that the pod's socket has asked and this datagram answers, when a flood has pushed it out of the
 * table: by the socket that the datagram is for, as its connect or send was judged. Nothing when it must be judged as what
 * comes in.
 * Cost: the look-up of a socket, once a flow of datagrams to the pod.
 */
static __always_inline struct flow_value *recall_question(struct __sk_buff *skb, struct packet *packet,
							   const struct veth_value *veth, __u64 state_word, __u64 now)
{
	struct flow_value *flow = clean_flow();
	struct bpf_sock_tuple tuple;
	struct bpf_sock *socket;
	bool found;

	if (!flow || veth->namespace < 0)
		return NULL;
	if (write_tuple(packet, &tuple) == sizeof(tuple.ipv6))
		socket = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), veth->namespace, 0);
	else
		socket = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), veth->namespace, 0);
	if (!socket)
		return NULL;
	found = find_record(socket, cookie_of(socket), packet, flow);
	bpf_sk_release(socket);
	if (!found || !flow->attempt || now - flow->attempt > ANSWER_FOR)
		return NULL;
	flow->origin = FLOW_OUT;
	if (is_stale(flow, state_word))
		answer(&packet->key, flow, state_word);
	/* Of a mixed Service the flow alone knows which backend was judged. */
	if (flow->enforced != VERDICT_ALLOW || flow->cause == CAUSE_MIXED)
		return NULL;
	count(COUNTER_RECALLED);
	return flow;
}

/* The state of the pod's socket that this segment is for; 0 = there is none. Its own network is asked. */
static __always_inline __u32 state_of_receiver(struct __sk_buff *skb, const struct packet *packet,
					       const struct veth_value *veth)
{
	struct bpf_sock_tuple tuple;
	struct bpf_sock *socket;
	__u32 state;

	if (write_tuple(packet, &tuple) == sizeof(tuple.ipv6))
		socket = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), veth->namespace, 0);
	else
		socket = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), veth->namespace, 0);
	if (!socket)
		return 0;
	state = socket->state;
	bpf_sk_release(socket);
	return state;
}

/* Whether the pod holds the connection that this segment says it is of. */
static __always_inline bool has_connection(struct __sk_buff *skb, const struct packet *packet,
					   const struct veth_value *veth)
{
	__u32 state;

	if (veth->namespace < 0)
		return true;
	state = state_of_receiver(skb, packet, veth);
	return state && state != TCP_LISTEN;
}

/*
 * A SYN in a connection that the pod has opened and goes on: a stranger's, who would have it ended, or the other side has
 * forgotten it. The pod's socket asks who it was (RFC 5961, section 4); to the guard it is a segment like the others.
 */
static __always_inline bool is_syn_in_connection(struct __sk_buff *skb, const struct packet *packet,
						 const struct veth_value *veth, const struct flow_value *flow)
{
	__u32 state;

	if (flow->origin != FLOW_OUT || flow->enforced != VERDICT_ALLOW || veth->namespace < 0)
		return false;
	state = state_of_receiver(skb, packet, veth);
	return state && state != TCP_LISTEN && state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

SEC("tcx/egress")
int veth_in(struct __sk_buff *skb)
{
	__u64 state_word = read_state();
	struct veth_value *veth;
	struct flow_value *flow;
	struct packet packet;
	int reason;
	__u64 now;

	if (pass_segment_in(skb, state_word))
		return TCX_NEXT;
	veth = find_veth(state_word, skb->ifindex);
	now = bpf_ktime_get_boot_ns();
	reason = read_packet(skb, &packet, 0);
	if (!reason && packet.kind == PACKET_NEIGHBOUR && !is_of_the_link(&packet))
		reason = DROP_NEIGHBOUR;
	if (!reason && (packet.kind == PACKET_ARP || packet.kind == PACKET_NEIGHBOUR))
		return TCX_NEXT;
	if (!reason && !veth) {
		if (state_word & STATE_RECORD_UNKNOWN)
			return TCX_NEXT;
		reason = DROP_UNKNOWN_POD;
	}
	if (reason || !veth)
		return drop(skb, state_word, veth, &packet, reason, FLOW_IN);
	if (packet.kind == PACKET_TOO_BIG)
		return TCX_NEXT;
	if (packet.kind == PACKET_LATER_FRAGMENT) {
		if (fragment_is_known(&packet, false, now))
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_FRAGMENT, FLOW_IN);
	}
	flow = bpf_map_lookup_elem(&flows, &packet.key);
	if (flow && is_over(&packet.key, flow, now))
		flow = NULL;
	if (packet.kind == PACKET_ERROR) {
		/* That the pod's own is refused is told in the receiver's name, and at once. */
		if (flow && (flow->enforced == VERDICT_ALLOW || (flow->origin == FLOW_OUT && now - flow->last < SECOND)))
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_UNRELATED, FLOW_IN);
	}
	if (flow && (!is_syn(&packet) || is_syn_in_connection(skb, &packet, veth, flow))) {
		if (flow->origin == FLOW_OUT && flow->cause == CAUSE_MIXED && flow->enforced == VERDICT_ALLOW &&
		    !answer_is_allowed(skb, &packet, flow, state_word))
			return drop(skb, state_word, veth, &packet, DROP_BACKEND, FLOW_IN);
		if (flow->origin == FLOW_OUT && has_ports(packet.key.protocol) && !flow->packets_in && !flow->peer_port &&
		    flow->attempt && flow->enforced == VERDICT_ALLOW)
			name_answerer(skb, &packet, flow, veth->cgroup);
		note_fragment(&packet, false, now);
		return pass_known(skb, state_word, veth, &packet, flow, false, now);
	}
	/*
	 * A stream that is under way and older than this table: it opens nothing that was not open, and the pod's own
	 * next packet tells by its socket what it is of.
	 */
	if (packet.key.protocol == IPPROTO_TCP && !is_syn(&packet)) {
		if (has_connection(skb, &packet, veth))
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_NO_CONNECTION, FLOW_IN);
	}
	if (!has_ports(packet.key.protocol) && !packet.echo_request)
		return drop(skb, state_word, veth, &packet, DROP_UNRELATED, FLOW_IN);
	if (packet.key.protocol == IPPROTO_UDP) {
		struct flow_value *question = recall_question(skb, &packet, veth, state_word, now);

		if (question)
			return start_flow(skb, state_word, veth, &packet, question, false, false, now);
	}
	return open_in(skb, state_word, veth, &packet, flow, now);
}

#endif
