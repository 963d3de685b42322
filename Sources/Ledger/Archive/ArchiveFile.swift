internal import CLibz
internal import Crypto
internal import Foundation
internal import Glibc
internal import Transparency

/// Writes lines into a compressed file, which stands under its name only once it is whole and on disk.
///
/// - Source: RFC 1952 (gzip), by zlib, whose checksum covers each byte.
final class ArchiveWriter {
    let path: String
    private let handle: gzFile
    private var hasher = SHA256()
    private var unfinished: String { path + ".part" }

    init(_ path: String) throws {
        self.path = path
        // For its owner alone: the log may be for fewer eyes than whoever has an account here.
        let descriptor = open(path + ".part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0, fchmod(descriptor, 0o600) == 0, let handle = gzdopen(descriptor, "wb6") else {
            let why = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw ArchiveFailure("cannot make \(path).part: \(why); give a folder that exists")
        }
        self.handle = handle
    }

    /// Adds lines of events.
    func write(_ lines: [UInt8]) throws {
        lines.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        try put(lines)
    }

    /// Ends the file with its manifest.
    func finish(_ manifest: (String) -> ArchiveManifest) throws -> ArchiveManifest {
        let manifest = manifest(Data(hasher.finalize()).hexadecimal)
        try put(Array(ArchiveReader.line(of: manifest).utf8))
        guard gzclose(handle) == Z_OK else { throw ArchiveFailure("\(unfinished) could not be written to its end") }
        try Self.sync(unfinished)
        guard rename(unfinished, path) == 0 else {
            throw ArchiveFailure("\(path) could not be put on disk: \(String(cString: strerror(errno)))")
        }
        try Self.makeDurable(path)
        return manifest
    }

    /// Has a file, its name, and that of its folder on disk: also one that was not written here.
    static func makeDurable(_ path: String) throws {
        try sync(path)
        for name in [path, URL(fileURLWithPath: path).deletingLastPathComponent().path] {
            if let problem = DurableFolder.sync(of: name) { throw ArchiveFailure(problem) }
        }
    }

    private static func sync(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw ArchiveFailure("\(path) could not be put on disk: \(String(cString: strerror(errno)))")
        }
    }

    private func put(_ bytes: [UInt8]) throws {
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes {
                gzwrite(handle, $0.baseAddress.map { $0 + at }, UInt32(min($0.count - at, 1 << 20)))
            }
            guard count > 0 else { throw ArchiveFailure("\(unfinished) cannot be written: is the disk full?") }
            at += Int(count)
        }
    }
}

/// Reads an archive file.
struct ArchiveReader {
    let path: String

    /// One event of the file, valid during the call that hands it over.
    struct Entry {
        var event: EventLine
        var position: Int64
        var epoch: Int64
        var recordedAt: Int64
        var contentHash: MerkleHash
        var leaf: MerkleHash
    }

    static func line(of manifest: ArchiveManifest) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return #"{"manifest":\#(String(decoding: try encoder.encode(manifest), as: UTF8.self))}"# + "\n"
        } catch { preconditionFailure("a manifest cannot be written as JSON: \(error)") }
    }

    private struct LastLine: Codable { var manifest: ArchiveManifest }

    /// Gives every event to `body`, in order, after a look at all that the file itself says: its form, the order of its
    /// positions, the hash of each content, the sum over the lines, the manifest.
    ///
    /// `afterSome` is called now and then, for who gathers what `body` was given.
    ///
    /// - Throws: ``ArchiveFailure``; what `body` and `afterSome` throw.
    func read(
        _ body: (Entry) throws -> Void, afterSome: () async throws -> Void = {}
    ) async throws -> ArchiveManifest {
        guard let handle = gzopen(path, "rb") else {
            throw ArchiveFailure("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        defer { gzclose(handle) }
        gzbuffer(handle, 1 << 18)
        var hasher = SHA256()
        var (clock, parts, leaves) = (LineClock(), HashedParts(), LeafHasher())
        var (count, first, last): (Int64, Int64?, Int64) = (0, nil, 0)
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var manifest: ArchiveManifest?
        while true {
            let got = buffer.withUnsafeMutableBytes { gzread(handle, $0.baseAddress, UInt32($0.count)) }
            guard got >= 0 else {
                var code: Int32 = 0
                throw ArchiveFailure("\(path) is damaged: \(String(cString: gzerror(handle, &code)))", at: last + 1)
            }
            guard got > 0 else { break }
            rest += buffer[..<Int(got)]
            guard let end = rest.lastIndex(of: 0x0A) else { continue }
            let lines = Array(rest[...end])
            rest.removeFirst(end + 1)
            _ = try lines.forEachLine { _, bytes in
                guard manifest == nil else { throw ArchiveFailure("\(path) goes on after its manifest") }
                if bytes.starts(with: #"{"manifest""#.utf8) {
                    do { manifest = try JSONDecoder().decode(LastLine.self, from: Data(bytes)).manifest } catch {
                        throw ArchiveFailure("the manifest of \(path) cannot be read: \(error)")
                    }
                    return
                }
                hasher.update(bufferPointer: UnsafeRawBufferPointer(bytes))
                hasher.update(data: [UInt8(0x0A)])
                let entry: Entry
                do throws(LineProblem) { entry = try Self.entry(bytes, &clock, &parts, &leaves) } catch {
                    throw ArchiveFailure("\(path): \(error.field): \(error.problem)", at: last + 1)
                }
                guard first == nil || entry.position == last + 1 else {
                    throw ArchiveFailure("\(path): position \(entry.position) follows on \(last)", at: last + 1)
                }
                first = first ?? entry.position
                last = entry.position
                count += 1
                try body(entry)
            }
            try await afterSome()
        }
        guard let manifest, rest.isEmpty else { throw ArchiveFailure("\(path) is cut short", at: last + 1) }
        guard manifest.format == ArchiveManifest.format else {
            throw ArchiveFailure("\(path) has the form \(manifest.format), which this version does not read")
        }
        let sum = Data(hasher.finalize()).hexadecimal
        guard manifest.events == count, manifest.firstPosition == first, manifest.lastPosition == last,
            manifest.sha256 == sum
        else { throw ArchiveFailure("\(path) does not hold what its manifest says", at: first) }
        return manifest
    }

    /// SHA-256 of the file as it stands on disk.
    func sum() throws -> [UInt8] {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw ArchiveFailure("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        var hasher = SHA256()
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty { hasher.update(data: data) }
        try handle.close()
        return Array(hasher.finalize())
    }

    private static func entry(
        _ bytes: UnsafeBufferPointer<UInt8>, _ clock: inout LineClock, _ parts: inout HashedParts,
        _ leaves: inout LeafHasher
    ) throws(LineProblem) -> Entry {
        let event = try EventLine(bytes, &clock)
        guard let position = event.position, let epoch = event.epoch, let recordedAt = event.recordedAt,
            let claimed = event.contentHash
        else {
            throw LineProblem(field: "", problem: "an event lacks position, epoch, recordedAt or contentHash", fix: "")
        }
        let hash = event.hash(using: &parts)
        guard hash == claimed else {
            throw LineProblem(field: "contentHash", problem: "the content has another hash", fix: "")
        }
        let leaf = event.stream.withBytes { stream in
            withUnsafeBytes(of: event.id.uuid) { id in
                hash.withUnsafeBytes { content in
                    leaves.hash(
                        position: position, epoch: epoch, stream: stream, version: event.version, eventID: id,
                        recordedAt: recordedAt, contentHash: content)
                }
            }
        }
        return Entry(
            event: event, position: position, epoch: epoch, recordedAt: recordedAt, contentHash: hash, leaf: leaf)
    }
}

extension Data {
    /// Two lower-case digits for each byte.
    var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
