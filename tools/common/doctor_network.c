/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* doctor_network - the bridge of new containers, and what keeps packets from passing it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/num.h"
#include "base/path.h"
#include "base/paths.h"
#include "base/str.h"
#include "common/doctor.h"
#include "common/program.h"

#define TABLE_MAX (4U << 20)
#define DNS_PORT ":0035"
#define ANY_ADDRESS "00000000"

/* The bridge that the initial configuration of new containers names; NULL if it names none. */
static char *default_link(void)
{
	const char *file = lxc_get_global_config_item("lxc.default_config");
	struct lxc_container *c = file ? lxc_container_new("lxc-doctor", "/nonexistent") : NULL;
	char text[64] = "";

	if (c && access(file, R_OK) == 0 && c->load_config(c, file))
		(void)c->get_config_item(c, "lxc.net.0.link", text, sizeof(text));
	if (c)
		(void)lxc_container_put(c);
	return *text ? strdup(text) : NULL;
}

static bool is_there(const char *link)
{
	auto_free char *path = NULL;

	return asprintf(&path, "/sys/class/net/%s", link) >= 0 && access(path, F_OK) == 0;
}

/* The inode of the socket that is bound to port 53 of every address: 0 if there is none. */
static unsigned dns_socket(const char *table)
{
	auto_free char *text = NULL;
	auto_strv struct strv lines = { 0 };
	unsigned inode;

	if (io_read_file(AT_FDCWD, table, TABLE_MAX, &text, NULL, NULL) < 0 || strv_split(&lines, text, "\n") < 0)
		return 0;
	for (size_t i = 1; i < lines.n; i++) {
		auto_strv struct strv words = { 0 };

		if (strv_split(&words, lines.v[i], " ") < 0 || words.n < 10)
			continue;
		if (STREQ(words.v[1], ANY_ADDRESS DNS_PORT) && num_uint(words.v[9], 10, &inode) == 0)
			return inode;
	}
	return 0;
}

static bool holds(const char *pid, unsigned inode)
{
	auto_free char *dir = NULL;
	auto_closedir DIR *fds = NULL;
	struct dirent *d;
	char want[64], target[64];

	(void)snprintf(want, sizeof(want), "socket:[%u]", inode);
	if (asprintf(&dir, "/proc/%s/fd", pid) < 0)
		return false;
	fds = opendir(dir);
	while (fds && (d = readdir(fds))) {
		ssize_t n = readlinkat(dirfd(fds), d->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (STREQ(target, want))
			return true;
	}
	return false;
}

/* "named (process 812)"; "another program" where nothing may be seen. */
static char *holder_of(unsigned inode)
{
	auto_closedir DIR *proc = opendir("/proc");
	struct dirent *d;
	char *text = NULL;

	while (proc && (d = readdir(proc))) {
		auto_free char *path = NULL, *comm = NULL;

		if (*d->d_name < '0' || *d->d_name > '9' || !holds(d->d_name, inode) ||
		    asprintf(&path, "/proc/%s/comm", d->d_name) < 0)
			continue;
		comm = doctor_line(path);
		if (asprintf(&text, "%s (process %s)", comm ? comm : "a program", d->d_name) >= 0)
			return text;
	}
	return strdup("another program");
}

static void check_port(struct doctor *d, const char *link)
{
	unsigned inode = dns_socket("/proc/net/udp");
	auto_free char *holder = NULL;

	if (!inode)
		inode = dns_socket("/proc/net/tcp");
	holder = inode ? holder_of(inode) : NULL;
	if (!inode || (holder && str_after(holder, "dnsmasq ") && is_there(link)))
		(void)doctor_add(d, FINDING_OK, "port-53", "port 53 is free for the name server of %s", link);
	else
		doctor_remedy(doctor_add(d, FINDING_WARNING, "port-53", "%s has taken port 53 of all addresses: the name server of "
					 "%s cannot start, and containers get no address", holder ? holder : "another program", link),
			      "bind it to its own addresses only (dnsmasq: bind-dynamic; named: listen-on), then systemctl "
			      "restart lxc-net");
}

/* Chains of nftables (iptables' included) that drop what is forwarded, when no rule names the bridge. */
static void check_firewall(struct doctor *d, const char *link)
{
	static char *const argv[] = { (char *)"nft", (char *)"list", (char *)"ruleset", NULL };
	auto_free char *nft = program_find("nft");
	auto_buf struct buf out = BUF_INIT(TABLE_MAX);
	auto_strv struct strv lines = { 0 };
	bool drops = false, named = false;

	if (!nft || geteuid() != 0 || program_run(argv, &out) != 0 || strv_split(&lines, buf_str(&out), "\n") < 0)
		return;
	for (size_t i = 0; i < lines.n; i++) {
		if (strstr(lines.v[i], "hook forward") && strstr(lines.v[i], "policy drop"))
			drops = true;
		if (strstr(lines.v[i], link) && strstr(lines.v[i], "accept"))
			named = true;
	}
	if (drops && !named)
		doctor_remedy(doctor_add(d, FINDING_WARNING, "firewall", "the firewall drops forwarded packets (docker does so), and "
					 "no rule lets those of %s pass", link),
			      "nft insert rule ip filter FORWARD iifname %s accept; nft insert rule ip filter FORWARD oifname %s "
			      "accept", link, link);
	else
		(void)doctor_add(d, FINDING_OK, "firewall", "the firewall lets the packets of %s pass", link);
}

static void check_forwarding(struct doctor *d)
{
	unsigned long long v;

	if (!doctor_number("/proc/sys/net/ipv4/ip_forward", &v))
		return;
	if (v)
		(void)doctor_add(d, FINDING_OK, "ip-forward", "the host forwards packets");
	else
		doctor_remedy(doctor_add(d, FINDING_WARNING, "ip-forward",
					 "net.ipv4.ip_forward is 0: containers behind the bridge do not reach other hosts"),
			      "systemctl restart lxc-net, which sets it, or sysctl -w net.ipv4.ip_forward=1");
}

void doctor_check_network(struct doctor *d)
{
	auto_free char *link = default_link(), *usernet = NULL;

	if (!link) {
		(void)doctor_add(d, FINDING_OK, "bridge", "new containers get no bridge from the standard configuration");
		return;
	}
	if (is_there(link))
		(void)doctor_add(d, FINDING_OK, "bridge", "the bridge %s of new containers is there", link);
	else
		doctor_remedy(doctor_add(d, FINDING_WARNING, "bridge", "the bridge %s that new containers are connected to does not "
					 "exist", link),
			      "systemctl enable --now lxc-net");
	check_port(d, link);
	check_forwarding(d);
	check_firewall(d, link);
	if (getuid() != 0 && io_read_file(AT_FDCWD, PATH_USERNET, TABLE_MAX, &usernet, NULL, NULL) < 0)
		doctor_remedy(doctor_add(d, FINDING_WARNING, "usernet", "%s does not let you connect containers to %s", PATH_USERNET,
					 link),
			      "echo 'USER veth %s 10' | sudo tee -a %s, with your name for USER", link, PATH_USERNET);
}
