//! Rows of values that stand side by side, found by number.

/// Rows in a page. The first page grows as a list does; after it, growing moves nothing.
const ROWS: usize = 256;

/// Rows of equally many values each.
#[derive(Clone, Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Vec<T>>,
    width: usize,
}

impl<T: Default> Pages<T> {
    pub fn new(width: usize) -> Pages<T> {
        Pages { pages: Vec::new(), width }
    }

    /// The row of this number, empty if there never was one.
    #[inline]
    pub fn row(&self, number: u32) -> &[T] {
        let (page, from) = self.place(number);
        self.pages.get(page).and_then(|page| page.get(from..from + self.width)).unwrap_or_default()
    }

    #[inline]
    pub fn row_mut(&mut self, number: u32) -> &mut [T] {
        let (page, from) = self.place(number);
        self.pages.get_mut(page).and_then(|page| page.get_mut(from..from + self.width)).unwrap_or_default()
    }

    /// Fills the row, which is the one after the last or one that was emptied.
    pub fn put(&mut self, number: u32, mut values: impl Iterator<Item = T>) {
        let (page, from) = self.place(number);
        if self.pages.len() <= page {
            let capacity = if page == 0 { 0 } else { ROWS * self.width };
            self.pages.push(Vec::with_capacity(capacity));
        }
        let Some(page) = self.pages.get_mut(page) else { return };
        if page.len() == from {
            page.extend(values.take(self.width));
        } else {
            let row = page.get_mut(from..from + self.width).unwrap_or_default();
            row.fill_with(|| values.next().unwrap_or_default());
        }
    }

    /// Lets go of what is in the row.
    pub fn empty(&mut self, number: u32) {
        self.row_mut(number).fill_with(T::default);
    }

    fn place(&self, number: u32) -> (usize, usize) {
        let number = number as usize;
        (number / ROWS, number % ROWS * self.width)
    }

    pub fn bytes(&self) -> usize {
        self.pages.iter().map(|page| page.capacity() * size_of::<T>()).sum()
    }
}
