//! Compiles the protos with protox, so that no `protoc` is needed on the machine.

use std::{env, error::Error, fs, path::Path};

use prost::Message;

/// Every file of the system; google's own types come along by import.
const FILES: [&str; 6] = [
    "hongbao/account/v1/account.proto",
    "hongbao/gateway/v1/gateway.proto",
    "hongbao/grab/v1/grab.proto",
    "hongbao/packet/v1/packet.proto",
    "hongbao/terms/v1/terms.proto",
    "hongbao/transfer/v1/transfer.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());

    let descriptors = protox::compile(FILES, [&root])?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&out).join("descriptors.bin"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure()
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        .compile_fds(descriptors)?;
    Ok(())
}
