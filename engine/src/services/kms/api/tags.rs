//! TagResource, UntagResource, ListResourceTags.

use alloc::format;
use alloc::vec::Vec;

use kew_wire::fault::Fault;
use kew_wire::kms::{
    ListResourceTagsRequest, ListResourceTagsResponse, Tag, TagResourceRequest, UntagResourceRequest,
    faults as kinds,
};

use super::{Context, page};
use crate::services::kms::key::Key;
use crate::services::kms::state::State;
use crate::services::kms::{faults, limits};

pub(super) fn tag(
    state: &mut State,
    context: &Context<'_>,
    request: TagResourceRequest,
) -> Result<(), Fault> {
    let key = context.own_mut(state, &request.key_id, "kms:TagResource")?;
    key.check_kept()?;
    apply(key, request.tags)
}

pub(super) fn untag(
    state: &mut State,
    context: &Context<'_>,
    request: &UntagResourceRequest,
) -> Result<(), Fault> {
    let key = context.own_mut(state, &request.key_id, "kms:UntagResource")?;
    key.check_kept()?;
    check_count(request.tag_keys.len())?;
    key.tags.retain(|(name, _)| !request.tag_keys.iter().any(|gone| **gone == **name));
    Ok(())
}

pub(super) fn list(
    state: &State,
    context: &Context<'_>,
    request: &ListResourceTagsRequest,
) -> Result<ListResourceTagsResponse, Fault> {
    let key = context.own(state, &request.key_id, "kms:ListResourceTags")?;
    let tags = key
        .tags
        .iter()
        .map(|(name, value)| (name.text(), Tag { tag_key: name.text(), tag_value: value.text() }));
    let (tags, next) = page(tags, limits::TAG_PAGE, request.limit, request.marker.as_ref())?;
    Ok(ListResourceTagsResponse { tags, truncated: Some(next.is_some()), next_marker: next })
}

/// Sets tags; those of the same key are replaced.
pub(super) fn apply(key: &mut Key, tags: Vec<Tag>) -> Result<(), Fault> {
    check_count(tags.len())?;
    for Tag { tag_key, tag_value } in tags {
        check(&tag_key, &tag_value)?;
        match key.tags.binary_search_by(|(name, _)| (**name).cmp(&tag_key)) {
            Ok(place) => key.tags[place].1 = (&*tag_value).into(),
            Err(place) => key.tags.insert(place, ((&*tag_key).into(), (&*tag_value).into())),
        }
    }
    check_count(key.tags.len())
}

/// A request can mean no more tags than a key has; they are counted before they are looked at.
fn check_count(tags: usize) -> Result<(), Fault> {
    if tags > limits::TAGS { Err(Fault::new(&kinds::TAG_EXCEPTION, "Too many tags")) } else { Ok(()) }
}

fn check(key: &str, value: &str) -> Result<(), Fault> {
    let long = |text: &str, most: usize| text.chars().count() > most;
    if key.is_empty() {
        return Err(faults::missing("tagKey"));
    }
    if long(key, limits::TAG_KEY_CHARS) {
        let constraint = format!("Member must have length less than or equal to {}", limits::TAG_KEY_CHARS);
        return Err(faults::constraint(key, "tagKey", &constraint));
    }
    if long(value, limits::TAG_VALUE_CHARS) {
        let constraint = format!("Member must have length less than or equal to {}", limits::TAG_VALUE_CHARS);
        return Err(faults::constraint(value, "tagValue", &constraint));
    }
    if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
        let message = "aws: prefixed tag key names are not allowed for external use.";
        return Err(Fault::new(&kinds::TAG_EXCEPTION, message));
    }
    Ok(())
}
