/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup_skb/egress and ingress (since 4.10) at the pods' root cgroup: packets
 * that never leave their pod, and what a pod's sockets receive.
 *
 * Why here: a pod's loopback passes no program on the node. The sender's socket
 * is known on the way out, the receiver's on the way in; what a packet socket
 * puts on the loopback passes the latter alone, and is told by the route that
 * it has not. And only here it is known which socket a packet for a declared
 * port goes to, however that came by the port.
 * Cost: two short runs for each packet; a lookup in the socket's storage for
 * one on the loopback, and for a datagram.
 */
#ifndef PALISADE_INSIDE_H
#define PALISADE_INSIDE_H

#define LOOPBACK 1 /* its index in every network namespace */
#define PASS_PACKET 1
#define DROP_PACKET 0

/* What a program that sees packets from their IP header on reads of one. */
struct inside_packet {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 six;
	__u8 syn; /* of TCP: opens a connection */
	__u8 reset;
	__u8 echo_request;
};

static __always_inline bool read_inside(struct __sk_buff *skb, struct inside_packet *packet)
{
	struct tcp_header tcp;
	__u16 ports[2];
	__u32 at;

	__builtin_memset(packet, 0, sizeof(*packet));
	packet->six = skb->protocol == bpf_htons(ETHERTYPE_IPV6);
	if (packet->six) {
		struct ipv6_header six;

		if (bpf_skb_load_bytes(skb, 0, &six, sizeof(six)))
			return false;
		__builtin_memcpy(packet->source, six.source, 16);
		__builtin_memcpy(packet->destination, six.destination, 16);
		packet->protocol = six.next;
		at = IPV6_BYTES;
	} else {
		struct ipv4_header four;

		if (bpf_skb_load_bytes(skb, 0, &four, sizeof(four)) || four.version_length < 0x45)
			return false;
		write_ipv4(packet->source, four.source);
		write_ipv4(packet->destination, four.destination);
		packet->protocol = four.protocol;
		at = (four.version_length & 15) * 4;
		/* Later fragments have no ports; a receiving socket gets the whole. */
		if (four.fragment & bpf_htons(0x1fff))
			return true;
	}
	if (packet->protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
			return false;
		packet->syn = (tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
		packet->reset = !!(tcp.flags & TCP_RST);
	} else if (!has_ports(packet->protocol)) {
		__u8 type = 0;

		if (bpf_skb_load_bytes(skb, at, &type, sizeof(type)))
			return false;
		packet->echo_request = type == (packet->six ? ICMPV6_ECHO : ICMP_ECHO);
		return true;
	}
	if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
		return packet->protocol != IPPROTO_UDP;
	packet->source_port = bpf_ntohs(ports[0]);
	packet->destination_port = bpf_ntohs(ports[1]);
	return true;
}

static __noinline int drop_inside(struct __sk_buff *skb, __u64 state_word, const struct inside_packet *read,
				       __u32 reason, __u8 origin)
{
	struct packet packet = {};

	if (state_word & STATE_LEARNING)
		return PASS_PACKET;
	__builtin_memcpy(packet.source, read->source, 16);
	__builtin_memcpy(packet.destination, read->destination, 16);
	packet.key.protocol = read->protocol;
	packet.key.pod_port = origin == FLOW_OUT ? read->source_port : read->destination_port;
	packet.key.remote_port = origin == FLOW_OUT ? read->destination_port : read->source_port;
	drop(skb, state_word, NULL, &packet, reason, origin);
	return DROP_PACKET;
}

/* Out */

static __always_inline bool is_record_stale(const struct connect_record *record, __u64 state_word)
{
	return record->cause != CAUSE_HOST_NETWORK &&
	       (record->state != state_word || (record->expires && bpf_ktime_get_tai_ns() >= record->expires));
}

/* Judges the record of a connection inside the pod again. True when its verdict is another. */
static __always_inline bool judge_record(struct connect_record *record, __u64 state_word)
{
	struct question question = {};
	__u8 before;

	before = record->enforced;
	count(COUNTER_REJUDGED);
	question.state = state_word;
	question.container = record->container;
	question.program = record->program;
	__builtin_memcpy(question.target.address, record->address, 16);
	question.target.port = record->port;
	question.target.protocol = record->protocol;
	judge_sender(&question);
	COPY_VERDICT(record, &question.judgement);
	record->class = question.class;
	record->state = state_word;
	return record->enforced != before;
}

/* Tells of another verdict, from the socket's own end. */
static __always_inline void tell_inside(const struct connect_record *record, const __u8 *local, __u16 local_port,
					__u64 state_word)
{
	struct flow_event *event = RESERVE(struct flow_event);
	__u64 now;

	if (!event)
		return;
	now = bpf_ktime_get_boot_ns();
	__builtin_memset(event, 0, sizeof(*event));
	start_event(&event->header, EVENT_FLOW, now);
	event->pod = record->container;
	event->phase = PHASE_CHANGED;
	__builtin_memcpy(event->key.pod, local, 16);
	__builtin_memcpy(event->key.remote, record->address, 16);
	event->key.pod_port = local_port;
	event->key.remote_port = record->port;
	event->key.protocol = record->protocol;
	event->flow.state = state_word;
	event->flow.first = record->attempt;
	event->flow.last = now;
	event->flow.container = record->container;
	event->flow.socket = record->socket;
	event->flow.attempt = record->attempt;
	event->flow.program = record->program;
	event->flow.interface = LOOPBACK;
	event->flow.origin = FLOW_OUT;
	COPY_VERDICT(&event->flow, record);
	SUBMIT(event);
}

/* On a packet of a connection inside the pod. */
static __always_inline void rejudge_inside(struct bpf_sock *socket, struct connect_record *record, __u64 state_word)
{
	__u32 local[4], four;

	if (!judge_record(record, state_word))
		return;
	/* Read in any case: the verifier allows no address that is of one field or of another. */
	four = socket->src_ip4;
	asm volatile("" : "+r"(four));
	local[0] = socket->src_ip6[0];
	local[1] = socket->src_ip6[1];
	local[2] = socket->src_ip6[2];
	local[3] = socket->src_ip6[3];
	if (socket->family == AF_INET)
		write_ipv4((__u8 *)local, four);
	tell_inside(record, (__u8 *)local, socket->src_port, state_word);
}

/* What has no connect that was judged: raw sockets, and echoes of any. */
static __always_inline int judge_raw(struct __sk_buff *skb, __u64 state_word, const struct inside_packet *packet)
{
	struct question question = {};

	if (is_of_host_network(skb, state_word))
		return PASS_PACKET;
	if (!packet->echo_request)
		return drop_inside(skb, state_word, packet, DROP_RAW_SOCKET, FLOW_OUT);
	question.container = container_of_packet(skb, state_word);
	question.state = state_word;
	question.target.protocol = PROTOCOL_PORTLESS;
	__builtin_memcpy(question.target.address, packet->destination, 16);
	judge_sender(&question);
	if (question.judgement.enforced == VERDICT_ALLOW)
		return PASS_PACKET;
	return drop_inside(skb, state_word, packet, DROP_REFUSED, FLOW_OUT);
}

static __always_inline bool is_to(const struct connect_record *record, const __u8 *address)
{
	return same_address(record->address, address) || (is_loopback(record->address) && is_loopback(address));
}

SEC("cgroup_skb/egress")
int inside_out(struct __sk_buff *skb)
{
	struct connect_record *record;
	struct inside_packet packet;
	struct bpf_sock *socket;
	__u64 state_word;

	if (skb->ifindex != LOOPBACK || !skb->sk)
		return PASS_PACKET;
	socket = bpf_sk_fullsock(skb->sk);
	if (!socket)
		return PASS_PACKET;
	state_word = read_state();
	if (!revision_of(state_word))
		return PASS_PACKET;
	if (socket->protocol == IPPROTO_SCTP)
		return PASS_PACKET;
	if (socket->type == SOCK_RAW || (socket->protocol != IPPROTO_TCP && socket->protocol != IPPROTO_UDP)) {
		if (!read_inside(skb, &packet))
			return drop_inside(skb, state_word, &packet, DROP_UNREADABLE, FLOW_OUT);
		return judge_raw(skb, state_word, &packet);
	}
	record = bpf_sk_storage_get(&connects, socket, NULL, 0);
	if (record) {
		if (is_record_stale(record, state_word))
			rejudge_inside(socket, record, state_word);
		/* The reset that ends a refused connection is all that passes of it. */
		if (record->enforced != VERDICT_ALLOW && read_inside(skb, &packet) &&
		    is_to(record, packet.destination) && !packet.reset)
			return drop_inside(skb, state_word, &packet, DROP_REFUSED, FLOW_OUT);
	}
	return PASS_PACKET;
}

/* In */

/* False when the port is another container's: however this socket came by it. */
static __always_inline bool owns_port(struct __sk_buff *skb, const struct bpf_sock *socket, __u64 state_word)
{
	struct container_value *container = NULL;
	struct listener_value *owner;
	struct listener_key key = {};
	void *table = LIVE(containers, slot_of(state_word));
	__u64 id = 0;

	for (int depth = DEPTH_BELOW_ROOT; table && !container && depth > 0; depth--) {
		id = bpf_skb_ancestor_cgroup_id(skb, root_level + depth);
		container = id ? bpf_map_lookup_elem(table, &id) : NULL;
	}
	if (!container || (container->flags & CONTAINER_HOST_NETWORK))
		return true;
	key.subject = container->subject;
	key.port = socket->src_port;
	key.protocol = socket->protocol;
	table = LIVE(listeners, slot_of(state_word));
	owner = table ? bpf_map_lookup_elem(table, &key) : NULL;
	return !owner || owner->container == id;
}

/* The same for each datagram: remembered until the rules or the port change. */
static __always_inline bool owns_datagram_port(struct __sk_buff *skb, struct bpf_sock *socket, __u64 state_word)
{
	struct owned_port *known = bpf_sk_storage_get(&owned, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!known) {
		count(COUNTER_NO_STORAGE);
		return owns_port(skb, socket, state_word);
	}
	if (known->state != state_word || known->port != socket->src_port) {
		known->owns = owns_port(skb, socket, state_word);
		known->port = socket->src_port;
		known->state = state_word;
	}
	return known->owns;
}

/*
 * What a socket sends by the loopback was routed on its way out, which is when the socket was judged, and arrives holding
 * that route (loopback_xmit). What a packet socket puts there has none: it is routed on its way in, and does not hold
 * that, nor what it is lent of the socket that it is for (tcp_v4_early_demux); a new route of IPv4, which it does hold,
 * is told by its kind.
 */
static __always_inline bool was_routed_out(struct __sk_buff *skb)
{
	struct sk_buff *buffer = bpf_cast_to_kern_ctx(skb);
	unsigned long route = buffer->_skb_refdst;

	if (!route || (route & SKB_DST_NOREF))
		return false;
	return skb->protocol == bpf_htons(ETHERTYPE_IPV6) || !BPF_CORE_READ((struct rtable *)route, rt_is_input);
}

SEC("cgroup_skb/ingress")
int inside_in(struct __sk_buff *skb)
{
	bool by_loopback = skb->ifindex == LOOPBACK;
	struct connect_record *record;
	struct inside_packet packet;
	struct bpf_sock *socket;
	bool datagram, listens;
	__u64 state_word;

	if (!skb->sk)
		return PASS_PACKET;
	socket = bpf_sk_fullsock(skb->sk);
	if (!socket || (socket->protocol != IPPROTO_TCP && socket->protocol != IPPROTO_UDP) || socket->type == SOCK_RAW)
		return PASS_PACKET;
	datagram = socket->protocol == IPPROTO_UDP;
	listens = datagram || socket->state == TCP_LISTEN;
	if (!listens && !by_loopback)
		return PASS_PACKET;
	state_word = read_state();
	if (!revision_of(state_word))
		return PASS_PACKET;
	if (by_loopback && !was_routed_out(skb) && !is_of_host_network(skb, state_word)) {
		bool readable = read_inside(skb, &packet);

		return drop_inside(skb, state_word, &packet, readable ? DROP_NO_SOCKET : DROP_UNREADABLE, FLOW_IN);
	}
	if (listens && !(datagram && owns_datagram_port(skb, socket, state_word))) {
		if (!read_inside(skb, &packet))
			return drop_inside(skb, state_word, &packet, DROP_UNREADABLE, FLOW_IN);
		/* What follows a SYN that passed. */
		if (!datagram && !packet.syn)
			return PASS_PACKET;
		if (datagram || !owns_port(skb, socket, state_word))
			return drop_inside(skb, state_word, &packet, DROP_PORT_OWNER, FLOW_IN);
	}
	if (!by_loopback)
		return PASS_PACKET;
	/* Of a connection that is refused nothing comes back either. */
	record = bpf_sk_storage_get(&connects, socket, NULL, 0);
	if (!record || record->enforced == VERDICT_ALLOW || !read_inside(skb, &packet) || packet.reset ||
	    !is_to(record, packet.source))
		return PASS_PACKET;
	return drop_inside(skb, state_word, &packet, DROP_REFUSED, FLOW_IN);
}

/* Without a packet */

/*
 * iter/task_file, run by the agent after each new revision, and now and then while
 * rules end: connections inside a pod that no packet passes on are judged as well.
 */
SEC("iter/task_file")
int idle_inside(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct earlier_socket seen = {};
	__u64 state_word = read_state();
	struct connect_record *record;
	struct caller holder;
	struct socket *socket;
	struct cgroup *group;
	struct sock *sock;

	if (!task || !file || !revision_of(state_word))
		return 0;
	group = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	if (!group)
		return 0;
	find_socket_container(state_word, group, &holder);
	if (!holder.container)
		return 0;
	socket = bpf_sock_from_file(file);
	sock = socket ? socket->sk : NULL;
	if (!sock || !read_ends(sock, &seen) || !seen.remote_port)
		return 0;
	record = bpf_sk_storage_get(&connects, sock, NULL, 0);
	/* What leaves the pod is a flow at its veth. */
	if (!record || !is_record_stale(record, state_word) ||
	    !(is_loopback(record->address) || same_address(seen.local, seen.remote)))
		return 0;
	if (judge_record(record, state_word))
		tell_inside(record, seen.local, seen.local_port, state_word);
	return 0;
}

#endif
