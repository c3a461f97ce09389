//! The five packets.

use std::time::Duration;

use futures::future::try_join_all;
use id::PacketId;
use money::Fen;
use tokio::time::Instant;

use super::{
    cast::{Cast, Person},
    title, until,
};
use crate::{
    command::{
        grab::{Grab, Open},
        packet::Show,
        send::{Kind, Send, To},
    },
    failure::Failure,
    show::{claim::claims_table, grab::Outcome, line, packet::Detail, value::yuan},
};

/// A packet that was played, and the commitment that was published when it was sent.
pub struct Played {
    /// Which packet.
    pub packet: PacketId,
    /// What it was about.
    pub name: &'static str,
    /// Noted at the send, for the proof.
    pub commitment: [u8; 32],
}

/// 100.00 yuan in ten for a group of twenty who all grab at once.
pub async fn lucky(cast: &Cast) -> Result<Played, Failure> {
    title("A lucky packet: 100.00 yuan in 10, and 20 who grab at once")?;
    let packet = send(cast, "lucky", packet(Fen::new(10_000), 10, to_group(cast))).await?;
    let began = Instant::now();
    let outcomes = try_join_all(cast.members.iter().map(|person| grab(person, packet.packet, ""))).await?;
    let took = began.elapsed();
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let won = count(|outcome| matches!(outcome, Outcome::Opened { .. }));
    let late = count(|outcome| matches!(outcome, Outcome::Exhausted));
    line(&format!(
        "{won} got a share, {late} came too late; all of them knew after {} ms",
        took.as_millis()
    ))?;
    expect(won == 10 && late == 10, "10 winners and 10 who came too late")?;
    show(cast, &packet).await?;
    Ok(packet)
}

/// Grabbed and opened in two steps.
pub async fn equal(cast: &Cast) -> Result<Played, Failure> {
    title("An equal packet: 20.00 yuan in 3, grabbed first and opened later")?;
    let order = Send {
        kind: Kind::Equal,
        ..packet(Fen::new(2_000), 3, to_group(cast))
    };
    let packet = send(cast, "equal", order).await?;
    let mut vouchers = Vec::new();
    for person in &cast.members[..3] {
        let grab = Grab {
            packet: packet.packet,
            passphrase: String::new(),
            open: false,
        };
        match grab.run(&person.client).await? {
            Outcome::Granted { voucher, .. } => vouchers.push((person, voucher)),
            other => return Err(unexpected("a voucher", &other)),
        }
    }
    line("three have a voucher each, and nobody knows an amount yet")?;
    for (person, voucher) in vouchers {
        let open = Open {
            packet: packet.packet,
            voucher: Some(voucher),
            passphrase: String::new(),
        };
        match open.run(&person.client).await? {
            Outcome::Opened { .. } => {}
            other => return Err(unexpected("an opened share", &other)),
        }
    }
    show(cast, &packet).await?;
    Ok(packet)
}

/// For one person; another one tries first.
pub async fn exclusive(cast: &Cast) -> Result<Played, Failure> {
    let (intruder, receiver) = (&cast.members[0], &cast.stranger);
    title(&format!("An exclusive packet: 5.20 yuan for {} alone", receiver.name))?;
    let to = To {
        to_group: None,
        to_user: Some(receiver.id.clone()),
        to_anyone: false,
    };
    let packet = send(cast, "exclusive", packet(Fen::new(520), 1, to)).await?;
    let refused = grab(intruder, packet.packet, "").await?;
    expect(matches!(refused, Outcome::NotInAudience), "that others are refused")?;
    line(&format!("{} tries, and hears that it is for others", intruder.name))?;
    grab_and_tell(receiver, &packet, "").await?;
    show(cast, &packet).await?;
    Ok(packet)
}

/// With words; the wrong ones are tried first.
pub async fn passphrase(cast: &Cast) -> Result<Played, Failure> {
    title("A packet with a passphrase (口令): 8.88 yuan in 2 for anyone who knows the words")?;
    let to = To {
        to_group: None,
        to_user: None,
        to_anyone: true,
    };
    let order = Send {
        passphrase: "恭喜发财".to_owned(),
        ..packet(Fen::new(888), 2, to)
    };
    let packet = send(cast, "passphrase", order).await?;
    for words in ["", "财发喜恭"] {
        let refused = grab(&cast.stranger, packet.packet, words).await?;
        expect(
            matches!(refused, Outcome::WrongPassphrase { missing } if missing == words.is_empty()),
            "that wrong words are refused",
        )?;
    }
    line(&format!(
        "{} says nothing, then 财发喜恭, and gets nothing",
        cast.stranger.name
    ))?;
    for person in [&cast.stranger, &cast.members[0]] {
        grab_and_tell(person, &packet, "恭喜发财").await?;
    }
    show(cast, &packet).await?;
    Ok(packet)
}

/// Two of five shares are taken in its two seconds; the rest goes back.
pub async fn expiring(cast: &Cast) -> Result<Played, Failure> {
    title("A packet that expires after 2 seconds: 50.00 yuan in 5, and only 2 who grab")?;
    let order = Send {
        lifetime: Some(Duration::from_secs(2)),
        ..packet(Fen::new(5_000), 5, to_group(cast))
    };
    let packet = send(cast, "expiring", order).await?;
    for person in &cast.members[..2] {
        grab_and_tell(person, &packet, "").await?;
    }
    let detail = until("the packet is refunded", async || {
        let detail = look(cast, &packet).await?;
        Ok((detail.packet.state == "COMPLETED").then_some(detail))
    })
    .await?;
    let late = grab(&cast.members[2], packet.packet, "").await?;
    expect(matches!(late, Outcome::Expired), "that it has expired")?;
    line(&format!(
        "{} grabs after that, and hears that it has expired",
        cast.members[2].name
    ))?;
    show(cast, &packet).await?;
    let opened_fen = detail.progress.map_or(0, |progress| progress.opened_fen);
    line(&format!(
        "50.00 = {} opened + {} refunded",
        yuan(opened_fen),
        yuan(detail.packet.refunded_fen)
    ))?;
    expect(
        opened_fen + detail.packet.refunded_fen == detail.packet.total_fen,
        "that the rest was refunded",
    )?;
    Ok(packet)
}

/// A lucky packet with nothing special.
fn packet(total: Fen, shares: u32, to: To) -> Send {
    Send {
        total,
        shares,
        to,
        kind: Kind::Lucky,
        passphrase: String::new(),
        greeting: "恭喜发财".to_owned(),
        cover: String::new(),
        lifetime: None,
        start: None,
        cap: None,
        request_id: None,
    }
}

fn to_group(cast: &Cast) -> To {
    To {
        to_group: Some(cast.group.clone()),
        to_user: None,
        to_anyone: false,
    }
}

async fn send(cast: &Cast, name: &'static str, order: Send) -> Result<Played, Failure> {
    let sent = order.run(&cast.sender.client).await?.packet;
    line(&format!("packet {}, commitment {}", sent.packet_id, sent.commitment))?;
    let mut commitment = [0; 32];
    hex::decode_to_slice(&sent.commitment, &mut commitment).map_err(anyhow::Error::from)?;
    Ok(Played {
        packet: sent.packet_id.parse().map_err(anyhow::Error::from)?,
        name,
        commitment,
    })
}

/// Grabs and opens, asking again while shares are held that may come free.
async fn grab(person: &Person, packet: PacketId, passphrase: &str) -> Result<Outcome, Failure> {
    let grab = Grab {
        packet,
        passphrase: passphrase.to_owned(),
        open: true,
    };
    until("a final answer to a grab", async || {
        let outcome = grab.run(&person.client).await?;
        Ok((!matches!(outcome, Outcome::AllHeld { .. })).then_some(outcome))
    })
    .await
}

async fn grab_and_tell(person: &Person, packet: &Played, passphrase: &str) -> Result<(), Failure> {
    match grab(person, packet.packet, passphrase).await? {
        Outcome::Opened { claim } => line(&format!("{} got {} yuan", person.name, yuan(claim.amount_fen))),
        other => Err(unexpected("an opened share", &other)),
    }
}

async fn look(cast: &Cast, packet: &Played) -> Result<Detail, Failure> {
    let show = Show {
        packet: packet.packet,
        all: true,
    };
    show.run(&cast.sender.client).await
}

/// Prints who got what.
async fn show(cast: &Cast, packet: &Played) -> Result<(), Failure> {
    line(&claims_table(&look(cast, packet).await?.claims))
}

fn expect(holds: bool, what: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(format!("expected {what}")))
    }
}

fn unexpected(wanted: &str, got: &Outcome) -> Failure {
    Failure::new(format!("expected {wanted}, not {got:?}"))
}
