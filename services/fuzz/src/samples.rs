//! A sound request of every kind, made from the descriptors of the protos: where variations begin.

use std::{collections::HashMap, sync::LazyLock};

use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

/// How deep messages lie in messages, at most.
const MAX_DEPTH: u32 = 6;

static MESSAGES: LazyLock<HashMap<String, DescriptorProto>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap_or_default();
    let mut messages = HashMap::new();
    for file in files.file {
        let package = file.package().to_owned();
        for message in file.message_type {
            messages.insert(format!(".{package}.{}", message.name()), message);
        }
    }
    messages
});

/// The message with this full name, each field set (of those that exclude each other, the one that comes first from `first`
/// on), lists with one item.
pub fn of(message: &str, first: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    fill(&mut bytes, &format!(".{message}"), first, MAX_DEPTH);
    bytes
}

fn fill(bytes: &mut Vec<u8>, message: &str, first: usize, depth: u32) {
    let Some(message) = MESSAGES.get(message).filter(|_| depth > 0) else {
        return;
    };
    for field in &message.field {
        if let Some(oneof) = field.oneof_index {
            let rivals: Vec<_> = message
                .field
                .iter()
                .filter(|rival| rival.oneof_index == Some(oneof))
                .collect();
            if !std::ptr::eq(rivals[first % rivals.len()], field) {
                continue;
            }
        }
        put(bytes, field, first, depth);
    }
}

fn put(bytes: &mut Vec<u8>, field: &FieldDescriptorProto, first: usize, depth: u32) {
    let number = u32::try_from(field.number()).unwrap_or_default();
    let mut delimited = |content: &[u8]| {
        encode_key(number, WireType::LengthDelimited, bytes);
        encode_varint(content.len() as u64, bytes);
        bytes.extend_from_slice(content);
    };
    match field.r#type() {
        Type::String => delimited(text(field.name()).as_bytes()),
        Type::Bytes => delimited(&vec![7; len(field.name())]),
        Type::Message => {
            let mut content = Vec::new();
            fill(&mut content, field.type_name(), first, depth - 1);
            if field.name() == "expire_time" {
                // What comes later counts: an hour after the start.
                encode_key(1, WireType::Varint, &mut content);
                encode_varint(2 * value("seconds"), &mut content);
            }
            delimited(&content);
        }
        _ if field.label() == Label::Repeated => {}
        _ => {
            encode_key(number, WireType::Varint, bytes);
            encode_varint(value(field.name()), bytes);
        }
    }
}

fn text(field: &str) -> &'static str {
    match field {
        "packet_id" | "packet_ids" | "transfer_id" | "transfer_ids" | "case_id" => {
            "0198b0b0-7c00-7000-8000-000000000007"
        }
        "request_id" => "request-7",
        "page_token" | "known_head" => "",
        "cover" => "plain",
        "voucher" => "AQFr",
        _ => "alice",
    }
}

fn len(field: &str) -> usize {
    match field {
        "passphrase_digest" => 48,
        _ => 32,
    }
}

fn value(field: &str) -> u64 {
    match field {
        "total_fen" | "amount_fen" => 1_000,
        "share_count" => 10,
        "share_cap_fen" => 500,
        "year" => 2026,
        "seconds" => 3_600,
        "partition_count" => 64,
        "nanos" => 0,
        _ => 1,
    }
}
