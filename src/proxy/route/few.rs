//! A list that needs no allocation while it is short.

use std::ops::Deref;

/// How many values are held in place.
const IN_PLACE: usize = 4;

/// A growing list of small values; up to four of them are held in place.
#[derive(Clone, Debug, Default)]
pub struct Few<T> {
    in_place: [T; IN_PLACE],
    len: usize,
    /// All of them, once there are more than fit in place.
    spilled: Vec<T>,
}

impl<T: Copy + Default> Few<T> {
    /// Appends a value.
    pub fn push(&mut self, value: T) {
        if let Some(slot) = self.in_place.get_mut(self.len) {
            *slot = value;
        } else {
            if self.spilled.is_empty() {
                self.spilled.extend(self.in_place);
            }
            self.spilled.push(value);
        }
        self.len += 1;
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.in_place.get(..self.len).unwrap_or(&self.spilled)
    }
}

impl<T: Copy + Default> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut few = Self::default();
        values.into_iter().for_each(|value| few.push(value));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_the_same_in_place_and_spilled() {
        for len in 0..12usize {
            let few: Few<usize> = (0..len).collect();
            assert_eq!(few.to_vec(), (0..len).collect::<Vec<_>>());
            assert_eq!(few.spilled.is_empty(), len <= IN_PLACE);
        }
    }
}
