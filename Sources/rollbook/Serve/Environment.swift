import Foundation

/// The variables that this program was started with.
enum Environment {
    /// The value of `name`; `nil` if it is not set or empty.
    static func value(_ name: String) -> String? {
        let value = ProcessInfo.processInfo.environment[name]
        return value?.isEmpty == false ? value : nil
    }
}
