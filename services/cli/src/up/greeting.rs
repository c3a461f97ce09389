//! What `hongbao up` prints once everything serves.

use std::path::Path;

use super::{Addresses, people};

/// Where each service listens, and lines to paste.
pub fn of(addresses: &Addresses, data_dir: &Path, demo_users: bool) -> String {
    let Addresses {
        gateway,
        account,
        packet,
        grab,
        transfer,
    } = addresses;
    let table = format!(
        "\
hongbao is up; its data is in {}; Ctrl-C stops it

  gateway   {gateway}   for clients; believes every caller to be who it says it is
  account   {account}
  packet    {packet}
  grab      {grab}
  transfer  {transfer}
",
        data_dir.display()
    );
    let hint = if demo_users {
        lines_to_try(addresses)
    } else {
        format!(
            "Nobody is here yet: `hongbao user open NAME --gateway {}`, or start it with --demo-users.",
            addresses.gateway_url()
        )
    };
    format!("{table}\n{hint}")
}

fn lines_to_try(addresses: &Addresses) -> String {
    let gateway = addresses.gateway;
    let call = format!("grpcurl -plaintext -H 'hongbao-user-id: alice' {gateway}");
    let send = format!(
        "grpcurl -plaintext -H 'hongbao-user-id: alice' -d '{{\"request_id\": \"first\", \"total_fen\": 6600, \
                        \"share_count\": 3, \"audience\": {{\"group_id\": \"{}\"}}}}' {gateway}",
        people::GROUP.0
    );
    let people = people::PEOPLE.map(|(user, name)| format!("{user} {name}")).join(", ");
    let url = addresses.gateway_url();
    format!(
        "\
In the group `{}`, with 1000.00 yuan each: {people}. Try, with grpcurl:

  grpcurl -plaintext {gateway} list
  {call} hongbao.gateway.v1.WalletService/GetWallet
  {send} hongbao.gateway.v1.RedPacketService/SendPacket

or with this program (PACKET is the id that send prints):

  export HONGBAO_GATEWAY={url}
  hongbao send 66.00 --as alice --shares 3 --to-group {} --greeting 恭喜发财
  hongbao grab PACKET --as bob --open
  hongbao show PACKET --as bob",
        people::GROUP.0,
        people::GROUP.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let [gateway, account, packet, grab, transfer] = [1, 2, 3, 4, 5].map(|port| ([127, 0, 0, 1], port).into());
        Addresses {
            gateway,
            account,
            packet,
            grab,
            transfer,
        }
    }

    #[test]
    fn every_address_is_told() {
        let told = of(&addresses(), Path::new("/data"), false);
        for port in 1..=5 {
            assert!(told.contains(&format!(" 127.0.0.1:{port}")), "{told}");
        }
        assert!(told.contains("/data") && told.contains("--demo-users"), "{told}");
    }

    #[test]
    fn with_demo_users_there_are_three_lines_for_grpcurl() {
        let told = of(&addresses(), Path::new("/data"), true);
        assert_eq!(told.lines().filter(|line| line.starts_with("  grpcurl ")).count(), 3);
        assert!(told.contains(r#"-d '{"request_id": "first","#), "{told}");
    }
}
