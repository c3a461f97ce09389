//! Real servers of SQL and Redis, started on free loopback ports.
