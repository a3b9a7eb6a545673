/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* type_net - the value types of interface sub-keys. Private to this layer. */
#pragma once
#include "config/type.h"

extern const struct key_type type_net_type, type_net_flags, type_net_link, type_net_name, type_net_hwaddr,
	type_net_addr4, type_net_addr6, type_net_gateway4, type_net_gateway6, type_net_mode, type_net_route4,
	type_net_route6, type_net_vlan, type_net_vlan_tagged, type_net_queues,
	type_net_publish;

/* The word of the interface's type; NULL if it was cleared. */
const char *net_type_word(const struct conf_net *n);
