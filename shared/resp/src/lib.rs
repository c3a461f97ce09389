//! Redis by URL: one server or a cluster.
