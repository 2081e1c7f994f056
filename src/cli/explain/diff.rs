//! What an attempt changes of the request, as a diff.

use crate::played::Pairs;

/// What changes of the headers: gone and new lines, in the order of the headers.
pub(super) fn headers(before: &Pairs, after: &Pairs) -> (Vec<String>, Vec<String>) {
    let missing = |these: &Pairs, those: &Pairs| {
        let gone = these.iter().filter(|pair| !those.contains(pair));
        gone.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect()
    };
    (missing(before, after), missing(after, before))
}

/// How much of a body is shown around what changes.
const AROUND: usize = 24;

/// What changes of the body: the place before and after, with some of what stands around it; `None` if nothing does.
pub(super) fn body(before: &[u8], after: &[u8]) -> Option<(String, String)> {
    if before == after {
        return None;
    }
    let pairs = before.iter().zip(after);
    let start = pairs.take_while(|(a, b)| a == b).count();
    let rest = |body: &[u8]| body.len().saturating_sub(start);
    let pairs = before.iter().rev().zip(after.iter().rev());
    let end = pairs.take_while(|(a, b)| a == b).count();
    let end = end.min(rest(before)).min(rest(after));
    let part = |body: &[u8]| {
        let from = start.saturating_sub(AROUND);
        let changed = body.len().saturating_sub(end);
        let to = changed.saturating_add(AROUND).min(body.len());
        let text = String::from_utf8_lossy(body.get(from..to).unwrap_or_default()).into_owned();
        let before = if from > 0 { "…" } else { "" };
        let after = if to < body.len() { "…" } else { "" };
        format!("{before}{}{after}", text.replace(['\n', '\r', '\t'], " "))
    };
    Some((part(before), part(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes() {
        assert_eq!(body(b"same", b"same"), None);
        let before =
            br#"{"messages": "long before it", "model": "smart", "after": "long after it all"}"#;
        let after =
            br#"{"messages": "long before it", "model": "gpt", "after": "long after it all"}"#;
        let (before, after) = body(before, after).unwrap();
        assert_eq!(
            before,
            r#"…g before it", "model": "smart", "after": "long after…"#
        );
        assert_eq!(
            after,
            r#"…g before it", "model": "gpt", "after": "long after…"#
        );
        // What is inserted, and what repeats.
        assert_eq!(body(b"aa", b"aaa").unwrap(), ("aa".into(), "aaa".into()));
        assert_eq!(body(b"", b"x").unwrap(), (String::new(), "x".into()));
    }

    #[test]
    fn headers_gone_and_new() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let before = vec![pair("a", "1"), pair("b", "2")];
        let after = vec![pair("b", "3"), pair("a", "1")];
        let (gone, new) = headers(&before, &after);
        assert_eq!(gone, ["b: 2"]);
        assert_eq!(new, ["b: 3"]);
    }
}
