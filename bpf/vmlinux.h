/* The kernel types that the programs use, no more: fields by name only, found at load time (CO-RE).
 * Never generated; a field is added here when a program reads it. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum bpf_map_type_used {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum bpf_flags_used {
    BPF_ANY = 0,
    BPF_NOEXIST = 1,
    BPF_F_NO_PREALLOC = 1,
    BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};
#define NULL ((void*)0)

/* Fields that the kernel alone reads and knows by these names. */
struct bpf_timer {
    __u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_task_work { /* since 6.18; before, a word that nobody reads */
    __u64 opaque;
} __attribute__((aligned(8)));
struct bpf_iter_task {
    __u64 opaque[3];
} __attribute__((aligned(8)));
struct bpf_map { /* whole, or a kfunc's type would not be the kernel's */
    u32 max_entries;
};

enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_map___id { /* what is read of it */
    u32 id;
};

typedef struct {
    unsigned int val;
} kuid_t;

struct user_namespace;
struct ns_common {
    unsigned int inum;
};
struct user_namespace {
    struct ns_common ns;
};
struct pid_namespace {
    struct ns_common ns;
    unsigned int level;
};
struct upid {
    int nr;
    struct pid_namespace* ns;
};
struct pid {
    unsigned int level;
    struct upid numbers[1];
};
struct cred {
    kuid_t uid;
    kuid_t euid;
    struct user_namespace* user_ns;
};
struct kernel_siginfo {
    int si_code;
};
struct super_block {
    unsigned int s_dev;
};
struct inode {
    unsigned short i_mode;
    kuid_t i_uid;
    unsigned long i_ino;
    struct super_block* i_sb;
};
struct qstr {
    u32 len;
    const unsigned char* name;
};
struct hlist_bl_node {
    struct hlist_bl_node** pprev;
};
struct dentry {
    struct hlist_bl_node d_hash;
    struct dentry* d_parent;
    struct qstr d_name;
    struct inode* d_inode;
};
struct vfsmount {
    struct dentry* mnt_root;
};
struct mount {
    struct mount* mnt_parent;
    struct dentry* mnt_mountpoint;
    struct vfsmount mnt;
};
struct path {
    struct vfsmount* mnt;
    struct dentry* dentry;
};
struct fs_struct {
    struct path root;
    struct path pwd;
};
struct file {
    struct path f_path;
    struct inode* f_inode;
};
struct mm_struct {
    unsigned long arg_start;
    unsigned long arg_end;
    struct file* exe_file;
};
struct kernfs_node {
    u64 id;
    const char* name;
};
struct cgroup {
    struct kernfs_node* kn;
};
struct css_set {
    struct cgroup* dfl_cgrp;
};
struct cgroup_namespace {
    struct css_set* root_cset;
};
struct nsproxy {
    struct cgroup_namespace* cgroup_ns;
};
struct tty_struct {
    char name[64];
};
struct signal_struct {
    unsigned int flags;
    struct tty_struct* tty;
};
struct task_struct {
    unsigned int __state;
    unsigned int flags;
    int exit_state;
    int pid;
    int tgid;
    struct task_struct* real_parent;
    struct task_struct* group_leader;
    struct pid* thread_pid;
    u64 start_boottime;
    u64 parent_exec_id;
    u64 self_exec_id;
    const struct cred* real_cred;
    const struct cred* cred;
    char comm[16];
    struct fs_struct* fs;
    struct nsproxy* nsproxy;
    struct signal_struct* signal;
    struct mm_struct* mm;
    kuid_t loginuid;
    unsigned int sessionid;
    struct css_set* cgroups;
};
enum kernel_load_data_id {
    LOADING_MODULE = 2,
    LOADING_KEXEC_IMAGE = 3,
};
enum kernel_read_file_id {
    READING_MODULE = 2,
    READING_KEXEC_IMAGE = 3,
    READING_MODULE_COMPRESSED = 8, /* later kernels */
};
struct linux_binprm {
    struct file* file;
    unsigned int execfd_creds : 1;
    unsigned int per_clear;
    const char* filename;
    const char* interp;
};
struct trace_entry {
    unsigned short type;
};
struct trace_event_raw_sys_exit {
    struct trace_entry ent;
    long id;
    long ret;
};
struct seq_file;
struct bpf_iter_meta {
    struct seq_file* seq;
};
struct bpf_iter__task {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
};

#pragma clang attribute pop
