//! Payloads, wherever they lie.

use bytes::Bytes;
use kew_engine::cold::Thaw;
use kew_engine::services::sqs::command::Locator;
use kew_journal::{Cold, Error, Reader};

/// Bytes between two payloads of a cold file that are rather read along than skipped.
const GAP: u64 = 1 << 10;

/// Bytes that are read at once at most, unless one payload is longer.
const AT_ONCE: u64 = 256 << 10;

/// Where messages' payloads are read: the journal and the cold files beside it. Cheap to clone; calls block.
#[derive(Debug, Clone)]
pub struct Source {
    /// The journal.
    pub reader: Reader,
    /// Its cold files.
    pub cold: Cold,
}

impl Source {
    /// A payload.
    ///
    /// # Errors
    /// As [`Reader::read`] and [`Cold::read`].
    pub fn read(&self, payload: Locator) -> Result<Bytes, Error> {
        let length = payload.length as usize;
        match payload.in_chunk() {
            Some((file, offset)) => self.cold.read(file, offset, length),
            None => self.reader.read(payload.position, length),
        }
    }

    /// Payloads, in the order asked for. Those that lie close to one another in a cold file, as messages do that arrived after one
    /// another, are read at once, and share memory.
    ///
    /// # Errors
    /// As [`Self::read`]; of the first that cannot be read.
    pub fn read_all(&self, payloads: &[Locator]) -> Result<Vec<Bytes>, Error> {
        let mut read = Vec::with_capacity(payloads.len());
        let mut left = payloads;
        while let [first, ..] = left {
            let (run, rest) = left.split_at(run(left));
            left = rest;
            match (first.in_chunk(), run) {
                (Some((file, start)), [_, .., last]) => {
                    let end = last.in_chunk().map_or(start, |(_, offset)| offset + u64::from(last.length));
                    let bytes = self.cold.read(file, start, (end - start) as usize)?;
                    let places =
                        run.iter().filter_map(|payload| payload.in_chunk().zip(Some(payload.length)));
                    read.extend(places.map(|((_, offset), length)| {
                        let from = (offset - start) as usize;
                        bytes.slice(from..from + length as usize)
                    }));
                }
                _ => read.push(self.read(*first)?),
            }
        }
        Ok(read)
    }

    /// What comes back from a cold file.
    ///
    /// # Errors
    /// As [`Cold::read_piece`].
    pub fn thaw(&self, thaw: &Thaw) -> Result<Bytes, Error> {
        self.cold.read_piece(thaw.chunk(), thaw.offset(), thaw.length() as usize)
    }
}

/// How many of these payloads, which are some, are read at once: the first, and those that follow it closely in the same cold file.
fn run(payloads: &[Locator]) -> usize {
    let Some((file, start)) = payloads.first().and_then(|first| first.in_chunk()) else { return 1 };
    let follows = |pair: &&[Locator]| {
        let [before, after] = pair else { return false };
        let (Some((_, before_at)), Some((after_file, at))) = (before.in_chunk(), after.in_chunk()) else {
            return false;
        };
        let end = before_at + u64::from(before.length);
        after_file == file
            && (end..=end + GAP).contains(&at)
            && at + u64::from(after.length) - start <= AT_ONCE
    };
    1 + payloads.windows(2).take_while(follows).count()
}

#[cfg(test)]
mod tests {
    use kew_journal::backends::memory::Memory;
    use kew_journal::{Options, open_memory};

    use super::*;

    fn cold(file: u64, offset: u64, length: u32) -> Locator {
        Locator::cold(file, offset, length)
    }

    #[test]
    fn payloads_that_follow_one_another_closely_are_read_at_once() {
        let cases: [(&[Locator], usize); 9] = [
            (&[cold(1, 0, 10)], 1),
            (&[cold(1, 0, 10), cold(1, 10, 10), cold(1, 40, 10)], 3),
            (&[cold(1, 0, 10), cold(2, 10, 10)], 1),
            (&[cold(1, 50, 10), cold(1, 10, 10)], 1),
            (&[cold(1, 50, 10), cold(1, 50, 10)], 1),
            (&[cold(1, 50, 10), cold(1, 55, 10)], 1),
            (&[cold(1, 0, 10), cold(1, 10 + GAP, 10), cold(1, 21 + 2 * GAP, 10)], 2),
            (&[cold(1, 0, 10), cold(1, 10, AT_ONCE as u32 - 10), cold(1, AT_ONCE, 1)], 2),
            (&[Locator { position: 0, length: 10 }, Locator { position: 10, length: 10 }], 1),
        ];
        for (payloads, expected) in cases {
            assert_eq!(run(payloads), expected, "{payloads:?}");
        }
    }

    #[test]
    fn what_is_read_at_once_is_what_each_payload_is() {
        let kew_journal::Opened { reader, cold: files, .. } =
            open_memory(&Memory::default(), &Options::default());
        let content: Bytes = (0..4 * GAP).map(|byte| (byte % 251) as u8).collect();
        files.write(1, std::slice::from_ref(&content)).expect("the file");
        let source = Source { reader, cold: files };
        let places =
            [cold(1, 5, 3), cold(1, 8, 0), cold(1, 100, 7), cold(1, 3000, 9), cold(1, 0, 4), cold(1, 2, 4)];
        let each: Vec<_> = places.iter().map(|place| source.read(*place).expect("a payload")).collect();
        assert_eq!(each[2], content[100..107]);
        assert_eq!(source.read_all(&places).expect("all"), each);
        let lost = [cold(1, 5, 3), cold(1, 4 * GAP - 1, 2)];
        assert!(source.read_all(&lost).is_err());
        assert!(source.read_all(&[cold(1, 4 * GAP - 4, 2), cold(1, 4 * GAP - 1, 2)]).is_err());
    }
}
