//! What may happen in a story.

use proptest::prelude::*;
use transfer::{
    domain::{Delivery, Payee, Verdict},
    store::{ActEnd, FundEnd},
};

use crate::contract::{at, user};

/// The packets of one story.
pub const PACKETS: u8 = 2;

#[derive(Clone, Debug)]
pub enum Step {
    Fund {
        packet: u8,
        fen: i64,
        attempt: u128,
        until: i64,
        over: bool,
    },
    EndFund {
        packet: u8,
        attempt: u128,
        end: FundEnd,
    },
    Refund {
        packet: u8,
        fen: i64,
    },
    Conclude {
        packet: u8,
        delivery: Delivery,
    },
    Lease {
        owner: u128,
        until: i64,
    },
    Retire {
        owner: u128,
    },
    Settle {
        owner: u128,
        partition: u32,
        skew: i64,
        claims: Vec<(u32, i64, Delivery)>,
    },
    OpenCase {
        packet: u8,
        of: Subject,
    },
    BeginAct {
        packet: u8,
        of: Subject,
        request: u8,
        reason: u8,
        attempt: u128,
        until: i64,
        over: bool,
    },
    EndAct {
        packet: u8,
        of: Subject,
        request: u8,
        attempt: u128,
        end: ActEnd,
    },
}

/// What a case is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    Fund,
    Refund,
    Share(u32),
    Worthless,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        4 => Just(Delivery::Paid),
        1 => Just(Delivery::Suspended(Verdict::CreditFrozen)),
        1 => Just(Delivery::Stuck(Verdict::InsufficientFunds, None)),
        1 => Just(Delivery::Contradicted),
        1 => Just(Delivery::Repaired(Payee::WriteOff)),
    ]
}

fn until() -> impl Strategy<Value = i64> {
    0..20_i64
}

fn fund_end() -> impl Strategy<Value = FundEnd> {
    prop_oneof![
        Just(FundEnd::Funded),
        Just(FundEnd::Refused(Verdict::InsufficientFunds, 3)),
        prop::option::of(until()).prop_map(|until| FundEnd::Undecided(until.map(at))),
    ]
}

fn act_end() -> impl Strategy<Value = ActEnd> {
    prop_oneof![
        Just(ActEnd::Paid(Payee::Wallet(user("b")))),
        Just(ActEnd::Paid(Payee::WriteOff)),
        Just(ActEnd::Closed),
        Just(ActEnd::Refused("CREDIT_FROZEN".to_owned())),
        Just(ActEnd::InSuspense),
        prop::option::of(until()).prop_map(|until| ActEnd::Undecided(until.map(at))),
    ]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Fund),
        Just(Subject::Refund),
        (0..4_u32).prop_map(Subject::Share),
        Just(Subject::Worthless),
    ]
}

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    let (packet, owner, tries) = (0..PACKETS, 1..4_u128, 1..4_u128);
    let fen = prop_oneof![5 => Just(10_i64), 1 => Just(11), 1 => Just(0)];
    let claims = prop::collection::vec((0..4_u32, 0..3_i64, delivery()), 0..4);
    prop_oneof![
        2 => (packet.clone(), fen.clone(), tries.clone(), until(), any::<bool>())
            .prop_map(|(packet, fen, attempt, until, over)| Step::Fund { packet, fen, attempt, until, over }),
        2 => (packet.clone(), tries.clone(), fund_end())
            .prop_map(|(packet, attempt, end)| Step::EndFund { packet, attempt, end }),
        2 => (packet.clone(), fen).prop_map(|(packet, fen)| Step::Refund { packet, fen }),
        1 => (packet.clone(), delivery()).prop_map(|(packet, delivery)| Step::Conclude { packet, delivery }),
        3 => (owner.clone(), until()).prop_map(|(owner, until)| Step::Lease { owner, until }),
        1 => owner.clone().prop_map(|owner| Step::Retire { owner }),
        6 => (owner, 0..4_u32, prop_oneof![6 => Just(0_i64), 1 => Just(-1), 1 => Just(1)], claims)
            .prop_map(|(owner, partition, skew, claims)| Step::Settle { owner, partition, skew, claims }),
        3 => (packet.clone(), subject()).prop_map(|(packet, of)| Step::OpenCase { packet, of }),
        4 => (packet.clone(), subject(), 0..3_u8, 0..5_u8, tries.clone(), until(), any::<bool>()).prop_map(
            |(packet, of, request, reason, attempt, until, over)| {
                Step::BeginAct { packet, of, request, reason: reason / 4, attempt, until, over }
            }
        ),
        4 => (packet, subject(), 0..3_u8, tries, act_end())
            .prop_map(|(packet, of, request, attempt, end)| Step::EndAct { packet, of, request, attempt, end }),
    ]
}
