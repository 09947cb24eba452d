//! The caller's half of the XML replies: a strict little parser, and a reader of shapes over what it parsed.

use bytes::Bytes;
use kew_wire::Text;
use kew_wire::codec::{Layout, Reader, Refusal, Seen, Structure};

/// One element; attributes are dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| &child.text)
    }
}

/// Parses a document; panics where it is not well-formed.
pub(crate) fn parse(source: &str) -> Element {
    let source = source.trim();
    let source = match source.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").expect("the declaration ends").1,
        None => source,
    };
    let (element, rest) = element(source.trim());
    assert_eq!(rest.trim(), "", "nothing follows the document");
    element
}

fn element(source: &str) -> (Element, &str) {
    let rest = source.strip_prefix('<').expect("an element begins");
    let (tag, mut rest) = rest.split_once('>').expect("the tag ends");
    let closed = tag.ends_with('/');
    let name = tag.trim_end_matches('/').split_whitespace().next().expect("it has a name").to_owned();
    let mut element = Element { name, children: Vec::new(), text: String::new() };
    if closed {
        return (element, rest);
    }
    loop {
        let (text, markup) = rest.split_at(rest.find('<').expect("the element ends"));
        element.text.push_str(&unescape(text));
        if let Some(end) = markup.strip_prefix("</") {
            let (name, after) = end.split_once('>').expect("the end tag ends");
            assert_eq!(name, element.name, "tags match");
            if !element.children.is_empty() {
                assert_eq!(element.text.trim(), "", "no text between elements");
                element.text.clear();
            }
            return (element, after);
        }
        let (child, after) = self::element(markup);
        element.children.push(child);
        rest = after;
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (entity, after) = after.split_once(';').expect("the entity ends");
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let digits = entity.strip_prefix("#x").expect("a hexadecimal reference");
                char::from_u32(u32::from_str_radix(digits, 16).expect("digits")).expect("a character")
            }
        });
        rest = after;
    }
    // What every XML parser does with line ends.
    out + &rest.replace("\r\n", "\n").replace('\r', "\n")
}

/// Reads shapes from the content of elements.
pub(crate) struct XmlReader<'a> {
    /// The element at hand, or those of a list or map without an enclosing one.
    elements: Vec<&'a Element>,
    layout: &'static Layout,
}

impl<'a> XmlReader<'a> {
    pub(crate) fn new(element: &'a Element) -> Self {
        Self { elements: vec![element], layout: &Layout::Structure }
    }

    fn own(&self) -> &'a Element {
        self.elements[0]
    }

    fn parts(&self, flat: bool, name: &str) -> Vec<&'a Element> {
        if flat {
            return self.elements.clone();
        }
        self.own().children.iter().inspect(|child| assert_eq!(child.name, name)).collect()
    }
}

impl Reader for XmlReader<'_> {
    fn structure(
        &mut self,
        shape: &'static Structure,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut seen = Seen::default();
        let own = self.own();
        for child in &own.children {
            assert!(
                shape.members.iter().any(|member| member.query == child.name),
                "unknown element {}",
                child.name
            );
        }
        for (index, known) in shape.members.iter().enumerate() {
            let elements: Vec<_> = own.children.iter().filter(|child| child.name == known.query).collect();
            if !elements.is_empty() {
                seen.note(index);
                member(&mut Self { elements, layout: &known.layout }, index)?;
            }
        }
        shape.require(seen, false)
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let Layout::List { flat, item: name, inner } = self.layout else {
            panic!("a list without its layout")
        };
        let mut parts = self.parts(*flat, name).into_iter();
        parts.try_for_each(|element| item(&mut Self { elements: vec![element], layout: inner }))
    }

    fn map(&mut self, mut entry: impl FnMut(&mut Self, Text) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let Layout::Map { flat, key, value, inner } = self.layout else { panic!("a map without its layout") };
        self.parts(*flat, "entry").into_iter().try_for_each(|element| {
            let name = Text::from(element.text_of(key));
            let held = element.child(value).expect("an entry has a value");
            entry(&mut Self { elements: vec![held], layout: inner }, name)
        })
    }

    fn text(&mut self) -> Result<Text, Refusal> {
        Ok(Text::from(self.own().text.as_str()))
    }

    fn blob(&mut self) -> Result<Bytes, Refusal> {
        Ok(base64_simd::STANDARD.decode_to_vec(&self.own().text).expect("base64").into())
    }

    fn boolean(&mut self) -> Result<bool, Refusal> {
        Ok(self.own().text.parse().expect("a truth value"))
    }

    fn integer(&mut self) -> Result<i32, Refusal> {
        Ok(self.own().text.parse().expect("an integer"))
    }

    fn long(&mut self) -> Result<i64, Refusal> {
        Ok(self.own().text.parse().expect("an integer"))
    }

    fn double(&mut self) -> Result<f64, Refusal> {
        Ok(self.own().text.parse().expect("a number"))
    }
}
