internal import Foundation
internal import Glibc

/// A file of lines, read in blocks that end at line breaks.
///
/// `@unchecked Sendable` because the descriptor never changes, and `pread` has no place of its own.
final class EventFile: @unchecked Sendable {
    /// As it was named.
    let name: String
    private let descriptor: Int32
    private let size: Int64

    private static let blockSize: Int64 = 4 << 20
    /// An event has at most 4 MiB; as text with every byte escaped it is six times as long.
    private static let longestLine = 64 << 20

    /// Opens a file.
    ///
    /// - Throws: ``ImportFailure``.
    init(_ name: String) throws {
        self.name = name
        func failure(_ problem: String, _ fix: String) -> ImportFailure {
            ImportFailure(file: name, line: 0, field: "", value: "", problem: problem, fix: fix)
        }
        descriptor = open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw failure(
                "it cannot be read: \(String(cString: strerror(errno)))", "give a file that exists and may be read")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw failure("it is no plain file", "give a file: it is read twice, first to check it as a whole")
        }
        size = Int64(status.st_size)
    }

    deinit { close(descriptor) }

    /// How many blocks there are.
    var blocks: Int64 { (size + Self.blockSize - 1) / Self.blockSize }

    /// The whole lines that begin in a block.
    func block(_ index: Int64) throws -> [UInt8] {
        let (start, end) = (index * Self.blockSize, min(size, (index + 1) * Self.blockSize))
        // The byte before says whether a line begins here.
        var bytes = try read(from: max(0, start - 1), to: end)
        if start > 0 {
            guard let first = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return [] }
            bytes.removeFirst(first + 1)
        }
        guard let last = bytes.last, last != UInt8(ascii: "\n") else { return bytes }
        var at = end
        while at < size {
            let more = try read(from: at, to: min(size, at + 64 << 10))
            if let stop = more.firstIndex(of: UInt8(ascii: "\n")) {
                bytes += more[...stop]
                return bytes
            }
            bytes += more
            at += Int64(more.count)
            guard bytes.count < Self.longestLine + Int(Self.blockSize) else {
                throw ImportFailure(
                    file: name, line: 0, field: "", value: "",
                    problem: "a line at byte \(at) is longer than \(Self.longestLine) bytes",
                    fix: "write one event in a line")
            }
        }
        return bytes
    }

    private func read(from start: Int64, to end: Int64) throws -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(end - start)) { buffer, count in
            while count < buffer.count {
                let got = pread(
                    descriptor, buffer.baseAddress! + count, buffer.count - count, off_t(start) + off_t(count))
                if got < 0, errno == EINTR { continue }
                failed = got <= 0
                if failed { return }
                count += got
            }
        }
        guard !failed else {
            throw ImportFailure(
                file: name, line: 0, field: "", value: "", problem: "it was changed or cannot be read any more",
                fix: "leave the file alone while it is imported")
        }
        return bytes
    }
}

extension [UInt8] {
    /// Gives each line that is not blank to `body`, with its number from 1; says how many lines there are.
    func forEachLine(_ body: (Int64, UnsafeBufferPointer<UInt8>) throws -> Void) rethrows -> Int64 {
        try withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            var (at, line): (Int, Int64) = (0, 0)
            while at < buffer.count {
                let rest = buffer.count - at
                let end =
                    memchr(base + at, 0x0A, rest).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? buffer.count
                line += 1
                let bytes = UnsafeBufferPointer(start: base + at, count: end - at)
                if !bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { try body(line, bytes) }
                at = end + 1
            }
            return line
        }
    }
}
