internal import Foundation

/// What a folder says of its files: without a sync of it, a power cut may take a new name, or bring an old file back.
public enum DurableFolder {
    /// Has the names in the folder of the file at `path` on disk.
    ///
    /// A file system that cannot sync a folder by itself is left to its own ways, as PostgreSQL does.
    /// - Returns: What went wrong, with the folder's name; nil if nothing did.
    public static func sync(of path: String) -> String? {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        if descriptor >= 0, fsync(descriptor) == 0 || errno == EINVAL || errno == EBADF { return nil }
        return "cannot flush the folder \(folder): \(String(cString: strerror(errno)))"
    }
}
