//! Operators: they look at repair cases and decide them, each act under a request of its own and some of them twice, and
//! reconcile.

use id::UserId;
use proto::transfer::v1 as pb;
use tokio::time::sleep;
use tonic::Status;

use super::caller::{Caller, is_passing};

/// Tries of one act before its operator gives up.
const TRIES: usize = 5;
/// Who they are.
const OPERATOR: &str = "operator";

/// Looks at repair cases now and then, and decides some; reconciles now and then, while money moves.
pub async fn operate(caller: Caller, users: Vec<UserId>) {
    let mut acts = 0;
    while caller.has_time() {
        sleep(caller.dice.ms(2_000..=12_000)).await;
        let request = pb::ListRepairCasesRequest {
            state: pb::CaseState::Open.into(),
            page_size: 50,
            page_token: String::new(),
        };
        let Ok(answer) = caller.transfer.clone().list_repair_cases(request).await else {
            continue;
        };
        for case in answer.into_inner().cases {
            if caller.dice.chance(500) {
                acts += 1;
                decide(&caller, &case, &format!("act-{acts}"), &users).await;
            }
        }
        if caller.dice.chance(300) {
            reconcile(&caller).await;
        }
    }
}

/// Retries every open case, and insists.
pub async fn retry_all(caller: &Caller) {
    let request = || pb::ListRepairCasesRequest {
        state: pb::CaseState::Open.into(),
        page_size: 50,
        page_token: String::new(),
    };
    for _ in 0..TRIES {
        let Ok(answer) = caller.transfer.clone().list_repair_cases(request()).await else {
            sleep(caller.dice.ms(1..=3_000)).await;
            continue;
        };
        for (n, case) in answer.into_inner().cases.iter().enumerate() {
            insist(caller, case, &format!("retry-{n}"), Wish::Retry).await;
        }
        return;
    }
}

/// What an operator wants.
#[derive(Clone)]
enum Wish {
    Retry,
    Resolve(pb::resolve_repair_case_request::To),
}

async fn decide(caller: &Caller, case: &pb::RepairCase, request_id: &str, users: &[UserId]) {
    use pb::resolve_repair_case_request::To;
    let redirect = To::RedirectUserId(caller.dice.pick(users).to_string());
    let wish = match caller.dice.number(0..=9) {
        0..=3 => Wish::Retry,
        4..=6 => Wish::Resolve(redirect),
        7..=8 => Wish::Resolve(To::ReturnToSender(pb::ReturnToSender {})),
        _ => Wish::Resolve(To::WriteOff(pb::WriteOff {})),
    };
    caller.world.coverage.event("acts on repair cases");
    if caller.dice.chance(250) {
        // Two hands on one button.
        tokio::join!(
            insist(caller, case, request_id, wish.clone()),
            insist(caller, case, request_id, wish)
        );
    } else {
        insist(caller, case, request_id, wish).await;
    }
}

async fn insist(caller: &Caller, case: &pb::RepairCase, request_id: &str, wish: Wish) {
    for _ in 0..TRIES {
        match act(caller, case, request_id, &wish).await {
            Err(status) if is_passing(&status) => sleep(caller.dice.ms(1..=3_000)).await,
            _ => return,
        }
    }
}

async fn act(caller: &Caller, case: &pb::RepairCase, request_id: &str, wish: &Wish) -> Result<(), Status> {
    let (case_id, request_id) = (case.case_id.clone(), request_id.to_owned());
    let (operator_id, reason) = (OPERATOR.to_owned(), "drawn".to_owned());
    let mut transfer = caller.transfer.clone();
    let (what, answer) = match wish {
        Wish::Retry => {
            let request = pb::RetryRepairCaseRequest {
                case_id,
                operator_id,
                reason,
                request_id,
            };
            let answer = transfer.retry_repair_case(request).await;
            ("retries", answer.map(|answer| answer.into_inner().outcome))
        }
        Wish::Resolve(to) => {
            let what = match to {
                pb::resolve_repair_case_request::To::RedirectUserId(_) => "redirects",
                pb::resolve_repair_case_request::To::ReturnToSender(_) => "returns",
                pb::resolve_repair_case_request::To::WriteOff(_) => "writes off",
            };
            let request = pb::ResolveRepairCaseRequest {
                case_id,
                operator_id,
                reason,
                request_id,
                to: Some(to.clone()),
            };
            let answer = transfer.resolve_repair_case(request).await;
            (what, answer.map(|answer| answer.into_inner().outcome))
        }
    };
    let what = format!("{what} case {} as {OPERATOR}", case.case_id);
    caller.heard(OPERATOR, &what, &answer);
    answer.map(drop)
}

/// Holds everything against everything, slice by slice: nothing may be found, whatever moves meanwhile. `false` where it
/// did not get to an end.
pub async fn reconcile(caller: &Caller) -> bool {
    let mut page_token = String::new();
    loop {
        let request = pb::ReconcileRequest {
            page_size: 10,
            page_token,
        };
        let answer = caller.transfer.clone().reconcile(request).await;
        caller.heard(OPERATOR, "reconciles", &answer);
        let Ok(answer) = answer else {
            return false;
        };
        let answer = answer.into_inner();
        if let Some(difference) = answer.differences.first() {
            caller
                .world
                .violated("BOOKS", format!("reconciliation found {difference:?}"));
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            caller.world.coverage.event("reconciliations");
            return true;
        }
    }
}
