/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Goes through all flows, for those that no packet comes of. */
#ifndef PALISADE_SWEEP_H
#define PALISADE_SWEEP_H

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
