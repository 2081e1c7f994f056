//! Explains why a route takes a request or does not, by evaluating its conditions one by one.

use super::content_wording;
use crate::request::MeshIdentity;
use crate::routing::{ClaimPattern, Condition, Pattern, Subject, percent};

/// The reason for a route's result: the first condition of its match that does not hold, or the shares of the traffic
/// by which it takes the request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Reason {
    /// What the condition requires.
    pub(super) wanted: String,
    /// What the request has instead, if that is a single thing.
    pub(super) seen: Option<String>,
    /// Whether it was drawn at random, so that the same request may have another result.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) drawn: bool,
}

impl Reason {
    fn new(conditions: &[&Condition], subject: &Subject<'_>) -> Option<Reason> {
        let first = conditions.first()?;
        let written: Vec<String> = conditions.iter().map(|one| wanted(one)).collect();
        Some(Reason {
            wanted: written.join(" and "),
            // All shares of a route use the same place of the request.
            seen: seen(first, subject),
            drawn: conditions.iter().any(|one| is_drawn(one, subject)),
        })
    }
}

/// Returns the first condition that does not hold; `None` if the whole match does.
pub(super) fn first_failed(condition: &Condition, subject: &Subject<'_>) -> Option<Reason> {
    if condition.evaluate(subject) == Some(true) {
        return None;
    }
    if let Condition::All(parts) = condition {
        return parts.iter().find_map(|part| first_failed(part, subject));
    }
    Reason::new(&[condition], subject)
}

/// Returns the shares of the traffic without which a match would not hold; `None` if there are none.
pub(super) fn taken_by(condition: &Condition, subject: &Subject<'_>) -> Option<Reason> {
    let mut shares = Vec::new();
    deciding(condition, subject, &mut shares);
    Reason::new(&shares, subject)
}

fn deciding<'c>(condition: &'c Condition, subject: &Subject<'_>, found: &mut Vec<&'c Condition>) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| deciding(part, subject, found)),
        Condition::Any(parts) => {
            let is_met = |part: &&Condition| part.evaluate(subject) == Some(true);
            let mut holding = parts.iter().filter(is_met);
            // One condition that holds without a share is enough.
            if let Some(first) = holding.next()
                && first.has_share()
                && holding.all(Condition::has_share)
            {
                deciding(first, subject, found);
            }
        }
        _ if condition.has_share() => found.push(condition),
        _ => {}
    }
}

/// Whether the condition has a share for which the request's position is drawn at random.
fn is_drawn(condition: &Condition, subject: &Subject<'_>) -> bool {
    match condition {
        Condition::Percent(share) => matches!(share.position(subject), Some((_, None))),
        Condition::Any(parts) | Condition::All(parts) => {
            parts.iter().any(|part| is_drawn(part, subject))
        }
        Condition::Not(part) => is_drawn(part, subject),
        _ => false,
    }
}

/// Words patterns like the document.
fn patterns(name: &str, patterns: &[Pattern]) -> String {
    let written: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    match written.as_slice() {
        [one] => format!("{name}: {one}"),
        all => format!("{name}: [{}]", all.join(", ")),
    }
}

/// Quotes values.
fn listed<'v>(values: impl Iterator<Item = &'v [u8]>) -> String {
    let values: Vec<String> = values
        .map(|value| format!("\"{}\"", String::from_utf8_lossy(value)))
        .collect();
    match values.as_slice() {
        [] => "absent".to_owned(),
        values => values.join(", "),
    }
}

/// Describes what the verified tokens have for some claims.
fn seen_claims(claims: &[ClaimPattern], subject: &Subject<'_>) -> Option<String> {
    let tokens = subject.caller?.tokens();
    let of_token = tokens.iter().map(|token| {
        let of_claim = claims.iter().map(|claim| {
            let values = token.values(&claim.path);
            let values = listed(values.iter().map(|value| value.as_bytes()));
            match claims {
                [_] => values,
                _ => format!("{}: {values}", claim.path),
            }
        });
        of_claim.collect::<Vec<_>>().join(", ")
    });
    let seen: Vec<String> = of_token.collect();
    Some(match seen.as_slice() {
        [] => "without a verified token".to_owned(),
        seen => seen.join("; in another token "),
    })
}

fn seen_mesh(mesh: Option<&MeshIdentity>) -> String {
    let Some(mesh) = mesh else {
        return "without an identity".to_owned();
    };
    match (&mesh.namespace, &mesh.service_account) {
        (Some(namespace), Some(account)) => {
            format!(
                "{}, namespace {namespace}, service account {account}",
                mesh.trust_domain
            )
        }
        _ => format!("{}, without a namespace", mesh.trust_domain),
    }
}

/// Words a condition like the document.
fn wanted(condition: &Condition) -> String {
    let all = |name: &str, parts: &[Condition]| {
        let written: Vec<String> = parts.iter().map(wanted).collect();
        format!("{name}: [{}]", written.join("; "))
    };
    match condition {
        Condition::Model(values) => patterns("model", values),
        Condition::Path(values) => patterns("path", values),
        Condition::Method(values) => patterns("method", values),
        Condition::Header { name, values } => patterns(&format!("header {name}"), values),
        Condition::Stream(wanted) => format!("stream: {wanted}"),
        Condition::Content(condition) => content_wording::wanted(condition),
        Condition::Percent(share) => format!("percent: {share}"),
        Condition::Query { name, values } => patterns(&format!("query {name}"), values),
        Condition::Claims(claims) => {
            let all = claims.iter();
            let all = all.map(|claim| patterns(&format!("claim {}", claim.path), &claim.values));
            all.collect::<Vec<_>>().join(" and ")
        }
        Condition::Mesh(mesh) => {
            let parts = mesh.parts().into_iter();
            let parts = parts.filter_map(|(name, values)| Some(patterns(name, values?)));
            format!("mesh {}", parts.collect::<Vec<_>>().join(" and "))
        }
        Condition::Time(period) => format!("time: {period}"),
        Condition::Any(parts) => all("any", parts),
        Condition::All(parts) => all("all", parts),
        Condition::Not(part) => format!("not {}", wanted(part)),
    }
}

/// Describes what the request has for a condition.
fn seen(condition: &Condition, subject: &Subject<'_>) -> Option<String> {
    let quoted = |value: Option<&str>| value.map(|value| format!("\"{value}\""));
    match condition {
        Condition::Model(_) => quoted(subject.model),
        Condition::Path(_) => quoted(subject.path),
        Condition::Method(_) => quoted(subject.method),
        Condition::Header { name, .. } => Some(listed(subject.headers?.values(name))),
        Condition::Stream(_) => subject.stream.map(|stream| stream.to_string()),
        Condition::Content(condition) => Some(content_wording::seen(condition, subject.content?)),
        Condition::Percent(share) => {
            let (place, source) = share.position(subject)?;
            let place = percent(place);
            Some(match source {
                Some(source) => format!("at {place} by {source}"),
                None => format!("drawn at {place}"),
            })
        }
        Condition::Query { name, .. } => Some(listed(subject.query?.values(name))),
        Condition::Claims(claims) => seen_claims(claims, subject),
        Condition::Mesh(_) => Some(seen_mesh(subject.caller?.mesh())),
        Condition::Time(period) => Some(period.local_time(subject.now?)),
        Condition::Not(part) => seen(part, subject),
        Condition::Any(parts) | Condition::All(parts) => {
            // If all parts look at the same thing, describe that.
            let mut all = parts.iter().map(|part| seen(part, subject));
            let first = all.next()?;
            all.all(|other| other == first).then_some(first)?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Caller, Claims, Headers, Query};
    use crate::routing::{MeshPattern, Period};

    #[test]
    fn who_sent_it_and_when() {
        let claims = |json: &str| Claims::new(serde_json::from_str(json).unwrap()).unwrap();
        let one = Caller::default()
            .with_claims(claims(r#"{"sub": "x", "aud": ["a", 1]}"#))
            .with_mesh(MeshIdentity::parse("spiffe://td/ns/prod/sa/chat"));
        let two = one.clone().with_claims(claims("{}"));
        let nobody = Caller::default();
        let query = Query::new("a=1&a=2");
        let pattern = |text: &str| vec![Pattern::parse(text).unwrap()];
        let claim = |path: &str| ClaimPattern {
            path: path.to_owned(),
            values: pattern("z*"),
        };
        let mesh = Condition::Mesh(MeshPattern {
            trust_domain: Some(pattern("td")),
            service_account: Some(pattern("z")),
            ..MeshPattern::default()
        });
        let time = Condition::Time(Period {
            from: 60,
            to: 120,
            weekdays: [true, false, false, false, false, false, true],
            utc_offset: 0,
        });
        let parameter = |name: &str| Condition::Query {
            name: name.to_owned(),
            values: pattern("z"),
        };
        let sub_and_aud = Condition::Claims(vec![claim("sub"), claim("aud")]);
        let one_claim = Condition::Claims(vec![claim("aud")]);
        for (condition, caller, wanted, seen) in [
            (&parameter("a"), &nobody, "query a: z", "\"1\", \"2\""),
            (&parameter("b"), &nobody, "query b: z", "absent"),
            (&one_claim, &one, "claim aud: z*", "\"a\", \"1\""),
            (
                &one_claim,
                &nobody,
                "claim aud: z*",
                "without a verified token",
            ),
            (
                &sub_and_aud,
                &two,
                "claim sub: z* and claim aud: z*",
                "sub: \"x\", aud: \"a\", \"1\"; in another token sub: absent, aud: absent",
            ),
            (
                &mesh,
                &one,
                "mesh trust_domain: td and service_account: z",
                "td, namespace prod, service account chat",
            ),
            (
                &mesh,
                &nobody,
                "mesh trust_domain: td and service_account: z",
                "without an identity",
            ),
            (
                &time,
                &nobody,
                "time: 01:00 to 02:00 on mon, sun at +00:00",
                "thu 00:00 at +00:00",
            ),
        ] {
            let subject = Subject {
                query: Some(&query),
                caller: Some(caller),
                now: Some(0),
                ..Subject::default()
            };
            let failed = first_failed(condition, &subject).unwrap();
            assert_eq!(failed.wanted, wanted);
            assert_eq!(failed.seen.as_deref(), Some(seen));
        }
    }

    fn model(patterns: &[&str]) -> Condition {
        let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap());
        Condition::Model(patterns.collect())
    }

    #[test]
    fn the_first_that_does_not_hold() {
        let headers = Headers::new(vec![("x".to_owned(), b"1".to_vec())]);
        let subject = Subject {
            model: Some("gpt"),
            path: Some("/p"),
            method: Some("POST"),
            headers: Some(&headers),
            stream: Some(true),
            ..Subject::default()
        };
        let header = |name: &str| Condition::Header {
            name: name.to_owned(),
            values: vec![Pattern::parse("2*").unwrap()],
        };
        let not = |condition| Condition::Not(Box::new(condition));
        for (condition, expected) in [
            (model(&["gpt"]), None),
            (
                model(&["a", "b*"]),
                Some(("model: [a, b*]", Some("\"gpt\""))),
            ),
            (header("x"), Some(("header x: 2*", Some("\"1\"")))),
            (header("y"), Some(("header y: 2*", Some("absent")))),
            (
                Condition::Stream(false),
                Some(("stream: false", Some("true"))),
            ),
            (
                not(model(&["g*"])),
                Some(("not model: g*", Some("\"gpt\""))),
            ),
            (
                Condition::All(vec![model(&["*"]), header("y"), Condition::Stream(false)]),
                Some(("header y: 2*", Some("absent"))),
            ),
            (
                Condition::Any(vec![model(&["a"]), model(&["b"])]),
                Some(("any: [model: a; model: b]", Some("\"gpt\""))),
            ),
            (
                Condition::Any(vec![model(&["a"]), header("y")]),
                Some(("any: [model: a; header y: 2*]", None)),
            ),
        ] {
            let failed = first_failed(&condition, &subject);
            let failed = failed.as_ref();
            let failed = failed.map(|one| (one.wanted.as_str(), one.seen.as_deref()));
            assert_eq!(failed, expected);
        }
    }
}
