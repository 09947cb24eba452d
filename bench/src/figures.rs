//! What a server says about itself: the figures of its `/metrics`.

use std::rc::Rc;

use kew_load::Failure;
use kew_load::connection::Connection;
use kew_load::endpoint::Endpoint;
use kew_load::options::Options;

/// One reading of `/metrics`.
#[derive(Debug, Clone)]
pub struct Figures(String);

impl Figures {
    /// Asks the server at `url`.
    pub async fn read(url: &str) -> Result<Self, Failure> {
        let options = Options { endpoint: url.to_owned(), ..Options::default() };
        let endpoint = Rc::new(Endpoint::new(&options)?);
        let unreachable = |error| Failure::Unreachable(url.to_owned(), error);
        let mut connection = Connection::new(Rc::clone(&endpoint));
        let answer = connection.call(&endpoint.page("/metrics"), b"").await.map_err(unreachable)?;
        let body = String::from_utf8_lossy(answer.body).into_owned();
        match answer.status {
            200 => Ok(Self(body)),
            status => Err(Failure::Refused { operation: "/metrics", status, body }),
        }
    }

    /// The figure of that name, its series taken together; nothing if the server does not know it.
    pub fn get(&self, name: &str) -> Option<f64> {
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let value = match rest.strip_prefix('{') {
                // Labels may hold blanks and brackets; a value holds neither.
                Some(labelled) => labelled.rsplit_once("} ")?.1,
                None => rest.strip_prefix(' ')?,
            };
            value.trim().parse::<f64>().ok()
        };
        self.0.lines().filter_map(value).reduce(|sum, value| sum + value)
    }

    /// The figure of that name, which the server must know.
    pub fn known(&self, name: &str) -> Result<f64, Failure> {
        self.get(name)
            .ok_or_else(|| Failure::Process(name.to_owned(), "the server does not count it".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_are_taken_together() {
        let text = "# HELP kew_a Help.\n# TYPE kew_a counter\nkew_a{shard=\"0\"} 2\nkew_a{shard=\"1 } 2\"} 3.5\nkew_ab 7\nkew_b 0\n";
        let figures = Figures(text.to_owned());
        assert_eq!(figures.get("kew_a"), Some(5.5));
        assert_eq!(figures.get("kew_b"), Some(0.0));
        assert_eq!(figures.get("kew_"), None);
        assert!(figures.known("kew_ab").is_ok() && figures.known("kew_c").is_err());
    }
}
