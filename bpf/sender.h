/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who sent a packet: the container by its socket, or the flow that the sender's own veth has of it. */
#ifndef PALISADE_SENDER_H
#define PALISADE_SENDER_H

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

/* Whether the packet's socket is of a pod that is its node. */
static __always_inline bool is_of_host_network(struct __sk_buff *skb, __u64 state_word)
{
	struct container_value *container;
	void *table = LIVE(containers, slot_of(state_word));
	__u64 id = container_of_packet(skb, state_word);

	container = table && id ? bpf_map_lookup_elem(table, &id) : NULL;
	return container && (container->flags & CONTAINER_HOST_NETWORK);
}

/* What a socket's connect or send to the packet's remote end was judged as. False when there is none. */
static __always_inline bool find_record(struct bpf_sock *socket, __u64 cookie, const struct packet *packet,
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
		COPY_VERDICT(flow, connected);
		return true;
	}
	if (packet->key.protocol != IPPROTO_UDP)
		return false;
	key.socket = cookie;
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
	COPY_VERDICT(flow, sent);
	return true;
}

/* Container and program of a sender whose own veth is on this node. */
static __always_inline void know_sender(struct flow_value *flow, const __u8 *peer, const __u8 *dialled, __u8 protocol)
{
	struct flow_value *sender;
	struct flow_key key = {};

	__builtin_memcpy(key.pod, peer, 16);
	__builtin_memcpy(key.remote, dialled, 16);
	key.pod_port = flow->peer_port;
	key.remote_port = flow->dialled_port;
	key.protocol = protocol;
	sender = bpf_map_lookup_elem(&flows, &key);
	if (!sender || sender->origin != FLOW_OUT || sender->enforced != VERDICT_ALLOW)
		return;
	flow->strength = STRENGTH_SAME_NODE;
	flow->container = sender->container;
	flow->program = sender->program;
	flow->socket = sender->socket;
	flow->attempt = sender->attempt;
}

/* Without connection tracking, what the packet says is what its sender dialled. */
static __always_inline struct nf_conn *find_track(struct __sk_buff *skb)
{
	struct sk_buff *buffer;

	if (!bpf_core_type_exists(struct nf_conn))
		return NULL;
	buffer = bpf_cast_to_kern_ctx(skb);
	return (struct nf_conn *)(buffer->_nfct & NFCT_POINTER);
}

/* The connection as it began, before any translation on this node; as the sender's own veth keys it: `pod` is the sender. */
static __always_inline void read_original(struct nf_conn *track, struct flow_key *original)
{
	long failed;

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

/* Who answers the connection: whom it was translated to. */
static __always_inline void read_backend(struct nf_conn *track, struct target *backend)
{
	__builtin_memset(backend, 0, sizeof(*backend));
	backend->port = bpf_ntohs(BPF_CORE_READ(track, tuplehash[1].tuple.src.u.all));
	if (BPF_CORE_READ(track, tuplehash[1].tuple.src.l3num) == AF_INET)
		write_ipv4(backend->address, BPF_CORE_READ(track, tuplehash[1].tuple.src.u3.all[0]));
	else if (bpf_core_read(backend->address, 16, &track->tuplehash[1].tuple.src.u3))
		count(COUNTER_NO_TRACK);
}

/* Translated to a backend, and nobody has answered: what passes now is the first of it. */
static __always_inline bool is_new_translation(struct nf_conn *track)
{
	return (BPF_CORE_READ(track, status) & (IPS_DST_NAT | IPS_SEEN_REPLY)) == IPS_DST_NAT;
}

/* Against the direction in which its connection began. */
static __always_inline bool answers_track(struct __sk_buff *skb)
{
	struct sk_buff *buffer = bpf_cast_to_kern_ctx(skb);
	unsigned long kind = buffer->_nfct & ~NFCT_POINTER;

	return kind == IP_CT_ESTABLISHED_REPLY || kind == IP_CT_RELATED_REPLY;
}

/* The sender and what it dialled, before any translation on this node. */
static __always_inline void find_original(struct __sk_buff *skb, const struct packet *packet, struct flow_key *original)
{
	struct nf_conn *track;

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
	track = find_track(skb);
	/* What answers an older connection, as tracking sees it, began nothing that it could tell of. */
	if (track && !answers_track(skb))
		read_original(track, original);
}

#endif
