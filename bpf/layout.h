/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every value that the kernel programs and the agent share, defined here once.
 * `crates/bpf/src/layout.rs` mirrors it; the build reads the offsets of these
 * structs from the compiled object and asserts them against the mirror.
 *
 * Padding is explicit: map keys are compared byte by byte.
 * Addresses are 16 bytes in network order; IPv4 is ::ffff:a.b.c.d. Ports are
 * in host order.
 */
#ifndef PALISADE_LAYOUT_H
#define PALISADE_LAYOUT_H

/* Bits of the one element of `state`: written and read as a whole, so that slot and revision can not disagree. */
#define STATE_SLOT 1ULL
#define STATE_RECORD_UNKNOWN 2ULL /* unknown pods are recorded, not refused */
#define STATE_RECEIVERS 4ULL /* packets to pods are judged: there are tables for it */
#define STATE_LEARNING 8ULL /* an earlier generation still judges packets: what it let through is learned, not dropped */
#define STATE_MIXED 16ULL /* there is a Service whose backends get different verdicts */
#define STATE_REVISION_SHIFT 8

/* Containers and pods, by the id of their cgroup. */
enum container_flags {
	CONTAINER_HOST_NETWORK = 1, /* is its node: passed and recorded */
	CONTAINER_POD = 2,	    /* the pod's own cgroup: a container in it that is not known */
	CONTAINER_NO_VETH = 4,	    /* its packets pass no program: what they alone could decide is refused */
};

struct container_value {
	__u32 subject; /* index of the pod, stable within a revision */
	__u32 class;   /* class of a program without a name of its own */
	__u32 flags;
	__u32 unused;
};

/* The file that a process was started from, as the kernel holds it. */
struct program_file {
	__u64 inode;
	__u64 size;
	__s64 ctime_seconds;
	__u32 ctime_nanoseconds;
	__u32 device; /* major << 20 | minor, as the kernel counts */
};

struct program_key {
	__u64 container;
	struct program_file file;
};

struct program_value {
	__u32 class;
};

/* An address, protocol and port that is a Service's; or an address alone that rules tell from all others. */
struct frontend_key {
	__u8 address[16];
	__u16 port; /* of an address alone: 0 */
	__u8 protocol; /* the same */
	__u8 unused;
};

struct destination_key {
	__u32 prefix_length; /* of the 128 bits */
	__u8 address[16];
};

struct destination_value {
	__u32 destination;
	__u32 own_subject; /* the pod whose own address this is, plus one; 0 = nobody's */
};

struct cell_key {
	__u32 class;
	__u32 destination;
	__u32 protocol;
};

struct cell_value {
	__u32 first; /* index of the first span */
	__u32 count;
};

struct port_span {
	__u16 first;
	__u16 last;
	__u32 decision;
};

struct decision_value {
	__u64 expires; /* nanoseconds of CLOCK_TAI; 0 = never */
	__u32 next;    /* the decision from then on */
	__u8 enforced;
	__u8 would;
	__u8 mixed; /* a Service's backends differ: passes, until the packet shows which one it goes to */
	__u8 unused;
};

/* The container whose spec declares a port of its pod. */
struct listener_key {
	__u32 subject;
	__u16 port;
	__u8 protocol;
	__u8 unused;
};

struct listener_value {
	__u64 container;
};

/* The host side of a pod's veth, or another known interface of the node, by its index. */
enum veth_flags {
	VETH_RESET = 1,	   /* who is refused gets a reset, else silence */
	LINK_OF_NODE = 2,  /* no pod's: all other fields are zero */
	LINK_ETHERNET = 4, /* its packets begin with an Ethernet header */
};

struct veth_value {
	__u64 cgroup; /* the pod's */
	__u32 subject;
	__u32 receiver;
	__u32 flags;
	__u8 hardware[6]; /* the pod's own side */
	__u8 unused[2];
	__s32 namespace; /* the pod's, as the node numbers it; negative = not known */
	__u8 four[16]; /* the pod's addresses; all zero = none of that family */
	__u8 six[16];
};

/* Who is behind a source address, by longest prefix (`destination_key`). */
struct source_value {
	__u32 source;
};

struct receiver_cell_key {
	__u32 receiver;
	__u32 source;
	__u32 protocol;
};

/* Sources with a meaning of their own: a socket of the receiver's node sent it, over IPv4, and over IPv6. */
#define SOURCE_OWN_NODE_4 0
#define SOURCE_OWN_NODE_6 3
#define SOURCE_NONE 0xffffffffu

/* What has no ports (echo) is judged under this protocol. */
#define PROTOCOL_PORTLESS 0

/* One connection or exchange of datagrams, as the pod's veth sees it: before the sender's and after the receiver's translation. */
struct flow_key {
	__u8 pod[16];
	__u8 remote[16];
	__u16 pod_port;	   /* of an echo: whether the pod asks or answers it */
	__u16 remote_port; /* of an echo: its id */
	__u8 protocol;
	__u8 unused[3];
};

enum flow_origin {
	FLOW_OUT = 1,
	FLOW_IN = 2,
};

/* How well a receiver knows who sent. */
enum strength {
	STRENGTH_NONE = 0,
	STRENGTH_ADDRESS = 1,	/* by the source address alone */
	STRENGTH_OWN_NODE = 2,	/* a socket of the node */
	STRENGTH_SAME_NODE = 3, /* container and program, as their own veth saw them */
};

enum flow_closing {
	CLOSING_POD = 1,    /* the pod has sent its FIN */
	CLOSING_REMOTE = 2, /* the other side has */
	CLOSING_RESET = 4,
	CLOSING_TOLD = 8, /* the end has been told */
};

/*
 * In the order of who writes: what every packet reads lies beside the key; the counters of either direction, which
 * another processor may be adding to, are a cache line (64 bytes) away from that and from each other.
 */
struct flow_value {
	__u64 state; /* that it was last judged under */
	__u64 expires; /* of the decision, CLOCK_TAI; 0 = never */
	__u64 last; /* nanoseconds since boot, to a millisecond */
	__u32 interface;
	__u8 origin;
	__u8 enforced;
	__u8 would;
	__u8 cause;
	__u8 closing;
	__u8 strength;
	__u8 hardware[6]; /* the pod's own, once a packet of it passed check_sender under `state`; zero before that */
	__u64 first; /* nanoseconds since boot */
	__u64 told;
	__u64 container; /* of the sender; 0 = not known */
	__u64 socket;	 /* with `attempt`: the sender's try that this flow came of */
	__u64 attempt;
	__u32 decision;
	__u16 peer_port;
	__u16 dialled_port;
	__u64 packets_out;
	__u64 bytes_out;
	struct program_file program; /* of the sender; inode 0 = none that rules may name */
	__u8 peer[16];	  /* in: the sender before translation; out: the backend that it was translated to, once known */
	__u8 dialled[16]; /* in: what it dialled */
	__u64 packets_in;
	__u64 bytes_in;
};

enum flow_phase {
	PHASE_START = 1,
	PHASE_UPDATE = 2,
	PHASE_END = 3,
	PHASE_CHANGED = 4, /* judged again, with another verdict */
	PHASE_REACHED = 5, /* its packet showed the backend, which was judged */
	PHASE_NAMED = 6,   /* its packet showed the backend, which every rule treats as the others */
};

/* Why a packet was dropped at a pod's veth. */
enum drop_reason {
	DROP_NONE = 0,
	DROP_UNKNOWN_POD = 1,
	DROP_UNREADABLE = 2, /* too short for what it says it is */
	DROP_SOURCE_HARDWARE = 3,
	DROP_SOURCE_ADDRESS = 4,
	DROP_ARP = 5,
	DROP_NEIGHBOUR = 6,
	DROP_ROUTER = 7, /* router advertisement or redirect */
	DROP_VLAN = 8,
	DROP_ETHERTYPE = 9,
	DROP_HEADER = 10, /* options or extension headers that hide what follows */
	DROP_PROTOCOL = 11,
	DROP_FRAGMENT = 12,   /* of no first fragment that passed */
	DROP_RAW_SOCKET = 13, /* raw and packet sockets have no connect */
	DROP_NO_SOCKET = 14,  /* of no known flow, and of no socket */
	DROP_UNRELATED = 15,  /* an ICMP error of no known flow */
	DROP_FLOW_LIMIT = 16,
	DROP_REFUSED = 17, /* of a flow that is refused */
	DROP_DESTINATION = 18, /* a loopback address, of another host's loopback */
	DROP_BACKEND = 19,     /* from a Service's backend that cannot be told, so not judged */
	DROP_NO_CONNECTION = 20, /* a segment of no connection of the pod */
	DROP_PORT_OWNER = 21,	 /* for a port that another container declares */
	DROP_REASONS = 22,
};

struct drop_key {
	__u32 interface;
	__u8 reason;
	__u8 origin;
	__u16 unused;
};

struct drop_value {
	__u64 time;
	__u32 repeats;
	__u32 unused;
};

/* A first fragment that passed. */
struct fragment_key {
	__u8 source[16];
	__u8 destination[16];
	__u32 id;
	__u8 protocol;
	__u8 origin;
	__u16 unused;
};

/* Whether a datagram socket may have its port. */
struct owned_port {
	__u64 state; /* that it was asked under */
	__u16 port;
	__u8 owns;
	__u8 unused[5];
};

/* New flows of one veth. */
struct share_value {
	__u64 began;	/* of the window, nanoseconds since boot */
	__u64 second;	/* seconds since boot */
	__u32 unanswered; /* of the window, and not answered yet */
	__u32 begun;	/* in that second */
};

enum verdict {
	VERDICT_DENY = 0,
	VERDICT_ALLOW = 1,
};

/* Destinations with a meaning of their own. */
enum destination {
	DESTINATION_SELF = 1,
	DESTINATION_NONE = 0xffffffffu,
};

#define DECISION_NONE 0xffffffffu
#define SUBJECT_NONE 0xffffffffu
#define CLASS_NONE 0xffffffffu

/* Why the kernel gave a verdict. */
enum cause {
	CAUSE_TABLE = 0,	  /* `decision` says */
	CAUSE_NO_RULE = 1,	  /* no cell or no span: refused */
	CAUSE_UNKNOWN_POD = 2,	  /* a cgroup that is no known pod's */
	CAUSE_HOST_NETWORK = 3,	  /* passed: the pod is its node */
	CAUSE_FOREIGN_SOCKET = 4, /* the socket is another container's, and that one is refused */
	CAUSE_NOT_READY = 5,	  /* no tables yet: refused */
	CAUSE_PORT_OWNER = 6,	  /* another container declares this port */
	CAUSE_LIMIT = 7,	  /* a bounded loop ended without an answer: refused */
	CAUSE_NO_SENDER = 8,	  /* from the address of a pod of this node, which has not sent it */
	CAUSE_NOT_JUDGED = 9,	  /* the tables say nothing of receivers: passed */
	CAUSE_MIXED = 10,	  /* a Service whose backends differ: `decision` says; the packet's verdict follows */
	CAUSE_SOURCE_ADDRESS = 11, /* within the pod, from an address that is not the pod's */
};

enum hook {
	HOOK_CONNECT = 1,
	HOOK_SENDMSG = 2,
	HOOK_BIND = 3,
};

enum event_kind {
	EVENT_JUDGED = 1,
	EVENT_SOCKET = 2,
	EVENT_EXEC = 3,
	EVENT_EXIT = 4,
	EVENT_LISTEN = 5,
	EVENT_FLOW = 6,
	EVENT_DROP = 7,
};

struct event_header {
	__u64 time; /* nanoseconds since boot, CLOCK_BOOTTIME */
	__u32 kind;
	__u32 unused;
};

struct process {
	__u64 start; /* nanoseconds since boot */
	__u64 exec_id;
	__u32 pid; /* of the process, in the first pid namespace */
	__u32 thread;
	__u32 user;
	__u32 unused;
};

enum program_flags {
	PROGRAM_UNREADABLE = 1,
	PROGRAM_UPPER_LAYER = 2, /* written to the container after it was made from its image */
	PROGRAM_DELETED = 4,	 /* no name any more, or never had one (memfd) */
	PROGRAM_NAMED = 8,	 /* a rule names it: the class is its own */
	PROGRAM_FORGED = 16,	 /* not the file that the process was started from */
};

/* A verdict on a connect, a send without connection, or a bind. */
struct judged_event {
	struct event_header header;
	__u64 state;
	__u64 container;     /* cgroup that the caller was known by; 0 = unknown */
	__u64 cgroup;	     /* the caller's own cgroup */
	__u64 socket_cgroup; /* 0 = could not be read */
	__u64 socket;	     /* cookie */
	__u64 network;	     /* cookie of the network namespace */
	__u64 attempt;	     /* with `socket`: this attempt */
	struct process process;
	struct program_file program;
	__u32 program_flags;
	__u32 subject;
	__u32 class;
	__u32 destination;
	__u32 decision;
	__u32 repeats; /* earlier tries like it that had no event of their own */
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 hook;
	__u8 enforced;
	__u8 would;
	__u8 cause;
	__u8 unused;
	char command[16];
};

/* A TCP socket that had been judged at connect changed its state. */
struct socket_event {
	struct event_header header;
	__u64 socket;
	__u64 attempt;
	__u8 source[16];
	__u8 address[16];
	__u16 source_port;
	__u16 port;
	__u8 old_state;
	__u8 new_state;
	__u16 error;
};

/* A TCP socket listens. */
struct listen_event {
	struct event_header header;
	__u64 container;
	__u64 cgroup;
	__u64 network;
	struct process process;
	struct program_file program;
	__u8 address[16];
	__u32 program_flags;
	__u16 port;
	__u8 protocol;
	__u8 unused;
};

/* A flow at a pod's veth began, goes on, ended, or got another verdict. */
struct flow_event {
	struct event_header header;
	__u64 pod; /* cgroup of the pod whose veth saw it */
	__u32 phase;
	__u32 repeats;
	struct flow_key key;
	struct flow_value flow;
};

/* One event stands for a while's drops of one veth, direction and reason. */
struct drop_event {
	struct event_header header;
	__u64 state;
	__u64 pod;    /* cgroup of the pod */
	__u64 sender; /* cgroup of the packet's socket; 0 = none */
	__u32 interface;
	__u32 repeats; /* drops like it without an event of their own */
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 reason;
	__u8 origin; /* FLOW_OUT = it came from the pod */
	__u8 unused;
};

#define PATH_BYTES 768
#define PATH_COMPONENT_BYTES 256
#define PATH_COMPONENTS 24

struct exec_event {
	struct event_header header;
	__u64 container;
	__u64 cgroup;
	struct process process;
	struct program_file program;
	__u32 program_flags;
	__u32 parent;
	__u32 path_length; /* bytes used of `path` */
	__u32 path_whole;  /* 1 = the walk reached the root of the process */
	/* Components from the file up to the root, each ended by a NUL. */
	char path[PATH_BYTES + PATH_COMPONENT_BYTES];
};

struct exit_event {
	struct event_header header;
	__u64 container;
	struct process process;
	__u32 code;
	__u32 unused;
};

/* What a socket carries from its connect on. */
struct connect_record {
	__u64 socket;
	__u64 container;
	__u64 state;
	__u64 attempt;
	struct process process;
	__u32 decision;
	__u32 class;
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 enforced;
	__u8 would;
	__u8 cause;
	__u16 unused;
	__u64 expires;
	struct program_file program; /* inode 0 = none that rules may name */
};

/* A port of TCP on which somebody listens in a network; all zero = every one of them has been noted. */
struct listening_key {
	__u64 network;
	__u32 port;
	__u32 unused;
};

/* What a process holds that is older than these programs: a connected socket, or one that waits for others. */
struct earlier_socket {
	__u64 socket;	 /* cookie */
	__u64 container; /* of the processes that hold it; 0 = not one alone */
	struct program_file program; /* as in `connect_record` */
	__u8 local[16];
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port; /* 0 = it waits for others */
	__u8 protocol;
	__u8 unused[3];
	__u64 network; /* cookie of the network namespace */
};

/* What a process was started from, kept apart from what it says of itself. */
struct started_from {
	__u64 inode;
	__u32 device;
	__u32 unused;
};

/* The same try again and again: after the first ones, one event in a while stands for many. */
struct try_key {
	__u64 caller; /* the socket of a send; the process of a refused connect */
	__u64 container;
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 enforced;
	__u32 decision;
};

struct try_value {
	__u64 time;
	__u32 repeats; /* without an event of their own */
	__u32 told;
};

/* A socket's sends to one place without connection, as they were judged. */
struct send_key {
	__u64 socket;
	__u8 address[16];
	__u16 port;
	__u8 unused[6];
};

struct send_record {
	__u64 state;
	__u64 container;
	__u64 attempt;
	__u64 expires;
	struct program_file program; /* as in `connect_record` */
	__u32 decision;
	__u32 class;
	__u8 enforced;
	__u8 would;
	__u8 cause;
	__u8 unused[5];
};

/* A datagram came in from there: the answer to it is not a new flow. */
struct answer_key {
	__u64 socket;
	__u8 address[16];
	__u16 port;
	__u8 unused[6];
};

/* The newest askers of a socket, in the socket itself, so that another's flood does not push them out. */
#define ASKERS 32

struct asker {
	__u64 time; /* 0 = being written */
	__u8 address[16];
	__u16 port;
	__u8 unused[6];
};

struct askers {
	__u64 next;
	struct asker slots[ASKERS];
};

/* Index into `counters`. Everything that a program could not do is counted here. */
enum counter {
	COUNTER_CONNECTS = 0,
	COUNTER_SENDS = 1,
	COUNTER_BINDS = 2,
	COUNTER_EXECS = 3,
	COUNTER_REFUSED = 4,
	COUNTER_LOST = 5,
	COUNTER_MERGED = 6,
	COUNTER_ANSWERS = 7,
	COUNTER_NO_STATE = 8,
	COUNTER_NO_TABLE = 9,
	COUNTER_NO_CELL = 10,
	COUNTER_NO_DECISION = 11,
	COUNTER_NO_STORAGE = 12,
	COUNTER_NO_PROGRAM = 13,
	COUNTER_NO_SOCKET_CGROUP = 14,
	COUNTER_NO_RETVAL = 15,
	COUNTER_MAP_FULL = 16,
	COUNTER_PATH_CUT = 17,
	COUNTER_FOREIGN_SOCKET = 18,
	COUNTER_LIMIT = 19,
	COUNTER_COMMAND_UNREADABLE = 20,
	COUNTER_FORGED = 21,
	COUNTER_FLOWS = 22,
	COUNTER_RESETS = 23,
	COUNTER_NO_RESET = 24,
	COUNTER_REJUDGED = 25,
	COUNTER_DROPS_MERGED = 26,
	COUNTER_NO_TRACK = 27,
	COUNTER_UNREACHABLE = 28,
	COUNTER_RECALLED = 29, /* flows that the table had not, and that were under way: pushed out, or older */
	COUNTER_DROPPED = 32, /* and the drop_reason */
	COUNTERS = 64,
};

#endif
