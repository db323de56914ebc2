/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a packet at the host side of a pod's veth into fields, each by a helper
 * that checks the length: no pointer into the packet outlives a call.
 * What cannot be told for certain (a port behind options, a second VLAN tag, a
 * protocol inside another) is a reason to drop.
 */
#ifndef PALISADE_PACKET_H
#define PALISADE_PACKET_H

/* What a tcx program returns: also programs after it, of a CNI, have their say. */
#ifndef TCX_NEXT
#define TCX_NEXT -1
#define TCX_DROP 2
#endif

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN_OUTER 0x88a8

#define ETHERNET_BYTES 14
#define IPV4_BYTES 20
#define IPV6_BYTES 40

#define NEXT_HOP_BY_HOP 0
#define NEXT_FRAGMENT 44

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMP_CODE_TOO_BIG 4

#define ICMPV6_UNREACHABLE 1
#define ICMPV6_TOO_BIG 2
#define ICMPV6_PARAMETER_PROBLEM 4
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129
#define ICMPV6_MLD_QUERY 130
#define ICMPV6_MLD_DONE 132
#define ICMPV6_ROUTER_SOLICITATION 133
#define ICMPV6_ROUTER_ADVERTISEMENT 134
#define ICMPV6_NEIGHBOUR_SOLICITATION 135
#define ICMPV6_NEIGHBOUR_ADVERTISEMENT 136
#define ICMPV6_REDIRECT 137
#define ICMPV6_MLD2_REPORT 143

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum packet_kind {
	PACKET_ARP = 1,
	PACKET_NEIGHBOUR = 2, /* neighbour discovery or multicast listener */
	PACKET_FLOW = 3,
	PACKET_LATER_FRAGMENT = 4,
	PACKET_ERROR = 5,   /* the key is that of the packet it tells of */
	PACKET_TOO_BIG = 6, /* the same; path MTU breaks without it */
};

struct packet {
	struct flow_key key;
	__u8 source[16];
	__u8 destination[16];
	__u8 hardware[6];
	__u8 six;
	__u8 kind;
	__u8 first_fragment;
	__u8 icmp_type;
	__u8 tcp_flags;
	__u8 echo_request;
	__u8 hops; /* of IPv6 */
	__u32 fragment_id;
	__u32 transport; /* offset of the header after IP */
};

struct ethernet_header {
	__u8 destination[6];
	__u8 source[6];
	__u16 type;
};

struct ipv4_header {
	__u8 version_length;
	__u8 service;
	__u16 total;
	__u16 id;
	__u16 fragment;
	__u8 time_to_live;
	__u8 protocol;
	__u16 check;
	__u32 source;
	__u32 destination;
};

struct ipv6_header {
	__u32 flow;
	__u16 payload;
	__u8 next;
	__u8 hops;
	__u8 source[16];
	__u8 destination[16];
};

struct fragment_header {
	__u8 next;
	__u8 unused;
	__u16 offset;
	__u32 id;
};

struct tcp_header {
	__u16 source;
	__u16 destination;
	__u32 sequence;
	__u32 acknowledged;
	__u8 length;
	__u8 flags;
	__u16 window;
	__u16 check;
	__u16 urgent;
};

struct echo_header {
	__u8 type;
	__u8 code;
	__u16 check;
	__u16 id;
	__u16 sequence;
};

/* An echo's id, and whose it is: one that the pod answers is another flow than one that it asks by the same id. */
#define ECHO_OF_POD 0
#define ECHO_OF_REMOTE 1

static __always_inline void set_echo(struct flow_key *key, bool of_pod, __u16 id)
{
	key->pod_port = of_pod ? ECHO_OF_POD : ECHO_OF_REMOTE;
	key->remote_port = bpf_ntohs(id);
}

static __always_inline bool is_echo_request(bool six, __u8 type)
{
	return type == (six ? ICMPV6_ECHO : ICMP_ECHO);
}

static __always_inline void set_ports(struct flow_key *key, bool out, __u16 source, __u16 destination)
{
	key->pod_port = bpf_ntohs(out ? source : destination);
	key->remote_port = bpf_ntohs(out ? destination : source);
}

/* An error tells of a packet that went the other way. */
static __always_inline __u32 read_embedded(struct __sk_buff *skb, struct packet *packet, bool out)
{
	__u32 at = packet->transport + sizeof(struct echo_header);
	struct flow_key *key = &packet->key;
	__u8 source[16], destination[16];
	struct echo_header echo;

	if (packet->six) {
		struct ipv6_header six;

		if (bpf_skb_load_bytes(skb, at, &six, sizeof(six)))
			return DROP_UNREADABLE;
		__builtin_memcpy(source, six.source, 16);
		__builtin_memcpy(destination, six.destination, 16);
		key->protocol = six.next;
		at += IPV6_BYTES;
	} else {
		struct ipv4_header four;

		if (bpf_skb_load_bytes(skb, at, &four, sizeof(four)))
			return DROP_UNREADABLE;
		if (four.version_length != 0x45)
			return DROP_HEADER;
		write_ipv4(source, four.source);
		write_ipv4(destination, four.destination);
		key->protocol = four.protocol;
		at += IPV4_BYTES;
	}
	__builtin_memcpy(key->pod, out ? destination : source, 16);
	__builtin_memcpy(key->remote, out ? source : destination, 16);
	if (bpf_skb_load_bytes(skb, at, &echo, sizeof(echo)))
		return DROP_UNREADABLE;
	if (key->protocol == IPPROTO_ICMP || key->protocol == IPPROTO_ICMPV6) {
		/* It went the other way. */
		set_echo(key, out != is_echo_request(packet->six, echo.type), echo.id);
	} else {
		set_ports(key, !out, *(__u16 *)&echo, echo.check);
	}
	return DROP_NONE;
}

static __always_inline __u32 read_icmp(struct __sk_buff *skb, struct packet *packet, bool out)
{
	struct echo_header echo;
	bool error;

	if (bpf_skb_load_bytes(skb, packet->transport, &echo, sizeof(echo)))
		return DROP_UNREADABLE;
	packet->icmp_type = echo.type;
	packet->kind = PACKET_FLOW;
	packet->echo_request = is_echo_request(packet->six, echo.type);
	if (packet->six) {
		if (echo.type >= ICMPV6_MLD_QUERY && echo.type <= ICMPV6_REDIRECT) {
			packet->kind = PACKET_NEIGHBOUR;
			return DROP_NONE;
		}
		error = echo.type >= ICMPV6_UNREACHABLE && echo.type <= ICMPV6_PARAMETER_PROBLEM;
		if (!error && echo.type != ICMPV6_ECHO && echo.type != ICMPV6_ECHO_REPLY)
			return DROP_PROTOCOL;
	} else {
		error = echo.type == ICMP_UNREACHABLE || echo.type == ICMP_TIME_EXCEEDED ||
			echo.type == ICMP_PARAMETER_PROBLEM;
		if (!error && echo.type != ICMP_ECHO && echo.type != ICMP_ECHO_REPLY)
			return DROP_PROTOCOL;
	}
	if (!error) {
		set_echo(&packet->key, out == packet->echo_request, echo.id);
		return DROP_NONE;
	}
	packet->kind = PACKET_ERROR;
	if (packet->six ? echo.type == ICMPV6_TOO_BIG : echo.type == ICMP_UNREACHABLE && echo.code == ICMP_CODE_TOO_BIG)
		packet->kind = PACKET_TOO_BIG;
	return read_embedded(skb, packet, out);
}

static __always_inline __u32 read_transport(struct __sk_buff *skb, struct packet *packet, bool out)
{
	__u8 protocol = packet->key.protocol;
	__u16 ports[2];

	if (protocol == (packet->six ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return packet->first_fragment && packet->six ? DROP_FRAGMENT : read_icmp(skb, packet, out);
	packet->kind = PACKET_FLOW;
	if (protocol == IPPROTO_TCP) {
		struct tcp_header tcp;

		/* A first fragment too short for the flags is made to hide them. */
		if (bpf_skb_load_bytes(skb, packet->transport, &tcp, sizeof(tcp)))
			return DROP_UNREADABLE;
		packet->tcp_flags = tcp.flags;
		set_ports(&packet->key, out, tcp.source, tcp.destination);
		return DROP_NONE;
	}
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP)
		return DROP_PROTOCOL;
	if (bpf_skb_load_bytes(skb, packet->transport, ports, sizeof(ports)))
		return DROP_UNREADABLE;
	set_ports(&packet->key, out, ports[0], ports[1]);
	return DROP_NONE;
}

static __always_inline __u32 read_ipv4(struct __sk_buff *skb, struct packet *packet, bool out)
{
	struct ipv4_header four;
	__u16 fragment;

	if (bpf_skb_load_bytes(skb, ETHERNET_BYTES, &four, sizeof(four)))
		return DROP_UNREADABLE;
	write_ipv4(packet->source, four.source);
	write_ipv4(packet->destination, four.destination);
	packet->key.protocol = four.protocol;
	__builtin_memcpy(packet->key.pod, out ? packet->source : packet->destination, 16);
	__builtin_memcpy(packet->key.remote, out ? packet->destination : packet->source, 16);
	if (four.version_length != 0x45)
		return DROP_HEADER;
	packet->transport = ETHERNET_BYTES + IPV4_BYTES;
	packet->fragment_id = four.id;
	fragment = bpf_ntohs(four.fragment);
	if (fragment & 0x1fff) {
		packet->kind = PACKET_LATER_FRAGMENT;
		return DROP_NONE;
	}
	packet->first_fragment = !!(fragment & 0x2000);
	return read_transport(skb, packet, out);
}

/* A hop-by-hop header may come only before a multicast listener's message, which always has one. */
static __always_inline __u32 read_listener(struct __sk_buff *skb, struct packet *packet)
{
	__u8 options[8];
	__u8 type;

	if (bpf_skb_load_bytes(skb, packet->transport, options, sizeof(options)))
		return DROP_UNREADABLE;
	if (options[0] != IPPROTO_ICMPV6 || options[1] != 0)
		return DROP_HEADER;
	packet->transport += sizeof(options);
	packet->key.protocol = IPPROTO_ICMPV6;
	if (bpf_skb_load_bytes(skb, packet->transport, &type, 1))
		return DROP_UNREADABLE;
	packet->icmp_type = type;
	packet->kind = PACKET_NEIGHBOUR;
	return type == ICMPV6_MLD2_REPORT || (type >= ICMPV6_MLD_QUERY && type <= ICMPV6_MLD_DONE) ? DROP_NONE
												    : DROP_HEADER;
}

static __always_inline __u32 read_ipv6(struct __sk_buff *skb, struct packet *packet, bool out)
{
	struct ipv6_header six;

	packet->six = 1;
	if (bpf_skb_load_bytes(skb, ETHERNET_BYTES, &six, sizeof(six)))
		return DROP_UNREADABLE;
	packet->hops = six.hops;
	__builtin_memcpy(packet->source, six.source, 16);
	__builtin_memcpy(packet->destination, six.destination, 16);
	__builtin_memcpy(packet->key.pod, out ? packet->source : packet->destination, 16);
	__builtin_memcpy(packet->key.remote, out ? packet->destination : packet->source, 16);
	packet->transport = ETHERNET_BYTES + IPV6_BYTES;
	packet->key.protocol = six.next;
	/* In our tables such an address is an IPv4 one; on the wire nobody has it. */
	if (is_mapped_ipv4(packet->source) || is_mapped_ipv4(packet->destination))
		return DROP_SOURCE_ADDRESS;
	if (six.next == NEXT_HOP_BY_HOP)
		return read_listener(skb, packet);
	if (six.next == NEXT_FRAGMENT) {
		struct fragment_header fragment;

		if (bpf_skb_load_bytes(skb, packet->transport, &fragment, sizeof(fragment)))
			return DROP_UNREADABLE;
		packet->transport += sizeof(fragment);
		packet->key.protocol = fragment.next;
		packet->fragment_id = fragment.id;
		if (bpf_ntohs(fragment.offset) & 0xfff8) {
			packet->kind = PACKET_LATER_FRAGMENT;
			return DROP_NONE;
		}
		packet->first_fragment = 1;
	}
	return read_transport(skb, packet, out);
}

/* Verified once and called from both directions. Returns the reason to drop, or 0. */
__noinline int read_packet(struct __sk_buff *skb, struct packet *packet, int out)
{
	struct ethernet_header ethernet;

	if (!packet)
		return DROP_UNREADABLE;
	__builtin_memset(packet, 0, sizeof(*packet));
	if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)))
		return DROP_UNREADABLE;
	__builtin_memcpy(packet->hardware, ethernet.source, 6);
	if (skb->vlan_present)
		return DROP_VLAN;
	switch (bpf_ntohs(ethernet.type)) {
	case ETHERTYPE_IPV4:
		return read_ipv4(skb, packet, out);
	case ETHERTYPE_IPV6:
		return read_ipv6(skb, packet, out);
	case ETHERTYPE_ARP:
		packet->kind = PACKET_ARP;
		return DROP_NONE;
	case ETHERTYPE_VLAN:
	case ETHERTYPE_VLAN_OUTER:
		return DROP_VLAN;
	default:
		return DROP_ETHERTYPE;
	}
}

#endif
