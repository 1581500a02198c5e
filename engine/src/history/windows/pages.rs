//! Rows found by number, in pages, so that growing moves nothing.

/// Rows in a page. The first page grows as a list does.
const ROWS: usize = 256;

/// Rows by number.
#[derive(Clone, Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Pages<T> {
    pub fn new() -> Pages<T> {
        Pages { pages: Vec::new() }
    }

    #[inline]
    pub fn get(&self, number: u32) -> Option<&T> {
        let (page, row) = place(number);
        self.pages.get(page)?.get(row)
    }

    #[inline]
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (page, row) = place(number);
        self.pages.get_mut(page)?.get_mut(row)
    }

    /// Fills the row, which is there or is the one after the last.
    pub fn put(&mut self, number: u32, value: T) {
        let (page, row) = place(number);
        if self.pages.len() <= page {
            self.pages.push(Vec::with_capacity(if page == 0 { 0 } else { ROWS }));
        }
        let Some(page) = self.pages.get_mut(page) else { return };
        match page.get_mut(row) {
            Some(place) => *place = value,
            None => page.push(value),
        }
    }

    pub fn bytes(&self) -> usize {
        self.pages.iter().map(|page| page.capacity() * size_of::<T>()).sum()
    }
}

fn place(number: u32) -> (usize, usize) {
    (number as usize / ROWS, number as usize % ROWS)
}
