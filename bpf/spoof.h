/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What leaves a pod carries the pod's own addresses: Ethernet, ARP, IPv4, IPv6
 * and neighbour discovery. On a shared bridge anything else could take another
 * pod's traffic.
 */
#ifndef PALISADE_SPOOF_H
#define PALISADE_SPOOF_H

#define ARP_BYTES 28
#define NEIGHBOUR_OPTIONS 24 /* offset in a solicitation or advertisement */
#define ROUTER_OPTIONS 8
#define OPTIONS_READ 4
#define OPTION_SOURCE_LINK 1
#define OPTION_TARGET_LINK 2

static __always_inline bool same_bytes(const __u8 *one, const __u8 *other, int length)
{
	for (int index = 0; index < length; index++)
		if (one[index] != other[index])
			return false;
	return true;
}

static __always_inline bool is_unspecified(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !(words[0] | words[1] | words[2] | words[3]);
}

/* fe80::/64 with the interface id that the pod's hardware address gives (EUI-64). */
static __always_inline bool is_own_link_local(const __u8 *address, const __u8 *hardware)
{
	const __u32 *words = (const __u32 *)address;

	return words[0] == bpf_htonl(0xfe800000) && words[1] == 0 && address[8] == (hardware[0] ^ 2) &&
	       address[9] == hardware[1] && address[10] == hardware[2] && address[11] == 0xff && address[12] == 0xfe &&
	       address[13] == hardware[3] && address[14] == hardware[4] && address[15] == hardware[5];
}

static __always_inline __u32 check_arp(struct __sk_buff *skb, const struct veth_value *veth)
{
	__u8 arp[ARP_BYTES];
	__u32 sender;

	if (bpf_skb_load_bytes(skb, ETHERNET_BYTES, arp, sizeof(arp)))
		return DROP_UNREADABLE;
	if (arp[0] != 0 || arp[1] != 1 || arp[2] != 8 || arp[3] != 0 || arp[4] != 6 || arp[5] != 4)
		return DROP_ARP;
	__builtin_memcpy(&sender, arp + 14, 4);
	if (!same_bytes(arp + 8, veth->hardware, 6))
		return DROP_ARP;
	/* A probe asks for an address before it has one. */
	if (sender != 0 && sender != *(const __u32 *)(veth->four + 12))
		return DROP_ARP;
	return DROP_NONE;
}

/* Each link-layer option names the pod's own side. */
static __always_inline __u32 check_options(struct __sk_buff *skb, const struct veth_value *veth, __u32 at)
{
	for (int index = 0; index < OPTIONS_READ; index++) {
		__u8 option[8];

		if (at + sizeof(option) > skb->len)
			return at >= skb->len ? DROP_NONE : DROP_NEIGHBOUR;
		if (bpf_skb_load_bytes(skb, at, option, sizeof(option)))
			return DROP_NEIGHBOUR;
		if (option[1] == 0)
			return DROP_NEIGHBOUR;
		if ((option[0] == OPTION_SOURCE_LINK || option[0] == OPTION_TARGET_LINK) &&
		    (option[1] != 1 || !same_bytes(option + 2, veth->hardware, 6)))
			return DROP_NEIGHBOUR;
		at += option[1] * 8;
	}
	return at >= skb->len ? DROP_NONE : DROP_NEIGHBOUR;
}

static __always_inline __u32 check_neighbour(struct __sk_buff *skb, const struct veth_value *veth,
					     const struct packet *packet)
{
	bool own = same_address(packet->source, veth->six) || is_own_link_local(packet->source, veth->hardware);
	__u8 target[16];

	if (packet->icmp_type == ICMPV6_ROUTER_ADVERTISEMENT || packet->icmp_type == ICMPV6_REDIRECT)
		return DROP_ROUTER;
	if (!own && !is_unspecified(packet->source))
		return DROP_SOURCE_ADDRESS;
	if (packet->icmp_type == ICMPV6_ROUTER_SOLICITATION)
		return check_options(skb, veth, packet->transport + ROUTER_OPTIONS);
	if (packet->icmp_type == ICMPV6_NEIGHBOUR_SOLICITATION)
		return check_options(skb, veth, packet->transport + NEIGHBOUR_OPTIONS);
	if (packet->icmp_type != ICMPV6_NEIGHBOUR_ADVERTISEMENT)
		return DROP_NONE; /* multicast listener */
	if (bpf_skb_load_bytes(skb, packet->transport + 8, target, sizeof(target)))
		return DROP_UNREADABLE;
	if (!own || !(same_address(target, veth->six) || is_own_link_local(target, veth->hardware)))
		return DROP_NEIGHBOUR;
	return check_options(skb, veth, packet->transport + NEIGHBOUR_OPTIONS);
}

__noinline int check_sender(struct __sk_buff *skb, struct packet *packet, struct veth_value *veth)
{
	if (!packet || !veth)
		return DROP_UNREADABLE;
	if (!same_bytes(packet->hardware, veth->hardware, 6))
		return DROP_SOURCE_HARDWARE;
	if (packet->kind == PACKET_ARP)
		return check_arp(skb, veth);
	if (packet->kind == PACKET_NEIGHBOUR)
		return check_neighbour(skb, veth, packet);
	if (!same_address(packet->source, packet->six ? veth->six : veth->four) || is_unspecified(packet->source))
		return DROP_SOURCE_ADDRESS;
	return DROP_NONE;
}

#endif
