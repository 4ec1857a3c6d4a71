/* Where a file or folder is, as the kernel resolved it: from the mount namespace's root, whatever the task's
 * own root is. One walker for all who ask; what it finds stands in the CPU's exec_room until the next walk.
 */
#pragma once

#include "flavors.h"
#include "maps.h"

#define PATH_ROOM ESCORT_EXEC_PATH
#define PATH_MASK (PATH_ROOM - 1)
#define NAME_MASK 255 /* NAME_MAX */
#define PATH_STEPS 64 /* folders and mounts on the way to the root */

enum path_end {
    PATH_CUT = 0,      /* longer, or deeper, than there is room */
    PATH_WHOLE = 1,    /* got to the root */
    PATH_NAMELESS = 2, /* a memfd: a name, and no folder it is in */
};

struct path_walk {
    struct dentry* dentry;
    struct vfsmount* mnt;
    char* room;  /* written from PATH_ROOM downwards */
    __u32 begin; /* where the path begins in it; it ends at PATH_ROOM */
    __u32 floor; /* it may begin here at the earliest */
    __u32 end;   /* path_end */
};

/* One folder up, or from a mount's root to the place it is mounted on. */
static long step_up_path(__u32 index, struct path_walk* walk) {
    struct dentry *dentry = walk->dentry, *parent; /* CO-RE would relocate a read through `walk` */
    struct vfsmount* mnt = walk->mnt;
    __u32 size, slash;

    if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
        struct mount* mount = (void*)mnt - bpf_core_field_offset(struct mount, mnt);
        struct mount* above = BPF_CORE_READ(mount, mnt_parent);
        if (above == mount) {
            walk->end = PATH_WHOLE;
            return 1;
        }
        walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
        walk->mnt = (void*)above + bpf_core_field_offset(struct mount, mnt);
        return 0;
    }
    parent = BPF_CORE_READ(dentry, d_parent);
    slash = parent != dentry;
    size = BPF_CORE_READ(dentry, d_name.len);
    if (size + slash + walk->floor > walk->begin) return 1;
    walk->begin -= size + slash;
    bpf_probe_read_kernel(&walk->room[(walk->begin + slash) & PATH_MASK], size & NAME_MASK,
                          BPF_CORE_READ(dentry, d_name.name));
    if (!slash) {
        walk->end = PATH_NAMELESS;
        return 1;
    }
    walk->room[walk->begin & PATH_MASK] = '/';
    walk->dentry = parent;
    return 0;
}

/* Fills `walk` and its room. `longest`: bytes of the path that there is room for, below PATH_ROOM. */
static __noinline int walk_path(struct path_walk* walk, struct dentry* dentry, struct vfsmount* mnt,
                                __u32 longest) {
    __u32 zero = 0;
    struct exec_room* room = bpf_map_lookup_elem(&exec_room, &zero);

    walk->end = PATH_CUT;
    walk->begin = PATH_ROOM;
    if (!room) return opaque_zero();
    walk->dentry = dentry;
    walk->mnt = mnt;
    walk->room = room->path;
    walk->floor = PATH_ROOM - longest;
    bpf_loop(PATH_STEPS, step_up_path, walk, 0);
    if (walk->end == PATH_WHOLE && walk->begin == PATH_ROOM) { /* the root itself */
        walk->begin = PATH_ROOM - 1;
        room->path[PATH_ROOM - 1] = '/';
    }
    return opaque_zero();
}
