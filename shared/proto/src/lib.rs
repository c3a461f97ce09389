//! The bindings of every proto package, generated at build time, and the descriptors for reflection.
//!
//! `proto::grab::v1` is package `hongbao.grab.v1`, and so on. The comments in `proto/` are the documentation.
#![allow(missing_docs, clippy::all, clippy::pedantic)] // generated code is not ours to polish

macro_rules! package {
    ($name:ident) => {
        pub mod $name {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/hongbao.", stringify!($name), ".v1.rs"));
            }
        }
    };
}

package!(account);
package!(gateway);
package!(grab);
package!(packet);
package!(terms);
package!(transfer);

/// All files with their imports as an encoded `FileDescriptorSet`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
