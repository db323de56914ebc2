/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The answer to a refused SYN: a reset in the receiver's name, so that the
 * sender's connect fails at once. The SYN is turned into it in place and sent
 * back the way it came, through the node's own translation.
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

#endif
