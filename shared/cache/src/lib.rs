//! Two levels of memory in front of a service that owns a thing.
