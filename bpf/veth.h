/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcx on the host side of each pod's veth (since 6.6): everything that a pod
 * sends or gets by the network passes here, whatever kind of socket made it.
 *
 * Why here: a process in the pod cannot reach this side, whatever capability it
 * has there; the packet still carries the socket that sent it (plain veth), so
 * container and connect are known; and the receiver is judged after every
 * translation. Traffic inside the pod does not come by: see inside.h.
 * Cost: one lookup of the flow for each packet; for the first of a flow what a
 * connect costs. Nothing is kept here that an agent must be alive for.
 */
#ifndef PALISADE_VETH_H
#define PALISADE_VETH_H

/* Whether what the packet is of may have come in: of a stream, any but the first packet; of datagrams, what the socket read. */
static __always_inline bool may_have_come_in(struct __sk_buff *skb, struct bpf_sock *socket, const struct packet *packet)
{
	struct answer_key key = {};

	if (packet->key.protocol == IPPROTO_TCP)
		return !is_syn(packet);
	if (packet->key.protocol != IPPROTO_UDP)
		return false;
	key.socket = bpf_get_socket_cookie(skb);
	__builtin_memcpy(key.address, packet->key.remote, 16);
	key.port = packet->key.remote_port;
	return has_asked(socket, &key);
}

/*
 * The first packet that is seen of a flow from the pod. Its socket connected or
 * sent there, which the hooks judged; or it is older than they are: then it is
 * judged here, as the container and program that were found to hold it; or the
 * kernel made it without them (echo): then as its container and a program that
 * no rule names. A stream that is under way may also have come in, and so may
 * the question that a datagram answers.
 */
static __always_inline int open_out(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				    struct packet *packet, struct bpf_sock *socket, struct flow_value *known, __u64 now)
{
	struct flow_value *flow;
	bool recorded, earlier;

	if (!socket)
		return drop(skb, state_word, veth, packet, DROP_NO_SOCKET, FLOW_OUT);
	if (!has_ports(packet->key.protocol) && !packet->echo_request)
		return drop(skb, state_word, veth, packet, DROP_UNRELATED, FLOW_OUT);
	flow = clean_flow();
	if (!flow)
		return TCX_DROP;
	recorded = find_record(socket, bpf_get_socket_cookie(skb), packet, flow);
	/* Noted of a socket that is older than the hooks; it may have been accepted. */
	earlier = recorded && !flow->attempt;
	/* The same try once more: a SYN sent again. */
	if (known && recorded && known->origin == FLOW_OUT && known->attempt == flow->attempt && !known->closing)
		return pass_known(skb, state_word, veth, packet, known, true, now);
	if (packet->key.protocol == IPPROTO_TCP && !is_syn(packet))
		count(COUNTER_RECALLED);
	flow->origin = FLOW_OUT;
	flow->interface = skb->ifindex;
	if (earlier)
		answer(&packet->key, flow, state_word);
	if (!recorded || (earlier && flow->enforced != VERDICT_ALLOW)) {
		if (!recorded)
			flow->container = container_of_packet(skb, state_word);
		flow->state = 0;
		if (may_have_come_in(skb, socket, packet)) {
			flow->origin = FLOW_IN;
			flow->strength = STRENGTH_ADDRESS;
			__builtin_memcpy(flow->peer, packet->key.remote, 16);
			__builtin_memcpy(flow->dialled, packet->key.pod, 16);
			flow->peer_port = packet->key.remote_port;
			flow->dialled_port = packet->key.pod_port;
			know_sender(flow, packet->destination, packet->source, packet->key.protocol);
			answer(&packet->key, flow, state_word);
			/*
			 * It came from a pod of this node, by the word of a flow that the table has no more: that pod's
			 * own veth knows, by the socket there, whether the answer may come.
			 */
			if (flow->enforced != VERDICT_ALLOW && !recorded &&
			    is_of_this_node(state_word, packet->destination))
				return TCX_NEXT;
			if (flow->enforced != VERDICT_ALLOW) {
				flow->origin = FLOW_OUT;
				flow->strength = STRENGTH_NONE;
				flow->program.inode = 0;
				if (!earlier || !find_record(socket, bpf_get_socket_cookie(skb), packet, flow))
					flow->container = container_of_packet(skb, state_word);
				flow->state = 0;
			}
		}
	}
	if (flow->origin == FLOW_OUT && is_stale(flow, state_word))
		answer(&packet->key, flow, state_word);
	return start_flow(skb, state_word, veth, packet, flow, true,
			  !recorded || earlier || flow->enforced != VERDICT_ALLOW, now);
}

/* A port is anybody's once its socket is closed, and the exchange that it had there is over. */
static __always_inline bool is_of_another_socket(struct __sk_buff *skb, const struct bpf_sock *socket,
						 const struct packet *packet, const struct flow_value *flow)
{
	return socket && packet->key.protocol == IPPROTO_UDP && flow->origin == FLOW_OUT && flow->socket &&
	       flow->socket != bpf_get_socket_cookie(skb);
}

static __always_inline void tell_end(const struct flow_key *key, const struct flow_value *flow, __u64 state_word)
{
	struct veth_value *veth = find_veth(state_word, flow->interface);

	if (flow->enforced == VERDICT_ALLOW)
		tell_flow(key, flow, veth ? veth->cgroup : 0, PHASE_END, 0, bpf_ktime_get_boot_ns());
}

/* Ends an exchange from the pod, and what the veth of its receiver, a pod of this node, has of it. */
__noinline int end_exchange(struct flow_key *key, struct flow_value *flow, __u64 state_word)
{
	struct flow_value *received;
	struct flow_key other = {};

	if (!key || !flow)
		return 0;
	tell_end(key, flow, state_word);
	if (!flow->packets_in)
		give_share(flow->interface);
	__builtin_memcpy(other.pod, flow->peer_port ? flow->peer : key->remote, 16);
	__builtin_memcpy(other.remote, key->pod, 16);
	other.pod_port = flow->peer_port ? flow->peer_port : key->remote_port;
	other.remote_port = key->pod_port;
	other.protocol = key->protocol;
	received = bpf_map_lookup_elem(&flows, &other);
	if (received && received->origin == FLOW_IN && received->socket == flow->socket) {
		tell_end(&other, received, state_word);
		bpf_map_delete_elem(&flows, &other);
	}
	bpf_map_delete_elem(&flows, key);
	return 0;
}

/*
 * A packet without a socket is of no program of the pod: somebody there forwards, or a packet socket's frame was taken
 * apart on its way, of which the pieces have none (skb_segment). What a SYN is answered while there are too many of them
 * has none either, nor has the reset that reset() makes.
 */
static __always_inline bool may_have_no_socket(const struct packet *packet, const struct flow_value *flow)
{
	return packet->key.protocol == IPPROTO_TCP && flow->origin == FLOW_IN;
}

/*
 * The kernel answers (by a reset, an error, an echo's reply) what has just come in. A packet socket makes it answer what did
 * not, by a frame on the pod's loopback, with bytes of its choice.
 */
static __always_inline bool may_be_answered(const struct flow_value *flow, __u64 now)
{
	return (flow->origin == FLOW_IN ? flow->packets_in : flow->packets_out) && (__s64)(now - flow->last) < (__s64)SECOND;
}

SEC("tcx/ingress")
int veth_out(struct __sk_buff *skb)
{
	__u64 state_word = read_state();
	struct bpf_sock *socket = skb->sk;
	bool is_kernels = false, is_remnant = false;
	struct veth_value *veth;
	struct flow_value *flow;
	struct packet packet;
	int reason;
	__u64 now;

	if (pass_segment_out(skb, state_word))
		return TCX_NEXT;
	veth = find_veth(state_word, skb->ifindex);
	now = bpf_ktime_get_boot_ns();
	reason = read_packet(skb, &packet, 1);
	if (!reason && !veth) {
		if (packet.kind == PACKET_ARP || packet.kind == PACKET_NEIGHBOUR || (state_word & STATE_RECORD_UNKNOWN))
			return TCX_NEXT;
		reason = DROP_UNKNOWN_POD;
	}
	if (!reason)
		reason = check_sender(skb, &packet, veth);
	if (reason || !veth)
		return drop(skb, state_word, veth, &packet, reason, FLOW_OUT);
	if (socket) {
		socket = bpf_sk_fullsock(socket);
		/* Of a connection in TIME-WAIT, or of one that begins: less than a socket, and no process has it. */
		is_remnant = !socket;
	}
	if (socket && socket->family == AF_PACKET)
		return drop(skb, state_word, veth, &packet, DROP_RAW_SOCKET, FLOW_OUT);
	/* The kernel answers (resets, echoes, errors) by raw sockets of its own, which lie in no pod's cgroup. */
	if (socket && socket->type == SOCK_RAW && bpf_skb_ancestor_cgroup_id(skb, root_level) != root_cgroup) {
		is_kernels = true;
		socket = NULL;
	}
	if (socket && socket->type == SOCK_RAW && !packet.echo_request)
		return drop(skb, state_word, veth, &packet, DROP_RAW_SOCKET, FLOW_OUT);
	if (packet.kind == PACKET_ARP || packet.kind == PACKET_NEIGHBOUR)
		return TCX_NEXT;
	/* Judged as the pod's own; outside it is the node's. */
	if (is_loopback(packet.destination))
		return drop(skb, state_word, veth, &packet, DROP_DESTINATION, FLOW_OUT);
	if (packet.kind == PACKET_LATER_FRAGMENT) {
		if (!skb->sk)
			return drop(skb, state_word, veth, &packet, DROP_NO_SOCKET, FLOW_OUT);
		if (fragment_is_known(&packet, true, now))
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_FRAGMENT, FLOW_OUT);
	}
	flow = bpf_map_lookup_elem(&flows, &packet.key);
	if (flow && is_over(&packet.key, flow, now))
		flow = NULL;
	if (flow && is_of_another_socket(skb, socket, &packet, flow)) {
		end_exchange(&packet.key, flow, state_word);
		flow = NULL;
	}
	/* An id is anybody's choice: an echo is of the container that sent it. */
	if (flow && packet.echo_request && flow->origin == FLOW_OUT &&
	    flow->container != container_of_packet(skb, state_word))
		flow = NULL;
	if (flow && is_kernels && !may_be_answered(flow, now))
		flow = NULL;
	if (packet.kind == PACKET_ERROR || packet.kind == PACKET_TOO_BIG) {
		/* Of no socket of the pod: that a datagram to it is refused, as its own veth has just said. */
		if (flow && (flow->enforced == VERDICT_ALLOW ||
			     (flow->origin == FLOW_IN && !skb->sk && now - flow->last < SECOND)))
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_UNRELATED, FLOW_OUT);
	}
	if (flow && !skb->sk && !may_have_no_socket(&packet, flow))
		return drop(skb, state_word, veth, &packet, DROP_NO_SOCKET, FLOW_OUT);
	if (flow && !is_syn(&packet)) {
		__builtin_memcpy(flow->hardware, packet.hardware, 6);
		note_fragment(&packet, true, now);
		return pass_known(skb, state_word, veth, &packet, flow, true, now);
	}
	/*
	 * Its last words for a connection that is older than the table: an acknowledgement or a reset, which opens nothing.
	 * But a reset of no socket at all answers what was of no connection, and its numbers are whatever a packet socket
	 * put on the pod's loopback. And what answers a SYN that did not come by here opens one.
	 */
	if ((is_remnant || (is_kernels && !(packet.tcp_flags & TCP_RST))) && packet.key.protocol == IPPROTO_TCP &&
	    !(packet.tcp_flags & TCP_SYN))
		return TCX_NEXT;
	return open_out(skb, state_word, veth, &packet, socket, flow, now);
}

#endif
