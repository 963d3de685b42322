import EventSourcing
import Postgres

/// A projection into tables of the schema `views`: rows that follow from the log alone, so that they can be made anew.
protocol ReadModel: Sendable {
    /// Its name, under which its checkpoint stands.
    var name: String { get }
    /// Grows when the same events are to give other rows; the rows are then made anew.
    var version: Int { get }
    /// Its tables, each with the order in which a check reads its rows.
    var tables: [(name: String, order: String)] { get }
    /// Writes what `batch` means, through the connection of the transaction that also moves the checkpoint.
    ///
    /// Events come in order, each once. State kept between batches must follow from the events alone.
    mutating func apply(_ batch: [RecordedEvent], through connection: PostgresConnection) async throws
    /// Forgets what was kept between batches: the rows go back to the checkpoint's, or to none.
    mutating func forget()
}
