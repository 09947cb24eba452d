//! Requests, written member by member into a buffer that is used again.

use super::Protocol;

/// The version of SQS's API, which Query requests name.
const VERSION: &str = "2012-11-05";

/// A request's body while it is written.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    protocol: Protocol,
    out: &'a mut Vec<u8>,
    /// The Query protocol's name for the entries of this operation, and the number of the one that is being written.
    entries: Option<(&'static str, u64)>,
}

impl<'a> Request<'a> {
    /// Begins a request of an operation on a queue.
    pub(crate) fn on_queue(
        protocol: Protocol,
        out: &'a mut Vec<u8>,
        operation: &str,
        queue_url: &str,
    ) -> Self {
        Self::begin(protocol, out, operation, "QueueUrl", queue_url)
    }

    /// Begins a request whose first member is a text.
    pub(crate) fn begin(
        protocol: Protocol,
        out: &'a mut Vec<u8>,
        operation: &str,
        member: &str,
        text: &str,
    ) -> Self {
        out.clear();
        match protocol {
            Protocol::Json => {
                for part in ["{\"", member, "\":\"", text, "\""] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            Protocol::Query => {
                for part in ["Action=", operation, "&Version=", VERSION, "&", member, "="] {
                    out.extend_from_slice(part.as_bytes());
                }
                encoded(text.as_bytes(), out);
            }
        }
        Self { protocol, out, entries: None }
    }

    /// Adds a map of attributes.
    pub(crate) fn attributes(&mut self, attributes: &[(String, String)]) {
        if attributes.is_empty() {
            return;
        }
        match self.protocol {
            Protocol::Json => {
                let map: serde_json::Map<_, _> =
                    attributes.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
                self.out.extend_from_slice(b",\"Attributes\":");
                self.out.extend_from_slice(serde_json::Value::Object(map).to_string().as_bytes());
            }
            Protocol::Query => {
                for (index, (name, value)) in (1_u64..).zip(attributes) {
                    for (part, text) in [("Name", name), ("Value", value)] {
                        self.out.extend_from_slice(format!("&Attribute.{index}.{part}=").as_bytes());
                        encoded(text.as_bytes(), self.out);
                    }
                }
            }
        }
    }

    /// Asks for all attributes.
    pub(crate) fn all_attributes(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Json => b",\"AttributeNames\":[\"All\"]".as_slice(),
            Protocol::Query => b"&AttributeName.1=All",
        });
    }

    /// Adds a text member, which [`Request::end_text`] ends. What is written in between needs no escape in any dialect.
    pub(crate) fn begin_text(&mut self, name: &str) -> &mut Vec<u8> {
        self.name(name);
        if self.protocol == Protocol::Json {
            self.out.push(b'"');
        }
        self.out
    }

    /// Ends a text member.
    pub(crate) fn end_text(&mut self) {
        if self.protocol == Protocol::Json {
            self.out.push(b'"');
        }
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Adds a receipt handle, as it stood in an answer.
    pub(crate) fn handle(&mut self, handle: &[u8]) {
        self.begin_text("ReceiptHandle");
        match self.protocol {
            Protocol::Json => self.out.extend_from_slice(handle),
            Protocol::Query => encoded(handle, self.out),
        }
        self.end_text();
    }

    /// Begins the next of a batch's entries, which the Query protocol calls by `name`.
    pub(crate) fn entry(&mut self, name: &'static str) {
        let index = self.entries.map_or(0, |(_, index)| index + 1);
        self.entries = Some((name, index));
        if self.protocol == Protocol::Json {
            self.out.extend_from_slice(if index == 0 {
                b",\"Entries\":[{\"Id\":\""
            } else {
                b"},{\"Id\":\""
            });
        } else {
            self.name("Id");
        }
        self.out.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
        self.end_text();
    }

    /// How many entries were begun.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.map_or(0, |(_, index)| index + 1)
    }

    /// Ends the request.
    pub(crate) fn end(self) {
        if self.protocol == Protocol::Json {
            self.out.extend_from_slice(if self.entries.is_some() { b"}]}" } else { b"}" });
        }
    }

    fn name(&mut self, name: &str) {
        match (self.protocol, self.entries) {
            (Protocol::Json, _) => {
                self.out.extend_from_slice(b",\"");
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            (Protocol::Query, entries) => {
                self.out.push(b'&');
                if let Some((list, index)) = entries {
                    self.out.extend_from_slice(list.as_bytes());
                    self.out.push(b'.');
                    self.out.extend_from_slice(itoa::Buffer::new().format(index + 1).as_bytes());
                    self.out.push(b'.');
                }
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b'=');
            }
        }
    }
}

/// Writes a form's value: RFC 3986's unreserved characters as they are, others as `%XX`.
fn encoded(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(protocol: Protocol) -> String {
        let mut out = Vec::new();
        let mut request = Request::on_queue(protocol, &mut out, "DeleteMessageBatch", "http://h/q");
        for _ in 0..2 {
            request.entry("DeleteMessageBatchRequestEntry");
            request.handle(b"a+/=");
        }
        assert_eq!(request.entries(), 2);
        request.end();
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_batch_is_written_in_each_dialect() {
        assert_eq!(
            batch(Protocol::Json),
            r#"{"QueueUrl":"http://h/q","Entries":[{"Id":"0","ReceiptHandle":"a+/="},{"Id":"1","ReceiptHandle":"a+/="}]}"#
        );
        let entry = "DeleteMessageBatchRequestEntry";
        assert_eq!(
            batch(Protocol::Query),
            format!(
                "Action=DeleteMessageBatch&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2Fq&{entry}.1.Id=0\
                 &{entry}.1.ReceiptHandle=a%2B%2F%3D&{entry}.2.Id=1&{entry}.2.ReceiptHandle=a%2B%2F%3D"
            )
        );
    }

    #[test]
    fn a_queue_is_created_with_its_attributes_in_each_dialect() {
        let written = |protocol| {
            let mut out = Vec::new();
            let mut request = Request::begin(protocol, &mut out, "CreateQueue", "QueueName", "q.fifo");
            request.attributes(&[
                ("FifoQueue".to_owned(), "true".to_owned()),
                ("B".to_owned(), "{\"a\"}".to_owned()),
            ]);
            request.end();
            String::from_utf8(out).expect("text")
        };
        let json: serde_json::Value = serde_json::from_str(&written(Protocol::Json)).expect("JSON");
        assert_eq!((&json["QueueName"], &json["Attributes"]["B"]), (&"q.fifo".into(), &"{\"a\"}".into()));
        assert_eq!(
            written(Protocol::Query),
            "Action=CreateQueue&Version=2012-11-05&QueueName=q.fifo&Attribute.1.Name=FifoQueue&Attribute.1.Value=true\
             &Attribute.2.Name=B&Attribute.2.Value=%7B%22a%22%7D"
        );
    }
}
