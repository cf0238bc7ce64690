-- SPDX-License-Identifier: Apache-2.0
-- http-request lua.gba URL: asks gba-naf-proxy (authorization = "itself") whether a request is authentic. It goes on with
-- txn.gba_identity, txn.gba_user and txn.gba_info set, or is answered as gba-naf-proxy says. txn.gba_suite: the TLS suite.
local passed_on = { "host", "authorization", "user-agent", "x-3gpp-intended-identity" }

local function refuse(txn, answer)
	local reply = txn:reply({ status = answer.status, body = answer.body })
	for _, name in ipairs({ "www-authenticate", "retry-after", "content-type", "cache-control" }) do
		for _, value in pairs(answer.headers and answer.headers[name] or {}) do
			reply:add_header(name, value)
		end
	end
	txn:done(reply)
end

core.register_action("gba", { "http-req" }, function(txn, url)
	local sent, headers = txn.http:req_get_headers(), {}
	for _, name in ipairs(passed_on) do
		if sent[name] ~= nil then
			headers[name] = {}
			for i = 0, #sent[name] do
				table.insert(headers[name], sent[name][i])
			end
		end
	end
	local suite = txn:get_var("txn.gba_suite")
	if suite ~= nil then
		headers["x-gba-tls-suite"] = { suite }
	end
	local method = txn.sf:method()
	local ask = core.httpclient()[method:lower()]
	if ask == nil then
		return refuse(txn, { status = 501, body = "Not Implemented\n" })
	end
	local answer = ask(core.httpclient(), { url = url .. txn.sf:pathq(), headers = headers, timeout = 10000 })
	if answer == nil or answer.status == 0 then
		return refuse(txn, { status = 503, body = "Service Unavailable\n" })
	end
	if answer.status ~= 200 then
		return refuse(txn, answer)
	end
	local function first(name)
		return answer.headers[name] and answer.headers[name][0] or ""
	end
	txn:set_var("txn.gba_identity", first("x-3gpp-asserted-identity"))
	txn:set_var("txn.gba_user", first("x-forwarded-user"))
	if first("authentication-info") ~= "" then
		txn:set_var("txn.gba_info", first("authentication-info"))
	end
end, 1)
