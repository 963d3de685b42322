/// Makes the partitions of a new ledger hold sixteen events each; run as who may take the log owner's role.
public let smallPartitions = partitions(of: 16, ahead: 2)

/// Makes the next `count` partitions of a new ledger hold `size` events each, likewise.
///
/// The first were made by the migration, and are empty: they make room for these.
public func partitions(of size: Int, ahead count: Int) -> String {
    """
    SET ROLE rollbook_ledger;
    UPDATE ledger.partition_plan SET size = \(size);
    DO $$
    DECLARE
        made text;
    BEGIN
        DROP VIEW ledger.current_event;
        DROP VIEW ledger.current_range;
        FOR made IN SELECT table_name FROM ledger.event_partition LOOP
            EXECUTE format('DROP TABLE ledger.%I', made);
        END LOOP;
        DELETE FROM ledger.event_partition;
        PERFORM ledger.prepare_partitions(\(count));
        PERFORM ledger.roll_over();
    END $$;
    """
}
