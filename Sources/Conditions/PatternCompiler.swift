/// Turns the tree into instructions; a counted repetition is written out.
struct PatternCompiler {
    private var program: [Pattern.Instruction] = []
    private var steps = 0

    mutating func compile(_ node: PatternNode) throws(Complaint) -> [Pattern.Instruction] {
        try emit(node)
        program.append(.match)
        return program
    }

    private mutating func emit(_ node: PatternNode) throws(Complaint) {
        steps += 1
        guard steps < 20_000 else { throw Complaint("error parsing regexp: expression too large") }
        switch node {
        case .set(let set): program.append(.set(set))
        case .assertion(let assertion): program.append(.assert(assertion))
        case .sequence(let parts):
            for part in parts { try emit(part) }
        case .choice(let branches):
            var ends: [Int] = []
            for branch in branches.dropLast() {
                let split = program.count
                program.append(.match)
                try emit(branch)
                ends.append(program.count)
                program.append(.match)
                program[split] = .split(split + 1, program.count)
            }
            if let last = branches.last { try emit(last) }
            for end in ends { program[end] = .jump(program.count) }
        case .loop(let inner, let min, let max):
            for _ in 0..<min { try emit(inner) }
            if let max {
                var splits: [Int] = []
                for _ in 0..<(max - min) {
                    splits.append(program.count)
                    program.append(.match)
                    try emit(inner)
                }
                for split in splits { program[split] = .split(split + 1, program.count) }
            } else {
                let split = program.count
                program.append(.match)
                try emit(inner)
                program.append(.jump(split))
                program[split] = .split(split + 1, program.count)
            }
        }
    }
}
