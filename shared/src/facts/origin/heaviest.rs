//! The fields that matter most among many, kept in memory that does not grow with their number.

/// How much a field matters: of many, those that matter most are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FieldRank {
    Heavy,
    Middle,
    Light,
}

/// The first items of each rank, of which the heaviest are reported.
pub(crate) struct Heaviest<T> {
    /// The most items that are reported.
    most: usize,
    /// The number of items so far.
    seen: usize,
    /// The first items of each rank.
    found: [Vec<Ranked<T>>; 3],
}

/// An item with its rank, and its place in the order in which the items came.
pub(crate) struct Ranked<T> {
    pub(crate) rank: FieldRank,
    pub(crate) place: usize,
    pub(crate) item: T,
}

impl<T> Heaviest<T> {
    /// No items, of which at most so many will be reported.
    pub(crate) fn new(most: usize) -> Self {
        Heaviest { most, seen: 0, found: Default::default() }
    }

    /// Adds an item, which is only made if it may be reported.
    pub(crate) fn add(&mut self, rank: FieldRank, item: impl FnOnce() -> T) {
        let [heavy, middle, light] = &mut self.found;
        let list = match rank {
            FieldRank::Heavy => heavy,
            FieldRank::Middle => middle,
            FieldRank::Light => light,
        };
        if list.len() < self.most {
            list.push(Ranked { rank, place: self.seen, item: item() });
        }
        self.seen += 1;
    }

    /// Whether no further item can be reported.
    pub(crate) fn is_full(&self) -> bool {
        let [heavy, ..] = &self.found;
        heavy.len() >= self.most
    }

    /// The heaviest items, heavy ones first, and in the order in which they came within a rank.
    pub(crate) fn into_items(self) -> Vec<Ranked<T>> {
        self.found.into_iter().flatten().take(self.most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_are_kept_however_many_came_before_them() {
        let mut items = Heaviest::new(2);
        for at in 0..100 {
            items.add(FieldRank::Light, || at);
        }
        items.add(FieldRank::Middle, || 100);
        assert!(!items.is_full());
        items.add(FieldRank::Heavy, || 101);
        let kept = |items: Heaviest<_>| items.into_items().into_iter().map(|own| (own.rank, own.place, own.item));
        let expected = [(FieldRank::Heavy, 101, 101), (FieldRank::Middle, 100, 100)];
        assert_eq!(kept(items).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn items_that_cannot_be_reported_are_not_made() {
        let mut items = Heaviest::new(1);
        items.add(FieldRank::Heavy, || ());
        assert!(items.is_full());
        let mut is_made = false;
        items.add(FieldRank::Heavy, || is_made = true);
        assert!(!is_made);
    }
}
