//! An account service that hangs: opens go on, and everybody is paid when it answers again.

use std::{path::Path, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use hongbao::mesh::{Layout, Mesh};
use proto::grab::v1::grab_response::Outcome;

use crate::rig::{Caller, for_anyone, id_of, users};

const PACKETS: usize = 50;
const SHARES: u32 = 100;
/// Callers at once.
const AT_ONCE: usize = 64;
/// How long any open may take meanwhile on a loaded machine, far below the time that the account service has to answer.
const LONGEST: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_account_service_stops_no_open_and_its_backlog_is_settled() {
    let dir = testkit::Dir::new();
    let mut layout = Layout::free("redis,postgres".parse().unwrap(), dir.path())
        .set("grab", "voucher_ttl", "30m")
        .set("transfer", "lease_ttl", "2s");
    for service in ["gateway", "packet", "transfer", "grab", "account"] {
        layout = layout.set(service, "request_timeout", "60s");
    }
    layout.programs = Path::new(env!("CARGO_BIN_EXE_hongbao")).parent().map(Path::to_owned);
    let mut mesh = Mesh::start(&layout).await.unwrap();
    let gateway = mesh.gateway();
    let people = &users(SHARES as usize);
    let operator = Caller::operator(gateway);
    operator.open_accounts(people, 1_000).await;

    let sender = &Caller::new(gateway, &people[0]);
    let packets: Vec<String> = stream::iter(0..PACKETS)
        .map(|n| async move {
            let request = for_anyone(format!("send-{n}"), 500, SHARES, Duration::from_hours(1));
            id_of(&sender.send(request).await.unwrap())
        })
        .buffered(8)
        .collect()
        .await;
    let asks = packets
        .iter()
        .flat_map(|packet_id| people.iter().map(move |user| (packet_id, user)));
    let vouchers: Vec<(&String, &String, String)> = stream::iter(asks)
        .map(|(packet_id, user)| async move {
            match sender.r#as(user).grab(packet_id, false).await.unwrap() {
                Outcome::Granted(granted) => (packet_id, user, granted.voucher),
                other => panic!("{other:?}"),
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let names = mesh.members().iter().map(|member| member.recipe().name.clone());
    let accounts: Vec<String> = names.filter(|name| name.starts_with("account")).collect();
    assert!(!accounts.is_empty());
    for account in &accounts {
        mesh.pause(account).unwrap();
    }
    let longest = stream::iter(vouchers)
        .map(|(packet_id, user, voucher)| async move {
            let began = std::time::Instant::now();
            sender
                .r#as(user)
                .open(packet_id, &voucher)
                .await
                .map(|_| began.elapsed())
        })
        .buffer_unordered(AT_ONCE)
        .try_fold(Duration::ZERO, |longest, took| async move { Ok(longest.max(took)) })
        .await
        .expect("opens need no account service");
    assert!(longest < LONGEST, "{longest:?}");
    for account in &accounts {
        mesh.resume(account).unwrap();
    }
    let report = operator.reconcile_when_settled().await;
    assert_eq!(report.claim_count, i64::try_from(PACKETS * people.len()).unwrap());
    assert_eq!((report.open_case_count, report.unsettled_count), (0, 0));
    mesh.kill_all().await;
}
