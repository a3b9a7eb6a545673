/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copyright (C) The Tiffin authors */
/* lxc-supervise - the monitor of one container. Started by liblxc with everything it needs on fd 4;
 * what it does is lib/lifecycle/supervise.c. */
#include "lifecycle/supervise.h"

int main(void)
{
	return supervise_main();
}
