/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent reads: every event from one ring; one that does not fit is counted as lost. */
#ifndef PALISADE_EVENT_H
#define PALISADE_EVENT_H

/* When this much waits, the agent is woken once more. */
const volatile __u64 wake_bytes = 1 << 16;

static __always_inline void start_event(struct event_header *header, __u32 kind, __u64 now)
{
	header->time = now;
	header->kind = kind;
	header->unused = 0;
}

/*
 * Waking a reader costs more than the event itself (an interrupt to ourselves),
 * so two events alone do it: the first after all were read, which is what the
 * kernel does by default, and the one that crosses a multiple of wake_bytes. The
 * agent sleeps on after the former to take what follows along. A reader that is
 * dead costs nothing.
 */
static __always_inline void submit(void *event, __u64 size)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(event, waiting / wake_bytes != (waiting - size) / wake_bytes ? BPF_RB_FORCE_WAKEUP : 0);
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
