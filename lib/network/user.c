/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* User-mode networking: pasta, or slirp4netns where that is missing or cannot do it, run by the monitor
 * with no more right than the caller has. It makes a tap device in the container's network namespace and
 * carries its packets through sockets of the host. It lives as long as the container, is started again
 * when it dies, and ends with the network. */
#define LOG_CATEGORY "network"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "config/publish.h"
#include "kernel/proc.h"
#include "network/nic.h"

#define TUN "/dev/net/tun"
#define READY_MS 10000
#define ADDRESS_MS 2000	/* for its addresses, once the device is there */
#define STEP_MS 5
#define END_MS 2000
#define LOG_MAX 65536u
/* What the guest sees; the same for both programs. */
#define ADDRESS "10.0.2.15"
#define PREFIX "24"
#define GATEWAY "10.0.2.2"
#define NAMESERVER "10.0.2.3"

static const char *const programs[] = { [USER_PASTA] = "pasta", [USER_SLIRP] = "slirp4netns" };

/* "/usr/bin/pasta" (new); NULL: it is not installed. */
static char *find(enum user_program p)
{
	static const char *const dirs[] = { "/usr/local/bin", "/usr/bin", "/bin" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char *path = path_join(dirs[i], programs[p]);

		if (path && access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

bool user_is_possible(void)
{
	auto_free char *pasta = find(USER_PASTA), *slirp = find(USER_SLIRP);

	return (pasta || slirp) && access(TUN, R_OK | W_OK) == 0;
}

static bool is_loopback(const char *server)
{
	return str_after(server, "127.") || STREQ(server, "::1");
}

/* The nameservers of a resolv.conf that another namespace can reach; *ret_any: there are some at all. */
static int read_servers(const char *path, struct strv *ret, bool *ret_any)
{
	auto_strv struct strv lines = { 0 };
	auto_free char *text = NULL;

	if (io_read_file(AT_FDCWD, path, LOG_MAX, &text, NULL, NULL) < 0)
		return 0;
	if (strv_split(&lines, text, "\n") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv struct strv words = { 0 };

		if (strv_split(&words, lines.v[i], " \t") < 0)
			return -ENOMEM;
		if (words.n < 2 || !STREQ(words.v[0], "nameserver"))
			continue;
		*ret_any = true;
		if (!is_loopback(words.v[1]) && strv_add(ret, words.v[1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Servers to name to the guest where the host's own list cannot be passed on: it has only a resolver on
 * its loopback device. *ret_forward: the program has to answer itself. */
static int choose_servers(struct strv *ret, bool *ret_forward)
{
	auto_strv struct strv plain = { 0 };
	bool any = false;
	int r = read_servers("/etc/resolv.conf", &plain, &any);

	*ret_forward = false;
	if (r < 0 || plain.n || !any)
		return r;
	r = read_servers("/run/systemd/resolve/resolv.conf", ret, &any);
	*ret_forward = r == 0 && !ret->n;
	return r;
}

/* "-t 127.0.0.1/8000-8009:80-89" */
static int add_publish(struct strv *argv, const struct publish *p)
{
	const char *slash = *p->address ? "/" : "";
	int r = strv_add(argv, p->udp ? "-u" : "-t");

	if (r < 0)
		return r;
	if (p->count == 1)
		return strv_addf(argv, "%s%s%u:%u", p->address, slash, p->host, p->container);
	return strv_addf(argv, "%s%s%u-%u:%u-%u", p->address, slash, p->host, p->host + p->count - 1, p->container,
			 p->container + p->count - 1);
}

/* Nothing but what is published: by default pasta opens the ports of each side on the other. */
static int add_ports(struct strv *argv, const struct conf_list *list)
{
	bool tcp = false, udp = false;
	int r = 0;

	for (size_t k = 0; k < list->n && r == 0; k++) {
		struct publish p;
		const char *why;

		if (publish_parse(list->v[k].value, &p, &why) < 0)
			continue;
		tcp = tcp || !p.udp;
		udp = udp || p.udp;
		r = add_publish(argv, &p);
	}
	if (r == 0 && !tcp)
		r = strv_add(argv, "-t") < 0 ? -ENOMEM : strv_add(argv, "none");
	if (r == 0 && !udp)
		r = strv_add(argv, "-u") < 0 ? -ENOMEM : strv_add(argv, "none");
	return r;
}

static int add_all(struct strv *argv, const char *const *words)
{
	int r = 0;

	for (; *words && r == 0; words++)
		r = strv_add(argv, *words);
	return r;
}

static int add_addresses(struct strv *argv, const struct nic *i)
{
	char text[INET6_ADDRSTRLEN + 4];
	int r = 0;

	if (!i->conf->ipv4.n && !i->conf->ipv6.n)
		return add_all(argv, (const char *const[]){ "-a", ADDRESS, "-n", PREFIX, "-g", GATEWAY, NULL });
	if (i->conf->ipv4.n) {
		struct address a = address_from_conf(&i->conf->ipv4.v[0]);

		r = strv_add(argv, "-a");
		if (r == 0)
			r = strv_add(argv, address_text(&a, false, text));
		if (r == 0)
			r = strv_add(argv, "-n");
		if (r == 0)
			r = strv_addf(argv, "%u", a.prefix);
	}
	if (r == 0 && i->conf->ipv6.n) {
		struct address a = address_from_conf(&i->conf->ipv6.v[0]);

		r = strv_add(argv, "-a");
		if (r == 0)
			r = strv_add(argv, address_text(&a, false, text));
	}
	for (int v6 = 0; v6 < 2 && r == 0; v6++) {
		const struct conf_gateway *g = v6 ? &i->conf->gateway6 : &i->conf->gateway4;
		struct address a;

		if (g->kind != GW_ADDR)
			continue;
		a = address_from_conf(&g->addr);
		r = strv_add(argv, "-g");
		if (r == 0)
			r = strv_add(argv, address_text(&a, false, text));
	}
	return r;
}

static int pasta_argv(const struct net_run *n, const struct nic *i, struct strv *argv)
{
	static const char *const always[] = {
		"pasta", "--foreground", "--stderr", "--quiet", "--no-map-gw", "-T", "none", "-U", "none", "--dhcp-dns",
		"--dns-forward", NAMESERVER, "--ns-ifname", NULL
	};
	auto_strv struct strv servers = { 0 };
	bool forward;
	int r = choose_servers(&servers, &forward);

	if (r == 0)
		r = add_all(argv, always);
	if (r == 0)
		r = strv_add(argv, i->name);
	for (size_t k = 0; k < servers.n && k < 3 && r == 0; k++) {
		r = strv_add(argv, "--dns");
		if (r == 0)
			r = strv_add(argv, servers.v[k]);
	}
	if (r == 0 && (n->application || i->conf->ipv4.n || i->conf->ipv6.n))
		r = strv_add(argv, "--config-net");
	if (r == 0)
		r = add_addresses(argv, i);
	if (r == 0 && i->mtu)
		r = strv_add(argv, "--mtu") < 0 ? -ENOMEM : strv_addf(argv, "%u", i->mtu);
	if (r == 0 && i->has_mac)
		r = strv_add(argv, "--ns-mac-addr") < 0 ? -ENOMEM : strv_add(argv, i->conf->hwaddr.v);
	if (r == 0)
		r = add_ports(argv, &i->conf->publish);
	return r < 0 ? r : strv_addf(argv, "%d", n->init_pid);
}

static int slirp_argv(const struct net_run *n, const struct nic *i, struct strv *argv)
{
	static const char *const always[] = { "slirp4netns", "--disable-host-loopback", "--enable-ipv6",
					      "--enable-sandbox", "--enable-seccomp", NULL };
	int r = add_all(argv, always);

	if (r == 0)
		r = strv_addf(argv, "--mtu=%u", i->mtu ? i->mtu : 65520);
	if (r == 0 && n->application)
		r = strv_add(argv, "--configure");
	if (r == 0 && i->has_mac)
		r = strv_addf(argv, "--macaddress=%s", i->conf->hwaddr.v);
	if (r == 0)
		r = strv_addf(argv, "--userns-path=/proc/%d/ns/user", n->init_pid);
	if (r == 0)
		r = strv_addf(argv, "%d", n->init_pid);
	return r < 0 ? r : strv_add(argv, i->name);
}

/* slirp4netns has one address of its own choice, and opens ports only when asked over a socket. */
static bool slirp_can(const struct nic *i)
{
	return !i->conf->publish.n && !i->conf->ipv4.n && !i->conf->ipv6.n && i->conf->gateway4.kind == GW_NONE &&
	       i->conf->gateway6.kind == GW_NONE;
}

static int unusable(struct nic *i, const char *sub, const char *why, struct origin at, struct err **e)
{
	char key[64];

	(void)snprintf(key, sizeof(key), "lxc.net.%u.%s", i->conf->index, sub);
	return nic_fault(e, err_net_user_unusable(e, key, why), i, sub, at);
}

int user_plan(struct net_run *n, struct nic *i, struct netlink *nl, struct err **e)
{
	const struct conf_net *c = i->conf;
	auto_free char *pasta = find(USER_PASTA), *slirp = find(USER_SLIRP);
	auto_strv struct strv servers = { 0 };
	bool forward;
	int r;

	for (const struct nic *k = n->v; k < i; k++)
		if (k->conf->type == NET_USER)
			return nic_fault(e, err_net_user_once(e, k->conf->index), i, "type", c->at);
	if (c->link.v)
		return unusable(i, "link", "no device of the host carries its packets", c->link.at, e);
	if (c->l2proxy.v)
		return unusable(i, "l2proxy", "it has no link", c->l2proxy.at, e);
	if (c->ipv4.n > 1)
		return unusable(i, "ipv4.address", "it has one address per family", c->ipv4.v[1].at, e);
	if (c->ipv6.n > 1)
		return unusable(i, "ipv6.address", "it has one address per family", c->ipv6.v[1].at, e);
	if (geteuid() == 0 && net_is_privileged())
		return unusable(i, "type", "it is for ordinary users, and root's programs do not carry other people's "
					   "packets; use veth", c->at, e);
	r = plan_values(n, i, nl, e);
	if (r < 0)
		return r;
	if (!pasta && !slirp)
		return nic_fault(e, err_net_user_missing(e), i, "type", c->at);
	if (!pasta && !slirp_can(i))
		return nic_fault(e, err_program_missing(e, "pasta (slirp4netns can neither publish nor set addresses)",
							"/usr/bin", "passt"),
				 i, c->publish.n ? "publish" : "ipv4.address",
				 c->publish.n ? c->publish.v[0].at : c->at);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct conf_gateway *g = v6 ? &c->gateway6 : &c->gateway4;
		const char *sub = v6 ? "ipv6.gateway" : "ipv4.gateway";

		if (g->kind == GW_AUTO || g->kind == GW_DEV)
			return unusable(i, sub, "it must be an address, or left away", g->at, e);
		if (g->kind == GW_ADDR && !(v6 ? c->ipv6.n : c->ipv4.n))
			return unusable(i, sub, "the nic has no address of the same family", g->at, e);
	}
	if (access(TUN, R_OK | W_OK) < 0)
		return nic_fault(e, err_hint(e, err_set(e, errno, "tun-inaccessible", TUN " cannot be opened by you"),
					     "as root: chmod 666 " TUN " (modprobe tun first if it does not exist)"),
				 i, "type", c->at);
	r = choose_servers(&servers, &forward);
	if (r < 0)
		return r;
	/* What pasta answers at it does not name to the guest's DHCP client as long as it has no other server; slirp does. */
	i->program = pasta && !(forward && slirp && slirp_can(i)) ? USER_PASTA : USER_SLIRP;
	return 0;
}

/* The last line of the program that says something; its vain attempts at syslog do not. New; may be NULL. */
static char *last_words(const struct nic *i)
{
	auto_strv struct strv lines = { 0 };
	auto_buf struct buf b = BUF_INIT(512);
	auto_free char *text = NULL;
	size_t len;

	if (i->helper_log < 0 || lseek(i->helper_log, 0, SEEK_SET) < 0 ||
	    io_read_fd(i->helper_log, LOG_MAX, &text, &len) < 0 || strv_split(&lines, text, "\n") < 0)
		return NULL;
	for (size_t k = lines.n; k-- > 0 && !b.len;)
		if (!str_after(lines.v[k], "Failed to send") && !strstr(lines.v[k], "nameserver address"))
			buf_adds(&b, lines.v[k]);
	return spawn_last_line(&b);
}

static int start(const struct net_run *n, struct nic *i, struct err **e)
{
	auto_free char *path = find(i->program);
	auto_close int log = memfd_create("network", MFD_CLOEXEC);
	auto_strv struct strv argv = { 0 };
	struct spawn s = SPAWN_INIT;
	int r;

	if (!path)
		return err_net_user_missing(e);
	if (log < 0)
		return err_set(e, errno, NULL, "cannot make a memfd");
	r = i->program == USER_PASTA ? pasta_argv(n, i, &argv) : slirp_argv(n, i, &argv);
	if (r < 0)
		return err_no_memory(e);
	s.path = path;
	s.argv = argv.v;
	s.stdout_fd = s.stderr_fd = log;
	s.new_session = true;
	fd_replace(&i->helper_fd, -EBADF);
	r = spawn_start(&s, &i->helper, &i->helper_fd, e);
	if (r < 0)
		return r;
	(void)proc_start_time(i->helper, &i->helper_start);
	i->helper_is_child = true;
	fd_replace(&i->helper_log, take_fd(&log));
	log_info(n->log, "%s (pid %d) carries the packets of %s", path, i->helper, i->name);
	return 0;
}

static bool has_died(const struct nic *i)
{
	struct pollfd p = { .fd = i->helper_fd, .events = POLLIN };

	return i->helper_fd < 0 || poll(&p, 1, 0) > 0;
}

/* Ends it and waits for that. */
static void stop(struct nic *i)
{
	if (i->helper_fd >= 0) {
		(void)proc_pidfd_send(i->helper_fd, SIGTERM);
		if (proc_pidfd_wait(i->helper_fd, END_MS) != 1) {
			(void)proc_pidfd_send(i->helper_fd, SIGKILL);
			(void)proc_pidfd_wait(i->helper_fd, END_MS);
		}
	}
	if (i->helper > 0 && i->helper_is_child)
		(void)proc_wait(i->helper, NULL);
	i->helper = 0;
	i->helper_is_child = false;
	fd_replace(&i->helper_fd, -EBADF);
	fd_replace(&i->helper_log, -EBADF);
}

void user_undo(struct net_run *n, struct nic *i, struct netlink *nl, int netns_fd)
{
	stop(i);
}

/* Why it ended, as an error: a port of the host that is not free is the configuration's. */
static int explain(struct nic *i, struct err **e)
{
	auto_free char *words = last_words(i);
	const struct conf_list *l = &i->conf->publish;

	if (l->n && words && (strstr(words, "bind") || strstr(words, "port")))
		return nic_fault(e, err_publish_taken(e, l->v[0].value, words), i, "publish", l->v[0].at);
	return nic_fault(e, err_net_user_died(e, programs[i->program], words && *words ? words : "it ended without a "
											      "word"),
			 i, "type", i->conf->at);
}

static bool has_address(struct netlink *nl, int index, int family)
{
	struct address a;

	return address_first(nl, index, family, &a, NULL) == 0 &&
	       (family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&a.v6));
}

enum ready { READY_NOT, READY_DEVICE, READY_ALL };

/* Is the device there and, where no guest asks for an address, has it those that it is to have? */
static enum ready how_ready(const struct net_run *n, const struct nic *i, int netns_fd)
{
	auto_netlink struct netlink nl = NETLINK_INIT;
	bool v4 = i->conf->ipv4.n, v6 = i->conf->ipv6.n;
	struct link l;

	if (netlink_open_in(&nl, netns_fd, NULL) < 0 || link_get(&nl, i->name, &l, NULL) < 0)
		return READY_NOT;
	v4 |= n->application && !v6;
	return (!v4 || has_address(&nl, l.index, AF_INET)) && (!v6 || has_address(&nl, l.index, AF_INET6)) ? READY_ALL :
													 READY_DEVICE;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* pasta wants a route out of the host, slirp4netns does not. */
static bool try_other(struct net_run *n, struct nic *i)
{
	auto_free char *slirp = find(USER_SLIRP), *words = NULL;
	auto_err struct err *e = NULL;

	if (i->program != USER_PASTA || !slirp || !slirp_can(i))
		return false;
	words = last_words(i);
	stop(i);
	i->program = USER_SLIRP;
	log_info(n->log, "pasta does not serve the network (%s): slirp4netns does", words ? words : "");
	return start(n, i, &e) == 0;
}

/* Init waits meanwhile: once it has changed its ids, its namespaces can be opened by their owner only after
 * it has executed the guest's init. */
static int wait_ready(struct net_run *n, struct nic *i, int netns_fd, struct err **e)
{
	uint64_t end = now_ms() + READY_MS, addresses = 0;
	enum ready ready;

	while ((ready = how_ready(n, i, netns_fd)) != READY_ALL) {
		if (has_died(i)) {
			if (!try_other(n, i))
				return explain(i, e);
			addresses = 0;
			continue;
		}
		/* The program may not serve a family that the host does not have. */
		if (ready == READY_DEVICE && !addresses)
			addresses = now_ms() + ADDRESS_MS;
		if (addresses && now_ms() > addresses) {
			log_warn(n->log, "%s has set no address on %s within 2 s", programs[i->program], i->name);
			break;
		}
		if (now_ms() > end)
			return nic_fault(e, err_net_user_died(e, programs[i->program], "it made no device within 10 s"),
					 i, "type", i->conf->at);
		(void)proc_pidfd_wait(i->helper_fd, STEP_MS);
	}
	return has_died(i) ? explain(i, e) : 0;
}

int user_create(struct net_run *n, struct nic *i, struct netlink *nl, const struct nic_target *t, struct err **e)
{
	int r;

	n->init_pid = t->init_pid;
	i->made = true;
	r = start(n, i, e);
	return r < 0 ? r : wait_ready(n, i, t->netns_fd, e);
}

int user_restart(struct net_run *n, struct nic *i, struct err **e)
{
	stop(i);
	return start(n, i, e);
}

const char *user_program_name(const struct nic *i)
{
	return programs[i->program];
}

void user_adopt(struct nic *i)
{
	uint64_t start_time;

	i->helper_fd = i->helper > 0 ? proc_pidfd_open(i->helper) : -EBADF;
	/* The number may be another process's by now. */
	if (i->helper_fd >= 0 && (proc_start_time(i->helper, &start_time) < 0 || start_time != i->helper_start))
		fd_replace(&i->helper_fd, -EBADF);
}
