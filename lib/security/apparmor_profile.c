/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "security/apparmor_profile.h"

#include <string.h>

#include "base/compiler.h"

#define TEXT_MAX (1024 * 1024)

/* ---- "everything except", which the language does not have ---- */

struct except {
	struct buf *b;
	const char *base, *before, *after;
	const char *const *v;
	size_t n;
};

static bool shares(const char *s, const char *prefix, size_t len)
{
	return strncmp(s, prefix, len) == 0;
}

/* One step down the tree of characters that the exceptions make: what goes on differently here than
 * every exception does is matched; then each way on is followed. */
static void put_except(const struct except *x, const char *prefix, size_t len)
{
	const bool at_slash = len == 0 || prefix[len - 1] == '/';
	bool complete = false, dir = false;
	char next[128];
	size_t k = 0;

	for (size_t i = 0; i < x->n; i++) {
		const char *s = x->v[i];

		if (!shares(s, prefix, len))
			continue;
		if (s[len] == '*' || (s[len] == '\0' && at_slash && len))
			return;
		complete |= s[len] == '\0';
		dir |= s[len] == '/';
		if (s[len] && !memchr(next, s[len], k))
			next[k++] = s[len];
	}
	buf_addf(x->b, "%s%s%.*s", x->before, x->base, (int)len, prefix);
	/* A name that is only the beginning of an exception is no exception. */
	buf_adds(x->b, at_slash || complete || dir ? "" : "{,");
	if (k > dir)
		buf_addf(x->b, "[^%s%.*s]*", dir || at_slash ? "" : "/", (int)k, next);
	else
		buf_adds(x->b, "[^/]*");
	buf_adds(x->b, at_slash || complete || dir ? "" : "}");
	buf_addf(x->b, "%s\n", x->after);
	for (size_t i = 0; i < k; i++)
		for (size_t j = 0; j < x->n; j++)
			if (shares(x->v[j], prefix, len) && x->v[j][len] == next[i]) {
				put_except(x, x->v[j], len + 1);
				break;
			}
}

void apparmor_all_except(struct buf *b, const char *base, const char *const *except, size_t n,
			 const char *before, const char *after)
{
	const struct except x = { b, base, before, after, except, n };

	put_except(&x, "", 0);
}

/* ---- the parts of a profile ---- */

static const char *const base_rules[] = {
	"capability,",
	"dbus,",
	"file,",
	"network,",
	"umount,",
	"signal (receive),",
	"signal peer=@{profile_name},",
	"ptrace (readby, tracedby),",
	"ptrace peer=@{profile_name},",
	/* Shutting down tries it; it must fail without noise in the log. */
	"deny mount options=(ro, remount) -> /,",
	/* CVE-2026-31431: 32 bit programs reach these sockets past seccomp. */
	"deny network alg,",
};

/* A guest with a user namespace: the kernel itself keeps it from mounting, writing to /proc/sys and
 * so on what is not its own, and a new release of systemd or a container runtime that mounts in
 * another order must find no wall here. */
static const char *const mapped_rules[] = {
	"mount,",
	"pivot_root,",
};

static const char *const nesting_rules[] = {
	"mount,",
	"pivot_root,",
	"ptrace,",
	"signal,",
	"deny /dev/.lxc/proc/** rw,",
	"deny /dev/.lxc/sys/** rw,",
};

/* File systems that a guest's init mounts in the places where they belong. */
static const char *const mount_rules[] = {
	"mount fstype=tmpfs,",
	"mount fstype=hugetlbfs,",
	"mount fstype=mqueue,",
	"mount fstype=fuse,",
	"mount fstype=fuse.*,",
	"mount fstype=cgroup -> /sys/fs/cgroup/**,",
	"mount fstype=cgroup2 -> /sys/fs/cgroup/**,",
	"mount fstype=binfmt_misc -> /proc/sys/fs/binfmt_misc/,",
	"mount fstype=efivarfs -> /sys/firmware/efi/efivars/,",
	"mount fstype=fusectl -> /sys/fs/fuse/connections/,",
	"mount fstype=securityfs -> /sys/kernel/security/,",
	"mount fstype=debugfs -> /sys/kernel/debug/,",
	"mount fstype=proc -> /proc/,",
	"mount fstype=sysfs -> /sys/,",
	"mount options=(rw, nosuid, nodev, noexec, remount) -> /sys/,",
	"mount options=(ro, remount) -> /sys/fs/cgroup/,",
	"mount options=(ro, nosuid, nodev, noexec, remount) -> /sys/fs/cgroup/,",
	"mount options=(ro, nosuid, nodev, noexec, remount, strictatime) -> /sys/fs/cgroup/,",
	"deny mount fstype=debugfs -> /var/lib/ureadahead/debugfs/,",
};

/* systemd gives a service with ProtectSystem=, PrivateTmp= and the like, which is most of its own, a root that
 * it puts together here; without these rules those services fail with 226/NAMESPACE. What such a root
 * holds of /proc and /sys is denied there as it is below /; binding it further away is out of reach of rules
 * about paths, and one more reason for lxc.idmap where root of the guest is not trusted. */
static const char *const sandbox_rules[] = {
	"mount options=(rw, rbind) / -> /run/systemd/{unit-root,mount-rootfs}/,",
	"mount fstype=proc -> /run/systemd/{unit-root,mount-rootfs}/proc/,",
	"mount fstype=ramfs -> /{dev/shm,run/credentials,run/systemd}/**,",
	"pivot_root,",
};

/* Where a guest's /proc and /sys are seen. */
#define ROOTS "/{,run/systemd/{unit-root,mount-rootfs}/}"

/* Root of a guest without a user namespace is root for these files. */
static const char *const file_denies[] = {
	"deny " ROOTS "proc/kcore rwklx,",
	"deny " ROOTS "proc/sysrq-trigger rwklx,",
	"deny " ROOTS "proc/acpi/** rwklx,",
	"deny " ROOTS "proc/bus/** wklx,",
	"deny " ROOTS "proc/sys/fs/binfmt_misc/** wklx,",
	"deny " ROOTS "sys/firmware/efi/efivars/** rwklx,",
	"deny " ROOTS "sys/kernel/debug/{,**} rwklx,",
};

static const char *const propagation[] = {
	"make-slave",	   "make-rslave",    "make-shared",	"make-rshared",
	"make-private",	   "make-rprivate",  "make-unbindable", "make-runbindable",
};

static void put_rules(struct buf *b, const char *const *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "  %s\n", rules[i]);
}
#define PUT_RULES(b, rules) put_rules(b, rules, ARRAY_SIZE(rules))

/* Writing to the kernel's knobs, except the ones that belong to a guest's own namespaces. */
static void put_knob_denies(struct buf *b, const char *ns)
{
	static const char *const proc_sys[] = { "kernel/domainname", "kernel/hostname", "kernel/msg*",
						"kernel/sem*",	     "kernel/shm*",	"net/" };
	static const char *const sys[] = { "fs/cgroup/", "class/net/", "devices/virtual/net/",
					   "kernel/security/apparmor/" };

	apparmor_all_except(b, ROOTS "proc/sys/", proc_sys, ARRAY_SIZE(proc_sys), "  deny ", "{,/**} wklx,");
	/* The guest's own policy namespace is reached through securityfs. */
	apparmor_all_except(b, ROOTS "sys/", sys, ns ? ARRAY_SIZE(sys) : ARRAY_SIZE(sys) - 1, "  deny ",
			    "{,/**} wklx,");
}

/* Binding what is below /proc and /sys elsewhere would go round the rules about these paths; so would
 * the whole root or the whole /dev, with the full mounts in /dev/.lxc. */
static void put_bind_rules(struct buf *b, bool new_rules)
{
	static const char *const tree[] = { "proc/", "sys/", "dev/" };
	static const char *const dev[] = { ".lxc/" };
	static const char *const times[] = { "", ", noatime", ", strictatime" };
	struct buf targets = BUF_INIT(TEXT_MAX);

	apparmor_all_except(b, "/", tree, ARRAY_SIZE(tree), "  mount options=(rw, bind) ", "{,/,/**},");
	apparmor_all_except(b, "/dev/", dev, ARRAY_SIZE(dev), "  mount options=(rw, bind) ", "{,/,/**},");
	apparmor_all_except(b, "/", tree, ARRAY_SIZE(tree), "  mount options=(rw, move) ", "{,/,/**},");
	apparmor_all_except(b, "/dev/", dev, ARRAY_SIZE(dev), "  mount options=(rw, move) ", "{,/,/**},");
	apparmor_all_except(b, "/", tree, ARRAY_SIZE(tree), "  mount options=(rw, rbind) ", "{,/,/**},");

	/* Parsers before 3.0.9 and 3.1.3 take the rules below for leave to bind everything (CVE-2016-1585). */
	buf_adds(b, "  deny mount options=(rw, bind) /{,proc/,proc/**,sys/,sys/**,dev/,dev/.lxc/,dev/.lxc/**},\n");
	/* Making a mount read-only harms nobody. The flags must be listed exactly as they come. */
	apparmor_all_except(&targets, "/", tree, ARRAY_SIZE(tree), "", "{,/,/**}");
	apparmor_all_except(&targets, "/dev/", dev, ARRAY_SIZE(dev), "", "{,/,/**}");
	for (unsigned flags = 0; flags < (new_rules ? 16U : 8U); flags++)
		for (size_t t = 0; t < ARRAY_SIZE(times); t++)
			for (const char *p = buf_str(&targets), *end; *p; p = end + 1) {
				end = strchrnul(p, '\n');
				buf_addf(b, "  mount options=(ro, remount, bind%s%s%s%s%s) -> %.*s,\n",
					 flags & 1 ? ", nodev" : "", flags & 2 ? ", nosuid" : "",
					 flags & 4 ? ", noexec" : "", flags & 8 ? ", nosymfollow" : "",
					 times[t], (int)(end - p), p);
			}
	buf_done(&targets);
}

static void put_confinement(struct buf *b, const struct apparmor_profile *p)
{
	if (p->mapped) {
		PUT_RULES(b, mapped_rules);
		return;
	}
	PUT_RULES(b, file_denies);
	if (p->nesting) {
		PUT_RULES(b, nesting_rules);
		return;
	}
	PUT_RULES(b, mount_rules);
	PUT_RULES(b, sandbox_rules);
	for (size_t i = 0; i < ARRAY_SIZE(propagation); i++)
		buf_addf(b, "  mount options=(rw, %s) -> **,\n", propagation[i]);
	put_bind_rules(b, p->new_rules);
	put_knob_denies(b, p->ns);
}

char *apparmor_profile_text(const struct apparmor_profile *p)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_addf(&b,
		 "# Written by LXC at each start of the container; changes are lost. See lxc.apparmor.raw.\n"
		 "#include <tunables/global>\n\n"
		 "profile \"%s\" flags=(attach_disconnected,mediate_deleted) {\n", p->name);
	PUT_RULES(&b, base_rules);
	if (p->unix_rules)
		buf_adds(&b, "  unix (receive),\n  unix peer=(label=@{profile_name}),\n");
	if (p->new_rules)
		buf_adds(&b, "  mqueue,\n");
	if (p->userns_rules)
		buf_adds(&b, "  userns,\n");
	if (p->io_uring_rules)
		buf_adds(&b, "  io_uring,\n");
	put_confinement(&b, p);
	if (p->ns)
		buf_addf(&b, "  change_profile -> \":%s:*\",\n  change_profile -> \":%s://*\",\n", p->ns, p->ns);
	else if (p->nesting || p->mapped)
		buf_addf(&b, "  change_profile -> \"%s\",\n", p->name);
	for (size_t i = 0; p->raw && i < p->raw->n; i++)
		buf_addf(&b, "  %s\n", p->raw->v[i].value);
	buf_adds(&b, "}\n");
	return buf_take(&b);
}
