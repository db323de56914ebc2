/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcx on the host side of each pod's veth (since 6.6): everything that a pod
 * sends or gets by the network passes here, whatever kind of socket made it.
 *
 * Why here: a process in the pod cannot reach this side, whatever capability it
 * has there; the packet still carries the socket that sent it (plain veth), so
 * container and connect are known; and the receiver is judged after every
 * translation. Traffic inside the pod does not come by: there the connect and
 * send hooks judge alone.
 * Cost: one lookup of the flow for each packet; for the first of a flow what a
 * connect costs. Nothing is kept here that an agent must be alive for.
 */
#ifndef PALISADE_VETH_H
#define PALISADE_VETH_H

#define SOCK_RAW 3
#define AF_PACKET 17

#define SECOND 1000000000ULL
#define DATAGRAMS_ONE_WAY (30 * SECOND)
#define DATAGRAMS_TWO_WAY (180 * SECOND)
/* A closed connection's last packets still pass for this long. */
#define CLOSED_FOR (10 * SECOND)
/* Longer than any keep-alive: such a flow is made anew from its next packet. */
#define STREAM_IDLE (24 * 3600 * SECOND)
#define UPDATE_EVERY (30 * SECOND)
#define DROPS_MERGED_FOR SECOND

/* New flows of a pod within a window, less those that ended: a quarter of the table, so that no pod pushes out all others. */
#define FLOWS_OF_A_POD 4096
#define SHARE_WINDOW (30 * SECOND)

static __always_inline int drop(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				const struct packet *packet, __u32 reason, __u8 origin)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct drop_event *event;
	struct drop_value *last;
	struct drop_key key = {};
	__u32 repeats = 0;

	if (reason >= DROP_REASONS)
		reason = DROP_UNREADABLE;
	count(COUNTER_DROPPED + reason);
	if (reason == DROP_REFUSED)
		return TCX_DROP; /* its refusal has been told */
	key.interface = skb->ifindex;
	key.reason = reason;
	key.origin = origin;
	last = bpf_map_lookup_elem(&drops, &key);
	if (last && now - last->time < DROPS_MERGED_FOR) {
		__sync_fetch_and_add(&last->repeats, 1);
		count(COUNTER_DROPS_MERGED);
		return TCX_DROP;
	}
	if (last) {
		repeats = *(volatile __u32 *)&last->repeats;
		__sync_fetch_and_add(&last->repeats, -repeats);
		last->time = now;
	} else {
		struct drop_value fresh_drop = {};

		fresh_drop.time = now;
		if (bpf_map_update_elem(&drops, &key, &fresh_drop, BPF_ANY))
			count(COUNTER_MAP_FULL);
	}
	event = RESERVE(struct drop_event);
	if (!event)
		return TCX_DROP;
	start_event(&event->header, EVENT_DROP, now);
	event->state = state_word;
	event->pod = veth ? veth->cgroup : 0;
	event->sender = bpf_skb_cgroup_id(skb);
	event->interface = skb->ifindex;
	event->repeats = repeats;
	__builtin_memcpy(event->source, packet->source, 16);
	__builtin_memcpy(event->destination, packet->destination, 16);
	event->source_port = origin == FLOW_OUT ? packet->key.pod_port : packet->key.remote_port;
	event->destination_port = origin == FLOW_OUT ? packet->key.remote_port : packet->key.pod_port;
	event->protocol = packet->key.protocol;
	event->reason = reason;
	event->origin = origin;
	event->unused = 0;
	SUBMIT(event);
	return TCX_DROP;
}

/* Flows */

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
		one.flows = 1;
		if (bpf_map_update_elem(&shares, &interface, &one, BPF_ANY))
			count(COUNTER_MAP_FULL);
		return true;
	}
	if (now - share->began > SHARE_WINDOW) {
		share->began = now;
		share->flows = 0;
	}
	if (share->flows >= FLOWS_OF_A_POD)
		return false;
	__sync_fetch_and_add(&share->flows, 1);
	return true;
}

static __always_inline void give_share(__u32 interface)
{
	struct share_value *share = bpf_map_lookup_elem(&shares, &interface);

	if (share && share->flows)
		__sync_fetch_and_add(&share->flows, -1);
}

static __always_inline void account(struct __sk_buff *skb, const struct veth_value *veth, const struct packet *packet,
				    struct flow_value *flow, bool out, __u64 now)
{
	__u8 closing = flow->closing;

	flow->last = now;
	if (out) {
		__sync_fetch_and_add(&flow->packets_out, 1);
		__sync_fetch_and_add(&flow->bytes_out, skb->len);
	} else {
		__sync_fetch_and_add(&flow->packets_in, 1);
		__sync_fetch_and_add(&flow->bytes_in, skb->len);
	}
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
		if (flow->origin == FLOW_OUT)
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

/* Notes a first fragment, whose ports the later ones do not repeat. */
static __always_inline void note_fragment(const struct packet *packet, bool out, __u64 now)
{
	struct fragment_key key = {};

	if (!packet->first_fragment)
		return;
	__builtin_memcpy(key.source, packet->source, 16);
	__builtin_memcpy(key.destination, packet->destination, 16);
	key.id = packet->fragment_id;
	key.protocol = packet->key.protocol;
	key.origin = out ? FLOW_OUT : FLOW_IN;
	if (bpf_map_update_elem(&fragments, &key, &now, BPF_ANY))
		count(COUNTER_MAP_FULL);
}

static __always_inline bool fragment_is_known(const struct packet *packet, bool out, __u64 now)
{
	struct fragment_key key = {};
	__u64 *first;

	__builtin_memcpy(key.source, packet->source, 16);
	__builtin_memcpy(key.destination, packet->destination, 16);
	key.id = packet->fragment_id;
	key.protocol = packet->key.protocol;
	key.origin = out ? FLOW_OUT : FLOW_IN;
	first = bpf_map_lookup_elem(&fragments, &key);
	return first && now - *first < DATAGRAMS_ONE_WAY;
}

/* Keeps a flow that was just judged, tells of it, and lets its first packet through or not. */
static __always_inline int start_flow(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				      struct packet *packet, struct flow_value *flow, bool out, bool told, __u64 now)
{
	bool allowed = flow->enforced == VERDICT_ALLOW;
	__u32 repeats = 0;

	flow->first = flow->last = flow->told = now;
	flow->interface = skb->ifindex;
	/* What comes in counts for its sender alone: else it could use up the receiver's share. */
	if (out && !take_share(skb->ifindex, now))
		return drop(skb, state_word, veth, packet, DROP_FLOW_LIMIT, FLOW_OUT);
	if (allowed) {
		if (out) {
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
	if (!out && is_syn(packet) && (veth->flags & VETH_RESET))
		return reset(skb, packet->six);
	return TCX_DROP;
}

/* Out */

/* The deepest known cgroup of the packet's socket. */
static __always_inline __u64 container_of_packet(struct __sk_buff *skb, __u64 state_word)
{
	void *table = LIVE(containers, slot_of(state_word));

	if (!table)
		return 0;
	for (int depth = DEPTH_BELOW_ROOT; depth > 0; depth--) {
		__u64 id = bpf_skb_ancestor_cgroup_id(skb, root_level + depth);

		if (id && bpf_map_lookup_elem(table, &id))
			return id;
	}
	return 0;
}

/* What the connect or send that this packet is of was judged as. False when there is none. */
static __always_inline bool find_record(struct __sk_buff *skb, struct bpf_sock *socket, const struct packet *packet,
					struct flow_value *flow)
{
	struct connect_record *connected = bpf_sk_storage_get(&connects, socket, NULL, 0);
	struct send_record *sent;
	struct send_key key = {};

	if (connected && same_address(connected->address, packet->key.remote) &&
	    connected->port == packet->key.remote_port) {
		flow->state = connected->state;
		flow->container = connected->container;
		flow->socket = connected->socket;
		flow->attempt = connected->attempt;
		flow->program = connected->program;
		flow->expires = connected->expires;
		flow->decision = connected->decision;
		flow->enforced = connected->enforced;
		flow->would = connected->would;
		flow->cause = connected->cause;
		return true;
	}
	if (packet->key.protocol != IPPROTO_UDP)
		return false;
	key.socket = bpf_get_socket_cookie(skb);
	__builtin_memcpy(key.address, packet->key.remote, 16);
	key.port = packet->key.remote_port;
	sent = bpf_map_lookup_elem(&sends, &key);
	if (!sent)
		return false;
	flow->state = sent->state;
	flow->container = sent->container;
	flow->socket = key.socket;
	flow->attempt = sent->attempt;
	flow->program = sent->program;
	flow->expires = sent->expires;
	flow->decision = sent->decision;
	flow->enforced = sent->enforced;
	flow->would = sent->would;
	flow->cause = sent->cause;
	return true;
}

/* Container and program of a sender whose own veth is on this node. */
static __always_inline void know_sender(struct flow_value *flow, const __u8 *peer, const __u8 *dialled)
{
	struct flow_value *sender;
	struct flow_key key = {};

	__builtin_memcpy(key.pod, peer, 16);
	__builtin_memcpy(key.remote, dialled, 16);
	key.pod_port = flow->peer_port;
	key.remote_port = flow->dialled_port;
	key.protocol = IPPROTO_TCP;
	sender = bpf_map_lookup_elem(&flows, &key);
	if (!sender || sender->origin != FLOW_OUT || sender->enforced != VERDICT_ALLOW)
		return;
	flow->strength = STRENGTH_SAME_NODE;
	flow->container = sender->container;
	flow->program = sender->program;
	flow->socket = sender->socket;
	flow->attempt = sender->attempt;
}

/*
 * The first packet that is seen of a flow from the pod. Its socket connected or
 * sent there, which the hooks judged; or it is older than they are, or made by
 * the kernel without them (echo): then its container is judged here, as a
 * program that no rule names. A stream that is under way may also have come in.
 */
static __always_inline int open_out(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				    struct packet *packet, struct bpf_sock *socket, struct flow_value *known, __u64 now)
{
	struct flow_value *flow;
	bool recorded;

	if (!socket)
		return drop(skb, state_word, veth, packet, DROP_NO_SOCKET, FLOW_OUT);
	if (!has_ports(packet->key.protocol) && !packet->echo_request)
		return drop(skb, state_word, veth, packet, DROP_UNRELATED, FLOW_OUT);
	flow = clean_flow();
	if (!flow)
		return TCX_DROP;
	recorded = find_record(skb, socket, packet, flow);
	/* The same try once more: a SYN sent again. */
	if (known && recorded && known->origin == FLOW_OUT && known->attempt == flow->attempt && !known->closing)
		return pass_known(skb, state_word, veth, packet, known, true, now);
	flow->origin = FLOW_OUT;
	flow->interface = skb->ifindex;
	if (!recorded) {
		flow->container = container_of_packet(skb, state_word);
		flow->state = 0;
		if (packet->key.protocol == IPPROTO_TCP && !is_syn(packet)) {
			flow->origin = FLOW_IN;
			flow->strength = STRENGTH_ADDRESS;
			__builtin_memcpy(flow->peer, packet->key.remote, 16);
			__builtin_memcpy(flow->dialled, packet->key.pod, 16);
			flow->peer_port = packet->key.remote_port;
			flow->dialled_port = packet->key.pod_port;
			know_sender(flow, packet->destination, packet->source);
			answer(&packet->key, flow, state_word);
			if (flow->enforced != VERDICT_ALLOW) {
				flow->origin = FLOW_OUT;
				flow->strength = STRENGTH_NONE;
				flow->container = container_of_packet(skb, state_word);
				flow->program.inode = 0;
				flow->state = 0;
			}
		}
	}
	if (flow->origin == FLOW_OUT && is_stale(flow, state_word))
		answer(&packet->key, flow, state_word);
	return start_flow(skb, state_word, veth, packet, flow, true, !recorded || flow->enforced != VERDICT_ALLOW, now);
}

SEC("tcx/ingress")
int veth_out(struct __sk_buff *skb)
{
	__u64 state_word = read_state();
	struct veth_value *veth = find_veth(state_word, skb->ifindex);
	__u64 now = bpf_ktime_get_boot_ns();
	struct bpf_sock *socket = skb->sk;
	struct flow_value *flow;
	struct packet packet;
	int reason = read_packet(skb, &packet, 1);

	if (!reason && !veth) {
		if (packet.kind == PACKET_ARP || packet.kind == PACKET_NEIGHBOUR || (state_word & STATE_RECORD_UNKNOWN))
			return TCX_NEXT;
		reason = DROP_UNKNOWN_POD;
	}
	if (!reason)
		reason = check_sender(skb, &packet, veth);
	if (reason || !veth)
		return drop(skb, state_word, veth, &packet, reason, FLOW_OUT);
	if (socket)
		socket = bpf_sk_fullsock(socket);
	if (socket && socket->family == AF_PACKET)
		return drop(skb, state_word, veth, &packet, DROP_RAW_SOCKET, FLOW_OUT);
	/* The kernel answers (resets, echoes, errors) by raw sockets of its own, which lie in no pod's cgroup. */
	if (socket && socket->type == SOCK_RAW && bpf_skb_ancestor_cgroup_id(skb, root_level) != root_cgroup)
		socket = NULL;
	if (socket && socket->type == SOCK_RAW && !packet.echo_request)
		return drop(skb, state_word, veth, &packet, DROP_RAW_SOCKET, FLOW_OUT);
	if (packet.kind == PACKET_ARP || packet.kind == PACKET_NEIGHBOUR)
		return TCX_NEXT;
	/* Judged as the pod's own; outside it is the node's. */
	if (is_loopback(packet.destination))
		return drop(skb, state_word, veth, &packet, DROP_DESTINATION, FLOW_OUT);
	if (packet.kind == PACKET_LATER_FRAGMENT) {
		if (fragment_is_known(&packet, true, now))
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_FRAGMENT, FLOW_OUT);
	}
	flow = bpf_map_lookup_elem(&flows, &packet.key);
	if (flow && is_over(&packet.key, flow, now))
		flow = NULL;
	if (packet.kind == PACKET_ERROR || packet.kind == PACKET_TOO_BIG) {
		if (flow && flow->enforced == VERDICT_ALLOW)
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_UNRELATED, FLOW_OUT);
	}
	if (flow && !is_syn(&packet)) {
		note_fragment(&packet, true, now);
		return pass_known(skb, state_word, veth, &packet, flow, true, now);
	}
	return open_out(skb, state_word, veth, &packet, socket, flow, now);
}

/* In */

/* Since 6.2. Without it, or without connection tracking, what the packet says is what its sender dialled. */
extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;

/* The sender and what it dialled, before any translation on this node. */
static __always_inline void find_original(struct __sk_buff *skb, const struct packet *packet, struct flow_key *original)
{
	struct sk_buff *buffer;
	struct nf_conn *track;
	long failed;

	/* As the sender's own veth keys it: `pod` is the sender. */
	__builtin_memset(original, 0, sizeof(*original));
	__builtin_memcpy(original->pod, packet->source, 16);
	__builtin_memcpy(original->remote, packet->destination, 16);
	original->protocol = packet->key.protocol;
	if (!has_ports(original->protocol)) {
		original->remote_port = packet->key.remote_port;
		return; /* nothing of the lab translates an echo to another pod */
	}
	original->pod_port = packet->key.remote_port;
	original->remote_port = packet->key.pod_port;
	if (!bpf_ksym_exists(bpf_cast_to_kern_ctx) || !bpf_core_type_exists(struct nf_conn))
		return;
	buffer = bpf_cast_to_kern_ctx(skb);
	track = (struct nf_conn *)(buffer->_nfct & NFCT_POINTER);
	if (!track)
		return;
	original->pod_port = bpf_ntohs(BPF_CORE_READ(track, tuplehash[0].tuple.src.u.all));
	original->remote_port = bpf_ntohs(BPF_CORE_READ(track, tuplehash[0].tuple.dst.u.all));
	if (BPF_CORE_READ(track, tuplehash[0].tuple.src.l3num) == AF_INET) {
		write_ipv4(original->pod, BPF_CORE_READ(track, tuplehash[0].tuple.src.u3.all[0]));
		write_ipv4(original->remote, BPF_CORE_READ(track, tuplehash[0].tuple.dst.u3.all[0]));
		return;
	}
	failed = bpf_core_read(original->pod, 16, &track->tuplehash[0].tuple.src.u3);
	failed |= bpf_core_read(original->remote, 16, &track->tuplehash[0].tuple.dst.u3);
	if (failed)
		count(COUNTER_NO_TRACK);
}

/* A socket of this node, and of no pod with a network of its own: not what was forwarded or masqueraded. */
static __always_inline bool is_of_own_node(struct __sk_buff *skb, __u64 state_word)
{
	struct container_value *container;
	void *table;
	__u64 id;

	if (!bpf_skb_cgroup_id(skb))
		return false;
	if (bpf_skb_ancestor_cgroup_id(skb, root_level) != root_cgroup)
		return true;
	table = LIVE(containers, slot_of(state_word));
	id = container_of_packet(skb, state_word);
	container = table && id ? bpf_map_lookup_elem(table, &id) : NULL;
	return container && (container->flags & CONTAINER_HOST_NETWORK);
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
		    is_syn(packet))
			return reset(skb, packet->six);
		return pass_known(skb, state_word, veth, packet, known, false, now);
	}
	if (flow->strength == STRENGTH_ADDRESS && (state_word & STATE_RECEIVERS) && is_of_this_node(state_word, flow->peer)) {
		flow->state = state_word;
		flow->cause = CAUSE_NO_SENDER;
		flow->decision = DECISION_NONE;
	} else {
		answer(&packet->key, flow, state_word);
	}
	return start_flow(skb, state_word, veth, packet, flow, false, true, now);
}

SEC("tcx/egress")
int veth_in(struct __sk_buff *skb)
{
	__u64 state_word = read_state();
	struct veth_value *veth = find_veth(state_word, skb->ifindex);
	__u64 now = bpf_ktime_get_boot_ns();
	struct flow_value *flow;
	struct packet packet;
	int reason = read_packet(skb, &packet, 0);

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
		if (flow && flow->enforced == VERDICT_ALLOW)
			return TCX_NEXT;
		return drop(skb, state_word, veth, &packet, DROP_UNRELATED, FLOW_IN);
	}
	if (flow && !is_syn(&packet)) {
		note_fragment(&packet, false, now);
		return pass_known(skb, state_word, veth, &packet, flow, false, now);
	}
	/*
	 * A stream that is under way and older than this table: it opens nothing that was not open, and the pod's own
	 * next packet tells by its socket what it is of.
	 */
	if (packet.key.protocol == IPPROTO_TCP && !is_syn(&packet))
		return TCX_NEXT;
	if (!has_ports(packet.key.protocol) && !packet.echo_request)
		return drop(skb, state_word, veth, &packet, DROP_UNRELATED, FLOW_IN);
	return open_in(skb, state_word, veth, &packet, flow, now);
}

/* Sweep */

/* Events of one run: what is due beyond that is told by the next one, when the ring has been read. */
#define SWEEP_EVENTS 256

static long sweep_flow(void *map, struct flow_key *key, struct flow_value *flow, void *context)
{
	struct flow_key copy = *key; /* a map's key may not be given to a function that could write to it */
	struct scratch *sweep = find_scratch();
	struct veth_value *veth;
	__u64 now;

	(void)map;
	(void)context;
	if (!sweep)
		return 1;
	now = sweep->sweep_now;
	if (is_over(&copy, flow, now)) {
		if (!(flow->closing & CLOSING_TOLD)) {
			veth = find_veth(sweep->sweep_state, flow->interface);
			if (flow->enforced == VERDICT_ALLOW) {
				tell_flow(&copy, flow, veth ? veth->cgroup : 0, PHASE_END, 0, now);
				sweep->sweep_told++;
			}
			if (flow->origin == FLOW_OUT)
				give_share(flow->interface);
		}
		if (bpf_map_delete_elem(&flows, &copy))
			count(COUNTER_MAP_FULL);
		return sweep->sweep_told >= SWEEP_EVENTS;
	}
	if (flow->closing & CLOSING_TOLD)
		return 0;
	if (is_stale(flow, sweep->sweep_state)) {
		rejudge(&copy, flow, sweep->sweep_state);
		sweep->sweep_told += flow->enforced != VERDICT_ALLOW;
	}
	if (flow->enforced == VERDICT_ALLOW && now > flow->told && now - flow->told >= UPDATE_EVERY) {
		flow->told = now;
		veth = find_veth(sweep->sweep_state, flow->interface);
		tell_flow(&copy, flow, veth ? veth->cgroup : 0, PHASE_UPDATE, 0, now);
		sweep->sweep_told++;
	}
	return sweep->sweep_told >= SWEEP_EVENTS;
}

/*
 * Run by the agent, now and then and after each new revision (BPF_PROG_TEST_RUN):
 * judges flows again that no packet comes of, tells of long ones, forgets those
 * that are over. Returns 1 when there is more to do.
 */
SEC("tc")
int sweep_flows(struct __sk_buff *skb)
{
	struct scratch *sweep = find_scratch();

	(void)skb;
	if (!sweep)
		return 0;
	sweep->sweep_state = read_state();
	sweep->sweep_now = bpf_ktime_get_boot_ns();
	sweep->sweep_told = 0;
	if (!revision_of(sweep->sweep_state))
		return 0;
	bpf_for_each_map_elem(&flows, sweep_flow, NULL, 0);
	return sweep->sweep_told >= SWEEP_EVENTS;
}

#endif
