/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * iter/task_file (since 5.8; with socket storage 5.11): what the processes of the
 * pods hold of sockets that are older than these programs. The agent runs it
 * before packets are judged, twice: for who listens, and for who has connected,
 * so that each socket that did carries a record: from its connect, or from here.
 * One that was accepted, on a port that is listened on, carries none.
 *
 * Who holds a socket now may not be who connected it. It counts as connected by
 * the container and program of all who hold it, and by no named program where
 * they differ.
 */
#ifndef PALISADE_EARLIER_H
#define PALISADE_EARLIER_H

/* As `check_start`, of any task. */
static __always_inline void check_start_of(struct task_struct *task, const struct program_file *program, __u32 *flags)
{
	struct started_from *start = bpf_task_storage_get(&starts, task, NULL, 0);

	if (start && (start->inode != program->inode || start->device != program->device))
		*flags |= PROGRAM_FORGED;
}

static __always_inline bool same_program(const struct program_file *one, const struct program_file *other)
{
	return one->inode == other->inode && one->device == other->device && one->size == other->size &&
	       one->ctime_seconds == other->ctime_seconds && one->ctime_nanoseconds == other->ctime_nanoseconds;
}

/* Local and remote end; false for what is neither connected nor waits for others. */
static __always_inline bool read_ends(struct sock *sock, struct earlier_socket *seen)
{
	__u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
	__u8 state = BPF_CORE_READ(sock, __sk_common.skc_state);

	seen->local_port = BPF_CORE_READ(sock, __sk_common.skc_num);
	seen->protocol = BPF_CORE_READ(sock, sk_protocol);
	seen->network = BPF_CORE_READ(sock, __sk_common.skc_net.net, net_cookie);
	if (seen->protocol != IPPROTO_TCP && seen->protocol != IPPROTO_UDP)
		return false;
	if (family != AF_INET && family != AF_INET6)
		return false;
	if (family == AF_INET) {
		write_ipv4(seen->local, BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr));
	} else {
		BPF_CORE_READ_INTO((struct in6_addr *)seen->local, sock, __sk_common.skc_v6_rcv_saddr);
	}
	if (state == TCP_LISTEN || (seen->protocol == IPPROTO_UDP && state == TCP_CLOSE))
		return seen->local_port;
	seen->remote_port = bpf_ntohs(BPF_CORE_READ(sock, __sk_common.skc_dport));
	if (family == AF_INET)
		write_ipv4(seen->remote, BPF_CORE_READ(sock, __sk_common.skc_daddr));
	else
		BPF_CORE_READ_INTO((struct in6_addr *)seen->remote, sock, __sk_common.skc_v6_daddr);
	return seen->remote_port && state != TCP_CLOSE;
}

/* The socket's record: of its connect, or made here. */
static __always_inline struct connect_record *note_socket(struct sock *sock, const struct earlier_socket *seen)
{
	struct connect_record *record = bpf_sk_storage_get(&connects, sock, NULL, 0);

	if (record && record->attempt)
		return record;
	if (record) {
		if (record->container != seen->container)
			record->container = 0;
		if (!same_program(&record->program, &seen->program))
			record->program.inode = 0;
		return record;
	}
	record = bpf_sk_storage_get(&connects, sock, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!record) {
		count(COUNTER_NO_STORAGE);
		return NULL;
	}
	/* State and attempt stay 0: judged when its next packet passes, and another verdict than this one is told. */
	record->enforced = record->would = VERDICT_ALLOW;
	record->socket = seen->socket;
	record->container = seen->container;
	record->program = seen->program;
	__builtin_memcpy(record->address, seen->remote, 16);
	record->port = seen->remote_port;
	record->protocol = seen->protocol;
	record->class = CLASS_NONE;
	record->decision = DECISION_NONE;
	return record;
}

/* Notes a listener. True for what was accepted by one, or when not all listeners are known yet. */
static __always_inline bool is_listened_on(const struct earlier_socket *seen)
{
	struct listening_key all = {}, port = {};
	__u64 one = 1;

	port.network = seen->network;
	port.port = seen->local_port;
	if (seen->protocol == IPPROTO_TCP && !seen->remote_port && bpf_map_update_elem(&listening, &port, &one, BPF_ANY))
		count(COUNTER_MAP_FULL);
	return !bpf_map_lookup_elem(&listening, &all) ||
	       (seen->protocol == IPPROTO_TCP && bpf_map_lookup_elem(&listening, &port));
}

SEC("iter/task_file")
int earlier_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct earlier_socket seen = {};
	struct connect_record *record;
	struct caller holder, owner;
	__u64 state_word = read_state();
	struct cgroup *group, *of_socket = NULL;
	struct socket *socket;
	struct sock *sock;
	__u32 flags;

	if (!task || !file)
		return 0;
	group = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	if (!group)
		return 0;
	find_socket_container(state_word, group, &holder);
	if (!holder.container || (holder.value.flags & CONTAINER_HOST_NETWORK))
		return 0;
	socket = bpf_sock_from_file(file);
	sock = socket ? socket->sk : NULL;
	if (!sock || !read_ends(sock, &seen))
		return 0;
	seen.socket = bpf_get_socket_cookie(sock);
	seen.container = holder.container;
	if (!is_listened_on(&seen) && seen.remote_port) {
		read_program_of(task, &seen.program, &flags);
		check_start_of(task, &seen.program, &flags);
		if (flags)
			seen.program.inode = 0;
		of_socket = BPF_CORE_READ(sock, sk_cgrp_data.cgroup);
		if (of_socket)
			find_socket_container(state_word, of_socket, &owner);
		/* Passed on by another container: neither alone answers for it. */
		if (!of_socket || owner.container != holder.container) {
			seen.container = of_socket ? owner.container : 0;
			seen.program.inode = 0;
		}
		record = note_socket(sock, &seen);
		if (!record)
			return 0;
		seen.container = record->container;
		seen.program = record->program;
	}
	bpf_seq_write(ctx->meta->seq, &seen, sizeof(seen));
	return 0;
}

#endif
