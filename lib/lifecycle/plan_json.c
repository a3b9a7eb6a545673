/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "lifecycle/plan.h"

/* "FILE:LINE" of the value's origin; null: set by a program. */
static void add_origin(struct json *j, struct origin at)
{
	auto_free char *text = NULL;

	if (at.file && asprintf(&text, "%s:%u", at.file, at.line) < 0)
		text = NULL;
	json_string(j, "where", text);
}

static void add_root(struct json *j, const struct run *r)
{
	if (!r->storage) {
		json_null(j, "root");
		return;
	}
	json_object(j, "root");
	json_string(j, "type", storage_type(r->storage));
	json_string(j, "source", storage_source(r->storage));
	json_bool(j, "idmapped", storage_is_idmapped(r->storage));
	add_origin(j, r->conf->rootfs_path.at);
	json_object_end(j);
}

static void add_namespaces(struct json *j, const struct run *r)
{
	json_array(j, "namespaces");
	for (int i = 0; i < NS_COUNT; i++)
		if (r->all_flags & (uint64_t)ns_table[i].flag)
			json_string(j, NULL, ns_table[i].name);
	json_array_end(j);
}

static void add_ids(struct json *j, const struct run *r)
{
	json_array(j, "ids");
	for (size_t i = 0; i < r->idmap.n; i++) {
		json_object(j, NULL);
		json_string(j, "kind", r->idmap.v[i].gid ? "gid" : "uid");
		json_u64(j, "inside", r->idmap.v[i].nsid);
		json_u64(j, "host", r->idmap.v[i].hostid);
		json_u64(j, "count", r->idmap.v[i].range);
		json_object_end(j);
	}
	json_array_end(j);
}

static void add_mounts(struct json *j, const struct run *r)
{
	json_array(j, "mounts");
	for (size_t i = 0; i < r->mounts.n; i++) {
		json_object(j, NULL);
		json_string(j, "source", r->mounts.v[i].source);
		json_string(j, "target", r->mounts.v[i].target);
		json_string(j, "type", r->mounts.v[i].type);
		json_bool(j, "skipped", r->mounts.v[i].skip);
		add_origin(j, r->mounts.v[i].at);
		json_object_end(j);
	}
	json_array_end(j);
}

static void add_networks(struct json *j, const struct run *r)
{
	static const char *const types[] = { "empty", "none", "veth", "macvlan", "ipvlan", "vlan", "phys" };

	json_array(j, "networks");
	for (size_t i = 0; i < r->conf->nets.n; i++) {
		const struct conf_net *n = &r->conf->nets.v[i];

		json_object(j, NULL);
		json_u64(j, "index", n->index);
		json_string(j, "type", n->type >= 0 && (size_t)n->type < ARRAY_SIZE(types) ? types[n->type] : NULL);
		json_string(j, "link", n->link.v);
		json_string(j, "name", n->name.v);
		json_string(j, "hwaddr", n->hwaddr.v);
		add_origin(j, n->at);
		json_object_end(j);
	}
	json_array_end(j);
}

void plan_json(const struct run *r, struct buf *out)
{
	const char *cgroup = cgroup_path(r->cgroups, NULL, false);
	struct json j = JSON_INIT(out);

	json_object(&j, NULL);
	json_u64(&j, "version", 1);
	json_string(&j, "name", r->name);
	json_string(&j, "lxcpath", r->lxcpath);
	json_array(&j, "init");
	for (size_t i = 0; i < r->argv.n; i++)
		json_string(&j, NULL, r->argv.v[i]);
	json_array_end(&j);
	json_bool(&j, "application", r->application);
	add_root(&j, r);
	add_namespaces(&j, r);
	add_ids(&j, r);
	add_mounts(&j, r);
	add_networks(&j, r);
	json_string(&j, "cgroup", cgroup ? cgroup : cgroup_path(r->cgroups, "memory", false));
	json_string(&j, "profile", r->lsm && *lsm_label(r->lsm) ? lsm_label(r->lsm) : NULL);
	json_u64(&j, "seccomp_instructions", r->seccomp.len);
	json_u64(&j, "capabilities_dropped", (uint64_t)__builtin_popcountll(r->caps_drop));
	json_object_end(&j);
}
