/// Everything that the `nginx.conf` of a private instance depends on, and its text.
public struct NginxConfiguration: Sendable, Hashable {
    /// Where its files live.
    public var layout: NginxLayout
    /// The loopback port that takes traffic, 1…65535.
    public var port: Int
    /// How many workers.
    public var workers: Int
    /// The account of the workers; `nil` leaves them that of the master.
    public var user: String?
    /// Where the modules of nginx are.
    public var modules: String
    /// The sites, in any order.
    public var sites: [NginxSite]

    /// Makes a configuration.
    public init(
        layout: NginxLayout, port: Int, workers: Int = 2, user: String? = nil,
        modules: String = "/usr/lib/nginx/modules", sites: [NginxSite] = []
    ) {
        self.layout = layout
        self.port = port
        self.workers = workers
        self.user = user
        self.modules = modules
        self.sites = sites
    }

    /// Names the content: two configurations with one identity are the same.
    public var identity: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
        for byte in text(identity: "").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }

    /// The text of `nginx.conf`.
    public var text: String { text(identity: identity) }

    private func text(identity: String) -> String {
        """
        # Written by rollbook; changes are overwritten.
        load_module \(modules)/ndk_http_module.so;
        load_module \(modules)/ngx_http_lua_module.so;
        \(user.map { "user \($0);\n" } ?? "")worker_processes \(workers);
        worker_shutdown_timeout 30s;
        daemon on;
        pid "\(layout.pidFile)";
        error_log "\(layout.errorLog)" notice;

        events {
            worker_connections 4096;
        }

        http {
            lua_package_path "\(layout.programs)/?.lua;;";
            lua_shared_dict rollbook 16m;
            client_body_temp_path "\(layout.temporary)/body";
            proxy_temp_path "\(layout.temporary)/proxy";
            fastcgi_temp_path "\(layout.temporary)/fastcgi";
            uwsgi_temp_path "\(layout.temporary)/uwsgi";
            scgi_temp_path "\(layout.temporary)/scgi";
            default_type application/octet-stream;
            server_tokens off;
            server_names_hash_bucket_size 256;
            variables_hash_max_size 2048;
            client_max_body_size 0;

            log_format rollbook escape=json '{"at":"$msec","host":"$host","method":"$request_method","uri":"$request_uri",'
                '"status":"$status","started":"$rollbook_started","requestTime":"$request_time","backend":"$rollbook_backend",'
                '"set":"$rollbook_set","stateVersion":"$rollbook_version","upstream":"$upstream_addr",'
                '"upstreamStatus":"$upstream_status","upstreamTime":"$upstream_response_time",'
                '"version":"$upstream_http_x_version","connection":"$connection"}';
            access_log off;

            map $http_upgrade $rollbook_connection {
                default upgrade;
                '' close;
            }

            init_by_lua_block {
                require "resty.core"
                routing = require "rollbook_routing"
                control = require "rollbook_control"
                control.configuration = "\(identity)"
                control.restore("\(layout.savedState)")
            }
            init_worker_by_lua_block {
                routing.init_worker()
                control.init_worker()
            }

            # One connection per request to a pod: a pod that goes never resets a connection that rests.
            upstream rollbook {
                server 0.0.0.1;
                balancer_by_lua_block { routing.balance() }
            }

            server {
                listen "unix:\(layout.controlSocket)";
                client_body_buffer_size 1m;
                location / {
                    content_by_lua_block { control.handle() }
                }
            }

        \(servers)
        }

        """
    }

    private var servers: String {
        let named = sites.filter { $0.host != nil }.sorted { ($0.host ?? "") < ($1.host ?? "") }
        let anyHost = sites.first { $0.host == nil } ?? NginxSite(host: nil, paths: [])
        return ([anyHost] + named).map(server).joined(separator: "\n\n")
    }

    private func server(_ site: NginxSite) -> String {
        let locations = site.paths.sorted { ($0.path, $0.isExact ? 0 : 1) < ($1.path, $1.isExact ? 0 : 1) }
            .flatMap { self.locations(of: $0) }
        let rest = site.paths.contains { $0.path == "/" && !$0.isExact } ? [] : [nowhere]
        return """
                server {
                    listen 127.0.0.1:\(port)\(site.host == nil ? " default_server" : "");
                    server_name \(site.host ?? "_");
                    access_log "\(layout.accessLog)" rollbook;
                    set $rollbook_backend "";
                    set $rollbook_port "";
                    set $rollbook_set "";
                    set $rollbook_version "";
                    set $rollbook_started "";
            \((locations + rest).joined(separator: "\n"))
                }
            """
    }

    /// A prefix is meant by whole elements: `/a` takes `/a` and `/a/b`, not `/ab`.
    private func locations(of path: NginxSite.Path) -> [String] {
        let bare = path.path.count > 1 && path.path.hasSuffix("/") ? String(path.path.dropLast()) : path.path
        if path.isExact { return [location("= \"\(path.path)\"", path)] }
        if bare == "/" { return [location("\"/\"", path)] }
        return [location("= \"\(bare)\"", path), location("\"\(bare)/\"", path)]
    }

    private func location(_ match: String, _ path: NginxSite.Path) -> String {
        """
                    location \(match) {
                        set $rollbook_backend "\(path.backend)";
                        set $rollbook_port "\(path.port)";
                        access_by_lua_block {
                            ngx.var.rollbook_started = string.format("%.3f", ngx.req.start_time())
                            routing.access()
                        }
                        log_by_lua_block { routing.log() }
                        proxy_pass http://rollbook;
                        proxy_http_version 1.1;
                        proxy_set_header Host $http_host;
                        proxy_set_header Connection $rollbook_connection;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_set_header X-Forwarded-Host $http_host;
                        proxy_set_header X-Forwarded-Proto $scheme;
                        proxy_connect_timeout 2s;
                        proxy_next_upstream error timeout;
                        proxy_next_upstream_tries 3;
                        proxy_next_upstream_timeout 10s;
                    }
        """
    }

    private var nowhere: String {
        """
                    location / {
                        default_type application/json;
                        return 404 '{"error":"no rule leads here"}\\n';
                    }
        """
    }
}
