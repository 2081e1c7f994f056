//! Reads match conditions on the caller and the time of a request: `query`, `claims`, `mesh` and `time`.

use super::{read_pattern, read_patterns, read_spelled_patterns};
use crate::config::error::suggestion;
use crate::config::fields;
use crate::config::reader::{Fields, Node};
use crate::routing::{ClaimPattern, Condition, MeshPattern, Period, WEEKDAYS};

/// Reads this module's conditions from a match; `None` stands for a condition with errors.
pub(super) fn read(fields: &Fields<'_>) -> Vec<Option<Condition>> {
    let mut conditions = Vec::new();
    if let Some(node) = fields.optional("query") {
        for (name, node) in entries(node, "parameter") {
            let values = read_patterns(&node);
            conditions.push(values.map(|values| Condition::Query { name, values }));
        }
    }
    conditions.extend(fields.optional("claims").map(read_claims));
    conditions.extend(fields.optional("mesh").map(read_mesh));
    conditions.extend(fields.optional("time").map(read_time));
    conditions
}

/// Returns the entries of a map that must not be empty and must not have empty names.
#[inline(never)]
fn entries<'a>(node: &Node<'a>, what: &str) -> Vec<(String, Node<'a>)> {
    let entries = node.entries();
    if entries.is_empty() && node.is_map() {
        node.error(format!("must not be empty: add a {what}"));
    }
    let mut named = Vec::new();
    for (name, node) in entries {
        if name.is_empty() {
            node.error(format!("the name of the {what} must not be empty"));
        } else {
            named.push((name.to_owned(), node));
        }
    }
    named
}

fn read_claims(node: &Node<'_>) -> Option<Condition> {
    let claims = entries(node, "claim").into_iter();
    let claims: Vec<Option<ClaimPattern>> = claims
        .map(|(path, node)| {
            let values = read_patterns(&node)?;
            Some(ClaimPattern { path, values })
        })
        .collect();
    let claims: Vec<ClaimPattern> = claims.into_iter().collect::<Option<_>>()?;
    (!claims.is_empty()).then_some(Condition::Claims(claims))
}

fn read_mesh(node: &Node<'_>) -> Option<Condition> {
    let fields = node.fields(fields::MESH);
    if fields.is_empty() {
        fields.error(format!(
            "must not be empty: expected one of {}",
            fields::MESH.join(", ")
        ));
        return None;
    }
    let part = |name: &str| match fields.optional(name) {
        Some(node) => read_spelled_patterns(node, name).map(Some),
        None => Some(None),
    };
    let (trust_domain, namespace) = (part("trust_domain"), part("namespace"));
    let service_account = part("service_account");
    Some(Condition::Mesh(MeshPattern {
        trust_domain: trust_domain?,
        namespace: namespace?,
        service_account: service_account?,
    }))
}

fn read_time(node: &Node<'_>) -> Option<Condition> {
    const DAY: u16 = 1440;
    let fields = node.fields(fields::TIME);
    let is_there = |name: &&str| fields.optional(name).is_some();
    if !["from", "to", "weekdays"].iter().any(is_there) {
        fields.error("needs `from`, `to` or `weekdays`");
        return None;
    }
    let clock = |name: &str, default: u16| match fields.optional(name) {
        Some(node) => read_clock(node),
        None => Some(default),
    };
    let (from, to) = (clock("from", 0), clock("to", DAY));
    let weekdays = match fields.optional("weekdays") {
        Some(node) => read_weekdays(node),
        None => Some([true; 7]),
    };
    let utc_offset = match fields.optional("utc_offset") {
        Some(node) => read_offset(node),
        None => Some(0),
    };
    let (from, to) = (from?, to?);
    if from == DAY {
        fields.error("`from` must be before 24:00: write 00:00");
        return None;
    }
    if from == to {
        fields.error("`from` and `to` are the same: leave both out for whole days");
        return None;
    }
    Some(Condition::Time(Period {
        from,
        to,
        weekdays: weekdays?,
        utc_offset: utc_offset?,
    }))
}

/// Reads a time of day, in minutes since midnight.
#[inline(never)]
fn read_clock(node: &Node<'_>) -> Option<u16> {
    let written = node.name()?;
    let minutes = minutes_of(written).filter(|minutes| *minutes <= 1440);
    if minutes.is_none() {
        node.error(format!(
            "\"{written}\" is not a time of day: write it as \"08:30\", up to \"24:00\""
        ));
    }
    minutes
}

/// Parses `HH:MM`, two digits each, into minutes since midnight.
fn minutes_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60).then(|| hours.saturating_mul(60).saturating_add(minutes))
}

fn read_weekdays(node: &Node<'_>) -> Option<[bool; 7]> {
    let mut weekdays = [false; 7];
    let mut is_right = true;
    for node in node.one_or_many() {
        let written = node.name().unwrap_or_default();
        let mut known = weekdays.iter_mut().zip(WEEKDAYS);
        match known.find(|(_, name)| *name == written) {
            Some((day, _)) => *day = true,
            None => {
                is_right = false;
                if !written.is_empty() {
                    let close = suggestion(written, WEEKDAYS);
                    let known = WEEKDAYS.join(", ");
                    node.error(format!(
                        "unknown weekday \"{written}\"{close}; expected one of {known}"
                    ));
                }
            }
        }
    }
    is_right.then_some(weekdays)
}

/// Reads a UTC offset, in minutes ahead of UTC.
fn read_offset(node: &Node<'_>) -> Option<i16> {
    let written = node.name()?;
    let minutes = |text: &str| i16::try_from(minutes_of(text)?).ok();
    let offset = match written.split_at_checked(1) {
        Some(("+", rest)) => minutes(rest),
        Some(("-", rest)) => minutes(rest).map(i16::saturating_neg),
        _ => None,
    };
    let offset = offset.filter(|offset| (-720..=840).contains(offset));
    if offset.is_none() {
        node.error(format!(
            "\"{written}\" is not an offset from UTC: write it as \"+01:00\", from \"-12:00\" to \"+14:00\"; names of \
             time zones are not supported"
        ));
    }
    offset
}

/// Reads patterns of mesh identities, each of which must name the trust domain.
pub(in crate::config) fn read_gateways(node: &Node<'_>) -> Vec<crate::routing::Pattern> {
    let mut patterns = Vec::new();
    for node in node.non_empty_list() {
        let Some(written) = node.name() else { continue };
        let trust_domain = written.strip_prefix("spiffe://").unwrap_or_default();
        if !trust_domain.contains('/') {
            node.error(format!(
                "\"{written}\" is not the identity of a gateway: write it as \
                 \"spiffe://cluster.local/ns/istio-ingress/sa/gateway\"; a \"*\" at the end matches any end"
            ));
        }
        patterns.extend(read_pattern(&node, written));
    }
    patterns
}
