//! What a route asks of its targets, beyond that they serve a request.

use std::sync::Arc;

use super::backend::Backend;
use super::model::{MaxPrices, Required, read_max_prices, read_required};
use super::reader::Fields;

/// What a route asks of its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The labels that a target must have, of its model or its backend.
    pub require: Vec<Required>,
    /// What it may cost.
    pub max_prices: MaxPrices,
}

/// Of the fields of a route.
pub(super) fn read(route: &Fields<'_>, backends: &[Arc<Backend>]) -> Demands {
    let require = route.optional("require");
    let max_prices = route.optional("max_prices");
    Demands {
        require: require
            .map(|node| read_required(node, &label_names(backends)))
            .unwrap_or_default(),
        max_prices: max_prices.map(read_max_prices).unwrap_or_default(),
    }
}

/// The names of all labels that there are.
fn label_names(backends: &[Arc<Backend>]) -> Vec<&str> {
    let names = backends.iter().flat_map(|backend| {
        let models = backend.models.iter();
        let of_models = models.flat_map(|model| model.labels.names());
        backend.labels.names().chain(of_models)
    });
    names.collect()
}
