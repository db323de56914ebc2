/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup_skb/egress and ingress (since 4.10) at the pods' root cgroup: packets
 * that never leave their pod, and what a pod's sockets receive.
 *
 * Why here: a pod's loopback passes no program on the node. The sender's socket
 * is known on the way out, the receiver's on the way in; what a packet socket
 * puts on the loopback passes the latter alone, and is told by the mark that
 * is missing. And only here it is known which socket a packet for a declared
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
	struct inside_key key;
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
		__builtin_memcpy(packet->key.source, six.source, 16);
		__builtin_memcpy(packet->key.destination, six.destination, 16);
		packet->key.protocol = six.next;
		at = IPV6_BYTES;
	} else {
		struct ipv4_header four;

		if (bpf_skb_load_bytes(skb, 0, &four, sizeof(four)) || four.version_length < 0x45)
			return false;
		write_ipv4(packet->key.source, four.source);
		write_ipv4(packet->key.destination, four.destination);
		packet->key.protocol = four.protocol;
		at = (four.version_length & 15) * 4;
		/* Later fragments have no ports; a receiving socket gets the whole. */
		if (four.fragment & bpf_htons(0x1fff))
			return true;
	}
	if (packet->key.protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
			return false;
		packet->syn = (tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
		packet->reset = !!(tcp.flags & TCP_RST);
	} else if (!has_ports(packet->key.protocol)) {
		__u8 type = 0;

		if (bpf_skb_load_bytes(skb, at, &type, sizeof(type)))
			return false;
		packet->echo_request = type == (packet->six ? ICMPV6_ECHO : ICMP_ECHO);
		return true;
	}
	if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
		return packet->key.protocol != IPPROTO_UDP;
	packet->key.source_port = bpf_ntohs(ports[0]);
	packet->key.destination_port = bpf_ntohs(ports[1]);
	return true;
}

static __noinline int drop_inside(struct __sk_buff *skb, __u64 state_word, const struct inside_packet *read,
				       __u32 reason, __u8 origin)
{
	struct packet packet = {};

	if (state_word & STATE_LEARNING)
		return PASS_PACKET;
	__builtin_memcpy(packet.source, read->key.source, 16);
	__builtin_memcpy(packet.destination, read->key.destination, 16);
	packet.key.protocol = read->key.protocol;
	packet.key.pod_port = origin == FLOW_OUT ? read->key.source_port : read->key.destination_port;
	packet.key.remote_port = origin == FLOW_OUT ? read->key.destination_port : read->key.source_port;
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
	struct container_value *container;
	struct question question = {};
	void *table = LIVE(containers, slot_of(state_word));

	question.container = container_of_packet(skb, state_word);
	container = table && question.container ? bpf_map_lookup_elem(table, &question.container) : NULL;
	if (container && (container->flags & CONTAINER_HOST_NETWORK))
		return PASS_PACKET;
	if (!packet->echo_request)
		return drop_inside(skb, state_word, packet, DROP_RAW_SOCKET, FLOW_OUT);
	question.state = state_word;
	question.target.protocol = PROTOCOL_PORTLESS;
	__builtin_memcpy(question.target.address, packet->key.destination, 16);
	judge_sender(&question);
	if (question.judgement.enforced == VERDICT_ALLOW)
		return PASS_PACKET;
	return drop_inside(skb, state_word, packet, DROP_REFUSED, FLOW_OUT);
}

/* A datagram that comes in by the loopback was sent by a socket, which its send was judged for. */
static __always_inline void mark(struct inside_key *key, const struct bpf_sock *socket)
{
	__u64 now;

	key->network = network_of(socket);
	if (bpf_map_lookup_elem(&inside, key))
		return;
	now = bpf_ktime_get_boot_ns();
	if (bpf_map_update_elem(&inside, key, &now, BPF_ANY))
		count(COUNTER_MAP_FULL);
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
		    is_to(record, packet.key.destination) && !packet.reset)
			return drop_inside(skb, state_word, &packet, DROP_REFUSED, FLOW_OUT);
	}
	if (socket->protocol == IPPROTO_UDP && read_inside(skb, &packet))
		mark(&packet.key, socket);
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
 * By the loopback: somebody's socket connects there, and that was judged; a packet socket's SYN has none. A datagram
 * without a mark may be of a process of the node that came into the pod's network, as for a port-forward.
 */
static __always_inline bool has_sender(struct __sk_buff *skb, const struct inside_packet *packet)
{
	const __u32 *source = (const __u32 *)packet->key.source, *destination = (const __u32 *)packet->key.destination;
	struct bpf_sock_tuple tuple = {};
	__u32 length = packet->six ? sizeof(tuple.ipv6) : sizeof(tuple.ipv4);
	struct bpf_sock *socket;
	bool judged;

	/* Who sends there is who would receive from there. */
	if (packet->six) {
		__builtin_memcpy(tuple.ipv6.saddr, destination, 16);
		__builtin_memcpy(tuple.ipv6.daddr, source, 16);
		tuple.ipv6.sport = bpf_htons(packet->key.destination_port);
		tuple.ipv6.dport = bpf_htons(packet->key.source_port);
	} else {
		tuple.ipv4.saddr = destination[3];
		tuple.ipv4.daddr = source[3];
		tuple.ipv4.sport = bpf_htons(packet->key.destination_port);
		tuple.ipv4.dport = bpf_htons(packet->key.source_port);
	}
	if (packet->key.protocol == IPPROTO_TCP) {
		socket = bpf_sk_lookup_tcp(skb, &tuple, length, BPF_F_CURRENT_NETNS, 0);
		if (!socket)
			return false;
		judged = socket->state == TCP_SYN_SENT;
	} else {
		socket = bpf_sk_lookup_udp(skb, &tuple, length, BPF_F_CURRENT_NETNS, 0);
		if (!socket)
			return false;
		judged = bpf_sk_ancestor_cgroup_id(socket, root_level) != root_cgroup;
	}
	bpf_sk_release(socket);
	return judged;
}

SEC("cgroup_skb/ingress")
int inside_in(struct __sk_buff *skb)
{
	struct connect_record *record;
	struct inside_packet packet;
	struct bpf_sock *socket;
	__u64 state_word;
	bool listens, owns;

	if (!skb->sk)
		return PASS_PACKET;
	socket = bpf_sk_fullsock(skb->sk);
	if (!socket || (socket->protocol != IPPROTO_TCP && socket->protocol != IPPROTO_UDP) || socket->type == SOCK_RAW)
		return PASS_PACKET;
	listens = socket->protocol == IPPROTO_UDP || socket->state == TCP_LISTEN;
	if (!listens && skb->ifindex != LOOPBACK)
		return PASS_PACKET;
	state_word = read_state();
	if (!revision_of(state_word))
		return PASS_PACKET;
	if (listens) {
		bool datagram = socket->protocol == IPPROTO_UDP;

		if (datagram && skb->ifindex != LOOPBACK && owns_datagram_port(skb, socket, state_word))
			return PASS_PACKET;
		if (!read_inside(skb, &packet))
			return drop_inside(skb, state_word, &packet, DROP_UNREADABLE, FLOW_IN);
		/* What follows a SYN that passed. */
		if (!datagram && !packet.syn)
			return PASS_PACKET;
		owns = datagram ? owns_datagram_port(skb, socket, state_word) : owns_port(skb, socket, state_word);
		if (!owns)
			return drop_inside(skb, state_word, &packet, DROP_PORT_OWNER, FLOW_IN);
		if (skb->ifindex != LOOPBACK)
			return PASS_PACKET;
		if (packet.key.protocol != IPPROTO_TCP)
			packet.key.network = network_of(socket);
		if ((packet.key.protocol == IPPROTO_TCP || !bpf_map_lookup_elem(&inside, &packet.key)) &&
		    !has_sender(skb, &packet))
			return drop_inside(skb, state_word, &packet, DROP_NO_SOCKET, FLOW_IN);
	}
	/* Of a connection that is refused nothing comes back either. */
	record = bpf_sk_storage_get(&connects, socket, NULL, 0);
	if (!record || record->enforced == VERDICT_ALLOW || !read_inside(skb, &packet) || packet.reset ||
	    !is_to(record, packet.key.source))
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
