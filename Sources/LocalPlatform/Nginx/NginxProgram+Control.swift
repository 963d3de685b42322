extension NginxProgram {
    /// The module `rollbook_control`: takes and tells the routing state, on a socket that only we can reach.
    ///
    /// - `PUT /route?backend=B`, `PUT /endpoints?backend=B` – body: the document with its `generation` and, for a
    ///   route, `epoch`. 200 with the backend's state; 409 with it if a newer epoch, of the same epoch a newer generation,
    ///   or the same of both with another content stands already.
    /// - `GET /state` – all backends.
    /// - `GET /drained?backend=B&before=V&timeout=MS` – waits until no request that was picked under a version below V
    ///   is under way, and answers how many are.
    /// - `GET /idle?endpoint=ADDRESS&timeout=MS` – the same for requests at one pod.
    /// - `GET /ready` – which configuration this worker runs.
    static let control = #"""
        local cjson = require "cjson.safe"
        local routing = require "rollbook_routing"
        local dict = ngx.shared.rollbook
        local M = {}
        local master

        local function parent_of(path)
          local file = io.open(path, "r")
          if not file then return nil end
          local text = file:read("*l") or ""
          file:close()
          return text:match("^.*%) [^ZX] (%d+) ")
        end

        function M.init_worker() master = parent_of("/proc/self/stat") end

        -- A worker of ours, running or finishing its last requests.
        local function lives(pid) return parent_of("/proc/" .. pid .. "/stat") == master end

        local function answer(status, text)
          ngx.status = status
          ngx.header["Content-Type"] = "application/json"
          ngx.print(text, "\n")
          return ngx.exit(ngx.HTTP_OK)
        end

        local function refuse(status, reason) return answer(status, cjson.encode({ error = reason })) end

        -- One writer at a time over all workers; a lock whose holder crashed opens by itself.
        local function locked(backend, body)
          local key = "l:" .. backend
          for _ = 1, 3000 do
            if dict:add(key, 1, 2) then
              local ok, first, second = pcall(body)
              dict:delete(key)
              if not ok then return 500, cjson.encode({ error = tostring(first) }) end
              return first, second
            end
            ngx.sleep(0.001)
          end
          return 503, cjson.encode({ error = "the routing of " .. backend .. " is locked" })
        end

        local function parts(backend)
          local text = dict:get("s:" .. backend)
          if not text then return { version = 0 } end
          return {
            version = cjson.decode(text).version, text = text, route = dict:get("route:" .. backend),
            endpoints = dict:get("endpoints:" .. backend),
          }
        end

        local function body_text()
          ngx.req.read_body()
          local text = ngx.req.get_body_data()
          if text then return text end
          local path = ngx.req.get_body_file()
          if not path then return nil end
          local file = assert(io.open(path, "r"))
          text = file:read("*a")
          file:close()
          return text
        end

        -- Compares and sets one half of a backend's state.
        function M.put(backend, half, text)
          local wanted = cjson.decode(text or "")
          if type(wanted) ~= "table" or type(wanted.generation) ~= "number" then
            return 400, cjson.encode({ error = "the body must be a JSON object with a generation" })
          end
          if half == "route" and (type(wanted.canary) ~= "number" or type(wanted.max) ~= "number" or
            wanted.canary < 0 or wanted.canary > wanted.max or type(wanted.stableHash) ~= "string" or
            type(wanted.canaryHash) ~= "string") then
            return 400, cjson.encode({ error = "a route needs canary (0 to max), max, stableHash and canaryHash" })
          end
          if half == "endpoints" and type(wanted.sets) ~= "table" then
            return 400, cjson.encode({ error = "endpoints need sets" })
          end
          return locked(backend, function()
            local now = parts(backend)
            local standing = now[half]
            if standing then
              local stands = cjson.decode(standing)
              local epoch, newer = stands.epoch or 0, wanted.epoch or 0
              if epoch > newer then return 409, now.text end
              if epoch == newer then
                if stands.generation > wanted.generation then return 409, now.text end
                if stands.generation == wanted.generation then return standing == text and 200 or 409, now.text end
              end
            end
            local version = now.version + 1
            local route = half == "route" and text or now.route or "null"
            local endpoints = half == "endpoints" and text or now.endpoints or "null"
            local all = '{"version":' .. version .. ',"route":' .. route .. ',"endpoints":' .. endpoints .. '}'
            local ok, reason = dict:safe_set(half .. ":" .. backend, text)
            if ok then ok, reason = dict:safe_set("s:" .. backend, all) end
            if not ok then return 507, cjson.encode({ error = "the shared dictionary is full: " .. reason }) end
            return 200, all
          end)
        end

        local function state()
          local found = {}
          for _, key in ipairs(dict:get_keys(0)) do
            local backend = key:match("^s:(.*)$")
            if backend then found[#found + 1] = cjson.encode(backend) .. ":" .. dict:get(key) end
          end
          return answer(200, '{"backends":{' .. table.concat(found, ",") .. "}}")
        end

        -- Adds up counters for which `counts` holds; drops those of workers that are gone.
        local function under_way(counts)
          local sum = 0
          for _, key in ipairs(dict:get_keys(0)) do
            local pid = counts(key)
            if pid then
              if lives(pid) then
                sum = sum + (dict:get(key) or 0)
              else
                dict:delete(key)
              end
            end
          end
          return sum
        end

        local function await(counts)
          local deadline = ngx.now() + (tonumber(ngx.var.arg_timeout) or 0) / 1000
          while true do
            local left = under_way(counts)
            ngx.update_time()
            if left == 0 or ngx.now() >= deadline or ngx.worker.exiting() then
              return answer(200, '{"inFlight":' .. left .. "}")
            end
            ngx.sleep(0.002)
          end
        end

        function M.handle()
          local path, method = ngx.var.uri, ngx.req.get_method()
          local backend = ngx.var.arg_backend and ngx.unescape_uri(ngx.var.arg_backend)
          if method == "GET" and path == "/ready" then
            return answer(200, '{"configuration":"' .. M.configuration .. '"}')
          elseif method == "GET" and path == "/state" then
            return state()
          elseif method == "GET" and path == "/idle" then
            local endpoint = ngx.unescape_uri(ngx.var.arg_endpoint or "")
            return await(function(key)
              local pid, address = key:match("^e:(%d+):(.*)$")
              return address == endpoint and pid
            end)
          elseif not backend or backend == "" then
            return refuse(400, "backend is missing")
          elseif method == "PUT" and (path == "/route" or path == "/endpoints") then
            return answer(M.put(backend, path:sub(2), body_text()))
          elseif method == "GET" and path == "/drained" then
            local before = tonumber(ngx.var.arg_before)
            if not before then return refuse(400, "before must be a version") end
            return await(function(key)
              local pid, version, name = key:match("^f:(%d+):(%d+):(.*)$")
              return name == backend and tonumber(version) < before and pid
            end)
          end
          return refuse(404, "no such endpoint: " .. method .. " " .. path)
        end

        -- At the start of nginx (not at a reload: the dictionary is kept) the last known state is put back.
        function M.restore(path)
          local file = io.open(path, "r")
          if not file then return end
          local saved = cjson.decode(file:read("*a"))
          file:close()
          for backend, halves in pairs(saved or {}) do
            if not dict:get("s:" .. backend) then
              for _, half in ipairs({ "route", "endpoints" }) do
                if type(halves[half]) == "string" then M.put(backend, half, halves[half]) end
              end
            end
          end
        end

        return M
        """#
}
