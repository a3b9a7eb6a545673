/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-user-nic - makes a veth device for an ordinary user's container, as far as lxc-usernet allows. It has
 * file capabilities, and trusts nothing of its caller: what it is given is a number, names of network
 * devices and two words that it does not use. A capability is in force only around the call that needs it.
 *
 *	lxc-user-nic create LXCPATH NAME PID veth LINK [DEVICE]
 *	lxc-user-nic delete LXCPATH NAME NETNS veth LINK DEVICE
 *
 * delete is for Open vSwitch, whose program wants to be root: it is always refused, and looks at nothing. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/paths.h"
#include "base/str.h"
#include "kernel/link.h"
#include "kernel/proc.h"
#include "network/nic.h"
#include "network/usernet.h"

#define PROG "lxc-user-nic"
#define DATABASE_MAX ((size_t)4 << 20)
#define DEFAULT_NAME "eth%d"
#define TRIES 10

struct request {
	pid_t pid;
	const char *link, *name;
	int netns;			/* of pid, and the caller's */
	int db;				/* locked */
	char *text;			/* owned: the database less what is gone */
	char host[IFNAMSIZ];
};

static int fail(struct err *e)
{
	err_print(stderr, PROG, e, false);
	err_free(e);
	return EXIT_FAILURE;
}

/* The capabilities of mask in force, no other. */
static int raise_caps(uint32_t mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].effective = data[0].permitted & mask;
	data[1].effective = 0;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return (data[0].permitted & mask) == mask ? 0 : -EPERM;
}

static int powerless(struct err **e)
{
	return err_user_nic_missing(e, PATH_LIBEXEC "/" PROG, "it has no file capabilities",
				    PATH_LIBEXEC "/" PROG);
}

/* The network namespace must belong to a user namespace of the caller's. All is asked of the descriptor that
 * is used later. Whatever is wrong, the answer is one. */
static int open_target(struct request *q, struct err **e)
{
	auto_close int fd = -EBADF, user = -EBADF;
	struct statfs fs;
	char path[64];
	uid_t owner;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", q->pid);
	/* With the caller's own rights: the kernel answers whether they do. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		user = ioctl(fd, NS_GET_USERNS);
	if (user < 0 || ioctl(user, NS_GET_OWNER_UID, &owner) < 0 || owner != getuid() || owner == 0)
		return err_set(e, EPERM, "user-nic-target", "process %d is not the init of a container of yours", q->pid);
	q->netns = take_fd(&fd);
	return 0;
}

/* Until it was root's the caller could put something there. */
static bool is_empty(int dir)
{
	auto_closedir DIR *d = io_opendir(dir, ".");
	size_t n = 0;

	if (!d)
		return false;
	while (readdir(d))
		n++;
	return n == 2;
}

/* PATH_RUNTIME/lxc, root's. Made where it is missing: beside, given to root, empty, and only then in place. */
static int open_run_dir(struct err **e)
{
	auto_close int run = open(PATH_RUNTIME, O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -EBADF;
	struct stat st;
	char name[32];

	if (run < 0)
		return err_set(e, errno, NULL, "cannot open " PATH_RUNTIME);
	dir = openat(run, "lxc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT) {
		(void)snprintf(name, sizeof(name), ".lxc-%d", getpid());
		if (mkdirat(run, name, 0755) < 0)
			return err_set(e, errno, NULL, "cannot make " PATH_RUNTIME "/lxc");
		dir = openat(run, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir >= 0 && fchown(dir, 0, 0) == 0 && is_empty(dir))
			(void)renameat2(run, name, run, "lxc", RENAME_NOREPLACE);
		(void)unlinkat(run, name, AT_REMOVEDIR);
		fd_replace(&dir, openat(run, "lxc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	}
	if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != 0 || (st.st_mode & 022))
		return err_set(e, EPERM, "user-nic-database", PATH_RUNTIME "/lxc is not root's alone");
	return take_fd(&dir);
}

/* Nobody but root has ever had the file open when it appears under its name. */
static int make_database(int dir)
{
	auto_close int fd = openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0);
	char path[32];

	if (fd < 0 || fchmod(fd, 0600) < 0 || fchown(fd, 0, 0) < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dir, "nics", AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_database(struct request *q, struct err **e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_close int dir = -EBADF, fd = -EBADF;
	struct stat st;

	if (raise_caps(1U << CAP_DAC_OVERRIDE | 1U << CAP_CHOWN) < 0)
		return powerless(e);
	dir = open_run_dir(e);
	if (dir < 0)
		return dir;
	fd = openat(dir, "nics", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && make_database(dir) == 0)
		fd = openat(dir, "nics", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	(void)raise_caps(0);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077))
		return err_set(e, EPERM, "user-nic-database", "the database " PATH_RUNTIME "/lxc/nics is not root's alone");
	while (fcntl(fd, F_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return err_set(e, errno, NULL, "cannot lock the database");
	q->db = take_fd(&fd);
	return 0;
}

static bool device_exists(const char *device, void *arg)
{
	return if_nametoindex(device) > 0;
}

static int read_database(struct request *q, struct err **e)
{
	auto_buf struct buf kept = BUF_INIT(DATABASE_MAX);
	auto_free char *text = NULL;
	size_t len;
	int r = io_read_fd(q->db, DATABASE_MAX, &text, &len);

	if (r < 0)
		return err_set(e, -r, NULL, "cannot read the database");
	if (usernet_cull(text, device_exists, NULL, &kept) < 0)
		return err_no_memory(e);
	q->text = strdup(buf_str(&kept));
	return q->text ? 0 : err_no_memory(e);
}

static int write_database(const struct request *q, const char *line, struct err **e)
{
	auto_buf struct buf b = BUF_INIT(DATABASE_MAX + 1024);

	buf_adds(&b, q->text);
	buf_adds(&b, line);
	if (!buf_ok(&b))
		return err_no_memory(e);
	if (lseek(q->db, 0, SEEK_SET) < 0 || io_write_all(q->db, buf_str(&b), b.len) < 0 ||
	    ftruncate(q->db, (off_t)b.len) < 0)
		return err_set(e, errno, NULL, "cannot write the database");
	return 0;
}

static int make_pair(struct request *q, struct netlink *nl, const struct link *bridge, struct err **e)
{
	unsigned char mac[LINK_MAC_LEN];
	struct link_end host = { .name = q->host, .mac = mac, .netns_fd = -1, .up = true };
	struct link_end peer = { .name = q->name, .netns_fd = q->netns };
	char path[64 + IFNAMSIZ];
	int r;

	mac_random(mac, true);
	if (bridge) {
		host.master = bridge->index;
		host.mtu = peer.mtu = bridge->mtu;
	}
	if (raise_caps(1U << CAP_NET_ADMIN) < 0)
		return powerless(e);
	r = link_add_veth(nl, &host, &peer, e);
	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", q->host);
	if (r == 0 && bridge)
		(void)io_write_value(AT_FDCWD, path, "1");
	(void)raise_caps(0);
	return r;
}

static void choose_name(struct request *q)
{
	char prefix[IFNAMSIZ];
	uid_t uid = getuid();

	if (uid >= 1 && uid <= 65536) {
		(void)snprintf(prefix, sizeof(prefix), "veth%u_", (unsigned)uid);
		ifname_random(q->host, prefix, 4);
	} else {
		ifname_random(q->host, "veth", 6);
	}
}

/* The device inside, by its own namespace: its name may have been the kernel's choice. */
static int report(const struct request *q, struct netlink *nl, struct err **e)
{
	auto_netlink struct netlink inside = NETLINK_INIT;
	auto_strv struct strv names = { 0 };
	struct link host, peer = { 0 };
	int r = link_get(nl, q->host, &host, e);

	if (r == 0)
		r = netlink_open_in(&inside, q->netns, e);
	if (r == 0)
		r = link_list(&inside, -1, &names, e);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		struct link l;

		if (link_get(&inside, names.v[i], &l, NULL) == 0 && STREQ(l.kind, "veth") && l.index > peer.index)
			peer = l;
	}
	if (r < 0 || !peer.index)
		return r < 0 ? r : err_set(e, ENODEV, NULL, "the device did not arrive in the container");
	printf("%s:%d:%s:%d\n", peer.name, peer.index, host.name, host.index);
	return fflush(stdout) == 0 ? 0 : err_set(e, errno, NULL, "cannot write to standard output");
}

static void take_back(struct request *q, struct netlink *nl)
{
	struct link l;

	if (link_get(nl, q->host, &l, NULL) == 0 && raise_caps(1U << CAP_NET_ADMIN) == 0)
		(void)link_delete(nl, l.index, NULL);
	(void)raise_caps(0);
	(void)write_database(q, "", NULL);
}

/* The line is in the database before the device is there: a kill between the two costs nothing, the line goes
 * at the next call. */
static int make(struct request *q, const char *owner, struct netlink *nl, const struct link *bridge, struct err **e)
{
	char line[256];
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		auto_err struct err *mine = NULL;

		choose_name(q);
		(void)snprintf(line, sizeof(line), "%.99s veth %.15s %s\n", owner, q->link, q->host);
		r = write_database(q, line, e);
		if (r < 0)
			return r;
		r = make_pair(q, nl, bridge, &mine);
		if (r == -EEXIST && if_nametoindex(q->host) && i < TRIES - 1)
			continue;
		if (r < 0)
			err_move(e, take_ptr(mine));
		break;
	}
	if (r == 0)
		r = report(q, nl, e);
	if (r < 0)
		take_back(q, nl);
	return r;
}

/* Without a grant nothing is said about what exists. */
static int authorise(struct request *q, struct usernet_grants *grants, const struct usernet_grant **ret, struct err **e)
{
	auto_strv struct strv names = { 0 };
	int r = usernet_names(&names) < 0 ? err_no_memory(e) : 0;

	if (r == 0)
		r = usernet_read(PATH_USERNET, &names, "veth", q->link, grants, e);
	if (r == 0 && grants->n)
		r = open_database(q, e);
	if (r == 0 && grants->n)
		r = read_database(q, e);
	if (r < 0)
		return r;
	*ret = q->text ? usernet_room(grants, q->text, "veth", q->link) : NULL;
	if (*ret)
		return 0;
	return err_usernet_denied(e, names.n ? names.v[0] : "?", "veth", q->link, PATH_USERNET);
}

static int create(struct request *q, struct err **e)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	const struct usernet_grant *grant = NULL;
	struct usernet_grants grants = { 0 };
	struct link bridge;
	bool bridged = !STREQ(q->link, "none");
	int r = open_target(q, e);

	if (r == 0)
		r = authorise(q, &grants, &grant, e);
	if (r == 0)
		r = netlink_open(&nl, e);
	if (r == 0 && bridged)
		r = link_get(&nl, q->link, &bridge, e);
	if (r == 0 && bridged && !STREQ(bridge.kind, "bridge"))
		r = err_set(e, EINVAL, "user-nic-link", "%s is not a bridge", q->link);
	if (r == 0)
		r = make(q, grant->owner, &nl, bridged ? &bridge : NULL, e);
	usernet_done(&grants);
	return r;
}

static int parse(struct request *q, int argc, char **argv, struct err **e)
{
	const char *why;

	if (argc == 8 && STREQ(argv[1], "delete"))
		return err_set(e, EPERM, "user-nic-delete", "a port of Open vSwitch can be removed by root only");
	if ((argc != 7 && argc != 8) || !STREQ(argv[1], "create"))
		return err_set(e, EINVAL, "usage", "usage: " PROG " create LXCPATH NAME PID veth LINK|none [DEVICE]");
	if (num_pid(argv[4], &q->pid) < 0)
		return err_set(e, EINVAL, "usage", "the process id is not a number");
	if (!STREQ(argv[5], "veth"))
		return err_set(e, EINVAL, "usage", "the type of the device is not veth");
	q->link = argv[6];
	q->name = argc == 8 ? argv[7] : DEFAULT_NAME;
	why = ifname_fault(q->link);
	if (why)
		return err_ifname_invalid(e, "LINK", why);
	why = ifname_template_fault(q->name);
	return why ? err_ifname_invalid(e, "DEVICE", why) : 0;
}

int main(int argc, char *argv[])
{
	struct request q = { .netns = -EBADF, .db = -EBADF };
	struct err *e = NULL;
	int r;

	proc_fill_stdio();
	(void)raise_caps(0);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)proc_close_fds(3, NULL, 0);
	(void)clearenv();
	(void)umask(022);
	(void)!chdir("/");
	r = parse(&q, argc, argv, &e);
	if (r == 0)
		r = create(&q, &e);
	fd_close(q.netns);
	fd_close(q.db);
	free(q.text);
	return r < 0 ? fail(e) : EXIT_SUCCESS;
}
