//! The virtual models of the trials with streams.

use super::policy::Virtual;
use crate::streams;

pub(crate) fn virtuals() -> Vec<Virtual> {
    streams::virtuals()
}
