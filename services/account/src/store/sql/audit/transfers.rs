//! Transfers, in order of id, with their entries and what the chain knows of them.
//!
//! Each query is of a stretch of one table's index, and they are put together here: what planners think of ranges of
//! UUIDs is wrong enough that they would rather read a whole table than join two stretches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::sql::Result;
use clock::from_micros;
use id::{AccountId, PacketId, TransferId};
use money::Fen;
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    sea_query::{Expr, Order, Query, SelectStatement},
};
use uuid::Uuid;

use super::rows;
use crate::{
    domain::{
        audit::transfers::{Mark, Suspect, Trace, TransferSlice},
        chain::Hash,
        transfer::Payload,
    },
    store::sql::{
        chain::members_of,
        entity::{entry, seal_member, transfer, unsealed},
        row,
    },
};

/// Postings that wait for their seal, read at a time.
const POSTINGS: u64 = 20;

/// Ids behind `after` and up to `to`; without an end where there is none.
#[derive(Clone, Copy)]
struct Range {
    after: Option<Uuid>,
    to: Option<Uuid>,
}

impl Range {
    fn of(self, column: impl ColumnTrait) -> Condition {
        Condition::all()
            .add_option(self.after.map(|after| column.gt(after)))
            .add_option(self.to.map(|to| column.lte(to)))
    }
}

pub async fn slice(snapshot: &DatabaseTransaction, after: Option<TransferId>, limit: u64) -> Result<TransferSlice> {
    let after = after.map(|id| id.as_uuid());
    let mut traces = BTreeMap::new();
    for row in rows(snapshot, &posted(Range { after, to: None }, limit)).await? {
        traces.insert(row.try_get_by_index::<Uuid>(0)?, trace(&row, 1)?);
    }
    let transfer_count = traces.len();
    let to = traces.keys().last().copied().filter(|_| transfer_count as u64 == limit);
    let range = Range { after, to };

    let sides: Vec<(Uuid, Uuid, i64)> = entry::Entity::find()
        .select_only()
        .columns([
            entry::Column::TransferId,
            entry::Column::AccountId,
            entry::Column::DeltaFen,
        ])
        .filter(range.of(entry::Column::TransferId))
        .into_tuple()
        .all(snapshot)
        .await?;
    let mut entries: HashMap<Uuid, Vec<(AccountId, Fen)>> = HashMap::with_capacity(transfer_count);
    for (id, account, delta) in sides {
        entries.entry(id).or_default().push((account.into(), Fen::new(delta)));
        traces.entry(id).or_insert(Trace::Gone);
    }
    let sealed: Vec<Uuid> = seal_member::Entity::find()
        .select_only()
        .column(seal_member::Column::TransferId)
        .filter(range.of(seal_member::Column::TransferId))
        .into_tuple()
        .all(snapshot)
        .await?;
    let sealed: BTreeSet<Uuid> = sealed.into_iter().collect();
    let waiting = waiting(
        snapshot,
        traces.keys().filter(|id| !sealed.contains(id)).copied().collect(),
    )
    .await?;
    let suspects = traces.into_iter().map(|(id, trace)| Suspect {
        id: TransferId::from(id),
        trace,
        entries: entries.remove(&id).unwrap_or_default(),
        mark: match waiting.get(&id) {
            Some(digest) => Mark::Waits(*digest),
            None if sealed.contains(&id) => Mark::Sealed,
            None => Mark::Unknown,
        },
    });
    Ok(TransferSlice {
        transfer_count: i64::try_from(transfer_count).unwrap_or(i64::MAX),
        suspects: suspects.collect(),
        to: to.map(TransferId::from),
    })
}

fn posted(range: Range, limit: u64) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr(t(transfer::Column::TransferId))
        .from(transfer::Entity)
        .cond_where(range.of(transfer::Column::TransferId))
        .order_by((transfer::Entity, transfer::Column::TransferId), Order::Asc)
        .limit(limit);
    trace_columns(&mut query);
    query
}

fn t(column: transfer::Column) -> Expr {
    Expr::col((transfer::Entity, column))
}

/// The digests of those of the transfers that wait to be sealed. Ends once all are found: mostly in the first rows.
async fn waiting(snapshot: &DatabaseTransaction, mut sought: BTreeSet<Uuid>) -> Result<HashMap<Uuid, Hash>> {
    let mut found = HashMap::new();
    let mut after = i64::MIN;
    while !sought.is_empty() {
        let postings = unsealed::Entity::find()
            .filter(unsealed::Column::PostingNo.gt(after))
            .order_by_asc(unsealed::Column::PostingNo)
            .limit(POSTINGS)
            .all(snapshot)
            .await?;
        let Some(last) = postings.last() else {
            break;
        };
        after = last.posting_no;
        for posting in &postings {
            for member in members_of(posting)? {
                let id = member.transfer.as_uuid();
                if sought.remove(&id) {
                    found.insert(id, member.digest);
                }
            }
        }
    }
    Ok(found)
}

/// Selects what [`trace`] reads.
pub fn trace_columns(query: &mut SelectStatement) {
    query.exprs([
        t(transfer::Column::DebitId),
        t(transfer::Column::CreditId),
        t(transfer::Column::AmountFen),
        t(transfer::Column::Reason),
        t(transfer::Column::PacketId),
        t(transfer::Column::CreateUs),
    ]);
}

/// What a row says of a transfer, from the column at `index` on.
pub fn trace(row: &QueryResult, index: usize) -> Result<Trace> {
    let Some(debit) = row.try_get_by_index::<Option<Uuid>>(index)? else {
        return Ok(Trace::Gone);
    };
    let Ok(reason) = row::reason(row.try_get_by_index(index + 3)?) else {
        return Ok(Trace::Unreadable);
    };
    let payload = Payload {
        debit: debit.into(),
        credit: row.try_get_by_index::<Uuid>(index + 1)?.into(),
        amount: Fen::new(row.try_get_by_index(index + 2)?),
        reason,
        packet: row.try_get_by_index::<Option<Uuid>>(index + 4)?.map(PacketId::from),
    };
    Ok(Trace::Posted(payload, from_micros(row.try_get_by_index(index + 5)?)))
}
