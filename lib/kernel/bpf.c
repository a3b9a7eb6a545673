/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define VERIFIER_LOG_SIZE ((size_t)64 << 10)
#define ATTACHED_MAX 64		/* the kernel's own limit per cgroup and type (BPF_CGROUP_MAX_PROGS) */

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

void bpf_emit(struct bpf_prog *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	struct bpf_insn insn = { .code = code, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off, .imm = imm };

	if (!p->failed && VEC_PUSH(p, insn) < 0)
		p->failed = true;
}

void bpf_prog_done(struct bpf_prog *p)
{
	VEC_DONE(p);
	p->failed = false;
}

/* The last line of the verifier's log that says something about the program. */
static const char *last_line(char *log)
{
	char *end = log + strlen(log), *nl;

	while (end > log && end[-1] == '\n')
		*--end = '\0';
	nl = strrchr(log, '\n');
	if (nl && strncmp(nl + 1, "processed ", 10) == 0) {
		*nl = '\0';
		return last_line(log);
	}
	return nl ? nl + 1 : log;
}

/* A refused program is loaded once more to learn the verifier's reason: the log costs time and
 * memory that a good program need not pay. */
static int load_refused(union bpf_attr *attr, int num, struct err **e)
{
	auto_free char *log = calloc(1, VERIFIER_LOG_SIZE);

	if (num != EINVAL && num != EACCES)
		return err_set(e, num, NULL, "the kernel does not load a BPF program");
	if (!log)
		return err_no_memory(e);
	attr->log_level = 1;
	attr->log_size = VERIFIER_LOG_SIZE;
	attr->log_buf = (uintptr_t)log;
	int fd = sys_bpf(BPF_PROG_LOAD, attr);

	if (fd >= 0)
		return fd;
	return err_set(e, num, NULL, "the kernel refuses a BPF program (%s)", last_line(log));
}

int bpf_load(const struct bpf_prog *p, uint32_t prog_type, uint32_t attach_type, const char *name,
	     struct err **e)
{
	union bpf_attr attr = { 0 };
	int fd;

	if (p->failed)
		return err_no_memory(e);
	attr.prog_type = prog_type;
	attr.expected_attach_type = attach_type;
	attr.insns = (uintptr_t)p->v;
	attr.insn_cnt = (uint32_t)p->n;
	attr.license = (uintptr_t) "GPL";
	(void)strncpy(attr.prog_name, name, sizeof(attr.prog_name) - 1);
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	return fd >= 0 ? fd : load_refused(&attr, -fd, e);
}

static int attach(int cgroup_fd, uint32_t attach_type, int prog_fd, uint32_t flags, int replace_fd)
{
	union bpf_attr attr = { 0 };

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = attach_type;
	attr.attach_flags = flags;
	if (flags & BPF_F_REPLACE)
		attr.replace_bpf_fd = (uint32_t)replace_fd;
	return sys_bpf(BPF_PROG_ATTACH, &attr);
}

int bpf_cgroup_attach(int cgroup_fd, uint32_t attach_type, int prog_fd, int replace_fd, struct err **e)
{
	int r = -EINVAL;

	if (replace_fd >= 0)
		r = attach(cgroup_fd, attach_type, prog_fd, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, replace_fd);
	if (r >= 0)
		return 0;
	/* New first, old away afterwards: in between both apply, never none. */
	r = attach(cgroup_fd, attach_type, prog_fd, BPF_F_ALLOW_MULTI, -1);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot attach a BPF program to the cgroup");
	return replace_fd >= 0 ? bpf_cgroup_detach(cgroup_fd, attach_type, replace_fd, e) : 0;
}

int bpf_cgroup_detach(int cgroup_fd, uint32_t attach_type, int prog_fd, struct err **e)
{
	union bpf_attr attr = { 0 };
	int r;

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = attach_type;
	r = sys_bpf(BPF_PROG_DETACH, &attr);
	return r < 0 ? err_set(e, -r, NULL, "cannot detach a BPF program from the cgroup") : 0;
}

static bool has_name(int prog_fd, const char *name)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)prog_fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) >= 0 &&
	       strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

int bpf_cgroup_find(int cgroup_fd, uint32_t attach_type, const char *name, struct err **e)
{
	uint32_t ids[ATTACHED_MAX] = { 0 };
	union bpf_attr attr = { 0 };
	int r;

	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = attach_type;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = ATTACHED_MAX;
	r = sys_bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return err_set(e, -r, NULL, "cannot list the BPF programs of the cgroup");
	for (uint32_t i = 0; i < attr.query.prog_cnt && i < ATTACHED_MAX; i++) {
		union bpf_attr get = { .prog_id = ids[i] };
		auto_close int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &get);

		if (fd >= 0 && has_name(fd, name))
			return take_fd(&fd);
	}
	return err_set(e, ENOENT, NULL, "no BPF program named %s is attached to the cgroup", name);
}
