//! Renders the chart: CPU per request by variant, with a panel for each body.

use super::summary::{Stat, cpu_per_request};
use super::tables::number;
use super::{Answer, BARE, Cell, NO_WASM, NOOP_1, NOOP_2, Purpose, ROUTER, ROUTER_100, Record};

/// The bars of a panel, from top to bottom.
const BARS: [&str; 6] = [BARE, NO_WASM, NOOP_1, NOOP_2, ROUTER, ROUTER_100];

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
const HEAD: f64 = 84.0;
const COLUMNS: usize = 2;
const GAP: f64 = 32.0;
const PANEL_WIDTH: f64 = (WIDTH - 2.0 * MARGIN - GAP) / 2.0;
const PANEL_HEAD: f64 = 32.0;
const BAR: f64 = 20.0;
const STEP: f64 = 26.0;
const LABEL: f64 = 120.0;
/// The room for the label after the longest bar.
const VALUE: f64 = 118.0;

/// Returns the cells in the chart, one for each body: answered whole, with 32 connections, in all variants.
pub(crate) fn charted(record: &Record) -> Vec<&Cell> {
    let cells = record.cells_for(Purpose::Main);
    cells
        .filter(|cell| {
            cell.answer == Answer::Whole
                && cell.connections == 32
                && cell.variants.iter().any(|variant| variant == NOOP_2)
        })
        .collect()
}

pub(crate) fn render(record: &Record) -> String {
    let cells = charted(record);
    let panels = cells.chunks(COLUMNS);
    let mut body = String::new();
    let mut top = HEAD;
    for row in panels {
        let mut height: f64 = 0.0;
        let mut left = MARGIN;
        for cell in row {
            height = height.max(panel(record, cell, left, top, &mut body));
            left += PANEL_WIDTH + GAP;
        }
        top += height + 22.0;
    }
    let height = top + 6.0;
    let smoke = if record.quick { " (a smoke test)" } else { "" };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
         height=\"{height:.0}\" role=\"img\" \
         font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\">\n\
         <title>CPU microseconds per request by variant, for each body</title>\n\
         <rect width=\"{WIDTH:.0}\" height=\"{height:.0}\" rx=\"10\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN:.0}\" y=\"38\" font-size=\"19\" font-weight=\"600\" fill=\"#1b2430\">CPU µs per request of the \
         Envoy process, and its ratio to bare Envoy</text>\n\
         <text x=\"{MARGIN:.0}\" y=\"60\" fill=\"#5a6675\">32 connections, one worker on one CPU, answers whole. \
         Medians; thin lines: least and most. Rounds: {}. {}{smoke}</text>\n{body}</svg>\n",
        record.rounds, record.date
    )
}

fn panel(record: &Record, cell: &Cell, left: f64, top: f64, body: &mut String) -> f64 {
    let bars: Vec<(&str, Stat, Option<Stat>)> = BARS
        .iter()
        .filter_map(|variant| {
            let stat = record.stat(&cell.id, variant, cpu_per_request)?;
            let ratio = record.ratio_to_bare(&cell.id, variant, cpu_per_request);
            Some((*variant, stat, ratio))
        })
        .collect();
    let most = bars
        .iter()
        .map(|(_, stat, _)| stat.median)
        .fold(0.0, f64::max);
    let title = escaped(&cell.title);
    body.push_str(&format!(
        "<text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"15\" font-weight=\"600\" fill=\"#1b2430\">{title}</text>\n",
        top + 16.0
    ));
    if bars.is_empty() {
        body.push_str(&format!(
            "<text x=\"{left:.1}\" y=\"{:.1}\" fill=\"#5a6675\">not measured</text>\n",
            top + PANEL_HEAD + 14.0
        ));
        return PANEL_HEAD + STEP;
    }
    let room = PANEL_WIDTH - LABEL - VALUE;
    let start = left + LABEL;
    let mut y = top + PANEL_HEAD;
    for (variant, stat, ratio) in &bars {
        // The thin line may extend beyond the longest bar, but not out of the panel.
        let scale = |value: f64| (room * value / most).min(room + VALUE - 4.0);
        let width = scale(stat.median);
        let middle = y + BAR / 2.0;
        let text_y = middle + 4.6;
        let (color, weight) = match *variant {
            BARE => ("#93a1b0", "400"),
            ROUTER | ROUTER_100 => ("#2563c9", "600"),
            _ => ("#c3ccd6", "400"),
        };
        let ratio = match ratio {
            Some(ratio) if *variant != BARE => format!("  {:.2}×", ratio.median),
            _ => String::new(),
        };
        let text_x = start + width.max(scale(stat.max)) + 8.0;
        let text_x = text_x.min(left + PANEL_WIDTH - VALUE + 40.0);
        body.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{text_y:.1}\" text-anchor=\"end\" fill=\"#1b2430\" \
             font-weight=\"{weight}\">{variant}</text>\n\
             <rect x=\"{start:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR:.0}\" rx=\"3\" fill=\"{color}\"/>\n\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"#1b2430\" \
             stroke-width=\"1.2\"/>\n\
             <text x=\"{text_x:.1}\" y=\"{text_y:.1}\" fill=\"#1b2430\" font-weight=\"{weight}\" \
             xml:space=\"preserve\">{}{ratio}</text>\n",
            start - 8.0,
            start + scale(stat.min),
            start + scale(stat.max),
            number(stat.median),
        ));
        y += STEP;
    }
    y - top
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
