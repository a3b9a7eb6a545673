/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
#include "kernel/netlink.h"

#include <linux/net_namespace.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "kernel/proc.h"
#include "kernel/socket.h"

/* The kernel never puts more into one answer of a dump. */
#define ANSWER_MAX 32768

/* After fork in a threaded process: system calls only. */
static int route_socket(void)
{
	int one = 1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	/* Each of these only improves messages and filtering; an old kernel works without. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	return fd;
}

int netlink_open(struct netlink *nl, struct err **e)
{
	int fd = route_socket();

	if (fd < 0)
		return err_set(e, -fd, NULL, "cannot open a netlink socket");
	*nl = (struct netlink){ .fd = fd };
	return 0;
}

/* In the child. Enters the namespace, by way of its user namespace where our own rights do not do. */
static int enter(int netns_fd)
{
	int user;

	if (setns(netns_fd, CLONE_NEWNET) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	user = ioctl(netns_fd, NS_GET_USERNS);
	if (user < 0 || setns(user, CLONE_NEWUSER) < 0)
		return -EPERM;
	return setns(netns_fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

static attr_noreturn void socket_child(int netns_fd, int out)
{
	int r = enter(netns_fd);
	int fd = -EBADF;

	if (r == 0) {
		fd = route_socket();
		r = fd < 0 ? fd : 0;
	}
	r = socket_send(out, &r, sizeof(r), &fd, r == 0 ? 1 : 0, false);
	_exit(r < 0);
}

int netlink_open_in(struct netlink *nl, int netns_fd, struct err **e)
{
	auto_close int mine = -EBADF, theirs = -EBADF, fd = -EBADF;
	int pair[2], r, answer, status;
	size_t n_fds = 0;
	pid_t pid;

	r = socket_pair(SOCK_STREAM, pair, e);
	if (r < 0)
		return r;
	mine = pair[0];
	theirs = pair[1];

	pid = proc_clone_seen(0, e);
	if (pid < 0)
		return pid;
	if (pid == 0)
		socket_child(netns_fd, theirs);
	fd_replace(&theirs, -EBADF);

	r = socket_recv(mine, &answer, sizeof(answer), &fd, 1, &n_fds, -1);
	(void)proc_wait(pid, &status);
	if (r < 0)
		return err_set(e, -r, NULL, "no answer from the process that enters a network namespace");
	if (answer < 0 || n_fds != 1)
		return err_set(e, answer < 0 ? -answer : EIO, NULL, "cannot enter the network namespace");
	*nl = (struct netlink){ .fd = take_fd(&fd) };
	return 0;
}

void *netlink_begin(struct netlink_req *q, uint16_t type, uint16_t flags, size_t size)
{
	q->h = (struct nlmsghdr *)(void *)q->room;
	*q->h = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN };
	q->h->nlmsg_type = type;
	q->h->nlmsg_flags = NLM_F_REQUEST | flags;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		q->h->nlmsg_flags |= NLM_F_ACK;
	return nl_extend(q->h, size);
}

/* The text of an extended acknowledgement, NULL if there is none. */
static const char *ack_text(const struct nlmsghdr *h)
{
	const struct nlmsgerr *ack = nl_payload(h);
	size_t skip = sizeof(*ack);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += ack->msg.nlmsg_len - sizeof(ack->msg);
	if (skip > nl_payload_len(h))
		return NULL;
	nla_for_each(a, h, skip)
		if (nla_type(a) == NLMSGERR_ATTR_MSG && nla_is_text(a))
			return nla_text(a);
	return NULL;
}

static int finish(const struct nlmsghdr *h, struct err **e)
{
	const char *text = NULL;
	int num = 0;

	if (nl_payload_len(h) >= sizeof(num))
		memcpy(&num, nl_payload(h), sizeof(num));
	if (num >= 0)
		return 0;
	if (h->nlmsg_type == NLMSG_ERROR && nl_payload_len(h) >= sizeof(struct nlmsgerr))
		text = ack_text(h);
	if (text && *text)
		return err_set(e, -num, NULL, "the kernel refuses it (%s)", text);
	return err_set(e, -num, NULL, "the kernel refuses it");
}

/* One datagram of answers. 1: more to come, 0: done, negative: failed. */
static int take_answers(uint32_t seq, const char *p, size_t len, bool *changed, netlink_fn fn, void *arg,
			struct err **e)
{
	const struct nlmsghdr *h = (const void *)p;

	for (; nl_message_ok(h, len); h = nl_message_next(h, &len)) {
		int r;

		if (h->nlmsg_seq != seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			*changed = true;
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
			return finish(h, e);
		if (h->nlmsg_type < NLMSG_MIN_TYPE || !fn)
			continue;
		r = fn(h, arg);
		if (r < 0)
			return err_set(e, -r, NULL, "cannot use the kernel's answer");
	}
	return 1;
}

/* One datagram from the kernel itself. Length or -errno. */
static ssize_t receive(int fd, char *buf, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec io = { .iov_base = buf, .iov_len = size };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &io,
				    .msg_iovlen = 1 };
		ssize_t n = recvmsg(fd, &m, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (from.nl_pid != 0)
			continue;
		return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
	}
}

int netlink_call(struct netlink *nl, struct netlink_req *q, netlink_fn fn, void *arg, struct err **e)
{
	/* Not on the stack: most answers are short, and what they do not fill is not touched here. */
	auto_free char *answer = malloc(ANSWER_MAX);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	bool changed = false;
	ssize_t n;
	int r = nl->fd < 0 ? netlink_open(nl, e) : 0;

	if (r < 0)
		return r;
	if (!answer)
		return err_no_memory(e);
	q->h->nlmsg_seq = ++nl->seq;
	do
		n = sendto(nl->fd, q->h, q->h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, NULL, "cannot send to the kernel's network interface");

	do {
		n = receive(nl->fd, answer, ANSWER_MAX);
		if (n < 0)
			return err_set(e, (int)-n, NULL, "no answer from the kernel's network interface");
		r = take_answers(nl->seq, answer, (size_t)n, &changed, fn, arg, e);
	} while (r > 0);
	if (r == 0 && changed)
		return err_set(e, EAGAIN, NULL, "the network changed while it was read");
	return r;
}

static int take_nsid(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a;
	int *ret = arg;

	nla_for_each(a, h, sizeof(struct rtgenmsg))
		if (nla_type(a) == NETNSA_NSID && nla_is_u32(a))
			*ret = (int)nla_u32(a);
	return 0;
}

static int ask_nsid(struct netlink *nl, int netns_fd)
{
	struct netlink_req q;
	int id = NETNSA_NSID_NOT_ASSIGNED;
	int r;

	(void)netlink_begin(&q, RTM_GETNSID, 0, sizeof(struct rtgenmsg));
	nla_put_u32(q.h, NETNSA_FD, (uint32_t)netns_fd);
	r = netlink_call(nl, &q, take_nsid, &id, NULL);
	if (r < 0)
		return r;
	return id >= 0 ? id : -ENOENT;
}

int netlink_nsid(struct netlink *nl, int netns_fd)
{
	struct netlink_req q;
	int r = ask_nsid(nl, netns_fd);

	if (r != -ENOENT)
		return r;
	(void)netlink_begin(&q, RTM_NEWNSID, 0, sizeof(struct rtgenmsg));
	nla_put_u32(q.h, NETNSA_FD, (uint32_t)netns_fd);
	nla_put_u32(q.h, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	r = netlink_call(nl, &q, NULL, NULL, NULL);
	/* Somebody else may have been quicker. */
	if (r < 0 && r != -EEXIST)
		return r;
	return ask_nsid(nl, netns_fd);
}

bool netlink_nsid_dying(struct netlink *nl, int nsid)
{
	struct netlink_req q;

	/* It gets no number any more, or is not found under the one it had. */
	if (nsid < 0)
		return true;
	(void)netlink_begin(&q, RTM_GETNSID, 0, sizeof(struct rtgenmsg));
	nla_put_u32(q.h, NETNSA_NSID, (uint32_t)nsid);
	return netlink_call(nl, &q, NULL, NULL, NULL) == -ENOENT;
}
