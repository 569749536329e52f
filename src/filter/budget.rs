//! What an evaluation may still cost.

use super::error::EvaluationError;

/// Elements and octets that may still be looked at.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new(left: usize) -> Self {
        Self(left)
    }

    /// Takes so much from it.
    #[inline]
    pub(super) fn charge(&mut self, cost: usize) -> Result<(), EvaluationError> {
        self.0 = self
            .0
            .checked_sub(cost)
            .ok_or(EvaluationError::OverBudget)?;
        Ok(())
    }
}
