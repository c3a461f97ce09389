//! What the engines say differently in a query.

use sea_orm::{
    ColumnTrait, DbBackend,
    sea_query::{Expr, ExprTrait, OnConflict},
};

/// `number`, such as a sum, as a 64-bit integer. Servers widen the sum of 64-bit integers to a decimal, and MySQL has a name
/// of its own for the type that brings it back.
pub fn integer(backend: DbBackend, number: impl Into<Expr>) -> Expr {
    let name = match backend {
        DbBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    number.into().cast_as(name)
}

/// What is there stays as it is, whichever unique key it has in common with the new row. `key` is the primary key, which
/// MySQL has to set to itself: its `INSERT IGNORE` would also let through what a CHECK refuses.
pub fn or_nothing<C: ColumnTrait>(key: impl IntoIterator<Item = C>) -> OnConflict {
    OnConflict::new().do_nothing_on(key).to_owned()
}
