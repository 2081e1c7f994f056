//! Reads and moves the ports of an Envoy file as text. That is enough for a file with one `port_value: NNNN` on each
//! line, and keeps the comments that a YAML parser would lose.

use std::fmt::Write as _;

const KEY: &str = "port_value:";

/// The ports on which a file makes Envoy listen, without those of clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) admin: Option<u16>,
    pub(crate) listeners: Vec<u16>,
}

impl Ports {
    /// Finds the ports of a file; each belongs to the last `admin:`, `listeners:` or `clusters:` above it.
    pub(crate) fn of(file: &str) -> Ports {
        let mut ports = Ports::default();
        let mut section = "";
        for line in file.lines() {
            let line = line.trim_start();
            if line.starts_with('#') {
                continue;
            }
            for name in ["admin:", "listeners:", "clusters:"] {
                if line.starts_with(name) {
                    section = name;
                }
            }
            if let Some((_, port)) = split_port(line) {
                match section {
                    "admin:" => ports.admin = Some(port),
                    "listeners:" => ports.listeners.push(port),
                    _ => {}
                }
            }
        }
        ports
    }
}

/// Adds `offset` to every port of a file; `None` if one would exceed 65535.
pub(crate) fn moved(file: &str, offset: u16) -> Option<String> {
    let mut moved = String::with_capacity(file.len());
    for line in file.split_inclusive('\n') {
        match split_port(line) {
            None => moved.push_str(line),
            Some((before, port)) => {
                let port = port.checked_add(offset)?;
                let rest = line.strip_prefix(before)?;
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                write!(moved, "{before}{port}{rest}").ok()?;
            }
        }
    }
    Some(moved)
}

/// Splits a line into the text before the port, and the port.
fn split_port(line: &str) -> Option<(&str, u16)> {
    let (before, after) = line.split_once(KEY)?;
    if before.contains('#') {
        return None;
    }
    let digits = after.trim_start();
    let port = digits
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()?;
    // Both are parts of the line, so their lengths always fit.
    let before = line.get(..line.len().checked_sub(digits.len())?)?;
    Some((before, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
static_resources:
  listeners:
  # port_value: 1
  - address:
      socket_address:
        port_value: 10000 # where clients connect
  clusters:
  - endpoint: {port_value: 9101}
";

    #[test]
    fn ports_that_envoy_listens_on() {
        assert_eq!(
            Ports::of(FILE),
            Ports {
                admin: Some(9901),
                listeners: vec![10000]
            }
        );
    }

    #[test]
    fn every_port_is_moved_and_nothing_else() {
        let moved = moved(FILE, 100).unwrap();
        let expected = FILE
            .replace("9901", "10001")
            .replace("10000 #", "10100 #")
            .replace("9101", "9201");
        assert_eq!(moved, expected);
    }

    #[test]
    fn no_port_is_above_65535() {
        assert_eq!(moved(FILE, 60000), None);
    }
}
