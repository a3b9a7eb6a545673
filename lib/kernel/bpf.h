/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* bpf - a small builder of eBPF instructions, and bpf(2) for programs on cgroups. */
#pragma once
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

/* Instructions are appended; a failed append (memory) is remembered and reported by bpf_load. */
struct bpf_prog {
	VEC(struct bpf_insn);
	bool failed;
};

void bpf_emit(struct bpf_prog *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm);
/* Loads the program (licence GPL, name of at most 15 letters). fd; -errno with the verifier's last
 * line in the error. */
int bpf_load(const struct bpf_prog *p, uint32_t prog_type, uint32_t attach_type, const char *name,
	     struct err **e);
void bpf_prog_done(struct bpf_prog *p);
/* Attaches with BPF_F_ALLOW_MULTI. replace_fd >= 0: takes that program's place at once where the
 * kernel can (5.6), else attaches and then detaches the old one. */
int bpf_cgroup_attach(int cgroup_fd, uint32_t attach_type, int prog_fd, int replace_fd, struct err **e);
int bpf_cgroup_detach(int cgroup_fd, uint32_t attach_type, int prog_fd, struct err **e);
/* The program of that name attached directly to the cgroup: fd, -ENOENT when there is none. */
int bpf_cgroup_find(int cgroup_fd, uint32_t attach_type, const char *name, struct err **e);
