import Delivery
import EventSourcing
import Testing

/// Every manifest of the two folders.
struct ManifestFolderTests {
    @Test(arguments: Fixtures.names(in: "valid"))
    func `a valid manifest has no errors`(file: String) throws {
        let documents = try Fixtures.documents(file)
        #expect(!documents.isEmpty)
        let problems = ManifestLint.lint(documents, strict: true)
        #expect(problems.filter { $0.severity == .error }.isEmpty, "\(ManifestProblems(problems))")
    }

    @Test(arguments: Fixtures.names(in: "invalid"))
    func `an invalid manifest is refused with the field that its first line names`(file: String) throws {
        let text = try Fixtures.text("invalid", file)
        let wanted = try #require(text.split(separator: "\n").first?.dropFirst("# field: ".count))
        let problems: [ManifestProblem]
        do {
            problems = ManifestLint.lint(try ManifestReader.documents(yaml: text, file: file))
        } catch {
            problems = error.problems
        }
        let errors = problems.filter { $0.severity == .error }
        #expect(
            errors.contains { problem in
                problem.field == wanted || problem.field.hasPrefix("\(wanted).")
                    || problem.field.hasPrefix("\(wanted)[")
            }, "\(ManifestProblems(problems))")
        for problem in errors {
            #expect(problem.file == file)
            #expect(problem.line != nil && problem.column != nil, "\(problem)")
            #expect(!problem.message.isEmpty && !problem.fix.isEmpty, "\(problem)")
        }
        #expect(errors.count == 1, "\(ManifestProblems(errors))")
    }

    @Test func `a plan refuses what lint refuses`() throws {
        for file in Fixtures.names(in: "invalid") where file != "not-yaml.yaml" {
            let documents = try ManifestReader.documents(yaml: Fixtures.text("invalid", file), file: file)
            for bundle in ManifestBundle.bundles(in: documents.map(\.value)) {
                #expect(throws: ManifestProblems.self, "\(file)") { try bundle.plan() }
            }
        }
    }
}
