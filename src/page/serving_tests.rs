//! Tests of who may see the page, and of the bytes that are served.

use super::*;
use crate::config::Page;
use crate::request::Headers;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let pairs = pairs.iter();
    Headers::new(
        pairs
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    )
}

fn get(path: &str, more: &[(&str, &str)]) -> Headers {
    headers(&[&[(":method", "GET"), (":path", path)], more].concat())
}

#[test]
fn who_asks_for_what() {
    let page = Page {
        path: "/llm-router".to_owned(),
        access: PageAccess::Public,
    };
    let html = Some(PageFormat::Html);
    let json = Some(PageFormat::Json);
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (path, accept, expected) in [
        ("/llm-router", browser, html),
        ("/llm-router?", browser, html),
        ("/llm-router?a=b", "*/*", html),
        ("/llm-router", "application/json", json),
        ("/llm-router", "text/html, application/json", html),
        ("/llm-router?a=b&format=json", browser, json),
        ("/llm-router.json", browser, json),
        ("/llm-router.json?x", "", json),
        ("/llm-router/", browser, None),
        ("/llm-router.jsonx", browser, None),
        ("/llm-routers", browser, None),
        ("/LLM-router", browser, None),
        ("/", browser, None),
        ("/v1/models", browser, None),
    ] {
        assert_eq!(
            authorized_format(&page, &get(path, &[("accept", accept)])),
            expected,
            "{path} {accept}"
        );
    }
    for (method, expected) in [
        ("HEAD", html),
        ("POST", None),
        ("OPTIONS", None),
        ("get", None),
    ] {
        let headers = headers(&[(":method", method), (":path", "/llm-router")]);
        assert_eq!(authorized_format(&page, &headers), expected, "{method}");
    }
    let upgrade = get("/llm-router", &[("upgrade", "websocket")]);
    assert_eq!(authorized_format(&page, &upgrade), None);
}

#[test]
fn without_the_secret_there_is_no_page() {
    let page = Page {
        path: "/llm-router".to_owned(),
        access: PageAccess::Secret {
            header: "x-page".to_owned(),
            sha256: sha256(b"right"),
        },
    };
    let with = |values: &[&str]| {
        let more: Vec<_> = values.iter().map(|value| ("x-page", *value)).collect();
        authorized_format(&page, &get("/llm-router", &more))
    };
    assert_eq!(with(&["right"]), Some(PageFormat::Html));
    for wrong in [
        &[][..],
        &[""],
        &["wrong"],
        &["Right"],
        &["right "],
        &["right", "right"],
        &["wrong", "right"],
    ] {
        assert_eq!(with(wrong), None, "{wrong:?}");
    }
}

/// Whatever names contain, the page stays intact.
#[test]
fn hostile_names_stay_data() {
    let hostile = Outcome {
        model: Some("</script><script>alert(1)</script><!--\u{7}".to_owned()),
        caller: Some("{{data}}".to_owned()),
        ..outcome()
    };
    let data = shown(&seen(&[hostile], 1), NOW);
    let empty = render(PageFormat::Html, &json!({}));
    let full = render(PageFormat::Html, &data);
    let text = String::from_utf8(full.body).unwrap();
    assert_eq!(text.matches("</script>").count(), 2);
    assert_eq!(text.matches("<script").count(), 2);
    assert!(!text.contains("<!--"));
    // Script and style are unchanged, so their hashes still hold.
    assert_eq!(full.headers, empty.headers);
    let (_, data_text) = text
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    let (data_text, _) = data_text.split_once("</script>").unwrap();
    let parsed: Value = serde_json::from_str(data_text).unwrap();
    assert_eq!(parsed, data);
    let json = render(PageFormat::Json, &data);
    assert_eq!(serde_json::from_slice::<Value>(&json.body).unwrap(), data);
    // Names contain no control characters any more.
    assert!(!parsed.to_string().contains("\\u0007"));
}

/// With these characters, `x-abc` could look like `x-cba`, or a name could differ from what is displayed.
#[test]
fn no_name_looks_like_another_one() {
    let named = |model: &str| Outcome {
        model: Some(model.to_owned()),
        ..outcome()
    };
    for unseen in [
        '\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{200d}', '\u{2028}', '\u{feff}',
        '\u{ad}', '\u{7f}', '\n',
    ] {
        let data = shown(&seen(&[named(&format!("x-{unseen}abc"))], 1), NOW);
        assert_eq!(data["decisions"][0]["model"], "x-\u{fffd}abc", "{unseen:?}");
    }
    let data = shown(&seen(&[named("模型-é אב")], 1), NOW);
    assert_eq!(data["decisions"][0]["model"], "模型-é אב");
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = include_str!("page.html");
    for outside in [
        "http:",
        "https:",
        "url(",
        "@import",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ] {
        // The namespace of SVG is a name, not an address that a browser loads.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(outside), "{outside}");
    }
    for attribute in [" style=", " onclick=", " onload=", " src="] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    assert_eq!(page.matches("{{data}}").count(), 1);
    let response = render(PageFormat::Html, &json!({}));
    let (_, policy) = response
        .headers
        .iter()
        .find(|(name, _)| *name == "content-security-policy")
        .unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let hash = |begin: &str, end: &str| {
        let (_, rest) = page.split_once(begin).unwrap();
        let (inside, _) = rest.split_once(end).unwrap();
        assert!(inside.len() > 500);
        super::sha256::base64(&sha256(inside.as_bytes()))
    };
    let script = hash("<script>", "</script>");
    let style = hash("<style>", "</style>");
    assert!(
        policy.contains(&format!("script-src 'sha256-{script}';")),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("style-src 'sha256-{style}';")),
        "{policy}"
    );
}
