//! Reads the descriptions of fields from docs/configuration.md.

/// The row of a field in the documentation.
pub(super) struct Row<'a> {
    pub(super) path: String,
    pub(super) required: bool,
    default: &'a str,
    meaning: &'a str,
}

impl Row<'_> {
    pub(super) fn description(&self) -> String {
        let mut text = without_links(self.meaning);
        if !self.default.is_empty() {
            text.push_str(" Default: ");
            text.push_str(&without_links(self.default));
            text.push('.');
        }
        text
    }
}

pub(super) fn rows() -> Vec<Row<'static>> {
    let docs = include_str!("../../../docs/configuration.md");
    let table = |name: &str| {
        let start = format!("<!-- table: {name} -->\n");
        let table = docs.split_once(&start).map_or("", |(_, table)| table);
        let lines = table.lines().take_while(|line| line.starts_with('|'));
        lines.skip(2).collect::<Vec<&str>>()
    };
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim);
    let mut rows = Vec::new();
    for line in table("fields") {
        let cells: Vec<&str> = cells(line).collect();
        if let [path, required, default, meaning] = cells.as_slice() {
            rows.push(Row {
                path: path.trim_matches('`').to_owned(),
                required: *required == "yes",
                default,
                meaning,
            });
        }
    }
    for shape in ["match", "field", "bounds", "prompt", "mesh", "time"] {
        for line in table(shape) {
            let cells: Vec<&str> = cells(line).collect();
            let (name, default, meaning) = match cells.as_slice() {
                [name, meaning] => (name, "", meaning),
                [name, default, meaning] => (name, *default, meaning),
                _ => continue,
            };
            rows.push(Row {
                path: format!("{shape}.{}", name.trim_matches('`')),
                required: false,
                default,
                meaning,
            });
        }
    }
    rows
}

/// Converts documentation to the text that an editor shows: `[text](link)` becomes `text`.
fn without_links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The text of the link begins at the last bracket.
        if let Some(at) = out.rfind('[') {
            out.remove(at);
        }
        out.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    out.replace('`', "")
}
