//! People: they open accounts, deposit money, get frozen, send packets and grab.

use std::time::Duration;

use id::{RequestId, UserId};
use proto::account::v1 as pb;
use tokio::{task::JoinSet, time::sleep};
use tonic::Code;
use uuid::Uuid;

use super::{caller::Caller, operating, sending};

/// Pause between two tries.
const PAUSE_MS: u64 = 400;

/// The whole of what people do.
pub async fn live(caller: Caller) {
    let dice = &caller.dice;
    let users: Vec<UserId> = (1..=dice.size(2..=*dice.pick(&[7, 7, 14])))
        .filter_map(|n| format!("user-{n}").parse().ok())
        .collect();
    for user in &users {
        open(&caller, user).await;
        for n in 0..dice.size(1..=2) {
            // So little that not every packet can be paid.
            deposit(&caller, user, n, i64::try_from(dice.number(50..=3_000)).unwrap_or(1)).await;
        }
    }
    let mut doing = JoinSet::new();
    for _ in 0..dice.size(0..=3) {
        doing.spawn(confuse(caller.clone(), dice.pick(&users).clone()));
    }
    for n in 0..dice.size(1..=6) {
        doing.spawn(sending::send(caller.clone(), users.clone(), n));
    }
    for n in 0..*dice.pick(&[0, 0, 1, 2]) {
        doing.spawn(sending::send_beyond(caller.clone(), users.clone(), n));
    }
    for _ in 0..dice.size(0..=3) {
        doing.spawn(freeze_and_thaw(caller.clone(), dice.pick(&users).clone()));
    }
    doing.spawn(operating::operate(caller.clone(), users.clone()));
    while let Some(done) = doing.join_next().await {
        if let Err(fault) = done {
            std::panic::resume_unwind(fault.into_panic());
        }
    }
}

pub async fn open(caller: &Caller, user: &UserId) {
    loop {
        let request = pb::OpenAccountRequest {
            user_id: user.to_string(),
            display_name: user.to_string(),
        };
        let answer = caller.account.clone().open_account(request).await;
        caller.heard(user.as_str(), "opens an account", &answer);
        if answer.is_ok() {
            return;
        }
        sleep(caller.dice.ms(1..=PAUSE_MS)).await;
    }
}

/// What somebody has, as they are told.
pub async fn balance(caller: &Caller, user: &UserId) -> Option<i64> {
    let wallet = pb::AccountRef {
        kind: pb::AccountKind::Wallet.into(),
        owner: user.to_string(),
    };
    let request = pb::GetAccountRequest { r#ref: Some(wallet) };
    let answer = caller.account.clone().get_account(request).await;
    caller.heard(user.as_str(), "asks for the balance", &answer);
    Some(answer.ok()?.into_inner().account?.balance_fen)
}

/// Deposits until it is acknowledged or refused, and perhaps once more.
pub async fn deposit(caller: &Caller, user: &UserId, n: usize, amount_fen: i64) {
    let Ok(request_id) = format!("deposit-{n}").parse::<RequestId>() else {
        return;
    };
    let mut acknowledged = 0;
    let wanted = caller.dice.size(1..=2);
    while acknowledged < wanted {
        let request = pb::DepositRequest {
            request_id: request_id.to_string(),
            user_id: user.to_string(),
            amount_fen,
        };
        let answer = caller.account.clone().deposit(request).await;
        caller.heard(user.as_str(), &format!("deposits {amount_fen}"), &answer);
        if answer.is_ok() {
            caller.world.coverage.event("deposits");
            caller.auditor.told_deposited(user, &request_id, amount_fen);
            acknowledged += 1;
        }
        if answer.is_err_and(|status| status.code() == Code::FailedPrecondition) {
            return; // the wallet is frozen, perhaps for good
        }
        sleep(caller.dice.ms(1..=PAUSE_MS)).await;
    }
}

/// A caller who is confused: a deposit that is known under another amount, and transfers that no ledger may take. What it is
/// told does not matter, only what the rows say then.
async fn confuse(caller: Caller, user: UserId) {
    let dice = &caller.dice;
    let left_ms = u64::try_from(caller.time_left().as_millis()).unwrap_or(u64::MAX);
    sleep(dice.ms(0..=left_ms)).await;
    if dice.chance(500) {
        let Ok(request_id) = "deposit-0".parse::<RequestId>() else {
            return;
        };
        let amount_fen = 1_000_000; // more than anybody deposits
        let request = pb::DepositRequest {
            request_id: request_id.to_string(),
            user_id: user.to_string(),
            amount_fen,
        };
        let answer = caller.account.clone().deposit(request).await;
        caller.heard(user.as_str(), "deposits something else under the same name", &answer);
        if answer.is_ok() {
            caller.auditor.told_deposited(&user, &request_id, amount_fen);
        }
        return;
    }
    let wallet = pb::AccountRef {
        kind: pb::AccountKind::Wallet.into(),
        owner: user.to_string(),
    };
    let transfer = pb::Transfer {
        transfer_id: Uuid::from_bytes(dice.bytes()).to_string(),
        debit: Some(wallet.clone()),
        credit: Some(wallet),
        amount_fen: i64::try_from(dice.number(1..=50)).unwrap_or(1),
        reason: pb::TransferReason::Repair.into(),
        packet_id: id::PacketId::new(1, &dice.bytes()).to_string(),
    };
    let request = pb::PostTransfersRequest {
        transfers: vec![transfer],
    };
    let answer = caller.account.clone().post_transfers(request).await;
    caller.heard(user.as_str(), "pays themselves", &answer);
}

/// Somebody is frozen for a while, or for good.
async fn freeze_and_thaw(caller: Caller, user: UserId) {
    let dice = &caller.dice;
    let left_ms = u64::try_from(caller.time_left().as_millis()).unwrap_or(u64::MAX);
    sleep(dice.ms(0..=left_ms)).await;
    let request = pb::FreezeAccountRequest {
        user_id: user.to_string(),
        reason: "drawn".to_owned(),
    };
    let answer = caller.account.clone().freeze_account(request).await;
    caller.heard(user.as_str(), "is frozen", &answer);
    caller.world.coverage.event("freezes");
    if dice.chance(300) {
        return;
    }
    sleep(dice.ms(1..=20_000)).await;
    for _ in 0..10 {
        let request = pb::UnfreezeAccountRequest {
            user_id: user.to_string(),
            reason: "drawn".to_owned(),
        };
        let answer = caller.account.clone().unfreeze_account(request).await;
        caller.heard(user.as_str(), "is unfrozen", &answer);
        if answer.is_ok() {
            return;
        }
        sleep(Duration::from_millis(PAUSE_MS)).await;
    }
}
