/// Where the next page starts. Opaque to callers; it is only ever compared with rows of the tenant that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// How much to read, and from where.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// `None` starts at the beginning.
    pub after: Option<Cursor>,
    /// At most this many rows; the store caps it at [`PageRequest::LARGEST`].
    pub limit: u32,
}

impl PageRequest {
    /// The most rows one page holds.
    pub const LARGEST: u32 = 500;

    /// The first page of at most `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// A stretch of a longer list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
}
