//! Reads the fields of a request's body: of a JSON object or of a form.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::record::RecordedRequest;

/// The fields of a body.
#[derive(Debug)]
pub(crate) enum Fields {
    /// The fields of a JSON object, each still as it was sent. A field that nobody reads may be as odd as it likes (a
    /// lone surrogate, a number that does not fit any type, a thousand nested arrays); the request is answered anyway.
    Json(BTreeMap<String, Box<RawValue>>),
    /// The parts of a form, in order.
    Form(Vec<FormPart>),
}

/// One part of a `multipart/form-data` body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormPart {
    pub(crate) name: String,
    /// The file name; only files have one.
    pub(crate) filename: Option<String>,
    pub(crate) content: Vec<u8>,
}

impl Fields {
    /// Reads a body according to its `content-type`; without one, as JSON.
    pub(crate) fn read(request: &RecordedRequest) -> Result<Fields, String> {
        let kind = request.header("content-type").unwrap_or_default();
        let kind = String::from_utf8_lossy(kind);
        if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
            let boundary = boundary(&kind).ok_or("The content-type names no boundary.")?;
            return form(&boundary, &request.body)
                .map(Fields::Form)
                .ok_or_else(|| "The body is no form with this boundary.".to_owned());
        }
        serde_json::from_slice(&request.body)
            .map(Fields::Json)
            .map_err(|error| format!("The body is no JSON object: {error}"))
    }

    /// Returns a field, if it exists and can be parsed. Fields of forms are strings.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        match self {
            Fields::Json(fields) => serde_json::from_str(fields.get(name)?.get()).ok(),
            Fields::Form(parts) => {
                let part = parts.iter().find(|part| part.name == name)?;
                let text = std::str::from_utf8(&part.content).ok()?;
                part.filename.is_none().then(|| Value::from(text))
            }
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_str().map(str::to_owned)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|flag| flag == Value::Bool(true) || flag == "true")
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        let number = self.get(name)?;
        match number.as_str() {
            Some(digits) => digits.parse().ok(),
            None => number.as_u64()?.try_into().ok(),
        }
    }

    /// Returns the last element of an array, however odd those before it are.
    pub(crate) fn last(&self, name: &str) -> Option<Value> {
        let Fields::Json(fields) = self else {
            return None;
        };
        let elements: Vec<&RawValue> = serde_json::from_str(fields.get(name)?.get()).ok()?;
        serde_json::from_str(elements.last()?.get()).ok()
    }

    /// Returns the files of a form.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FormPart> {
        let parts = match self {
            Fields::Json(_) => &[],
            Fields::Form(parts) => parts.as_slice(),
        };
        parts.iter().filter(|part| part.filename.is_some())
    }
}

fn boundary(content_type: &str) -> Option<String> {
    content_type
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim_matches('"').to_owned())
}

/// Returns the parts of a form; `None` unless it is exactly what RFC 7578 requires.
fn form(boundary: &str, body: &[u8]) -> Option<Vec<FormPart>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(delimiter.trim_start().as_bytes())?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let (head, after) = split_at(part, b"\r\n\r\n")?;
        let (content, after) = split_at(after, delimiter.as_bytes())?;
        parts.push(form_part(std::str::from_utf8(head).ok()?, content)?);
        rest = after;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn form_part(head: &str, content: &[u8]) -> Option<FormPart> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    let parameter = |wanted: &str| {
        disposition
            .split(';')
            .filter_map(|parameter| parameter.trim().split_once('='))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.trim_matches('"').to_owned())
    };
    Some(FormPart {
        name: parameter("name")?,
        filename: parameter("filename"),
        content: content.to_vec(),
    })
}

/// Splits bytes at the first `separator`.
fn split_at<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(separator.len())
        .position(|window| window == separator)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.strip_prefix(separator)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_and_its_files() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x\r\ncontent-disposition: \
                    form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n\r\n--y\r\n\r\n--x--\r\n";
        let parts = form("x", body.as_bytes()).unwrap();
        let fields = Fields::Form(parts);
        assert_eq!(fields.text("model").as_deref(), Some("m"));
        assert_eq!(fields.get("file"), None);
        let file = fields.files().next().unwrap();
        assert_eq!(file.filename.as_deref(), Some("a.wav"));
        assert_eq!(file.content, b"\r\n--y\r\n");
    }

    #[test]
    fn what_is_no_form() {
        let part = "Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
        for body in [
            String::new(),
            format!("--x\r\n{part}"),
            format!("--x\r\n{part}--x"),
            format!("--x\r\n{part}--y--"),
            format!("--x\n{part}--x--"),
            "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--".to_owned(),
        ] {
            assert_eq!(form("x", body.as_bytes()), None, "{body:?}");
        }
        let whole = format!("--x\r\n{part}--x--");
        assert_eq!(form("x", whole.as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn boundaries() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            (
                "multipart/form-data; charset=utf-8; Boundary=\"a b\"",
                Some("a b"),
            ),
            ("multipart/form-data", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected);
        }
    }
}
