//! Lines of a stream, each bounded, so that a file without line ends cannot fill the memory.

use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is read: a `track` body and room for what stands around it.
pub const LONGEST: usize = server::json::MAX_BODY + 4_096;

/// A line longer than [`LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Reads line by line into one buffer.
pub struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// Lines of `input`.
    pub fn new(input: R) -> Lines<R> {
        Lines::buffered(input, 64 << 10)
    }

    fn buffered(input: R, bytes: usize) -> Lines<R> {
        Lines { input: BufReader::with_capacity(bytes, input), line: Vec::new() }
    }

    /// The next line without its end; `None` at the end of the input. `before_waiting` is called when more input must be
    /// waited for, so that whoever types or pipes events sees each answer at once.
    pub fn next(
        &mut self,
        mut before_waiting: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Option<Result<&[u8], TooLong>>> {
        self.line.clear();
        let (mut read_any, mut too_long) = (false, false);
        loop {
            if self.input.buffer().is_empty() {
                before_waiting()?;
            }
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            read_any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            too_long |= self.line.len() + part.len() > LONGEST;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        Ok(match (read_any, too_long) {
            (false, _) => None,
            (true, true) => Some(Err(TooLong)),
            (true, false) => Some(Ok(&self.line)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], buffer: usize) -> Vec<Result<Vec<u8>, TooLong>> {
        let mut lines = Lines::buffered(text, buffer);
        let mut all = Vec::new();
        while let Some(line) = lines.next(|| Ok(())).expect("memory can be read") {
            all.push(line.map(<[u8]>::to_vec));
        }
        all
    }

    #[test]
    fn lines_are_the_same_whatever_the_buffer() {
        let text = b"a\n\nlonger than the buffer\nno end";
        let whole = lines(text, 1 << 16);
        assert_eq!(whole, [&b"a"[..], b"", b"longer than the buffer", b"no end"].map(|line| Ok(line.to_vec())));
        for buffer in 1..40 {
            assert_eq!(lines(text, buffer), whole, "buffer of {buffer}");
        }
        assert_eq!(lines(b"", 8), []);
        assert_eq!(lines(b"\n", 8), [Ok(Vec::new())]);
    }

    #[test]
    fn an_endless_line_is_dropped_and_the_next_is_read() {
        let mut text = vec![b'x'; LONGEST + 1];
        text.extend_from_slice(b"\nnext\n");
        text.extend_from_slice(&vec![b'y'; LONGEST]);
        assert_eq!(lines(&text, 4_096), [Err(TooLong), Ok(b"next".to_vec()), Ok(vec![b'y'; LONGEST])]);
    }
}
