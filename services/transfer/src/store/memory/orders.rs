//! Transfer orders.

use async_trait::async_trait;
use clock::Timestamp;
use guard::Guard;
use id::{PacketId, TransferId};
use paging::Page;
use sql::Result;

use super::{
    MemoryStore, count,
    tables::{OrderRow, Tables},
};
use crate::{
    domain::{CaseEvent, Failure, Kind, Order, State},
    store::{Attempt, FundEnd, FundStart, ListKey, NOT_OWED, Of, Orders},
};

#[async_trait]
impl Orders for MemoryStore {
    async fn begin_fund(&self, draft: &Order, attempt: Attempt, now: Timestamp) -> Result<FundStart> {
        let begin = |tables: &mut Tables| begin_fund(tables, draft, attempt, now, false);
        self.link.write("orders.begin_fund", begin).await
    }

    async fn take_over_fund(&self, draft: &Order, attempt: Attempt, now: Timestamp) -> Result<FundStart> {
        let begin = |tables: &mut Tables| begin_fund(tables, draft, attempt, now, true);
        self.link.write("orders.take_over_fund", begin).await
    }

    async fn end_fund(&self, id: TransferId, attempt: Attempt, end: FundEnd, now: Timestamp) -> Result<Order> {
        let end = |tables: &mut Tables| end_fund(tables, id, attempt, end, now);
        self.link.write("orders.end_fund", end).await
    }

    async fn begin_refund(&self, draft: &Order) -> Result<Order> {
        let begin = |tables: &mut Tables| {
            tables.add_order(draft)?;
            Ok(tables.known(draft.id)?.order.clone())
        };
        self.link.write("orders.begin_refund", begin).await
    }

    async fn conclude(&self, concluded: &Order, opening: Option<CaseEvent>) -> Result<Order> {
        let conclude = |tables: &mut Tables| {
            let known = &tables.known(concluded.id)?.order;
            if known.state != State::Pending {
                return Ok(known.clone());
            }
            tables.put_order(concluded.into())?;
            if let Some(opening) = &opening {
                tables.add_case(concluded.id, opening);
            }
            Ok(concluded.clone())
        };
        self.link.write("orders.conclude", conclude).await
    }

    async fn claimed_fen(&self, packet: PacketId) -> Result<i64> {
        let look = |tables: &Tables| {
            let orders = tables.orders().values().map(|row| &row.order);
            let of_packet = orders.filter(|order| order.packet == Some(packet) && order.kind == Kind::Settle);
            let owed = of_packet.filter(|order| {
                order.state != State::Stuck || order.failure.is_none_or(|failure| !NOT_OWED.contains(&failure))
            });
            Ok(owed.map(|order| order.amount_fen).sum()) // the total of a packet fits 64 bits
        };
        self.link.read("orders.claimed_fen", look).await
    }

    async fn order(&self, id: TransferId) -> Result<Option<Order>> {
        let look = |tables: &Tables| Ok(tables.orders().get(&id).map(|row| row.order.clone()));
        self.link.read("orders.order", look).await
    }

    async fn list(&self, of: &Of, page: &Page<ListKey>) -> Result<Vec<Order>> {
        let look = |tables: &Tables| {
            let orders = tables.orders().values().map(|row| &row.order);
            let of_it = orders.filter(|order| match of {
                Of::Packet(packet) => order.packet == Some(*packet),
                Of::User(user) => order.user.as_ref() == Some(user),
            });
            let behind = of_it.filter(|order| page.after.is_none_or(|after| ListKey::of(order) > after));
            let mut orders: Vec<Order> = behind.cloned().collect();
            orders.sort_by_key(ListKey::of);
            orders.truncate(count(page.fetch()));
            Ok(orders)
        };
        self.link.read("orders.list", look).await
    }
}

fn begin_fund(tables: &mut Tables, draft: &Order, attempt: Attempt, now: Timestamp, over: bool) -> Result<FundStart> {
    let (mut row, mut doubt) = (OrderRow::from(draft), None);
    if let Some(known) = tables.orders().get(&draft.id) {
        if known.order.state != State::Pending || !known.order.asks_the_same(draft) {
            return Ok(FundStart::Known(known.order.clone()));
        }
        let open = |until: &Timestamp| guard::stands(Guard::RefusalLasts) && *until > now;
        match known.attempt_until.filter(open) {
            // Perhaps it took over already, and the answer to that was lost: then this doubts itself.
            Some(until) if over => doubt = Some(until),
            Some(until) if known.attempt_id != Some(attempt.id) => return Ok(FundStart::Held(until)),
            _ => {}
        }
        row = known.clone();
    }
    let order = row.order.clone();
    row.attempt_id = Some(attempt.id);
    row.attempt_until = Some(doubt.map_or(attempt.until, |doubt| doubt.max(attempt.until)));
    tables.put_order(row)?;
    Ok(FundStart::Begun { order, doubt })
}

fn end_fund(tables: &mut Tables, id: TransferId, attempt: Attempt, end: FundEnd, now: Timestamp) -> Result<Order> {
    let mut row = tables.known(id)?.clone();
    let ours = row.attempt_id == Some(attempt.id) || !guard::stands(Guard::RefusalLasts);
    if row.order.state != State::Pending || (!ours && end != FundEnd::Funded) {
        return Ok(row.order);
    }
    match end {
        FundEnd::Funded => row.order.state = State::Posted,
        FundEnd::Refused(verdict, balance_fen) => {
            row.order.state = State::Rejected;
            row.order.failure = Some(Failure::Refused(verdict));
            row.order.balance_fen = balance_fen;
        }
        FundEnd::Undecided(doubt) => {
            let order = row.order.clone();
            row.attempt_until = doubt;
            tables.put_order(row)?;
            return Ok(order);
        }
    }
    row.order.updated = now;
    tables.put_order(OrderRow::from(&row.order))?;
    Ok(row.order)
}
