/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A flow's verdict, from what is remembered of it: asked when its first packet
 * passes, and again when a newer revision is live or its decision has expired.
 * Numbers of classes mean something only within a revision, so containers and
 * programs are remembered and looked up again.
 */
#ifndef PALISADE_REJUDGE_H
#define PALISADE_REJUDGE_H

struct question {
	__u64 state;
	__u64 container; /* of the sender */
	struct program_file program;
	struct target target;
	__u32 receiver;
	__u32 source;
	__u32 class; /* answer: the sender's */
	struct judgement judgement;
};

/*
 * Where a question and a new flow are put together, because the stack is small. A packet's program runs with softirqs
 * off, so nobody else is at it on this processor.
 */
struct scratch {
	struct flow_value flow;
	struct question question;
	__u64 sweep_state;
	__u64 sweep_now;
	__u64 sweep_told;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

static __always_inline struct scratch *find_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

/* The whole link, by the sender's container and program. */
__noinline int judge_sender(struct question *question)
{
	struct container_value *container;
	struct program_value *named;
	struct program_key key = {};
	__u32 subject, slot;
	void *table;

	if (!question)
		return 0;
	refuse_by_default(&question->judgement);
	question->judgement.destination = DESTINATION_NONE;
	question->class = CLASS_NONE;
	slot = slot_of(question->state);
	table = LIVE(containers, slot);
	key.container = question->container;
	container = table ? bpf_map_lookup_elem(table, &key.container) : NULL;
	if (!container) {
		question->judgement.cause = CAUSE_UNKNOWN_POD;
		if (question->state & STATE_RECORD_UNKNOWN)
			question->judgement.enforced = question->judgement.would = VERDICT_ALLOW;
		return 0;
	}
	question->class = container->class;
	subject = container->subject;
	if (question->program.inode) {
		table = LIVE(programs, slot);
		key.file = question->program;
		named = table ? bpf_map_lookup_elem(table, &key) : NULL;
		if (named)
			question->class = named->class;
	}
	decide(question->state, subject, question->class, &question->target, &question->judgement);
	return 0;
}

/* The receiver's own end, by who is behind the source address. */
__noinline int judge_receiver(struct question *question)
{
	struct receiver_cell_key key = {};
	__u32 slot;
	void *table;

	if (!question)
		return 0;
	refuse_by_default(&question->judgement);
	question->judgement.destination = DESTINATION_NONE;
	question->class = CLASS_NONE;
	if (!(question->state & STATE_RECEIVERS)) {
		question->judgement.enforced = question->judgement.would = VERDICT_ALLOW;
		question->judgement.cause = CAUSE_NOT_JUDGED;
		return 0;
	}
	slot = slot_of(question->state);
	key.receiver = question->receiver;
	key.source = question->source;
	key.protocol = question->target.protocol;
	table = LIVE(receiver_cells, slot);
	decide_by(slot, table ? bpf_map_lookup_elem(table, &key) : NULL, question->target.port, &question->judgement);
	return 0;
}

static __always_inline __u32 find_source(__u64 state_word, const __u8 *address)
{
	struct destination_key key;
	struct source_value *found;
	void *table = LIVE(sources, slot_of(state_word));

	if (!table)
		return SOURCE_NONE;
	key.prefix_length = 128;
	__builtin_memcpy(key.address, address, 16);
	found = bpf_map_lookup_elem(table, &key);
	return found ? found->source : SOURCE_NONE;
}

/* True for the address of a pod of this node: nobody else sends from there. */
static __always_inline bool is_of_this_node(__u64 state_word, const __u8 *address)
{
	union address_key key;
	struct destination_value *found = find_address(slot_of(state_word), address, &key);

	return found && found->own_subject;
}

static __always_inline struct veth_value *find_veth(__u64 state_word, __u32 interface)
{
	void *table = LIVE(veths, slot_of(state_word));

	return table ? bpf_map_lookup_elem(table, &interface) : NULL;
}

static __always_inline void ask_about(const struct flow_key *key, bool out, struct question *question)
{
	__builtin_memcpy(question->target.address, out ? key->remote : key->pod, 16);
	question->target.protocol = has_ports(key->protocol) ? key->protocol : PROTOCOL_PORTLESS;
	question->target.port = has_ports(key->protocol) ? (out ? key->remote_port : key->pod_port) : 0;
	question->target.unused = 0;
}

/* What was checked under other rules is not known under these. */
static __always_inline void set_state(struct flow_value *flow, __u64 state_word)
{
	__builtin_memset(flow->hardware, 0, sizeof(flow->hardware));
	flow->state = state_word;
}

/* Another flow's verdict on the same link. */
static __always_inline void take_verdict(struct flow_value *flow, const struct flow_value *of)
{
	set_state(flow, of->state);
	COPY_VERDICT(flow, of);
}

static __always_inline void keep_answer(struct flow_value *flow, const struct question *question)
{
	set_state(flow, question->state);
	COPY_VERDICT(flow, &question->judgement);
}

/* Of a mixed Service: the backend's verdict, as soon as it is known which one the flow goes to. */
static __always_inline void judge_backend(const struct flow_value *flow, struct question *question)
{
	if (flow->origin == FLOW_OUT && is_unspecified(flow->peer))
		return;
	if (flow->origin == FLOW_OUT) {
		__builtin_memcpy(question->target.address, flow->peer, 16);
		question->target.port = flow->peer_port;
		judge_sender(question);
	}
	if (question->judgement.cause == CAUSE_MIXED)
		question->judgement.enforced = VERDICT_DENY;
}

static __always_inline void name_receiver(const struct veth_value *veth, __u8 *address)
{
	const __u8 *own = is_mapped_ipv4(address) ? veth->four : veth->six;

	if (!is_unspecified(own))
		__builtin_memcpy(address, own, 16);
}

__noinline int answer(struct flow_key *key, struct flow_value *flow, __u64 state_word)
{
	struct scratch *room = find_scratch();
	struct question *question;
	struct veth_value *veth;

	if (!room || !key || !flow)
		return 0;
	question = &room->question;
	__builtin_memset(question, 0, sizeof(*question));
	question->state = state_word;
	question->container = flow->container;
	question->program = flow->program;
	ask_about(key, flow->origin == FLOW_OUT, question);
	veth = find_veth(state_word, flow->interface);
	/* Whatever it was sent to (multicast, or all of the link), here it is this pod that gets it. */
	if (veth && flow->origin == FLOW_IN)
		name_receiver(veth, question->target.address);
	if (flow->origin == FLOW_OUT || flow->strength == STRENGTH_SAME_NODE) {
		judge_sender(question);
		if (question->judgement.cause == CAUSE_MIXED)
			judge_backend(flow, question);
		keep_answer(flow, question);
		return 0;
	}
	if (!veth) {
		refuse_by_default(&question->judgement);
		question->judgement.cause = CAUSE_UNKNOWN_POD;
		keep_answer(flow, question);
		return 0;
	}
	question->receiver = veth->receiver;
	if (flow->strength != STRENGTH_OWN_NODE)
		question->source = find_source(state_word, flow->peer);
	else
		question->source = is_mapped_ipv4(key->pod) ? SOURCE_OWN_NODE_4 : SOURCE_OWN_NODE_6;
	judge_receiver(question);
	keep_answer(flow, question);
	return 0;
}

static __always_inline bool is_stale(const struct flow_value *flow, __u64 state_word)
{
	return flow->state != state_word || (flow->expires && bpf_ktime_get_tai_ns() >= flow->expires);
}

static __always_inline void tell_flow(const struct flow_key *key, const struct flow_value *flow, __u64 pod, __u32 phase,
				      __u32 repeats, __u64 now)
{
	struct flow_event *event = RESERVE(struct flow_event);

	if (!event)
		return;
	start_event(&event->header, EVENT_FLOW, now);
	event->pod = pod;
	event->phase = phase;
	event->repeats = repeats;
	event->key = *key;
	event->flow = *flow;
	SUBMIT(event);
}

/* Judges a known flow again; tells when its verdict is another. */
__noinline int rejudge(struct flow_key *key, struct flow_value *flow, __u64 state_word)
{
	struct veth_value *veth;
	__u8 before;

	if (!key || !flow)
		return 0;
	before = flow->enforced;
	count(COUNTER_REJUDGED);
	answer(key, flow, state_word);
	if (flow->enforced != before) {
		veth = find_veth(state_word, flow->interface);
		tell_flow(key, flow, veth ? veth->cgroup : 0, PHASE_CHANGED, 0, bpf_ktime_get_boot_ns());
	}
	return 0;
}

#endif
