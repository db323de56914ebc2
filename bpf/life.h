/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tp_btf/sched_process_exec, sched_process_fork, sched_process_exit (since 5.5;
 * task storage 5.11): what runs in the containers. Raw BTF tracepoints attach without a trampoline. The path is
 * walked here, at the exec, because later the process may be gone or be another.
 */
#ifndef PALISADE_LIFE_H
#define PALISADE_LIFE_H

/* Container of the current task; 0 when it is not below the pods' root or not known. */
static __always_inline __u64 current_container(void)
{
	struct caller caller;

	find_caller(read_state(), &caller);
	return caller.container;
}

/* Writes the names from the file up to the root of the process, across mounts. */
static __always_inline void write_path(struct exec_event *event, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct dentry *root = BPF_CORE_READ(task, fs, root.dentry);
	struct vfsmount *root_mount = BPF_CORE_READ(task, fs, root.mnt);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);
	__u32 used = 0;

	event->path_whole = 0;
	for (int step = 0; step < PATH_COMPONENTS; step++) {
		struct dentry *parent;
		long length;

		if (dentry == root && mount == root_mount) {
			event->path_whole = 1;
			break;
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		if (dentry == parent || dentry == BPF_CORE_READ(mount, mnt_root)) {
			struct mount *whole = (void *)mount - bpf_core_field_offset(struct mount, mnt);
			struct mount *above = BPF_CORE_READ(whole, mnt_parent);

			if (!above || above == whole)
				break;
			dentry = BPF_CORE_READ(whole, mnt_mountpoint);
			mount = (void *)above + bpf_core_field_offset(struct mount, mnt);
			continue;
		}
		if (used >= PATH_BYTES)
			break;
		length = bpf_probe_read_kernel_str(&event->path[used], PATH_COMPONENT_BYTES,
						   BPF_CORE_READ(dentry, d_name.name));
		if (length <= 0)
			break;
		used += length & (PATH_COMPONENT_BYTES * 2 - 1);
		dentry = parent;
	}
	event->path_length = used;
	if (!event->path_whole)
		count(COUNTER_PATH_CUT);
}

static __always_inline void keep_start(struct task_struct *task, __u64 inode, __u32 device)
{
	struct started_from *start = bpf_task_storage_get(&starts, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!start) {
		count(COUNTER_NO_STORAGE);
		return;
	}
	start->inode = inode;
	start->device = device;
}

/* A child runs what its parent was started from. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct started_from *start;

	if (child->pid != child->tgid || !below_root())
		return 0;
	start = bpf_task_storage_get(&starts, parent->group_leader, NULL, 0);
	if (start)
		keep_start(child, start->inode, start->device);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	struct program_file program;
	struct exec_event *event;
	struct file *file;
	__u32 flags;

	if (!below_root())
		return 0;
	count(COUNTER_EXECS);
	read_program(&program, &flags);
	keep_start(task, program.inode, program.device);
	event = RESERVE(struct exec_event);
	if (!event)
		return 0;
	start_event(&event->header, EVENT_EXEC, bpf_ktime_get_boot_ns());
	event->container = current_container();
	event->cgroup = bpf_get_current_cgroup_id();
	read_process(&event->process);
	event->program = program;
	event->program_flags = flags;
	event->parent = to_read(task)->real_parent->tgid;
	file = to_read(task)->mm->exe_file;
	if (file)
		write_path(event, file);
	else
		event->path_length = event->path_whole = 0;
	SUBMIT(event);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct exit_event *event;

	if (task->pid != task->tgid || !below_root())
		return 0;
	event = RESERVE(struct exit_event);
	if (!event)
		return 0;
	start_event(&event->header, EVENT_EXIT, bpf_ktime_get_boot_ns());
	event->container = current_container();
	read_process(&event->process);
	event->code = task->exit_code;
	event->unused = 0;
	SUBMIT(event);
	return 0;
}

#endif
