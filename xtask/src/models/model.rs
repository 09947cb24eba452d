//! AWS's service models as the generator reads them: facts only, in the model's own order.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One service, as botocore's `service-2.json` describes it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    pub(crate) operations: Ordered<Operation>,
    pub(crate) shapes: Ordered<Shape>,
}

/// What identifies a service and its dialects.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    /// There, and empty, where the JSON dialect also shows the codes of the Query dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aws_query_compatible: Option<serde_json::Value>,
    pub(crate) endpoint_prefix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json_version: Option<String>,
    pub(crate) protocol: String,
    pub(crate) protocols: Vec<String>,
    pub(crate) service_full_name: String,
    pub(crate) service_id: String,
    pub(crate) signature_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) xml_namespace: Option<String>,
}

/// One operation: its shapes and the faults that it declares.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Reference>,
}

/// A mention of a shape, with the traits of the place that mentions it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location_name: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flattened: bool,
}

/// One shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) required: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<Ordered<Reference>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Reference>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flattened: bool,
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) exception: bool,
}

impl Shape {
    /// The members of a structure, in the model's order.
    pub(crate) fn fields(&self) -> &[(String, Reference)] {
        self.members.as_ref().map_or(&[], |members| &members.0)
    }
}

/// What a shape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    String,
    Blob,
    Boolean,
    Integer,
    Long,
    Float,
    Double,
    Timestamp,
}

/// A JSON object whose order is kept.
#[derive(Debug, Clone)]
pub(crate) struct Ordered<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// The value under `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// What the model lacks, checked by hand: see `wire/models/README.md`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overlay {
    /// The namespace of modelled faults in `__type`.
    pub(crate) namespace: String,
    /// The XML namespace of Query replies.
    #[serde(default)]
    pub(crate) xml_namespace: String,
    /// Query names, `Structure.Member` to its name there.
    #[serde(default)]
    pub(crate) query_names: Ordered<String>,
    /// Query names of a list's items, by list shape.
    #[serde(default)]
    pub(crate) item_names: Ordered<String>,
    /// Query names of a map's key and value, by map shape.
    #[serde(default)]
    pub(crate) entry_names: Ordered<(String, String)>,
    /// Query code and HTTP status of each fault.
    #[serde(default)]
    pub(crate) faults: Ordered<(String, u16)>,
    /// What becomes of a request that lacks a required member, where it is not MissingParameter with the member's name.
    #[serde(default)]
    pub(crate) missing: Ordered<Missing>,
    /// Lists that a reply shows though they are empty, `Structure.Member`.
    #[serde(default)]
    pub(crate) shown: Vec<String>,
}

/// How the absence of a required member is answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Missing {
    /// The operation decides; it sees an empty value.
    Left,
    /// The operation decides in the Query dialect, which cannot tell an empty list from none.
    LeftInQuery,
    /// MissingParameter, naming this parameter.
    Parameter(String),
    /// InvalidParameterValue with this message.
    Invalid(String),
}

impl Model {
    /// Drops every operation but these (none named: keeps all) and every shape that nothing left mentions.
    pub(crate) fn keep(&mut self, operations: &[&str]) {
        self.operations.0.retain(|(name, _)| operations.is_empty() || operations.contains(&name.as_str()));
        let mut wanted = Vec::new();
        for (_, operation) in &self.operations.0 {
            wanted.extend(operation.input.iter().chain(&operation.output).chain(&operation.errors).cloned());
        }
        let mut kept: Vec<String> = Vec::new();
        while let Some(reference) = wanted.pop() {
            if kept.contains(&reference.shape) {
                continue;
            }
            if let Some(shape) = self.shapes.get(&reference.shape) {
                wanted.extend(shape.fields().iter().map(|(_, member)| member.clone()));
                wanted.extend([&shape.member, &shape.key, &shape.value].into_iter().flatten().cloned());
            }
            kept.push(reference.shape);
        }
        self.shapes.0.retain(|(name, _)| kept.contains(name));
    }
}
