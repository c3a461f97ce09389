//! A course through every saga: send, open, settle, close and refund, compensate and repair; and a send that cannot be paid.

use std::time::Duration;

use id::UserId;
use proto::account::v1 as pb;
use tokio::time::{sleep, timeout};

use super::{caller::Caller, grabbing, operating, people, sending};

/// How long the packet lives: time for three opens, also after a crash and a restart.
const LIFETIME: Duration = Duration::from_secs(8);

/// The whole course, one step after the other. Everybody insists until they have an answer.
pub async fn walk(caller: Caller) {
    let name = |name: &str| name.parse::<UserId>();
    let (Ok(sender), Ok(first), Ok(second), Ok(frozen)) =
        (name("sender"), name("first"), name("second"), name("frozen"))
    else {
        return;
    };
    for user in [&sender, &first, &second, &frozen] {
        people::open(&caller, user).await;
    }
    people::deposit(&caller, &sender, 0, 1_000).await;
    set_frozen(&caller, &frozen, true).await;

    let packet = sending::send_plainly(&caller, &sender, "within-means", 300, 4, LIFETIME).await;
    sending::send_plainly(&caller, &sender, "beyond-means", 5_000, 4, LIFETIME).await;
    if let Some(packet) = packet {
        for user in [&first, &second, &frozen] {
            // Whoever comes too late, after a crash, has lost nothing.
            let grabbed = grabbing::grab_one(&caller, packet, user, LIFETIME);
            let _ = timeout(LIFETIME, grabbed).await;
        }
    }
    sleep(LIFETIME + Duration::from_secs(5)).await;
    set_frozen(&caller, &frozen, false).await;
    operating::retry_all(&caller).await;
}

async fn set_frozen(caller: &Caller, user: &UserId, frozen: bool) {
    let (user_id, reason) = (user.to_string(), "the course".to_owned());
    loop {
        let mut account = caller.account.clone();
        let done = if frozen {
            let request = pb::FreezeAccountRequest {
                user_id: user_id.clone(),
                reason: reason.clone(),
            };
            account.freeze_account(request).await.map(drop)
        } else {
            let request = pb::UnfreezeAccountRequest {
                user_id: user_id.clone(),
                reason: reason.clone(),
            };
            account.unfreeze_account(request).await.map(drop)
        };
        caller.heard(user.as_str(), if frozen { "is frozen" } else { "is unfrozen" }, &done);
        if done.is_ok() {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
}
