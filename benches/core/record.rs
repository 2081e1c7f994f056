//! Renders the results as a Markdown page.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::envoy::{self, Measured};
use crate::{bodies, content, mixed, native, observing, prompt};

pub(crate) fn page(results: &Path, in_envoy: &[Measured]) -> String {
    let of = |group: &str, name: &str| median(results, group, name);
    let mut page = format!(
        "# The core by itself\n\n\
         `make bench-core`, {date} (UTC). Medians; natively by criterion. Other programs on the machine disturb them: \
         trust the ratios before the times.\n\n\
         - Machine: {machine}\n- Commit: {commit}\n- {rustc}\n- {envoy}\n- Profile: cargo's `bench`, which is that of the release; \
         the module for Envoy is built as the one that is shipped\n\n",
        date = date(),
        machine = machine(),
        commit = output("git", &["describe", "--always", "--dirty"]),
        rustc = output("rustc", &["--version"]),
        envoy = envoy_version(),
    );

    let native: Vec<Measured> = bodies::all("gpt-5.5")
        .into_iter()
        .map(|(name, body)| Measured {
            body: name.to_owned(),
            bytes: body.len() as f64,
            scan: of(name, "scan"),
            value: of(name, "value"),
        })
        .collect();
    page += "## Scan\n\nThe pass that validates a body and finds what routing reads, beside parsing into a `serde_json::Value`.\n";
    for (place, measured) in [("In Envoy's V8", in_envoy), ("Natively", &native)] {
        let _ = write!(
            page,
            "\n{place}:\n\n| Body | Scan | MB/s | `Value` | `Value` / scan |\n|---|--:|--:|--:|--:|\n"
        );
        for one in measured {
            let _ = writeln!(
                page,
                "| {} | {} | {:.0} | {} | {:.1} × |",
                one.body,
                time(one.scan),
                one.bytes * 1000.0 / one.scan,
                time(one.value),
                one.value / one.scan
            );
        }
    }

    page += "\n## Splice\n\nAnother model's name in the body, after the scan, natively. With the name at the beginning \
             only the beginning is built anew; with the name at the end, everything before it. `Value`: parsed, \
             changed, written.\n\n| Body | Name at the beginning | At the end | `Value` |\n|---|--:|--:|--:|\n";
    for one in &native {
        let name = &one.body;
        let [first, last, value] =
            ["splice", "splice-last", "splice-value"].map(|case| time(of(name, case)));
        let _ = writeln!(page, "| {name} | {first} | {last} | {value} |");
    }

    page += &decisions(&of);

    page += "\n## Plan\n\nNatively. Route: everything from the headers to the encoded plan, the scan of chat-1k included.\n\n\
             | Targets | Route | Encode | Decode | Begin the first attempt |\n|--:|--:|--:|--:|--:|\n";
    for (targets, group) in [(1, "plan-one-target"), (2, "plan-two-targets")] {
        let cases = ["route", "encode", "decode", "begin"].map(|case| time(of(group, case)));
        let _ = writeln!(page, "| {targets} | {} |", cases.join(" | "));
    }

    page += "\n## Content\n\nWhat conditions ask of a body, natively, after the scan: each time from the beginning. Field: one of the top \
             level. Conversation: who says what, and what is there beside text. Then the text of the last message of the user and \
             of all, its size, its estimated tokens, and the number of the conversation's beginning.\n\n| Body |";
    let asked: Vec<&str> = content::QUERIES.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(
        page,
        " {} |\n|---|{}",
        asked.join(" | "),
        "--:|".repeat(asked.len())
    );
    for one in &native {
        let group = format!("content_{}", one.body);
        let cases: Vec<String> = asked.iter().map(|case| time(of(&group, case))).collect();
        let _ = writeln!(page, "| {} | {} |", one.body, cases.join(" | "));
    }
    page += &prompts(&of);
    page + &observed(&of)
}

/// Renders the section about observing. The names of criterion's folders have no commas.
fn observed(of: &impl Fn(&str, &str) -> f64) -> String {
    let many = observing::EVENTS as f64;
    let mut page = format!(
        "\n## Observing\n\nNatively. Of the streams: one event, of {} that come one by one, each with a token, the last one with \
         the usage. All of them are read, whatever of the outcome is told.\n\n| Read | |\n|---|--:|\n",
        observing::EVENTS
    );
    for name in observing::streams() {
        let _ = writeln!(page, "| {name} | {} |", time(of("observe", name) / many));
    }
    let whole = observing::WHOLE;
    let _ = writeln!(page, "| {whole} | {} |", time(of("observe", whole)));
    page += "\nOf a streamed request of the demo's document that one attempt has answered:\n\n| | |\n|---|--:|\n";
    for (name, what) in observing::REQUESTS {
        let _ = writeln!(page, "| {what} | {} |", time(of("observe-request", name)));
    }
    page
}

fn decisions(of: &impl Fn(&str, &str) -> f64) -> String {
    let mut page = format!(
        "\n## Decide\n\nThe last route takes the request, natively. By headers: three conditions a route, on 35 headers, of \
         requests that are read already. Mixed: the whole decision on chat-1k with 35 headers and a verified token, from the \
         headers on, with all reading that it asks for. {}.\n\n\
         | Routes | Exact names | By headers | Mixed |\n|--:|--:|--:|--:|\n",
        mixed::MIX
    );
    for routes in native::ROUTES {
        let case = routes.to_string();
        let cases = ["decide-exact", "decide-headers", "decide-mixed"];
        let cases = cases.map(|group| time(of(group, &case)));
        let _ = writeln!(page, "| {routes} | {} |", cases.join(" | "));
    }
    page
}

fn prompts(of: &impl Fn(&str, &str) -> f64) -> String {
    let mut page = String::from(
        "\n## Prompt\n\nNatively, in texts that have nothing of what is looked for, so that all of them is read. Nearly \
         every word of the English texts begins as those do that are looked for.\n\n| Looked for | Language |",
    );
    let sizes = prompt::SIZES.map(|(size, _)| size);
    let _ = writeln!(page, " {} |\n|---|---|--:|--:|--:|", sizes.join(" | "));
    for name in prompt::NAMES {
        for (language, _) in prompt::LANGUAGES {
            let cases = sizes.map(|size| time(of("prompt", &format!("{name}-{language}/{size}"))));
            let _ = writeln!(page, "| {name} | {language} | {} |", cases.join(" | "));
        }
    }
    let sizes = prompt::CATASTROPHIC_SIZES.map(|(size, _)| size);
    let _ = write!(
        page,
        "\nWhat makes other engines quadratic or worse:\n\n| Expression | {} |\n|---|--:|--:|\n",
        sizes.join(" | ")
    );
    let expressions = prompt::CATASTROPHIC.map(|(name, source, _)| (name, source));
    for (name, shown) in expressions.into_iter().chain([prompt::CATASTROPHIC_WORDS]) {
        let cases = sizes.map(|size| time(of("prompt-catastrophic", &format!("{name}/{size}"))));
        let shown = shown.replace('|', "\\|");
        let _ = writeln!(page, "| `{shown}` | {} |", cases.join(" | "));
    }
    page
}

pub(crate) fn write(page: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches/record")
        .join(date());
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("core.md");
    std::fs::write(&path, page).unwrap();
    path
}

/// Returns a median in nanoseconds from criterion's files.
fn median(results: &Path, group: &str, case: &str) -> f64 {
    let path = results.join(group).join(case).join("new/estimates.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let estimates: Value = serde_json::from_slice(&text).unwrap();
    let median = estimates.pointer("/median/point_estimate");
    median.and_then(Value::as_f64).expect("criterion's median")
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.0} ns"),
        ..1e5 => format!("{:.1} µs", nanoseconds / 1e3),
        ..1e6 => format!("{:.0} µs", nanoseconds / 1e3),
        _ => format!("{:.2} ms", nanoseconds / 1e6),
    }
}

fn date() -> String {
    output("date", &["-u", "+%Y-%m-%d"])
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| output("sysctl", &["-n", "machdep.cpu.brand_string"]));
    format!("{processor}, {cores} CPUs, {}", output("uname", &["-sm"]))
}

/// Parses `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn envoy_version() -> String {
    let program = envoy::program();
    let printed = output(&program.to_string_lossy(), &["--version"]);
    let version = printed
        .rsplit_once("version: ")
        .and_then(|(_, rest)| rest.split('/').nth(1));
    let version = version.unwrap_or("of unknown version");
    format!("Envoy {version}")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let printed = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&printed).trim().to_owned()
}
