/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent reads: every event from one ring; one that does not fit is counted as lost. */
#ifndef PALISADE_EVENT_H
#define PALISADE_EVENT_H

/* The agent looks by itself every few milliseconds; it is woken early when this much waits. */
const volatile __u64 wake_bytes = 1 << 16;

static __always_inline void start_event(struct event_header *header, __u32 kind, __u64 now)
{
	header->time = now;
	header->kind = kind;
	header->unused = 0;
}

/*
 * Waking a reader costs more than the event itself (an interrupt to ourselves),
 * so only the event that crosses a multiple of wake_bytes does it: a reader
 * that sleeps is woken in time, one that is dead costs nothing.
 */
static __always_inline void submit(void *event, __u64 size)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (waiting / wake_bytes != (waiting - size) / wake_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(event, flags);
}

#define SUBMIT(EVENT) submit((EVENT), sizeof(*(EVENT)))

#define RESERVE(TYPE)                                                                \
	({                                                                           \
		TYPE *event_ = bpf_ringbuf_reserve(&events, sizeof(TYPE), 0);        \
		if (!event_)                                                         \
			count(COUNTER_LOST);                                         \
		event_;                                                              \
	})

#endif
