extension NginxProgram {
    /// The module `rollbook_routing`: picks a set by weight and a pod by turn, and counts what is under way.
    ///
    /// Keys of the shared dictionary:
    ///
    /// - `s:BACKEND` – the whole state of a backend as JSON with its version. It is read and compared as one string, so
    ///   a request sees one state as a whole, in every worker at once.
    /// - `f:PID:VERSION:BACKEND` – requests of a worker under way that were picked under that version.
    /// - `e:PID:ADDRESS` – requests of a worker under way at that pod.
    /// - `n:`, `r:` – counters for the weighted choice and for turns.
    ///
    /// A request counts itself in *before* it looks at the state a second time; only if that did not change does its pick
    /// stand. So whoever changes the state and then finds a count of 0 for all older versions knows that no request picked
    /// under them is left or still to come. Counters carry the worker's pid: those of a worker that crashed are
    /// recognised and dropped.
    static let routing = #"""
        local cjson = require "cjson.safe"
        local balancer = require "ngx.balancer"
        local dict = ngx.shared.rollbook
        local M = {}
        local cache = {}
        local pid = 0

        function M.init_worker() pid = ngx.worker.pid() end

        -- The state of a backend, decoded once per change and worker.
        function M.state(backend)
          local text = dict:get("s:" .. backend)
          if not text then return nil end
          local known = cache[backend]
          if known and known.text == text then return known end
          local decoded = cjson.decode(text)
          if not decoded then return nil end
          known = { text = text, version = decoded.version }
          if type(decoded.route) == "table" then known.route = decoded.route end
          if type(decoded.endpoints) == "table" then known.sets = decoded.endpoints.sets end
          cache[backend] = known
          return known
        end

        local function list(state, set, port)
          local ports = state.sets and set and state.sets[set]
          return ports and ports[port] or {}
        end

        local function leave(key)
          local left = dict:incr(key, -1)
          if left and left <= 0 then dict:delete(key) end
        end

        -- Evenly spread and without a period: the fractions of n times the golden ratio.
        local function falls_to_canary(backend, route)
          if route.canary <= 0 then return false end
          if route.canary >= route.max then return true end
          local n = dict:incr("n:" .. backend, 1, 0) or math.random(1000000)
          local _, fraction = math.modf(n * 0.6180339887498949)
          return fraction * route.max < route.canary
        end

        local function unavailable(reason)
          ngx.status = 503
          ngx.header["Content-Type"] = "application/json"
          ngx.header["Retry-After"] = "1"
          ngx.print('{"error":"no ready pods","detail":"' .. reason .. '"}\n')
          return ngx.exit(ngx.HTTP_OK)
        end

        -- access phase: the pick.
        function M.access()
          local backend, port = ngx.var.rollbook_backend, ngx.var.rollbook_port
          local state, key
          for _ = 1, 1000 do
            state = M.state(backend)
            if not state then return unavailable("nothing is routed to " .. backend) end
            key = "f:" .. pid .. ":" .. state.version .. ":" .. backend
            dict:incr(key, 1, 0)
            if dict:get("s:" .. backend) == state.text then break end
            leave(key)
            key = nil
          end
          if not key then return unavailable("the routing of " .. backend .. " does not come to rest") end
          local pick = { backend = backend, port = port, version = state.version, key = key, tried = {} }
          ngx.ctx.pick = pick
          ngx.var.rollbook_version = state.version
          local route = state.route
          if not route then return unavailable("no weights are known of " .. backend) end
          local set = route.stableHash
          if #list(state, route.canaryHash, port) > 0 and falls_to_canary(backend, route) then
            set = route.canaryHash
          end
          if #list(state, set, port) == 0 then
            return unavailable("set " .. tostring(set) .. " has no ready pod on port " .. port)
          end
          pick.set = set
          ngx.var.rollbook_set = set
        end

        -- The pods that may answer now, the picked set's first; a set that lost its weight since is left out.
        local function candidates(state, pick)
          local route, found = state.route, {}
          local function add(set)
            local pods = list(state, set, pick.port)
            local start = #pods > 1 and (dict:incr("r:" .. pick.backend .. ":" .. set, 1, 0) or 0) or 0
            for i = 1, #pods do
              local address = pods[(start + i) % #pods + 1]
              if not pick.tried[address] then found[#found + 1] = { address = address, set = set } end
            end
          end
          local holds = pick.set == route.stableHash or (pick.set == route.canaryHash and route.canary > 0)
          if holds then add(pick.set) end
          if not holds or (pick.set ~= route.stableHash and #found == 0) then add(route.stableHash) end
          return found
        end

        -- balancer phase: a pod of the set; after an error, another one.
        function M.balance()
          local pick = ngx.ctx.pick
          if pick.at then
            leave(pick.at)
            pick.at = nil
          end
          for _ = 1, 1000 do
            local state = M.state(pick.backend)
            if not (state and state.route) then return ngx.exit(503) end
            local found = candidates(state, pick)
            local chosen = found[1]
            if not chosen then return ngx.exit(next(pick.tried) and 502 or 503) end
            local key = "e:" .. pid .. ":" .. chosen.address
            dict:incr(key, 1, 0)
            if dict:get("s:" .. pick.backend) == state.text then
              pick.at = key
              pick.tried[chosen.address] = true
              ngx.var.rollbook_set = chosen.set
              if #found > 1 or (chosen.set ~= state.route.stableHash and
                #list(state, state.route.stableHash, pick.port) > 0) then
                balancer.set_more_tries(1)
              end
              local ok, reason = balancer.set_current_peer(chosen.address)
              if not ok then
                ngx.log(ngx.ERR, "cannot send to ", chosen.address, ": ", reason)
                return ngx.exit(502)
              end
              return
            end
            leave(key)
          end
          return ngx.exit(503)
        end

        -- log phase: runs once for each request, however it ended.
        function M.log()
          local pick = ngx.ctx.pick
          if not pick then return end
          if pick.at then leave(pick.at) end
          leave(pick.key)
        end

        return M
        """#
}
