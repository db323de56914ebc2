/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answer to what is refused, in the receiver's name, so that the sender
 * learns of it at once: a reset to a SYN, "port unreachable" to a datagram. The
 * packet is turned into its answer in place and sent back the way it came,
 * through the node's own translation.
 */
#ifndef PALISADE_REFUSE_H
#define PALISADE_REFUSE_H

#define TCP_BYTES 20

struct pseudo_header {
	__u8 source[16];
	__u8 destination[16];
	__u32 length;
	__u32 protocol;
};

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(__u16)sum;
}

/* Returns what the program returns. Needs GPL: reads the packet's socket buffer. */
__noinline int reset(struct __sk_buff *skb, int six)
{
	__u32 transport = ETHERNET_BYTES + (six ? IPV6_BYTES : IPV4_BYTES);
	struct ethernet_header ethernet;
	struct tcp_header syn, answer = {};
	struct pseudo_header pseudo = {};
	struct ipv4_header four;
	struct ipv6_header header;
	__u32 payload;
	__s64 sum;

	if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) ||
	    bpf_skb_load_bytes(skb, transport, &syn, sizeof(syn)))
		goto silent;
	payload = skb->len - transport - (syn.length >> 4) * 4;
	if (payload > skb->len)
		goto silent;
	answer.source = syn.destination;
	answer.destination = syn.source;
	answer.acknowledged = bpf_htonl(bpf_ntohl(syn.sequence) + 1 + payload);
	answer.length = (TCP_BYTES / 4) << 4;
	answer.flags = TCP_RST | TCP_ACK;
	pseudo.length = bpf_htonl(TCP_BYTES);
	pseudo.protocol = bpf_htonl(IPPROTO_TCP);
	if (bpf_skb_change_tail(skb, transport + TCP_BYTES, 0))
		goto silent;
	if (six) {
		if (bpf_skb_load_bytes(skb, ETHERNET_BYTES, &header, sizeof(header)))
			goto silent;
		__builtin_memcpy(pseudo.source, header.destination, 16);
		__builtin_memcpy(pseudo.destination, header.source, 16);
		__builtin_memcpy(header.source, pseudo.source, 16);
		__builtin_memcpy(header.destination, pseudo.destination, 16);
		header.payload = bpf_htons(TCP_BYTES);
		header.hops = 64;
		if (bpf_skb_store_bytes(skb, ETHERNET_BYTES, &header, sizeof(header), 0))
			goto silent;
	} else {
		__u32 address;

		if (bpf_skb_load_bytes(skb, ETHERNET_BYTES, &four, sizeof(four)))
			goto silent;
		address = four.source;
		four.source = four.destination;
		four.destination = address;
		four.total = bpf_htons(IPV4_BYTES + TCP_BYTES);
		four.id = 0;
		four.fragment = bpf_htons(0x4000);
		four.time_to_live = 64;
		four.check = 0;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)&four, sizeof(four), 0);
		four.check = fold(sum);
		*(__u32 *)pseudo.source = four.source;
		*(__u32 *)pseudo.destination = four.destination;
		if (bpf_skb_store_bytes(skb, ETHERNET_BYTES, &four, sizeof(four), 0))
			goto silent;
	}
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&answer, sizeof(answer), sum);
	answer.check = fold(sum);
	if (bpf_skb_store_bytes(skb, transport, &answer, sizeof(answer), 0))
		goto silent;
	__builtin_memcpy(&header, &ethernet, 12);
	__builtin_memcpy(ethernet.source, &header, 6);
	__builtin_memcpy(ethernet.destination, (__u8 *)&header + 6, 6);
	if (bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0))
		goto silent;
	count(COUNTER_RESETS);
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
silent:
	count(COUNTER_NO_RESET);
	return TCX_DROP;
}

#define ICMP_PORT_UNREACHABLE 3
#define ICMPV6_PORT_UNREACHABLE 4
#define UDP_BYTES 8

/* What an error tells of: the header of the datagram's packet, and its ports. */
struct told_ipv4 {
	struct echo_header icmp;
	struct ipv4_header four;
	__u8 udp[UDP_BYTES];
};

struct told_ipv6 {
	struct echo_header icmp;
	struct ipv6_header six;
	__u8 udp[UDP_BYTES];
};

static __always_inline int tell_ipv4(struct __sk_buff *skb, __u32 at)
{
	struct told_ipv4 told = {};
	struct ipv4_header answer = {};

	if (bpf_skb_load_bytes(skb, at, &told.four, sizeof(told.four)) ||
	    bpf_skb_load_bytes(skb, at + IPV4_BYTES, told.udp, sizeof(told.udp)) ||
	    bpf_skb_change_tail(skb, at + IPV4_BYTES + sizeof(told), 0))
		return -1;
	told.icmp.type = ICMP_UNREACHABLE;
	told.icmp.code = ICMP_PORT_UNREACHABLE;
	told.icmp.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&told, sizeof(told), 0));
	answer.version_length = 0x45;
	answer.total = bpf_htons(IPV4_BYTES + sizeof(told));
	answer.time_to_live = 64;
	answer.protocol = IPPROTO_ICMP;
	answer.source = told.four.destination;
	answer.destination = told.four.source;
	answer.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&answer, sizeof(answer), 0));
	return bpf_skb_store_bytes(skb, at, &answer, sizeof(answer), 0) ||
	       bpf_skb_store_bytes(skb, at + IPV4_BYTES, &told, sizeof(told), 0);
}

static __always_inline int tell_ipv6(struct __sk_buff *skb, __u32 at)
{
	struct pseudo_header pseudo = {};
	struct told_ipv6 told = {};
	struct ipv6_header answer = {};
	__s64 sum;

	if (bpf_skb_load_bytes(skb, at, &told.six, sizeof(told.six)) ||
	    bpf_skb_load_bytes(skb, at + IPV6_BYTES, told.udp, sizeof(told.udp)) ||
	    bpf_skb_change_tail(skb, at + IPV6_BYTES + sizeof(told), 0))
		return -1;
	told.icmp.type = ICMPV6_UNREACHABLE;
	told.icmp.code = ICMPV6_PORT_UNREACHABLE;
	__builtin_memcpy(pseudo.source, told.six.destination, 16);
	__builtin_memcpy(pseudo.destination, told.six.source, 16);
	pseudo.length = bpf_htonl(sizeof(told));
	pseudo.protocol = bpf_htonl(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	told.icmp.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&told, sizeof(told), sum));
	answer.flow = bpf_htonl(0x60000000);
	answer.payload = bpf_htons(sizeof(told));
	answer.next = IPPROTO_ICMPV6;
	answer.hops = 64;
	__builtin_memcpy(answer.source, pseudo.source, 16);
	__builtin_memcpy(answer.destination, pseudo.destination, 16);
	return bpf_skb_store_bytes(skb, at, &answer, sizeof(answer), 0) ||
	       bpf_skb_store_bytes(skb, at + IPV6_BYTES, &told, sizeof(told), 0);
}

/* For a whole datagram without options. Returns what the program returns. */
__noinline int unreachable(struct __sk_buff *skb, int six)
{
	struct ethernet_header ethernet, back;

	if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) ||
	    (six ? tell_ipv6(skb, ETHERNET_BYTES) : tell_ipv4(skb, ETHERNET_BYTES)))
		goto silent;
	__builtin_memcpy(back.destination, ethernet.source, 6);
	__builtin_memcpy(back.source, ethernet.destination, 6);
	back.type = ethernet.type;
	if (bpf_skb_store_bytes(skb, 0, &back, sizeof(back), 0))
		goto silent;
	count(COUNTER_UNREACHABLE);
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
silent:
	count(COUNTER_NO_RESET);
	return TCX_DROP;
}

#endif
