//! Shapes that exist only at run time: a value of any model, read and written through the dialects like a generated one.

use std::collections::HashMap;

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::codec::{Layout, Member, Read, Reader, Refusal, Structure, Write, Writer};
use serde_json::Value as Json;

/// A model's shapes, prepared for the dialects.
pub(crate) struct Shapes {
    shapes: HashMap<String, Json>,
    structures: HashMap<String, &'static Structure>,
    protocol: String,
}

/// A value of some shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(Text),
    Blob(Bytes),
    Whole(i64),
    /// By its bits, so that NaN equals itself.
    Double(u64),
    Boolean(bool),
    List(Vec<Value>),
    Map(Vec<(Text, Value)>),
    /// Member numbers and values, in the model's order.
    Structure(Vec<(usize, Value)>),
}

impl Value {
    /// The same without empty lists and maps, which a form does not tell from absent ones.
    pub(crate) fn without_empty(self) -> Self {
        match self {
            Self::Structure(members) => Self::Structure(
                members
                    .into_iter()
                    .map(|(index, value)| (index, value.without_empty()))
                    .filter(|(_, value)| !matches!(value, Self::List(items) if items.is_empty()))
                    .filter(|(_, value)| !matches!(value, Self::Map(entries) if entries.is_empty()))
                    .collect(),
            ),
            other => other,
        }
    }
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Shapes {
    /// The shapes of one suite of vectors.
    pub(crate) fn of(suite: &Json) -> Self {
        let shapes: HashMap<String, Json> = suite["shapes"]
            .as_object()
            .map(|shapes| shapes.iter().map(|(name, shape)| (name.clone(), shape.clone())).collect())
            .unwrap_or_default();
        let protocol = suite["metadata"]["protocol"].as_str().unwrap_or_default().to_owned();
        let mut this = Self { shapes, structures: HashMap::new(), protocol };
        let mut names: Vec<String> = this.shapes.keys().cloned().collect();
        names.sort();
        for name in names {
            if this.shapes[&name]["type"] == "structure" {
                let structure = this.structure(&name);
                this.structures.insert(name, structure);
            }
        }
        this
    }

    /// Why the value that a vector states for the shape `name` cannot be read or written yet, if so.
    pub(crate) fn lacking(&self, name: &str, json: &Json) -> Option<&'static str> {
        let shape = &self.shapes[name];
        if shape["type"] == "timestamp" {
            return Some("timestamps");
        }
        if shape["document"] == true || shape["jsonvalue"] == true {
            return Some("documents");
        }
        let inner = |part: &str, value: &Json| self.lacking(&self.inner(name, part), value);
        match (shape["type"].as_str().expect("a type"), json) {
            ("structure", Json::Object(given)) => given.iter().find_map(|(member, value)| {
                let reference = &shape["members"][member];
                let lacking = reference["shape"].as_str().and_then(|shape| self.lacking(shape, value));
                if reference["jsonvalue"] == true { Some("documents") } else { lacking }
            }),
            ("list", Json::Array(items)) => items.iter().find_map(|item| inner("member", item)),
            ("map", Json::Object(entries)) => entries.values().find_map(|value| inner("value", value)),
            _ => None,
        }
    }

    fn structure(&self, name: &str) -> &'static Structure {
        let members = self.shapes[name]["members"].as_object().into_iter().flatten();
        let members = members.map(|(name, reference)| {
            let location = reference["locationName"].as_str();
            let shape = &self.shapes[reference["shape"].as_str().expect("a shape")];
            let flat = reference["flattened"] == true || shape["flattened"] == true;
            // A flat list without a name of its own goes by the name of its items.
            let item = shape["member"]["locationName"].as_str().filter(|_| flat && shape["type"] == "list");
            let name = leak(name.clone());
            let location = location.map_or(&**name, |location| leak(location.to_owned()));
            let item = item.filter(|_| self.protocol == "query" && reference["locationName"].is_null());
            let query = item.map_or(location, |item| leak(item.to_owned()));
            Member::new(location, query, self.layout(reference))
        });
        leak(Structure { name: leak(name.to_owned()), members: leak(members.collect::<Vec<_>>()) })
    }

    fn layout(&self, reference: &Json) -> Layout {
        let shape = &self.shapes[reference["shape"].as_str().expect("a shape")];
        let flat = reference["flattened"] == true || shape["flattened"] == true;
        let named = |part: &str, or: &'static str| -> &'static str {
            shape[part]["locationName"].as_str().map_or(or, |name| leak(name.to_owned()))
        };
        match shape["type"].as_str().expect("a type") {
            "structure" => Layout::Structure,
            "list" => Layout::List {
                flat,
                item: named("member", "member"),
                inner: leak(self.layout(&shape["member"])),
            },
            "map" => Layout::Map {
                flat,
                key: named("key", "key"),
                value: named("value", "value"),
                inner: leak(self.layout(&shape["value"])),
            },
            _ => Layout::Scalar,
        }
    }

    fn inner(&self, shape: &str, part: &str) -> String {
        self.shapes[shape][part]["shape"].as_str().expect("an inner shape").to_owned()
    }

    fn member_shape(&self, shape: &str, index: usize) -> String {
        let members = self.shapes[shape]["members"].as_object().expect("members");
        members.values().nth(index).expect("a member")["shape"].as_str().expect("a shape").to_owned()
    }

    /// Reads a value of the shape `name`.
    pub(crate) fn read<R: Reader>(&self, name: &str, from: &mut R) -> Result<Value, Refusal> {
        Ok(match self.shapes[name]["type"].as_str().expect("a type") {
            "structure" => {
                let mut members = Vec::new();
                from.structure(self.structures[name], |from, index| {
                    members.push((index, self.read(&self.member_shape(name, index), from)?));
                    Ok(())
                })?;
                members.sort_by_key(|(index, _)| *index);
                Value::Structure(members)
            }
            "list" => {
                let mut items = Vec::new();
                let inner = self.inner(name, "member");
                from.list(|from| {
                    items.push(self.read(&inner, from)?);
                    Ok(())
                })?;
                Value::List(items)
            }
            "map" => {
                let mut entries = Vec::new();
                let inner = self.inner(name, "value");
                from.map(|from, key| {
                    entries.push((key, self.read(&inner, from)?));
                    Ok(())
                })?;
                Value::Map(entries)
            }
            "blob" => Value::Blob(Bytes::read(from)?),
            "boolean" => Value::Boolean(bool::read(from)?),
            "integer" => Value::Whole(i32::read(from)?.into()),
            "long" => Value::Whole(i64::read(from)?),
            "float" | "double" => Value::Double(f64::read(from)?.to_bits()),
            _ => Value::Text(Text::read(from)?),
        })
    }

    /// The value that a vector states for the shape `name`, and that its receiver should see.
    pub(crate) fn stated(&self, name: &str, json: &Json) -> Value {
        match self.shapes[name]["type"].as_str().expect("a type") {
            "structure" => {
                let members = self.shapes[name]["members"].as_object().into_iter().flatten().enumerate();
                let given = members.filter_map(|(index, (member, reference))| {
                    let value = json.get(member).filter(|value| !value.is_null())?;
                    Some((index, self.stated(reference["shape"].as_str().expect("a shape"), value)))
                });
                Value::Structure(given.collect())
            }
            "list" => {
                let inner = self.inner(name, "member");
                Value::List(
                    json.as_array().into_iter().flatten().map(|item| self.stated(&inner, item)).collect(),
                )
            }
            "map" => {
                let inner = self.inner(name, "value");
                let entries = json.as_object().into_iter().flatten();
                Value::Map(
                    entries.map(|(key, value)| (key.as_str().into(), self.stated(&inner, value))).collect(),
                )
            }
            "blob" => Value::Blob(json.as_str().unwrap_or_default().to_owned().into()),
            "boolean" => Value::Boolean(json == true),
            "integer" | "long" => Value::Whole(json.as_i64().expect("an integer")),
            "float" | "double" => {
                let number = json.as_f64().or_else(|| json.as_str()?.parse().ok()).expect("a number");
                Value::Double(number.to_bits())
            }
            _ => Value::Text(json.as_str().expect("a text").into()),
        }
    }

    /// `value` as something to write.
    pub(crate) fn typed<'a>(&'a self, name: &str, value: &'a Value) -> Typed<'a> {
        Typed { shapes: self, shape: name.to_owned(), value: Some(value) }
    }
}

/// A value with its shape.
pub(crate) struct Typed<'a> {
    shapes: &'a Shapes,
    shape: String,
    value: Option<&'a Value>,
}

impl Typed<'_> {
    fn inner<'b>(&'b self, part: &str, value: &'b Value) -> Typed<'b> {
        Typed { shapes: self.shapes, shape: self.shapes.inner(&self.shape, part), value: Some(value) }
    }
}

impl Write for Typed<'_> {
    fn write<W: Writer>(&self, to: &mut W) {
        match self.value {
            None => {}
            Some(Value::Structure(members)) => {
                let structure = self.shapes.structures[&self.shape];
                to.structure(structure, |to| {
                    for (index, member) in structure.members.iter().enumerate() {
                        let value =
                            members.iter().find(|(number, _)| *number == index).map(|(_, value)| value);
                        let shape = self.shapes.member_shape(&self.shape, index);
                        to.member(member, &Typed { shapes: self.shapes, shape, value });
                    }
                });
            }
            Some(Value::List(items)) => {
                to.list(&items.iter().map(|item| self.inner("member", item)).collect::<Vec<_>>());
            }
            Some(Value::Map(entries)) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), self.inner("value", value)));
                to.map(&entries.collect::<Vec<_>>());
            }
            Some(Value::Text(text)) => to.text(text),
            Some(Value::Blob(blob)) => to.blob(blob),
            Some(Value::Whole(number)) => to.integer(*number),
            Some(Value::Double(bits)) => to.double(f64::from_bits(*bits)),
            Some(Value::Boolean(value)) => to.boolean(*value),
        }
    }

    fn absent(&self) -> bool {
        self.value.is_none()
    }
}
