-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Copyright (C) The Tiffin authors
-- Debian's lua-lxc on a real container, every method of it; printed as bindings.py does.
--
--	bindings.lua LXCPATH ROOT NAME TEMPLATE
local lxc = require("lxc")
local lxcpath, root, name, template = arg[1], arg[2], arg[3], arg[4]

local function literal(text)
	return (text:gsub("%W", "%%%0"))
end

local function plain(v)
	if type(v) == "table" then
		local parts = {}

		for _, x in ipairs(v) do
			parts[#parts + 1] = plain(x)
		end
		return "{" .. table.concat(parts, ", ") .. "}"
	end
	if type(v) == "userdata" then
		return "a handle"
	end
	local text = tostring(v)

	text = text:gsub(literal(lxcpath), "LXCPATH"):gsub(literal(root), "ROOT"):gsub(literal(name), "NAME")
	text = text:gsub("%x%x:%x%x:%x%x:%x%x:%x%x:%x%x", "MAC"):gsub("fe80:[%x:]+", "LINKLOCAL")
	return text
end

local function call(label, fn, ...)
	local results = table.pack(pcall(fn, ...))
	local parts = {}

	for i = 2, results.n do
		parts[#parts + 1] = plain(results[i])
	end
	-- The place in the binding's own source is none of ours.
	local text = table.concat(parts, "\t"):gsub("[^%s]+%.lua:%d+: ", "")
	print(label .. "\t" .. (results[1] and "" or "error: ") .. text)
	io.stdout:flush()
	return results[2]
end

local function container(n)
	return lxc.container:new(n, lxcpath)
end

call("version", function() return lxc.version_get():match("^%d+%.%d+%.%d+$") ~= nil end)
call("default path", function() return type(lxc.default_config_path_get()) end)
call("global", lxc.cmd_get_config_item, "absent", "lxc.uts.name", lxcpath)
call("none configured", lxc.containers_configured)

local c = container(name)
for _, m in ipairs({ "name", "state", "running", "defined", "init_pid", "config_file_name", "get_config_path", "start",
	"stop", "destroy", "freeze", "unfreeze" }) do
	call("absent " .. m, c[m], c)
end
call("absent shutdown", c.shutdown, c, 1)
call("absent wait", c.wait, c, "RUNNING", 0)
call("absent get_config_item", c.get_config_item, c, "lxc.uts.name")
call("absent get_cgroup_item", c.get_cgroup_item, c, "memory.max")
call("absent set_cgroup_item", c.set_cgroup_item, c, "memory.max", "1")
call("absent get_ips", c.get_ips, c)
call("absent get_interfaces", c.get_interfaces, c)
call("absent load_config", c.load_config, c, "/nonexistent")
call("absent attach", c.attach, c, "true")

for _, kv in ipairs({
	{ "lxc.rootfs.path", root }, { "lxc.uts.name", "inside" }, { "lxc.tty.max", "2" },
	{ "lxc.net.0.type", "veth" }, { "lxc.net.0.link", "lxcbr0" }, { "lxc.net.0.flags", "up" },
	{ "lxc.net.0.name", "eth0" }, { "lxc.net.0.ipv4.address", "10.0.3.78/24" },
}) do
	call("set " .. kv[1], c.set_config_item, c, kv[1], kv[2])
end
for _, k in ipairs({ "lxc.uts.name", "lxc.tty.max", "lxc.rootfs.path", "lxc.net.0.type", "lxc.cap.drop" }) do
	call("item " .. k, c.get_config_item, c, k)
end
call("set nonsense", c.set_config_item, c, "lxc.nonsense", "1")
call("append", c.append_config_item, c, "lxc.cap.drop", "mknod")
call("append another", c.append_config_item, c, "lxc.cap.drop", "sys_time")
call("appended", c.get_config_item, c, "lxc.cap.drop")
call("clear item", c.clear_config_item, c, "lxc.cap.drop")
call("get_keys net", function()
	local keys = c:get_keys("lxc.net.0")
	local list = {}

	for k, v in pairs(type(keys) == "table" and keys or {}) do
		list[#list + 1] = tostring(k) .. "=" .. plain(v)
	end
	table.sort(list)
	return list
end)
call("set_config_path", c.set_config_path, c, lxcpath)
call("save", c.save_config, c)
call("defined", c.defined, c)
call("load", c.load_config, c)

call("start", c.start, c)
call("state", c.state, c)
call("running", c.running, c)
call("init_pid", function() return c:init_pid() > 0 end)
call("start twice", c.start, c)
call("wait", c.wait, c, "RUNNING", 3)
call("interfaces", c.get_interfaces, c)
call("ips", c.get_ips, c, "eth0", "inet", 0)
call("running item", lxc.cmd_get_config_item, name, "lxc.uts.name", lxcpath)
call("attach", c.attach, c, "true")
call("attach with arguments", c.attach, c, "sh", "-c", "exit 0")
call("attach failing", c.attach, c, "false")
call("cgroup set", c.set_cgroup_item, c, "pids.max", "1234")
call("cgroup get", c.get_cgroup_item, c, "pids.max")
call("cgroup missing", c.get_cgroup_item, c, "pids.nonsense")
call("stat_get_int", c.stat_get_int, c, "pids", "pids.max")
call("stats", function()
	local stats = c:stats_get(nil)
	local list = {}

	for k, v in pairs(type(stats) == "table" and stats or {}) do
		list[#list + 1] = tostring(k) .. ":" .. type(v)
	end
	table.sort(list)
	return list
end)
call("freeze", c.freeze, c)
call("frozen", c.state, c)
call("unfreeze", c.unfreeze, c)
call("thawed", c.state, c)
call("destroy up", c.destroy, c)
call("rename up", c.rename, c, name .. "-new")
call("stop", c.stop, c)
call("stopped", c.state, c)
call("stopped shutdown", c.shutdown, c, 1)
call("create", function() return container(name .. "-t"):create(template) end)
call("destroy created", function() return container(name .. "-t"):destroy() end)
call("destroy", c.destroy, c)
call("gone", c.defined, c)
