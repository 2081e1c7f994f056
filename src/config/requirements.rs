//! Reads a route's requirements on its targets: labels and maximum prices.

use std::sync::Arc;

use super::backend::Backend;
use super::model::{MaxPrices, RequiredLabel, read_max_prices, read_required};
use super::reader::Fields;

/// The requirements of a route on its targets, beyond being able to serve the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRequirements {
    /// The labels that a target must have, on its model or its backend.
    pub require: Vec<RequiredLabel>,
    /// The maximum prices of a target.
    pub max_prices: MaxPrices,
}

/// Reads the requirements from the fields of a route.
pub(super) fn read(route: &Fields<'_>, backends: &[Arc<Backend>]) -> TargetRequirements {
    let require = route.optional("require");
    let max_prices = route.optional("max_prices");
    TargetRequirements {
        require: require
            .map(|node| read_required(node, &label_names(backends)))
            .unwrap_or_default(),
        max_prices: max_prices.map(read_max_prices).unwrap_or_default(),
    }
}

/// Returns the names of all labels in the document.
fn label_names(backends: &[Arc<Backend>]) -> Vec<&str> {
    let names = backends.iter().flat_map(|backend| {
        let models = backend.models.iter();
        let of_models = models.flat_map(|model| model.labels.names());
        backend.labels.names().chain(of_models)
    });
    names.collect()
}
