/// Makes the next partitions of a new ledger hold sixteen events each; run as who may take the log owner's role.
///
/// The first were made by the migration, and are empty: they make room for smaller ones.
public let smallPartitions = """
    SET ROLE rollbook_ledger;
    UPDATE ledger.partition_plan SET size = 16;
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
        PERFORM ledger.prepare_partitions(2);
        PERFORM ledger.roll_over();
    END $$;
    """
