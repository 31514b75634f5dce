//! The known name that is nearest to one that is unknown: what an error message suggests.

/// How like two names must be, from 0 to 1, for one to be suggested in place of the other.
const LIKENESS: f64 = 0.75;

/// The name that was most likely meant by `name`.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    let likeness = |other: &str| strsim::jaro_winkler(&name, &other.to_lowercase());
    let best = known.into_iter().map(|other| (likeness(other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= LIKENESS).map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_found_and_a_different_word_is_not() {
        let known = ["id", "ordered", "customer_name"];
        assert_eq!(nearest("orderd", known), Some("ordered"));
        assert_eq!(nearest("Customer_Nmae", known), Some("customer_name"));
        assert_eq!(nearest("weather", known), None);
        assert_eq!(nearest("id", []), None);
    }
}
