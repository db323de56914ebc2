//! Answers by who asks and about whom, with equal columns and equal rows made one.

use std::hash::Hash;

use super::tables::CellsId;
use crate::classes::interner::position_u32;
use crate::maps::HashMap;

/// What each group of rows says, and the rows that say something else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Column {
    pub(super) of_groups: Vec<CellsId>,
    /// Row and what it says, in the order of rows.
    pub(super) exceptions: Vec<(u32, CellsId)>,
}

/// A column where a row differs from its group, and what it says there.
type Exception = (u32, CellsId);

/// Columns by number. The first ones have a meaning of their own and stay apart.
pub(super) struct Matrix {
    columns: Vec<Column>,
    numbers: HashMap<Column, u32>,
}

impl Matrix {
    pub(super) fn new(reserved: Vec<Column>) -> Self {
        Self { columns: reserved, numbers: HashMap::default() }
    }

    /// The number of an answer's column.
    pub(super) fn add(&mut self, column: Column) -> u32 {
        let next = position_u32(self.columns.len());
        let number = *self.numbers.entry(column.clone()).or_insert(next);
        if number == next {
            self.columns.push(column);
        }
        number
    }

    /// The number of each row, given its group, and what each number says by column.
    pub(super) fn rows(self, groups: &[u32]) -> (Vec<u32>, Vec<Vec<CellsId>>) {
        let mut exceptions: Vec<Vec<Exception>> = vec![Vec::new(); groups.len()];
        for (number, column) in (0..).zip(&self.columns) {
            for (row, cells) in &column.exceptions {
                exceptions[*row as usize].push((number, *cells));
            }
        }
        // Rows of one group with the same exceptions need no comparing.
        let mut alike: HashMap<(u32, &Vec<Exception>), u32> = HashMap::default();
        let mut contents: HashMap<Vec<CellsId>, u32> = HashMap::default();
        let mut distinct: Vec<Vec<CellsId>> = Vec::new();
        let mut numbers = Vec::with_capacity(groups.len());
        for (group, exceptions) in groups.iter().zip(&exceptions) {
            let number = *alike.entry((*group, exceptions)).or_insert_with(|| {
                let mut content: Vec<CellsId> =
                    self.columns.iter().map(|column| column.of_groups[*group as usize]).collect();
                exceptions.iter().for_each(|(column, cells)| content[*column as usize] = *cells);
                *contents.entry(content).or_insert_with_key(|content| {
                    distinct.push(content.clone());
                    position_u32(distinct.len() - 1)
                })
            });
            numbers.push(number);
        }
        (numbers, distinct)
    }
}
