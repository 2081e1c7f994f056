//! Formats an explanation as text for the terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{AttemptDiff, Explanation};
use crate::cli::report::shown;

const BOLD: Style = Style::new().bold();

fn coloured(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into()))
}

/// Formats the complete explanation. Writing to a String cannot fail.
pub(super) fn text(explanation: &Explanation) -> String {
    let mut out = format!(
        "{BOLD}{} {}{BOLD:#}",
        shown(&explanation.method),
        shown(&explanation.path)
    );
    if let Some(model) = &explanation.model {
        let stream = if explanation.stream == Some(true) {
            ", streamed"
        } else {
            ""
        };
        let _ = write!(out, ", model \"{}\"", shown(model));
        if let Some(real) = &explanation.alias_of {
            let _ = write!(out, " (alias of \"{}\")", shown(real));
        }
        out.push_str(stream);
    }
    out.push('\n');
    routes(explanation, &mut out);
    plan(explanation, &mut out);
    for (index, attempt) in explanation.attempts.iter().enumerate() {
        attempt_of(index, attempt, &mut out);
    }
    if let Some(answer) = &explanation.answer {
        let code = answer.code.unwrap_or("no error");
        let _ = writeln!(out, "{BOLD}answer{BOLD:#} {} {code}", answer.status);
        let _ = writeln!(out, "  {}", shown(&answer.body.to_string()));
    }
    out
}

fn routes(explanation: &Explanation, out: &mut String) {
    if explanation.routes.is_empty() {
        return;
    }
    let _ = writeln!(out, "{BOLD}routes{BOLD:#}");
    let width = explanation
        .routes
        .iter()
        .map(|route| route.name.chars().count());
    let width = width.max().unwrap_or(0);
    for route in &explanation.routes {
        let style = match route.result {
            "taken" => coloured(AnsiColor::Green),
            "failed" => coloured(AnsiColor::Red),
            _ => Style::new().dimmed(),
        };
        let name = shown(&route.name);
        let _ = write!(out, "  {name:width$}  {style}{}{style:#}", route.result);
        if let Some(reason) = &route.reason {
            let wanted = shown(&reason.wanted);
            let seen = reason.seen.as_deref().map(shown);
            let _ = match (route.result, seen) {
                ("taken", None) => write!(out, " ({wanted})"),
                ("taken", Some(seen)) => write!(out, " ({wanted}, {seen})"),
                (_, None) => write!(out, ": {wanted}"),
                (_, Some(seen)) => write!(out, ": {wanted}, but it is {seen}"),
            };
        }
        out.push('\n');
    }
}

fn plan(explanation: &Explanation, out: &mut String) {
    if !explanation.plan.is_empty() {
        let choice = match &explanation.sticky {
            Some(source) => format!(", by the key in {}", shown(source)),
            None if explanation.is_order_drawn => ", one of the possible random orders".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(out, "{BOLD}plan{BOLD:#}{choice}");
    }
    for (index, target) in explanation.plan.iter().enumerate() {
        let number = index.saturating_add(1);
        let _ = write!(out, "  {number}. {}", shown(&target.backend));
        if let Some(model) = &target.model {
            let _ = write!(out, "/{}", shown(model));
        }
        if target.cluster != target.backend {
            let _ = write!(out, ", cluster {}", shown(&target.cluster));
        }
        if let Some(weight) = target.weight {
            let _ = write!(out, ", weight {weight}");
        }
        out.push('\n');
    }
    if !explanation.left_out.is_empty() {
        let _ = writeln!(out, "{BOLD}left out{BOLD:#}");
    }
    for target in &explanation.left_out {
        let _ = write!(out, "  {}", shown(&target.backend));
        if let Some(model) = &target.model {
            let _ = write!(out, "/{}", shown(model));
        }
        let _ = write!(out, ": {}", target.reason);
        if !target.detail.is_empty() {
            let _ = write!(out, ": {}", shown(&target.detail));
        }
        out.push('\n');
    }
}

fn attempt_of(index: usize, attempt: &AttemptDiff, out: &mut String) {
    let number = index.saturating_add(1);
    let _ = writeln!(
        out,
        "{BOLD}request {number}, to {}{BOLD:#}",
        shown(&attempt.backend)
    );
    let (red, green) = (coloured(AnsiColor::Red), coloured(AnsiColor::Green));
    let mut line = |style: Style, sign: char, text: &str| {
        let _ = writeln!(out, "{style}{sign} {}{style:#}", shown(text));
    };
    for gone in &attempt.removed_headers {
        line(red, '-', gone);
    }
    for new in &attempt.added_headers {
        line(green, '+', new);
    }
    if let Some(body) = &attempt.body {
        line(red, '-', &body.before);
        line(green, '+', &body.after);
    } else {
        line(Style::new(), ' ', "the body is unchanged");
    }
}
