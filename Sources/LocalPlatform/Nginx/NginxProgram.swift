/// The Lua that our nginx runs: weights and pods change in a shared dictionary, without a reload.
///
/// A reload would keep the old weights in force for a while, since old workers go on accepting, and would reset kept-alive
/// connections that rest.
enum NginxProgram {
    /// Files by name, to stand in the directory that `lua_package_path` names.
    static let files = ["rollbook_routing.lua": routing, "rollbook_control.lua": control]
}
