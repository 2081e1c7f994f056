//! Reads what a golden test expects and compares it with what happened to its request.

use super::result::{Attempt, GoldenResult, TargetName};
use crate::config::error::suggestion;
use crate::config::reader::Node;
use crate::config::{Document, fields};
use crate::schema::{Answer, ErrorCode};

/// The expectations of a test, each with its node in the document.
pub(super) struct Expected<'a> {
    /// The name of the test.
    name: &'a str,
    node: Node<'a>,
    route: Option<(Node<'a>, &'a str)>,
    target: Option<(Node<'a>, &'a str)>,
    plan: Option<(Node<'a>, Vec<&'a str>)>,
    left_out: Option<(Node<'a>, Vec<&'a str>)>,
    error: Option<(Node<'a>, &'a str)>,
}

impl Expected<'_> {
    /// Reports a failed expectation.
    fn fail(&self, node: &Node<'_>, how: &str) {
        node.error(format!("\"{}\": {how}", self.name));
    }
}

pub(super) fn read_expected<'a>(
    node: &Node<'a>,
    name: &'a str,
    document: &Document,
) -> Option<Expected<'a>> {
    let fields = node.fields(fields::EXPECT);
    if fields.is_empty() {
        fields.error(format!(
            "must not be empty: expected one of {}",
            fields::EXPECT.join(", ")
        ));
        return None;
    }
    let one = |field: &str| {
        let node = fields.optional(field)?;
        Some((node.clone(), node.name().unwrap_or_default()))
    };
    let names = |field: &str| {
        let node = fields.optional(field)?;
        let items = node.list();
        let names = items.iter().map(|item| item.name().unwrap_or_default());
        Some((node.clone(), names.collect::<Vec<_>>()))
    };
    let expected = Expected {
        name,
        node: node.clone(),
        route: one("route"),
        target: one("target"),
        plan: names("plan"),
        left_out: names("left_out"),
        error: one("error"),
    };
    let routes = document.routes.iter().map(|route| route.name.as_str());
    let codes = ErrorCode::ALL.iter().map(|code| code.name());
    let known = is_known(&expected.route, "route", routes);
    let known = is_known(&expected.error, "error code", codes) && known;
    if expected.error.is_some() && fields.optional("error").is_some() {
        let others = ["target", "plan"];
        if let Some(other) = others.iter().find(|name| fields.optional(name).is_some()) {
            fields.error(format!(
                "has both `error` and `{other}`: a request that is answered with an error is not sent anywhere"
            ));
            return None;
        }
    }
    known.then_some(expected)
}

/// Whether a route or error code of this name exists. An expectation that is not set counts as known.
fn is_known<'n>(
    written: &Option<(Node<'_>, &str)>,
    what: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> bool {
    let Some((node, written)) = written else {
        return true;
    };
    let is_known = names.clone().any(|name| name == *written);
    if !is_known {
        let close = suggestion(written, names);
        node.error(format!("there is no {what} \"{written}\"{close}"));
    }
    is_known
}

pub(super) fn compare(expected: &Expected<'_>, seen: &GoldenResult<'_>) {
    let (route, plan, left_out) = match seen {
        GoldenResult::Answered {
            answer,
            route,
            left_out,
        } => return compare_answer(expected, answer, *route, left_out),
        GoldenResult::RandomDraw(route) => {
            let how = format!(
                "whether \"{route}\" takes the request is random, because of its `percent`: give the request a key \
                 that the route's `sticky` uses"
            );
            return expected.fail(&expected.node, &how);
        }
        GoldenResult::Routed {
            route,
            plan,
            left_out,
        } => (*route, plan, left_out),
    };
    if let Some((node, error)) = &expected.error {
        expected.fail(
            node,
            &format!("the request is routed by \"{route}\", not answered with {error}"),
        );
        return;
    }
    if let Some((node, written)) = expected.route.as_ref().filter(|(_, name)| *name != route) {
        expected.fail(
            node,
            &format!("the request is routed by \"{route}\", not by \"{written}\""),
        );
        return;
    }
    compare_plan(expected, route, plan);
    compare_left_out(expected, route, left_out);
}

fn compare_plan(expected: &Expected<'_>, route: &str, plan: &[Attempt]) {
    let target_names = || {
        let target_names: Vec<String> = plan.iter().map(|one| one.target.to_string()).collect();
        target_names.join(", ")
    };
    if let Some((node, written)) = &expected.target
        && !plan
            .iter()
            .any(|one| one.may_be_first && one.target.is(written))
    {
        expected.fail(
            node,
            &format!(
                "\"{written}\" is not the first target of \"{route}\": the plan is {}",
                target_names()
            ),
        );
    }
    if let Some((node, written)) = &expected.plan
        && !is_plan(written, plan)
    {
        let order = match plan.first() {
            Some(first)
                if plan
                    .iter()
                    .all(|one| one.is_drawn && one.group == first.group) =>
            {
                ", in any order"
            }
            _ if plan.iter().any(|one| one.is_drawn) => ", in any order within each group",
            _ => "",
        };
        let how = format!("the plan of \"{route}\" is {}{order}", target_names());
        expected.fail(node, &how);
    }
}

/// Whether `written` is this plan. Targets of a weighted group may be in any order; the groups themselves may not.
fn is_plan(mut written: &[&str], plan: &[Attempt]) -> bool {
    for group in plan.chunk_by(|one, next| one.group == next.group) {
        let Some((names, rest)) = written.split_at_checked(group.len()) else {
            return false;
        };
        let is_in_order = || {
            let mut pairs = names.iter().zip(group);
            pairs.all(|(name, one)| one.target.is(name))
        };
        let is_drawn = group.iter().any(|one| one.is_drawn);
        let is_right = if is_drawn {
            is_same_set(names, group, |one, name| one.target.is(name))
        } else {
            is_in_order()
        };
        if !is_right {
            return false;
        }
        written = rest;
    }
    written.is_empty()
}

fn compare_left_out(expected: &Expected<'_>, route: &str, left_out: &[(TargetName, &'static str)]) {
    if let Some((node, written)) = &expected.left_out {
        let is = |(place, reason): &(TargetName, &str), written: &str| {
            place.is(written)
                || written
                    .strip_suffix(reason)
                    .and_then(|rest| rest.strip_suffix(' '))
                    .is_some_and(|rest| place.is(rest))
        };
        if !is_same_set(written, left_out, is) {
            let left_out = left_out.iter();
            let left_out: Vec<String> = left_out
                .map(|(place, reason)| format!("{place} {reason}"))
                .collect();
            let left_out = match left_out.join(", ") {
                nothing if nothing.is_empty() => "nothing".to_owned(),
                target_names => target_names,
            };
            expected.fail(node, &format!("\"{route}\" leaves out {left_out}"));
        }
    }
}

fn is_same_set<T>(written: &[&str], seen: &[T], is: impl Fn(&T, &str) -> bool) -> bool {
    // A name that is expected twice must occur twice.
    let times = |name: &str| written.iter().filter(|other| **other == name).count();
    written.len() == seen.len()
        && written
            .iter()
            .all(|name| seen.iter().filter(|one| is(one, name)).count() >= times(name))
        && seen
            .iter()
            .all(|one| written.iter().any(|name| is(one, name)))
}

fn compare_answer(
    expected: &Expected<'_>,
    answer: &Answer,
    route: Option<&str>,
    left_out: &[(TargetName, &'static str)],
) {
    let code = answer.code.map(ErrorCode::name);
    let seen = match code {
        Some(code) => format!("the request is answered with {} {code}", answer.status),
        None => format!(
            "the router itself answers the request with {}",
            answer.status
        ),
    };
    match &expected.error {
        Some((_, written)) if code == Some(*written) => {}
        Some((node, written)) => {
            return expected.fail(node, &format!("{seen}, not with {written}"));
        }
        None => {
            return expected.fail(
                &expected.node,
                &format!("{seen}, so it is not sent to a backend"),
            );
        }
    }
    if let Some((node, written)) = &expected.route
        && route != Some(written)
    {
        let taken = match route {
            Some(route) => format!("the request is taken by \"{route}\", not by \"{written}\""),
            None => format!("no route takes the request, not even \"{written}\""),
        };
        expected.fail(node, &taken);
    }
    compare_left_out(expected, route.unwrap_or_default(), left_out);
}
