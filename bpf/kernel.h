/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel structs that the programs read, with only the fields that
 * they read; the loader finds the real offsets in the kernel's BTF (CO-RE).
 * `struct x___flavour` is another shape of the kernel's `struct x`.
 */
#ifndef PALISADE_KERNEL_H
#define PALISADE_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned int val;
} kuid_t;

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};

struct super_block {
	unsigned int s_dev;
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	long long i_size;
};

/* Since 6.11. Since 6.13 the top bit of the nanoseconds is a flag (I_CTIME_QUERIED). */
struct inode___split {
	long long i_ctime_sec;
	unsigned int i_ctime_nsec;
};

/* 6.6 to 6.10. */
struct inode___underscores {
	struct timespec64 __i_ctime;
};

/* Before 6.6. */
struct inode___plain {
	struct timespec64 i_ctime;
};

struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct socket {
	struct sock *sk;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct mm_struct {
	struct file *exe_file;
};

struct fs_struct {
	struct path root;
};

struct kernfs_node {
	unsigned long long id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[0]; /* since 6.1 */
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct css_set *cgroups;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	int pid;
	int tgid;
	int exit_code;
	unsigned long long start_boottime;
	unsigned long long self_exec_id;
};

struct linux_binprm;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct net {
	unsigned long long net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	long long counter;
} atomic64_t;

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	__u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
};

union nf_inet_addr {
	__u32 all[4];
};

union nf_conntrack_man_proto {
	__u16 all;
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__u16 all;
		} u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

/* Connection tracking may be a module that is not loaded; then no packet has been translated. */
struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2]; /* 0 = as the connection began */
	unsigned long status;
};

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	int ifindex;
	const struct rtnl_link_ops *rtnl_link_ops;
};

struct sk_buff {
	struct net_device *dev;
	unsigned char *head;
	unsigned long _nfct;
	unsigned long _skb_refdst;
	__u16 protocol;
	__u16 network_header;
};

struct bpf_nf_ctx {
	struct sk_buff *skb;
};

struct rtable {
	__u8 rt_is_input;
};

#pragma clang attribute pop

/* The kernel's own struct of a packet; since 6.2. */
extern void *bpf_cast_to_kern_ctx(void *context) __ksym;

#define NFCT_POINTER (~7UL)
/* enum ip_conntrack_info, in the bits beside the pointer */
#define IP_CT_ESTABLISHED_REPLY 3
#define IP_CT_RELATED_REPLY 4
#define SKB_DST_NOREF 1UL /* the packet does not hold its route */
/* enum ip_conntrack_info, in the bits beside the pointer; include/uapi/linux/netfilter/nf_conntrack_common.h */
#define IP_CT_ESTABLISHED_REPLY 3
#define IP_CT_RELATED_REPLY 4
/* enum ip_conntrack_status, include/uapi/linux/netfilter/nf_conntrack_common.h */
#define IPS_SEEN_REPLY (1 << 1)
#define IPS_DST_NAT (1 << 5)

#define AF_INET 2
#define AF_INET6 10
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define CTIME_QUERIED 0x80000000u

#endif
