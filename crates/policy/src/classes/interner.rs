//! Distinct values, numbered.

use std::hash::Hash;

use crate::maps::HashMap;

/// Numbers distinct values in the order of their first use.
pub(crate) struct Interner<T> {
    pub(crate) values: Vec<T>,
    positions: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), positions: HashMap::default() }
    }
}

impl<T: Eq + Hash + Clone> Interner<T> {
    /// The number of `value`, the same for equal ones.
    pub(crate) fn intern(&mut self, value: T) -> u32 {
        if let Some(position) = self.positions.get(&value) {
            return *position;
        }
        let position = position_u32(self.values.len());
        self.values.push(value.clone());
        self.positions.insert(value, position);
        position
    }

    /// The value of a number that [`Interner::intern`] gave.
    pub(crate) fn value(&self, position: u32) -> &T {
        &self.values[position as usize]
    }
}

/// A position as the kernel counts.
pub(crate) fn position_u32(position: usize) -> u32 {
    u32::try_from(position).expect("fewer than 4 billion entries fit in memory")
}
