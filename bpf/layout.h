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
#define STATE_REVISION_SHIFT 8

/* Containers and pods, by the id of their cgroup. */
enum container_flags {
	CONTAINER_HOST_NETWORK = 1, /* is its node: passed and recorded */
	CONTAINER_POD = 2,	    /* the pod's own cgroup: a container in it that is not known */
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

/* An address, protocol and port that is a Service's. */
struct frontend_key {
	__u8 address[16];
	__u16 port;
	__u8 protocol;
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
	__u16 unused;
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

/* A datagram came in from there: the answer to it is not a new flow. */
struct answer_key {
	__u64 socket;
	__u8 address[16];
	__u16 port;
	__u8 unused[6];
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
	COUNTERS = 32,
};

#endif
