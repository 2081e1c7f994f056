//! Reads the tables of the docs, for the tests that compare them with the code.

/// Returns the rows of the table that follows the comment with its name, without the table's head.
#[track_caller]
pub(crate) fn lines<'d>(page: &'d str, table: &str) -> Vec<&'d str> {
    let begin = format!("<!-- table: {table} -->\n");
    let (_, table) = page.split_once(&begin).unwrap();
    let lines = table.lines().take_while(|line| line.starts_with('|'));
    lines.skip(2).collect()
}

/// Returns the rows of a table, split into cells.
#[track_caller]
pub(crate) fn rows<'d>(page: &'d str, table: &str) -> Vec<Vec<&'d str>> {
    let cells = |line: &'d str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines(page, table).into_iter().map(cells).collect()
}

/// Returns the texts between backquotes.
pub(crate) fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Returns the first text between backquotes of each row.
#[track_caller]
pub(crate) fn first_names<'d>(page: &'d str, table: &str) -> Vec<&'d str> {
    let lines = lines(page, table).into_iter();
    lines.map(|line| quoted(line)[0]).collect()
}
