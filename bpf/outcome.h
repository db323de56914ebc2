/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tp_btf/inet_sock_set_state (since 5.5): what became of a connect. The socket
 * carries the record of its connect, so that the outcome is tied to the verdict
 * whatever context the kernel is in ("current" means nothing here).
 */
#ifndef PALISADE_OUTCOME_H
#define PALISADE_OUTCOME_H

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12

static __always_inline void on_listen(struct sock *socket)
{
	struct listen_event *event;

	if (!below_root())
		return;
	event = RESERVE(struct listen_event);
	if (!event)
		return;
	start_event(&event->header, EVENT_LISTEN, bpf_ktime_get_boot_ns());
	event->container = current_container();
	event->cgroup = bpf_get_current_cgroup_id();
	event->network = BPF_CORE_READ(socket, __sk_common.skc_net.net, net_cookie);
	read_process(&event->process);
	read_program(&event->program, &event->program_flags);
	if (socket->__sk_common.skc_family == AF_INET)
		write_ipv4(event->address, socket->__sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO((struct in6_addr *)event->address, socket, __sk_common.skc_v6_rcv_saddr);
	event->port = socket->__sk_common.skc_num;
	event->protocol = IPPROTO_TCP;
	event->unused = 0;
	SUBMIT(event);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *socket, int old_state, int new_state)
{
	struct connect_record *record;
	struct socket_event *event;

	if (new_state == TCP_LISTEN) {
		on_listen(socket);
		return 0;
	}
	if (new_state != TCP_SYN_SENT && new_state != TCP_ESTABLISHED && new_state != TCP_CLOSE)
		return 0;
	record = bpf_sk_storage_get(&connects, socket, NULL, 0);
	if (!record)
		return 0;
	/* What ends later than the handshake is no outcome of the connect. */
	event = new_state == TCP_CLOSE && old_state != TCP_SYN_SENT ? NULL : RESERVE(struct socket_event);
	if (event) {
		start_event(&event->header, EVENT_SOCKET, bpf_ktime_get_boot_ns());
		event->socket = record->socket;
		event->attempt = record->attempt;
		event->old_state = old_state;
		event->new_state = new_state;
		event->error = socket->sk_err;
		event->source_port = socket->__sk_common.skc_num;
		event->port = bpf_ntohs(socket->__sk_common.skc_dport);
		if (socket->__sk_common.skc_family == AF_INET) {
			write_ipv4(event->source, socket->__sk_common.skc_rcv_saddr);
			write_ipv4(event->address, socket->__sk_common.skc_daddr);
		} else {
			BPF_CORE_READ_INTO((struct in6_addr *)event->source, socket, __sk_common.skc_v6_rcv_saddr);
			BPF_CORE_READ_INTO((struct in6_addr *)event->address, socket, __sk_common.skc_v6_daddr);
		}
		SUBMIT(event);
	}
	if (new_state == TCP_CLOSE && bpf_sk_storage_delete(&connects, socket))
		count(COUNTER_NO_STORAGE);
	return 0;
}

#endif
