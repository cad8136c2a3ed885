//! An HTTP answer as text: a status, headers line by line, an empty line, the body.

/// Such an answer.
pub struct Wire<'a> {
    /// HTTP's status; 200 where none is written.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Wire<'a> {
    /// Reads one; without an empty line all of it is body.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Self {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((&b""[..], bytes), |at| (&bytes[..at], &bytes[at + 2..]));
        let mut lines = std::str::from_utf8(head).unwrap_or_default().lines();
        let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(200);
        let headers = lines.filter_map(|line| line.split_once(": ")).collect();
        Self { status, headers, body }
    }
}
