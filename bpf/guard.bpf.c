/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The guard of one node: the kernel half of Palisade's agent. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define IPPROTO_SCTP 132

#include "layout.h"
#include "kernel.h"
#include "tables.h"
#include "caller.h"
#include "decide.h"
#include "event.h"
#include "connect.h"
#include "bind.h"
#include "life.h"
#include "outcome.h"
#include "earlier.h"
#include "packet.h"
#include "spoof.h"
#include "rejudge.h"
#include "refuse.h"
#include "drop.h"
#include "fragment.h"
#include "flow.h"
#include "sender.h"
#include "backend.h"
#include "segment.h"
#include "veth.h"
#include "receiver.h"
#include "uplink.h"
#include "local.h"
#include "inside.h"
#include "sweep.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Names the shared structs in the object's type information, where the build reads their offsets. */
struct layout {
	struct container_value container_value;
	struct program_key program_key;
	struct program_value program_value;
	struct frontend_key frontend_key;
	struct destination_key destination_key;
	struct destination_value destination_value;
	struct cell_key cell_key;
	struct cell_value cell_value;
	struct port_span port_span;
	struct decision_value decision_value;
	struct listener_key listener_key;
	struct listener_value listener_value;
	struct judged_event judged_event;
	struct socket_event socket_event;
	struct listen_event listen_event;
	struct exec_event exec_event;
	struct exit_event exit_event;
	struct veth_value veth_value;
	struct source_value source_value;
	struct receiver_cell_key receiver_cell_key;
	struct flow_key flow_key;
	struct flow_value flow_value;
	struct flow_event flow_event;
	struct drop_event drop_event;
	struct earlier_socket earlier_socket;
	struct answer_key answer_key;
	struct listening_key listening_key;
	enum counter counter;
};
const struct layout *unused_layout __attribute__((unused));
