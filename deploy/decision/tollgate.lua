-- Asks Tollgate whether HAProxy may forward a request, and sets the identity fields. HAProxy 2.6 or later.
local DECISION = "http://127.0.0.1:8080/oauth2/auth"
local IDENTITY = { "x-auth-subject", "x-auth-client", "x-auth-scope" }

local function first(fields, name)
  local values = fields and fields[name]
  return values and values[0]
end

core.register_action("tollgate", { "http-req" }, function(txn)
  local sent = txn.http:req_get_headers()
  local fields = {
    ["x-original-method"] = { txn.sf:method() },
    ["x-original-uri"] = { txn.sf:pathq() },
    ["x-forwarded-host"] = { first(sent, "host") or "" },
    ["x-forwarded-for"] = { txn.sf:src() },
  }
  for _, name in ipairs({ "authorization", "origin", "access-control-request-method" }) do
    local values = {}
    -- Every line counts: two tokens are refused.
    for position = 0, 3 do
      local value = sent[name] and sent[name][position]
      if value then
        values[#values + 1] = value
      end
    end
    if #values > 0 then
      fields[name] = values
    end
  end
  local answer = core.httpclient():get({ url = DECISION, headers = fields, timeout = 5000 })

  for _, name in ipairs(IDENTITY) do
    txn.http:req_del_header(name)
  end
  -- HAProxy forwards names with `_` and `.` as they are, and some programs read them as `-`.
  for name in pairs(sent) do
    if name:gsub("[^%w]", "-"):find("^x%-auth%-") then
      txn.http:req_del_header(name)
    end
  end
  if answer.status == 200 then
    for _, name in ipairs(IDENTITY) do
      local value = first(answer.headers, name)
      if value then
        txn.http:req_set_header(name, value)
      end
    end
    txn.http:req_del_header("authorization")
    return
  end

  local reply = txn:reply({ status = answer.status >= 400 and answer.status or 503, body = answer.body or "" })
  for _, name in ipairs({ "www-authenticate", "content-type", "cache-control", "retry-after", "x-request-id" }) do
    local value = first(answer.headers, name)
    if value then
      reply:add_header(name, value)
    end
  end
  txn:done(reply)
end)
