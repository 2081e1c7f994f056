//! Assertions on random choices, for tests. Their keys are fixed, so that every run has the same result.

/// Asserts that an event of this probability happened about as often as it should: within three standard errors.
pub(super) fn is_share(seen: u32, of: u32, share: f64) {
    let expected = f64::from(of) * share;
    let error = (f64::from(of) * share * (1.0 - share)).sqrt();
    assert!(
        (f64::from(seen) - expected).abs() < 3.0 * error,
        "{seen} of {of}, expected {expected} ± {error}"
    );
}

/// Asserts by chi-square that the counted events are equally likely: within three standard deviations of its mean. The
/// mean of a chi-square distribution is its degrees of freedom, its variance twice that.
pub(super) fn is_even(counts: &[u32]) {
    let all: f64 = counts.iter().copied().map(f64::from).sum();
    let cells = f64::from(u32::try_from(counts.len()).unwrap());
    let expected = all / cells;
    let each = counts
        .iter()
        .map(|seen| (f64::from(*seen) - expected).powi(2) / expected);
    let chi_square: f64 = each.sum();
    let mean = cells - 1.0;
    assert!(
        (chi_square - mean).abs() < 3.0 * (2.0 * mean).sqrt(),
        "chi-square {chi_square}, expected {mean}"
    );
}
