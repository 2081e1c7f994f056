//! Checks that the benchmark records in the repository match what their numbers render to, and that README.md shows the
//! newest one.

#[path = "../benches/bodies/mod.rs"]
mod bodies;
#[path = "../benches/load/record/mod.rs"]
mod record;

use std::fs;
use std::path::Path;

use record::summary::{Stat, cpu_per_request, requests_per_second};
use record::{
    Answer, BARE, Cell, DIRECT, NOOP_2, OBSERVED, ROUTER, Record, Run, UNOBSERVED, goals,
    observing, page, readme, svg,
};

const RECORDS: &str = "benches/record";

#[test]
fn records_are_what_their_numbers_render_to() {
    for folder in record::all(Path::new(RECORDS)) {
        let record = Record::read(&folder).unwrap();
        for (file, rendered) in [
            ("results.json", record.to_json().unwrap()),
            ("README.md", page::render(&record)),
            ("cpu.svg", svg::render(&record)),
        ] {
            let stored = fs::read_to_string(folder.join(file)).unwrap();
            assert!(
                stored == rendered,
                "{}/{file} is stale: `make bench-readme`",
                folder.display()
            );
        }
        assert!(!record.quick, "a smoke test is no record");
    }
}

#[test]
fn the_readme_shows_the_newest_record() {
    let newest = record::all(Path::new(RECORDS)).pop().map(|folder| {
        let record = Record::read(&folder).unwrap();
        (folder, record)
    });
    let block = readme::block(newest.as_ref().map(|(folder, record)| (&**folder, record)));
    let text = fs::read_to_string("README.md").unwrap();
    let expected = readme::with_block(&text, &block)
        .unwrap_or_else(|| panic!("README.md lacks {} and {}", readme::BEGIN, readme::END));
    assert!(
        text == expected,
        "README.md does not show the newest record: `make bench-readme`"
    );
}

#[test]
fn bodies_have_the_sizes_that_the_tables_tell() {
    let sizes = bodies::all("gpt-5.5").map(|(name, body)| (name, body.len()));
    let expected = [
        ("chat-1k", 1 << 10),
        ("agent-30k", 30 << 10),
        ("escapes-100k", 100 << 10),
        ("conversation-1m", 1 << 20),
        ("image-1m", 1 << 20),
    ];
    assert_eq!(sizes, expected);
    for (name, body) in bodies::all("gpt-5.5") {
        let body = String::from_utf8(body).unwrap();
        assert!(body.starts_with(r#"{"model":"gpt-5.5","#), "{name}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap();
    }
}

#[test]
fn medians_and_ratios_go_by_rounds() {
    let record = example();
    let cpu = record.stat("chat-1k-32", BARE, cpu_per_request).unwrap();
    assert_eq!((cpu.min, cpu.median, cpu.max), (50.0, 55.0, 60.0));
    // 75 / 50 and 120 / 60.
    let ratio = record.ratio_to_bare("chat-1k-32", ROUTER, cpu_per_request);
    let expected = Stat {
        median: 1.75,
        min: 1.5,
        max: 2.0,
    };
    assert_eq!(ratio, Some(expected));
    let rate = record.stat("chat-1k-32", ROUTER, requests_per_second);
    assert_eq!(rate.map(|rate| rate.median), Some(500.0));
}

/// The sentence has the numbers of the table, and no goal applies to these cells.
#[test]
fn what_observing_costs_is_told_step_by_step() {
    let mut record = example();
    let goals_before = goals::table(&record);
    let charted = svg::charted(&record).len();
    let observed = [
        (
            observing::WHOLE,
            Answer::Whole,
            1,
            [50.0, 60.0, 100.0, 112.5, 114.0],
        ),
        (
            observing::MANY,
            Answer::Many,
            1024,
            [512.0, 768.0, 1024.0, 1536.0, 1536.0],
        ),
    ];
    for (id, answer, events, cpu) in observed {
        let cell = Cell {
            id: id.to_owned(),
            answer,
            variants: observing::VARIANTS.map(str::to_owned).into(),
            ..record.cells[0].clone()
        };
        for (variant, cpu) in observing::VARIANTS.into_iter().zip(cpu) {
            record.runs.push(Run {
                cell: id.to_owned(),
                variant: variant.to_owned(),
                round: 1,
                seconds: 2.0,
                requests: 10,
                served: 10,
                events: events * 10,
                cpu_us: Some(cpu * 10.0),
                ..Run::default()
            });
        }
        record.cells.push(cell);
    }
    let section = observing::section(&record);
    let row = section
        .lines()
        .find(|row| row.contains(&format!("`{OBSERVED}` over `{UNOBSERVED}`")));
    let expected = "12.5 (12.5–12.5) | 1.12× (1.12–1.12) | 500 (500–500) | 1.50× (1.50–1.50) |";
    assert!(row.unwrap().ends_with(expected), "{section}");
    let block = readme::block(Some((Path::new("2026-11-21"), &record)));
    let sentence = "takes 12.5 µs of that for a request of 1 KB, the page 1.5 µs more; for each event of a stream 500 ns and 0.0 ns.";
    assert!(block.contains(sentence), "{block}");
    assert_eq!(goals::table(&record), goals_before);
    assert_eq!(svg::charted(&record).len(), charted);
    assert_eq!(observing::section(&example()), "");
}

#[test]
fn failed_runs_are_shown_and_not_counted() {
    let mut record = example();
    let last = record.runs.last_mut().unwrap();
    last.failure = Some("of 1000 requests: 3 answers other than 2xx".to_owned());
    let ratio = record.ratio_to_bare("chat-1k-32", ROUTER, cpu_per_request);
    assert_eq!(ratio.map(|ratio| ratio.median), Some(1.5));
    let page = page::render(&record);
    assert!(page.contains("(1 failed)"));
    assert!(page.contains("round 2: of 1000 requests: 3 answers other than 2xx"));
}

#[test]
fn what_was_not_measured_stays_empty() {
    let mut record = example();
    for run in &mut record.runs {
        run.cpu_us = None;
    }
    assert!(page::render(&record).contains("| `bare` | – | – | 500 "));
    assert!(svg::render(&record).contains("not measured"));
}

#[test]
fn a_record_survives_its_files() {
    let record = example();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("2026-11-21");
    record.write(&folder).unwrap();
    let again = Record::read(&folder).unwrap();
    assert_eq!(again.to_json().unwrap(), record.to_json().unwrap());
    let block = readme::block(Some((&folder, &again)));
    assert!(block.contains("(benches/record/2026-11-21/README.md)"));
    assert!(block.contains("**1.75×**"));
}

#[test]
fn only_what_is_between_the_markers_is_replaced() {
    let text = format!("a {}old{} b", readme::BEGIN, readme::END);
    let new = readme::with_block(&text, "new\n").unwrap();
    assert_eq!(new, format!("a {}\nnew\n{} b", readme::BEGIN, readme::END));
    assert_eq!(readme::with_block("nothing", ""), None);
}

/// Returns two rounds of one cell.
fn example() -> Record {
    let variants = [DIRECT, BARE, NOOP_2, ROUTER];
    let cell = Cell {
        id: "chat-1k-32".to_owned(),
        body: "chat-1k".to_owned(),
        title: "1 KB chat".to_owned(),
        bytes: 1024,
        answer: Answer::Whole,
        connections: 32,
        variants: variants.map(str::to_owned).into(),
    };
    let run = |variant: &str, round, cpu: Option<f64>| Run {
        cell: cell.id.clone(),
        variant: variant.to_owned(),
        round,
        seconds: 2.0,
        requests: 1000,
        served: 1000,
        cpu_us: cpu.map(|cpu| cpu * 1000.0),
        ..Run::default()
    };
    let runs = vec![
        run(DIRECT, 1, None),
        run(BARE, 1, Some(50.0)),
        run(ROUTER, 1, Some(75.0)),
        run(DIRECT, 2, None),
        run(BARE, 2, Some(60.0)),
        run(ROUTER, 2, Some(120.0)),
    ];
    Record {
        date: "2026-11-21".to_owned(),
        rounds: 2,
        seconds: 2,
        cells: vec![cell],
        runs,
        ..Record::default()
    }
}
