//! Which fields the messages of the protos have.

use std::{collections::HashMap, sync::LazyLock};

use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorSet};

/// By a message's full name, its fields and oneofs, each with the message that is in it, if one is.
type Messages = HashMap<String, HashMap<String, Option<String>>>;

static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap_or_default();
    let mut messages = HashMap::new();
    for file in &files.file {
        for message in &file.message_type {
            note(&mut messages, file.package(), message);
        }
    }
    messages
});

fn note(messages: &mut Messages, parent: &str, message: &DescriptorProto) {
    let name = format!("{parent}.{}", message.name());
    let mut fields: HashMap<_, _> = message
        .field
        .iter()
        .map(|field| {
            let inner = field
                .type_name
                .as_deref()
                .map(|name| name.trim_start_matches('.').to_owned());
            (field.name().to_owned(), inner)
        })
        .collect();
    fields.extend(message.oneof_decl.iter().map(|oneof| (oneof.name().to_owned(), None)));
    for nested in &message.nested_type {
        note(messages, &name, nested);
    }
    messages.insert(name, fields);
}

/// Whether the message with this full name has what a path such as `requests[3].terms.audience.group_id` names.
pub fn exist(message: &str, path: &str) -> bool {
    let mut message = Some(message.to_owned());
    path.split('.').all(|step| {
        let name = step.split_once('[').map_or(step, |(name, _)| name);
        let at_a_place = step.strip_prefix(name).unwrap_or_default();
        let sound = at_a_place.is_empty()
            || at_a_place
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|number| number.parse::<u32>().is_ok());
        let field = message
            .as_ref()
            .and_then(|message| MESSAGES.get(message)?.get(name).cloned());
        let exists = field.is_some();
        message = field.flatten();
        sound && exists
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_followed_into_messages() {
        let preload = "hongbao.grab.v1.PreloadRequest";
        for path in [
            "terms",
            "seed",
            "terms.audience",
            "terms.audience.group_id",
            "terms.audience.who",
        ] {
            assert!(exist(preload, path), "{path}");
        }
        for path in [
            "",
            "nothing",
            "terms.nothing",
            "seed.terms",
            "terms.audience.group_id.x",
            "terms[x]",
        ] {
            assert!(!exist(preload, path), "{path}");
        }
        assert!(exist("hongbao.grab.v1.BatchGrabRequest", "requests[3].packet_id"));
        assert!(!exist("hongbao.nobody.v1.Request", "packet_id"));
    }
}
