//! The tables of the docs, for the tests that hold them to the code.

/// The rows of the table behind the comment that names it, without its head.
#[track_caller]
pub(crate) fn lines<'d>(page: &'d str, table: &str) -> Vec<&'d str> {
    let begin = format!("<!-- table: {table} -->\n");
    let (_, table) = page.split_once(&begin).unwrap();
    let lines = table.lines().take_while(|line| line.starts_with('|'));
    lines.skip(2).collect()
}

/// The same, cell by cell.
#[track_caller]
pub(crate) fn rows<'d>(page: &'d str, table: &str) -> Vec<Vec<&'d str>> {
    let cells = |line: &'d str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines(page, table).into_iter().map(cells).collect()
}

/// What stands between backquotes.
pub(crate) fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What stands first between backquotes in each row.
#[track_caller]
pub(crate) fn first_names<'d>(page: &'d str, table: &str) -> Vec<&'d str> {
    let lines = lines(page, table).into_iter();
    lines.map(|line| quoted(line)[0]).collect()
}
