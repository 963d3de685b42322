/// Columns that stand under each other, two spaces apart; the last one is not padded.
struct Table {
    /// A cell and its colour.
    struct Cell {
        var text: String
        var colour: Paint.Colour?

        init(_ text: String, _ colour: Paint.Colour? = nil) {
            self.text = text.printable
            self.colour = colour
        }
    }

    private var rows: [[Cell]]

    init(_ heads: [String]) { rows = [heads.map { Cell($0) }] }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    mutating func add(_ texts: [String]) { rows.append(texts.map { Cell($0) }) }

    /// The rows, without white space at their ends.
    func lines(_ paint: Paint) -> [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { $0.indices.contains(column) ? $0[column].text.count : 0 }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += paint(cell.text, cell.colour)
                if row[(column + 1)...].contains(where: { !$0.text.isEmpty }) {
                    line += String(repeating: " ", count: widths[column] - cell.text.count + 2)
                }
            }
            return line
        }
    }
}
