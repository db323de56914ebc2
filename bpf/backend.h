/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A mixed Service: its backends get different verdicts, so its connect passes and
 * the packet decides. Connection tracking says who answers; then the whole link
 * is judged again, with that backend as its receiver. The sender's own flow keeps
 * backend and verdict, so its next packets, the sweep and a newer revision find
 * them there.
 */
#ifndef PALISADE_BACKEND_H
#define PALISADE_BACKEND_H

/* Judges and remembers the backend of a flow from a pod; tells of it. */
__noinline int reach(struct flow_key *key, struct flow_value *flow, struct target *backend, __u64 state_word)
{
	struct veth_value *veth;

	if (!key || !flow || !backend)
		return 0;
	__builtin_memcpy(flow->peer, backend->address, 16);
	flow->peer_port = backend->port;
	answer(key, flow, state_word);
	veth = find_veth(state_word, flow->interface);
	tell_flow(key, flow, veth ? veth->cgroup : 0, PHASE_REACHED, 0, bpf_ktime_get_boot_ns());
	return 0;
}

/*
 * The receiver's own veth has judged the same link: its answer holds for the sender's flow. A refusal is told here as
 * well, because the receiver tells only some of many alike, and this try waits for its verdict.
 */
static __always_inline void reached(const struct flow_key *key, struct flow_value *sender, const struct packet *packet,
				    const struct flow_value *receiver, __u64 state_word)
{
	struct veth_value *veth;

	__builtin_memcpy(sender->peer, packet->destination, 16);
	sender->peer_port = packet->key.pod_port;
	if (sender->cause != CAUSE_MIXED)
		return;
	take_verdict(sender, receiver);
	if (sender->enforced == VERDICT_ALLOW)
		return;
	veth = find_veth(state_word, sender->interface);
	tell_flow(key, sender, veth ? veth->cgroup : 0, PHASE_REACHED, 0, bpf_ktime_get_boot_ns());
}

/* For the record alone: nothing is judged by it. Told once a backend. */
static __always_inline void name_backend(const struct flow_key *key, struct flow_value *flow,
					 const struct target *backend, __u64 pod)
{
	if (flow->peer_port == backend->port && same_address(flow->peer, backend->address))
		return;
	__builtin_memcpy(flow->peer, backend->address, 16);
	flow->peer_port = backend->port;
	if (flow->attempt)
		tell_flow(key, flow, pod, PHASE_NAMED, 0, bpf_ktime_get_boot_ns());
}

/*
 * A packet that no pod's veth will see, past its translation: of a flow from a pod to a Service it shows the backend, which
 * is named, and where the backends differ, judged. False when it must go no further.
 * Cost: a word of connection tracking; its tuple and the flow only while the backend has not answered, and where the rules
 * have a mixed Service.
 */
static __always_inline bool pass_to_backend(struct nf_conn *track, __u64 state_word)
{
	struct flow_key original = {};
	struct target backend;
	struct flow_value *flow;
	struct veth_value *veth;
	bool is_new = is_new_translation(track);

	if (!is_new && !(state_word & STATE_MIXED))
		return true;
	read_original(track, &original);
	original.protocol = BPF_CORE_READ(track, tuplehash[0].tuple.dst.protonum);
	flow = bpf_map_lookup_elem(&flows, &original);
	if (!flow || flow->origin != FLOW_OUT)
		return true;
	read_backend(track, &backend);
	if (flow->cause != CAUSE_MIXED && is_unspecified(flow->peer)) {
		if (is_new) {
			veth = find_veth(state_word, flow->interface);
			name_backend(&original, flow, &backend, veth ? veth->cgroup : 0);
		}
		return true;
	}
	if (flow->cause == CAUSE_MIXED || flow->peer_port != backend.port || !same_address(flow->peer, backend.address))
		reach(&original, flow, &backend, state_word);
	else if (is_stale(flow, state_word))
		rejudge(&original, flow, state_word);
	return flow->enforced == VERDICT_ALLOW;
}

/*
 * The first answer to what the pod sent shows which backend of a Service it reached, where no program told on the way there:
 * when connection tracking remembers an exchange of an earlier socket at the same port, or the link has no program yet.
 * Cost: connection tracking's tuple, once a flow.
 */
static __always_inline void name_answerer(struct __sk_buff *skb, const struct packet *packet, struct flow_value *flow,
					  __u64 pod)
{
	struct nf_conn *track = find_track(skb);
	struct target backend;

	if (!track)
		return;
	read_backend(track, &backend);
	if (backend.port != packet->key.remote_port || !same_address(backend.address, packet->key.remote))
		name_backend(&packet->key, flow, &backend, pod);
}

/*
 * An answer to a flow from the pod whose backend no program has seen: it left by a link that is not guarded, or was
 * allowed before the Service was mixed. The answer itself shows who it is from. False when it must not pass.
 */
static __always_inline bool answer_is_allowed(struct __sk_buff *skb, const struct packet *packet, struct flow_value *flow,
					      __u64 state_word)
{
	struct nf_conn *track = find_track(skb);
	struct flow_key key = packet->key;
	struct target backend;

	if (packet->key.protocol == IPPROTO_TCP && (packet->tcp_flags & TCP_RST))
		return true;
	if (!track)
		return false;
	read_backend(track, &backend);
	reach(&key, flow, &backend, state_word);
	return flow->cause != CAUSE_MIXED;
}

#endif
