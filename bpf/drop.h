/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet that does not pass: counted, and told once in a while for each veth, direction and reason. */
#ifndef PALISADE_DROP_H
#define PALISADE_DROP_H

#define SECOND 1000000000ULL
#define DROPS_MERGED_FOR SECOND

static __always_inline int drop(struct __sk_buff *skb, __u64 state_word, const struct veth_value *veth,
				const struct packet *packet, __u32 reason, __u8 origin)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct drop_event *event;
	struct drop_value *last;
	struct drop_key key = {};
	__u32 repeats = 0;

	if (state_word & STATE_LEARNING)
		return TCX_NEXT;
	if (reason >= DROP_REASONS)
		reason = DROP_UNREADABLE;
	count(COUNTER_DROPPED + reason);
	if (reason == DROP_REFUSED)
		return TCX_DROP; /* its refusal has been told */
	/* By the veth; a pod's own loopback by its socket. */
	key.interface = veth ? skb->ifindex : skb->ifindex ^ (__u32)bpf_skb_cgroup_id(skb);
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
	event->pod = veth ? veth->cgroup : bpf_skb_cgroup_id(skb);
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

#endif
