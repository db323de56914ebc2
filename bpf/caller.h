/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who calls: container by cgroup, program by the file that it was started from. */
#ifndef PALISADE_CALLER_H
#define PALISADE_CALLER_H

/* Set by the agent: the pods' root cgroup, and how deep it lies on this host. */
const volatile __u64 root_cgroup = 0;
const volatile __u32 root_level = 0;

/* pods' root / quality of service / pod / container: nothing that is known lies deeper. */
#define DEPTH_BELOW_ROOT 4

struct caller {
	__u64 container; /* key of the entry found; 0 = none */
	__u64 cgroup;
	struct container_value value;
};

/* Since 6.2. Without it a socket passed between containers is judged for its caller alone; the start-up probe says so. */
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/*
 * To read of alone. At each step from a pointer that it trusts the verifier looks for four names among all types of the
 * kernel, which takes half of the time that all programs take to load.
 */
static __always_inline struct task_struct *to_read(struct task_struct *task)
{
	if (!bpf_ksym_exists(bpf_rdonly_cast))
		return task;
	return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
}

/* The deepest known ancestor: a process in a nested cgroup is still its container's. */
static __always_inline void find_caller(__u64 state_word, struct caller *caller)
{
	struct task_struct *task = to_read(bpf_get_current_task_btf());
	int level = task->cgroups->dfl_cgrp->level;
	void *table = LIVE(containers, slot_of(state_word));

	caller->container = 0;
	caller->cgroup = bpf_get_current_cgroup_id();
	caller->value.subject = SUBJECT_NONE;
	caller->value.class = CLASS_NONE;
	caller->value.flags = 0;
	if (!table)
		return;
	for (int depth = DEPTH_BELOW_ROOT; depth > 0; depth--) {
		int at = root_level + depth;
		struct container_value *found;
		__u64 id;

		if (at > level)
			continue;
		id = bpf_get_current_ancestor_cgroup_id(at);
		found = bpf_map_lookup_elem(table, &id);
		if (found) {
			caller->container = id;
			caller->value = *found;
			return;
		}
	}
}

static __always_inline bool below_root(void)
{
	return bpf_get_current_ancestor_cgroup_id(root_level) == root_cgroup;
}

/* The kernel's own struct of a socket that a program has found. */
static __always_inline struct sock *kernel_socket(const void *socket)
{
	if (!socket || !bpf_ksym_exists(bpf_rdonly_cast))
		return NULL;
	return bpf_rdonly_cast(socket, bpf_core_type_id_kernel(struct sock));
}

/* Cookie of its network; 0 = not known. */
static __always_inline __u64 network_of(const void *socket)
{
	struct sock *sock = kernel_socket(socket);

	return sock ? BPF_CORE_READ(sock, __sk_common.skc_net.net, net_cookie) : 0;
}

/* Its own; 0 = not known. */
static __always_inline __u64 cookie_of(const void *socket)
{
	struct sock *sock = kernel_socket(socket);

	return sock ? BPF_CORE_READ(sock, __sk_common.skc_cookie.counter) : 0;
}

/*
 * Which programs run is chosen by the socket's cgroup, set when it was made. It
 * differs from the caller's for a descriptor that went from one container to
 * another; bpf_sk_cgroup_id is not offered to these hooks.
 */
static __always_inline struct cgroup *read_socket_cgroup(const void *socket, __u64 *id)
{
	struct sock *sock = kernel_socket(socket);
	struct cgroup *group = NULL;

	*id = 0;
	if (!sock || bpf_core_read(&group, sizeof(group), &sock->sk_cgrp_data.cgroup) || !group) {
		count(COUNTER_NO_SOCKET_CGROUP);
		return NULL;
	}
	/* Nearly always the caller's own, which needs no further look. */
	if (group == to_read(bpf_get_current_task_btf())->cgroups->dfl_cgrp)
		*id = bpf_get_current_cgroup_id();
	else
		*id = BPF_CORE_READ(group, kn, id);
	return group;
}

/* The same walk as `find_caller`, over the ancestors of a socket's cgroup. */
static __always_inline void find_socket_container(__u64 state_word, struct cgroup *group, struct caller *owner)
{
	int level = BPF_CORE_READ(group, level);
	void *table = LIVE(containers, slot_of(state_word));

	owner->container = 0;
	owner->value.subject = SUBJECT_NONE;
	owner->value.class = CLASS_NONE;
	owner->value.flags = 0;
	if (!table || !bpf_core_field_exists(struct cgroup, ancestors))
		return;
	for (int depth = DEPTH_BELOW_ROOT; depth > 0; depth--) {
		int at = root_level + depth;
		struct container_value *found;
		struct cgroup *ancestor = NULL;
		__u64 id;

		if (at > level)
			continue;
		if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
					  (void *)group + bpf_core_field_offset(struct cgroup, ancestors) +
						  at * sizeof(ancestor)) ||
		    !ancestor) {
			count(COUNTER_NO_SOCKET_CGROUP);
			continue;
		}
		id = BPF_CORE_READ(ancestor, kn, id);
		found = bpf_map_lookup_elem(table, &id);
		if (found) {
			owner->container = id;
			owner->value = *found;
			return;
		}
	}
}

static __always_inline void read_program_of(struct task_struct *task, struct program_file *program, __u32 *flags)
{
	struct mm_struct *mm = to_read(task)->mm;
	struct file *file = mm ? mm->exe_file : NULL;
	struct inode *inode = file ? file->f_inode : NULL;

	__builtin_memset(program, 0, sizeof(*program));
	*flags = 0;
	if (!inode) {
		*flags = PROGRAM_UNREADABLE;
		count(COUNTER_NO_PROGRAM);
		return;
	}
	program->inode = inode->i_ino;
	program->size = inode->i_size;
	program->device = inode->i_sb->s_dev;
	if (bpf_core_field_exists(struct inode___split, i_ctime_sec)) {
		struct inode___split *split = (void *)inode;

		program->ctime_seconds = split->i_ctime_sec;
		program->ctime_nanoseconds = split->i_ctime_nsec & ~CTIME_QUERIED;
	} else if (bpf_core_field_exists(struct inode___underscores, __i_ctime)) {
		struct inode___underscores *one = (void *)inode;

		program->ctime_seconds = one->__i_ctime.tv_sec;
		program->ctime_nanoseconds = one->__i_ctime.tv_nsec;
	} else {
		struct inode___plain *one = (void *)inode;

		program->ctime_seconds = one->i_ctime.tv_sec;
		program->ctime_nanoseconds = one->i_ctime.tv_nsec;
	}
	if (inode->i_nlink == 0)
		*flags |= PROGRAM_DELETED;
	/*
	 * A file that a copy-up brought to the overlay's upper layer keeps inode and device. Where the
	 * kernel shows the overlay's own inode, ask it; elsewhere the change time alone tells.
	 */
	if (inode->i_sb->s_magic == OVERLAYFS_SUPER_MAGIC && bpf_core_field_exists(struct ovl_inode, __upperdentry)) {
		void *base = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
		struct dentry *upper = NULL;

		if (bpf_probe_read_kernel(&upper, sizeof(upper),
					  base + bpf_core_field_offset(struct ovl_inode, __upperdentry)))
			count(COUNTER_NO_PROGRAM);
		if (upper)
			*flags |= PROGRAM_UPPER_LAYER;
	}
}

static __always_inline void read_program(struct program_file *program, __u32 *flags)
{
	read_program_of(bpf_get_current_task_btf(), program, flags);
}

/*
 * A process with CAP_CHECKPOINT_RESTORE in a user namespace of its own can make
 * the kernel show another executable as its own (PR_SET_MM_MAP). What the exec
 * and fork hooks kept tells. A process older than them has nothing kept.
 */
static __always_inline void check_start(const struct program_file *program, __u32 *flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct started_from *start = bpf_task_storage_get(&starts, task->group_leader, NULL, 0);

	if (start && (start->inode != program->inode || start->device != program->device)) {
		*flags |= PROGRAM_FORGED;
		count(COUNTER_FORGED);
	}
}

/* The class that the rules give to this container and program. */
static __always_inline __u32 class_of(__u64 state_word, const struct caller *caller,
				      const struct program_file *program, __u32 *flags)
{
	struct program_key key;
	struct program_value *named;
	void *table;

	if (*flags)
		return caller->value.class;
	table = LIVE(programs, slot_of(state_word));
	if (!table)
		return caller->value.class;
	key.container = caller->container;
	key.file = *program;
	named = bpf_map_lookup_elem(table, &key);
	if (!named)
		return caller->value.class;
	*flags |= PROGRAM_NAMED;
	return named->class;
}

static __always_inline void read_process(struct process *process)
{
	struct task_struct *task = to_read(bpf_get_current_task_btf());
	__u64 both = bpf_get_current_pid_tgid();

	process->pid = both >> 32;
	process->thread = (__u32)both;
	process->user = (__u32)bpf_get_current_uid_gid();
	process->unused = 0;
	process->start = task->group_leader->start_boottime;
	process->exec_id = task->self_exec_id;
}

#endif
