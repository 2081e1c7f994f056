//! Shows the command line as a comment in its output.

use super::yaml::comment;

/// Returns the command, each option on a line of its own.
pub(super) fn shown(arguments: &[String]) -> Vec<String> {
    let mut lines = vec!["#   llm-router".to_owned()];
    for argument in arguments {
        let word = comment(&quoted(argument));
        match lines.last_mut() {
            Some(line) if !argument.starts_with("--") => line.extend([" ", &word]),
            last => {
                if let Some(line) = last {
                    line.push_str(" \\");
                }
                lines.push(format!("#     {word}"));
            }
        }
    }
    lines
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command() {
        let arguments = [
            "render", "envoy", "a b", "--key", "it's=x", "--ca", "", "x\ny",
        ];
        let expected = [
            "#   llm-router render envoy 'a b' \\",
            r"#     --key 'it'\''s=x' \",
            "#     --ca '' 'x\u{fffd}y'",
        ];
        assert_eq!(shown(&arguments.map(str::to_owned)), expected);
    }
}
