"""What survives: events, notices and the audit in one database, samples in another."""
