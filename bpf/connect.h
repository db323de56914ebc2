/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cgroup/connect4, connect6 (since 4.17), sendmsg4, sendmsg6 (since 4.18),
 * recvmsg4, recvmsg6 (since 5.2), attached at the pods' root cgroup, so that a
 * container is covered before anybody knows it.
 *
 * Why here: the caller is `current`, so container and program are known for
 * certain; the address is what the program dialled, before any translation;
 * a refusal is an error of the call (EACCES), not a timeout. Cost: a handful
 * of hash lookups for each connect, none for each packet.
 */
#ifndef PALISADE_CONNECT_H
#define PALISADE_CONNECT_H

#define EACCES 13
#define IPPROTO_MPTCP_NUMBER 262
#define PASS 1
#define REFUSE 0

/* One event stands for the sends of a socket to one place within this time. */
#define SENDS_MERGED_FOR 5000000000ULL
/*
 * A process that is refused the same again and again, or connects datagram
 * sockets to one place, has this many events in this time; so the ring is not
 * lost to one that tries in a loop. An allowed TCP connect always has its own,
 * because its outcome is its own.
 */
#define CONNECTS_TOLD 8
#define CONNECTS_MERGED_FOR 1000000000ULL
/* The answer to a datagram that came in passes for this long. */
#define ANSWER_FOR 180000000000ULL

struct flow {
	struct caller caller;
	struct target target;
	struct judgement judgement;
	struct program_file program;
	__u32 program_flags;
	__u32 class;
	__u64 state;
	__u64 socket_cgroup;
	__u64 socket;
	__u64 network;
	__u64 now;
	__u32 repeats;
};

static __always_inline void read_target(struct bpf_sock_addr *ctx, bool six, struct target *target)
{
	__u32 *words = (__u32 *)target->address;

	if (six) {
		words[0] = ctx->user_ip6[0];
		words[1] = ctx->user_ip6[1];
		words[2] = ctx->user_ip6[2];
		words[3] = ctx->user_ip6[3];
	} else {
		words[0] = 0;
		words[1] = 0;
		words[2] = bpf_htonl(0xffff);
		words[3] = ctx->user_ip4;
	}
	target->port = bpf_ntohs((__u16)ctx->user_port);
	target->protocol = ctx->protocol == IPPROTO_MPTCP_NUMBER ? IPPROTO_TCP : ctx->protocol;
	target->unused = 0;
}

/* The verdict for one container: known, its node's, or unknown. */
static __always_inline void judge(const struct caller *caller, __u32 class, struct target *target, __u64 state_word,
				  struct judgement *judgement)
{
	judgement->expires = 0;
	if (!revision_of(state_word)) {
		judgement->cause = CAUSE_NOT_READY;
		judgement->enforced = judgement->would = VERDICT_DENY;
		judgement->decision = DECISION_NONE;
		judgement->destination = DESTINATION_NONE;
		return;
	}
	if (!caller->container) {
		judgement->cause = CAUSE_UNKNOWN_POD;
		judgement->enforced = judgement->would =
			state_word & STATE_RECORD_UNKNOWN ? VERDICT_ALLOW : VERDICT_DENY;
		judgement->decision = DECISION_NONE;
		judgement->destination = DESTINATION_NONE;
		return;
	}
	if (caller->value.flags & CONTAINER_HOST_NETWORK) {
		judgement->cause = CAUSE_HOST_NETWORK;
		judgement->enforced = judgement->would = VERDICT_ALLOW;
		judgement->decision = DECISION_NONE;
		judgement->destination = find_destination(slot_of(state_word), SUBJECT_NONE, target);
		return;
	}
	decide(state_word, caller->value.subject, class, target, judgement);
	if (judgement->cause == CAUSE_MIXED && (caller->value.flags & CONTAINER_NO_VETH))
		judgement->enforced = VERDICT_DENY;
}

/* Another verdict on the same call: where it refuses, it is the one that counts. */
static __always_inline void refuse_as_well(struct flow *flow, const struct judgement *judgement, __u8 cause)
{
	if (judgement->would == VERDICT_DENY)
		flow->judgement.would = VERDICT_DENY;
	if (judgement->enforced == VERDICT_DENY && flow->judgement.enforced == VERDICT_ALLOW) {
		flow->judgement.enforced = VERDICT_DENY;
		flow->judgement.decision = judgement->decision;
		flow->judgement.cause = cause;
	}
}

/* The kernel hands a copy to the pod's own sockets: whoever may not reach those sends to nobody there. */
static __always_inline void judge_copy(struct flow *flow)
{
	struct judgement judgement = {};
	struct target own = {};

	own.port = flow->target.port;
	own.protocol = flow->target.protocol;
	judge(&flow->caller, flow->class, &own, flow->state, &judgement);
	refuse_as_well(flow, &judgement, judgement.cause);
}

/* What the socket is bound to. */
static __always_inline void read_bound(struct bpf_sock_addr *ctx, bool six, __u8 *source)
{
	struct bpf_sock *socket = ctx->sk;
	__u32 *words = (__u32 *)source;

	__builtin_memset(source, 0, 16);
	if (!socket)
		return;
	if (!six) {
		write_ipv4(source, socket->src_ip4);
		return;
	}
	words[0] = socket->src_ip6[0];
	words[1] = socket->src_ip6[1];
	words[2] = socket->src_ip6[2];
	words[3] = socket->src_ip6[3];
}

/* What the datagram is to come from: of the socket, or of the call. */
static __always_inline void read_chosen(struct bpf_sock_addr *ctx, bool six, __u8 *source)
{
	__u32 *words = (__u32 *)source;

	if (!six) {
		write_ipv4(source, ctx->msg_src_ip4);
		return;
	}
	words[0] = ctx->msg_src_ip6[0];
	words[1] = ctx->msg_src_ip6[1];
	words[2] = ctx->msg_src_ip6[2];
	words[3] = ctx->msg_src_ip6[3];
}

/* None chosen, a loopback one, or the pod's. */
static __always_inline bool is_own_source(const struct flow *flow, const __u8 *source)
{
	struct destination_value *found;
	union address_key key;

	if (is_loopback(source) || is_to_many(source))
		return true;
	found = find_address(slot_of(flow->state), source, &key);
	return found && found->own_subject && found->own_subject - 1 == flow->caller.value.subject;
}

/*
 * Within the pod a source must be the pod's own. Else what comes in there seems to come from somebody outside, whose
 * answer needs no rule. IPv6 lets everybody take any address (IPV6_FREEBIND), IPv4 whoever has CAP_NET_RAW
 * (IP_TRANSPARENT). Outside, the veth looks at it.
 */
static __always_inline void judge_source(struct bpf_sock_addr *ctx, bool six, bool sends, struct flow *flow)
{
	__u8 source[16];

	if (sends)
		read_chosen(ctx, six, source);
	else
		read_bound(ctx, six, source);
	if (!flow->caller.container || (flow->caller.value.flags & CONTAINER_HOST_NETWORK) ||
	    (flow->judgement.destination != DESTINATION_SELF && !is_to_many(flow->target.address)) ||
	    is_own_source(flow, source))
		return;
	flow->judgement.enforced = flow->judgement.would = VERDICT_DENY;
	flow->judgement.decision = DECISION_NONE;
	flow->judgement.cause = CAUSE_SOURCE_ADDRESS;
}

/* A socket made in another container: that container must be allowed as well. */
static __always_inline void judge_owner(struct flow *flow, const void *socket)
{
	struct judgement judgement = {};
	struct caller owner;
	struct cgroup *group = read_socket_cgroup(socket, &flow->socket_cgroup);

	if (!group || flow->socket_cgroup == flow->caller.cgroup)
		return;
	find_socket_container(flow->state, group, &owner);
	if (owner.container == flow->caller.container)
		return;
	count(COUNTER_FOREIGN_SOCKET);
	judge(&owner, owner.value.class, &flow->target, flow->state, &judgement);
	/* Packets are judged for the caller alone. */
	if (judgement.cause == CAUSE_MIXED)
		judgement.enforced = VERDICT_DENY;
	refuse_as_well(flow, &judgement, CAUSE_FOREIGN_SOCKET);
}

static __always_inline void report(const struct flow *flow, __u8 hook)
{
	struct judged_event *event = RESERVE(struct judged_event);

	if (!event)
		return;
	start_event(&event->header, EVENT_JUDGED, flow->now);
	event->state = flow->state;
	event->container = flow->caller.container;
	event->cgroup = flow->caller.cgroup;
	event->socket_cgroup = flow->socket_cgroup;
	event->socket = flow->socket;
	event->network = flow->network;
	event->attempt = flow->now;
	read_process(&event->process);
	event->program = flow->program;
	event->program_flags = flow->program_flags;
	event->subject = flow->caller.value.subject;
	event->class = flow->class;
	event->destination = flow->judgement.destination;
	event->decision = flow->judgement.decision;
	event->repeats = flow->repeats;
	__builtin_memcpy(event->address, flow->target.address, 16);
	event->port = flow->target.port;
	event->protocol = flow->target.protocol;
	event->hook = hook;
	event->enforced = flow->judgement.enforced;
	event->would = flow->judgement.would;
	event->cause = flow->judgement.cause;
	event->unused = 0;
	if (bpf_get_current_comm(event->command, sizeof(event->command)))
		count(COUNTER_COMMAND_UNREADABLE);
	SUBMIT(event);
}

/* What the outcome and later layers need to know about this connection. */
static __always_inline void write_record(const struct flow *flow, struct connect_record *record)
{
	record->socket = flow->socket;
	record->container = flow->caller.container;
	record->state = flow->state;
	record->attempt = flow->now;
	read_process(&record->process);
	record->class = flow->class;
	__builtin_memcpy(record->address, flow->target.address, 16);
	record->port = flow->target.port;
	record->protocol = flow->target.protocol;
	record->unused = 0;
	COPY_VERDICT(record, &flow->judgement);
	record->program = flow->program;
	if (flow->program_flags & ~PROGRAM_NAMED)
		record->program.inode = 0;
}

static __always_inline void remember(const struct flow *flow, struct bpf_sock *socket)
{
	struct connect_record *record =
		socket ? bpf_sk_storage_get(&connects, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;

	if (record)
		write_record(flow, record);
	else
		count(COUNTER_NO_STORAGE);
}

/* The pod's veth asks for it when the first packet of this exchange leaves. */
static __always_inline void remember_send(const struct flow *flow)
{
	struct send_record record = {};
	struct send_record *known;
	struct send_key key = {};

	key.socket = flow->socket;
	__builtin_memcpy(key.address, flow->target.address, 16);
	key.port = flow->target.port;
	known = bpf_map_lookup_elem(&sends, &key);
	if (known && known->state == flow->state && known->container == flow->caller.container &&
	    known->class == flow->class)
		return;
	record.state = flow->state;
	record.container = flow->caller.container;
	record.attempt = flow->now;
	if (!(flow->program_flags & ~PROGRAM_NAMED))
		record.program = flow->program;
	record.class = flow->class;
	COPY_VERDICT(&record, &flow->judgement);
	if (bpf_map_update_elem(&sends, &key, &record, BPF_ANY))
		count(COUNTER_MAP_FULL);
}

static __always_inline void know_caller(struct bpf_sock_addr *ctx, struct flow *flow)
{
	flow->state = read_state();
	if (!revision_of(flow->state))
		count(COUNTER_NO_STATE);
	flow->now = bpf_ktime_get_boot_ns();
	flow->socket = bpf_get_socket_cookie(ctx);
	flow->network = bpf_get_netns_cookie(ctx);
	flow->repeats = 0;
	find_caller(flow->state, &flow->caller);
	read_program(&flow->program, &flow->program_flags);
	check_start(&flow->program, &flow->program_flags);
	flow->class = class_of(flow->state, &flow->caller, &flow->program, &flow->program_flags);
}

static __always_inline void judge_call(struct bpf_sock_addr *ctx, bool six, bool sends, struct flow *flow)
{
	know_caller(ctx, flow);
	read_target(ctx, six, &flow->target);
	judge(&flow->caller, flow->class, &flow->target, flow->state, &flow->judgement);
	if (is_to_many(flow->target.address))
		judge_copy(flow);
	judge_source(ctx, six, sends, flow);
	judge_owner(flow, ctx->sk);
}

static __always_inline int verdict(const struct flow *flow)
{
	if (flow->judgement.enforced == VERDICT_ALLOW)
		return PASS;
	count(COUNTER_REFUSED);
	/* Without it the caller sees EPERM: still refused. */
	if (bpf_set_retval(-EACCES))
		count(COUNTER_NO_RETVAL);
	return REFUSE;
}

/* True when events of this caller and place went out a moment ago: this try is then counted into the next one. */
static __always_inline bool merged(struct flow *flow, __u64 caller, __u32 told_at_most, __u64 merged_for)
{
	struct try_key key = {};
	struct try_value fresh = {};
	struct try_value *last;

	key.caller = caller;
	key.container = flow->caller.container;
	__builtin_memcpy(key.address, flow->target.address, 16);
	key.port = flow->target.port;
	key.protocol = flow->target.protocol;
	key.enforced = flow->judgement.enforced;
	key.decision = flow->judgement.decision;
	last = bpf_map_lookup_elem(&tries, &key);
	if (!last) {
		fresh.time = flow->now;
		fresh.told = 1;
		if (bpf_map_update_elem(&tries, &key, &fresh, BPF_ANY))
			count(COUNTER_MAP_FULL);
		return false;
	}
	if (flow->now - last->time >= merged_for) {
		last->time = flow->now;
		last->told = 1;
		flow->repeats = *(volatile __u32 *)&last->repeats;
		__sync_fetch_and_add(&last->repeats, -flow->repeats);
		return false;
	}
	if (last->told < told_at_most) {
		last->told += 1;
		return false;
	}
	__sync_fetch_and_add(&last->repeats, 1);
	count(COUNTER_MERGED);
	return true;
}

static __always_inline int on_connect(struct bpf_sock_addr *ctx, bool six)
{
	struct flow flow = {};

	count(COUNTER_CONNECTS);
	judge_call(ctx, six, false, &flow);
	if (flow.judgement.enforced == VERDICT_ALLOW)
		remember(&flow, ctx->sk);
	if ((flow.judgement.enforced == VERDICT_ALLOW && flow.target.protocol == IPPROTO_TCP) ||
	    !merged(&flow, bpf_get_current_pid_tgid() >> 32, CONNECTS_TOLD, CONNECTS_MERGED_FOR))
		report(&flow, HOOK_CONNECT);
	return verdict(&flow);
}

static __always_inline void answer_to(struct bpf_sock_addr *ctx, bool six, struct answer_key *key)
{
	struct target target;

	read_target(ctx, six, &target);
	__builtin_memset(key, 0, sizeof(*key));
	key->socket = bpf_get_socket_cookie(ctx);
	__builtin_memcpy(key->address, target.address, 16);
	key->port = target.port;
}

static __always_inline bool is_asker(const struct asker *slot, const struct answer_key *key)
{
	const __u32 *one = (const __u32 *)slot->address, *other = (const __u32 *)key->address;

	return slot->time && slot->port == key->port && one[0] == other[0] && one[1] == other[1] && one[2] == other[2] &&
	       one[3] == other[3];
}

static __always_inline bool has_asked(struct bpf_sock *socket, const struct answer_key *key)
{
	struct askers *askers = socket ? bpf_sk_storage_get(&asked, socket, NULL, 0) : NULL;
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 *came;

	if (askers) {
		for (int index = 0; index < ASKERS; index++) {
			if (is_asker(&askers->slots[index], key))
				return now - askers->slots[index].time < ANSWER_FOR;
		}
	}
	came = bpf_map_lookup_elem(&answers, key);
	return came && now - *came < ANSWER_FOR;
}

/*
 * A connected socket's send comes by without an address, and only when it has control messages; its connect was judged.
 * They may have chosen another source.
 */
static __always_inline bool has_another_source(struct bpf_sock_addr *ctx, bool six)
{
	__u8 chosen[16], bound[16];

	read_chosen(ctx, six, chosen);
	read_bound(ctx, six, bound);
	return !same_address(chosen, bound);
}

static __always_inline void read_peer(struct bpf_sock_addr *ctx, bool six, struct target *target)
{
	struct bpf_sock *socket = ctx->sk;
	__u32 *words = (__u32 *)target->address;

	if (!socket)
		return;
	write_ipv4(target->address, socket->dst_ip4);
	if (six) {
		words[0] = socket->dst_ip6[0];
		words[1] = socket->dst_ip6[1];
		words[2] = socket->dst_ip6[2];
		words[3] = socket->dst_ip6[3];
	}
	target->port = bpf_ntohs(socket->dst_port);
	target->protocol = ctx->protocol;
}

static __always_inline int on_connected_send(struct bpf_sock_addr *ctx, bool six, struct flow *flow)
{
	if (!has_another_source(ctx, six))
		return PASS;
	know_caller(ctx, flow);
	read_peer(ctx, six, &flow->target);
	flow->judgement.enforced = flow->judgement.would = VERDICT_ALLOW;
	flow->judgement.destination = find_destination(slot_of(flow->state), flow->caller.value.subject, &flow->target);
	judge_source(ctx, six, true, flow);
	if (flow->judgement.enforced != VERDICT_ALLOW && !merged(flow, flow->socket, 1, SENDS_MERGED_FOR))
		report(flow, HOOK_SENDMSG);
	return verdict(flow);
}

static __always_inline int on_send(struct bpf_sock_addr *ctx, bool six)
{
	struct answer_key key;
	struct flow flow = {};

	count(COUNTER_SENDS);
	if (!ctx->user_port)
		return on_connected_send(ctx, six, &flow);
	answer_to(ctx, six, &key);
	if (has_asked(ctx->sk, &key)) {
		count(COUNTER_ANSWERS);
		return PASS;
	}
	judge_call(ctx, six, true, &flow);
	/* It may answer what came before these hooks: the earlier generation's know. */
	if (flow.judgement.enforced != VERDICT_ALLOW && (flow.state & STATE_LEARNING))
		return PASS;
	if (flow.judgement.enforced == VERDICT_ALLOW)
		remember_send(&flow);
	if (!merged(&flow, flow.socket, 1, SENDS_MERGED_FOR))
		report(&flow, HOOK_SENDMSG);
	return verdict(&flow);
}

/* An answer inside the pod that needs no memory: whatever runs in the container may send there. */
static __always_inline bool is_allowed_inside(const struct answer_key *key, __u8 protocol)
{
	struct judgement judgement = {};
	struct target target = {};
	struct caller caller;
	__u64 state_word = read_state();

	__builtin_memcpy(target.address, key->address, 16);
	target.port = key->port;
	target.protocol = protocol;
	find_caller(state_word, &caller);
	judge(&caller, caller.value.class, &target, state_word, &judgement);
	return judgement.destination == DESTINATION_SELF && judgement.enforced == VERDICT_ALLOW;
}

/* A datagram was read, with its sender's address: what goes back there from this socket is a reply. */
static __always_inline int on_receive(struct bpf_sock_addr *ctx, bool six)
{
	struct askers *askers =
		ctx->sk ? bpf_sk_storage_get(&asked, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
	__u64 now = bpf_ktime_get_boot_ns();
	struct answer_key key, older = {};
	struct asker *slot;

	if (!askers) {
		count(COUNTER_NO_STORAGE);
		return PASS;
	}
	answer_to(ctx, six, &key);
	for (int index = 0; index < ASKERS; index++) {
		if (is_asker(&askers->slots[index], &key)) {
			askers->slots[index].time = now;
			return PASS;
		}
	}
	slot = &askers->slots[__sync_fetch_and_add(&askers->next, 1) % ASKERS];
	if (slot->time && now - slot->time < ANSWER_FOR) {
		older.socket = key.socket;
		__builtin_memcpy(older.address, slot->address, 16);
		older.port = slot->port;
		/* Else who asks itself without end would push out what others are asked. */
		if (!is_allowed_inside(&older, ctx->protocol) &&
		    bpf_map_update_elem(&answers, &older, &slot->time, BPF_ANY))
			count(COUNTER_MAP_FULL);
	}
	slot->time = 0;
	__builtin_memcpy(slot->address, key.address, 16);
	slot->port = key.port;
	slot->time = now;
	return PASS;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return on_connect(ctx, false);
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	return on_connect(ctx, true);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	return on_send(ctx, false);
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
	return on_send(ctx, true);
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	return on_receive(ctx, false);
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
	return on_receive(ctx, true);
}

#endif
