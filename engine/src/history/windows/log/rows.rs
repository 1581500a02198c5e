//! Sets of rows.

/// A set of rows: one bit each, the oldest first.
pub(super) type Rows = u64;

pub(super) const MOST_ROWS: usize = Rows::BITS as usize;

pub(super) fn newest_of(rows: Rows) -> Option<usize> {
    rows.checked_ilog2().map(|row| row as usize)
}

/// The set of so many rows.
#[inline]
pub(super) fn first(rows: usize) -> Rows {
    !Rows::MAX.checked_shl(rows as u32).unwrap_or(0)
}

/// The rows of a set.
#[inline]
pub(super) fn each(mut rows: Rows) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let row = (rows != 0).then(|| rows.trailing_zeros() as usize)?;
        rows &= rows - 1;
        Some(row)
    })
}
