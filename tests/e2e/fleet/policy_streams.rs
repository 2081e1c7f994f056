//! The virtual models of the trials with streams.

use super::policy::VirtualModel;
use crate::streams;

pub(crate) fn virtuals() -> Vec<VirtualModel> {
    streams::virtuals()
}
