//! Tests of `defaults.page`: who may see the status page.

use crate::config::{Document, Page, PageAccess};
use crate::page::sha256;

/// Reads `defaults.page`, and returns the page or the errors.
fn read(page: &str) -> Result<Option<Page>, Vec<String>> {
    let text = format!(
        "backends: [{{name: b, schema: openai, models: [{{name: m}}]}}]\n\
         routes: [{{name: r, match: {{model: m}}, targets: [{{backend: b}}]}}]\n\
         defaults: {{page: {page}}}"
    );
    let errors = |errors: Vec<_>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let document = Document::of_yaml(&text).map_err(errors)?;
    Ok(document.page)
}

#[test]
fn who_gets_it() {
    let public = read("{public: true}").unwrap().unwrap();
    assert_eq!(public.path, "/llm-router");
    assert_eq!(public.access, PageAccess::Public);
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let secret = read(&format!(
        "{{path: /ops/.llm, secret_header: X-Page-Secret, secret_sha256: {digest}}}"
    ));
    let secret = secret.unwrap().unwrap();
    assert_eq!(secret.path, "/ops/.llm");
    let expected = PageAccess::Secret {
        header: "x-page-secret".to_owned(),
        sha256: sha256(b"abc"),
    };
    assert_eq!(secret.access, expected);
}

#[test]
fn it_is_never_open_by_mistake() {
    let digest = "00".repeat(32);
    for (page, expected) in [
        ("{path: /a}".to_owned(), "must say who may see the page"),
        ("{public: false}".to_owned(), "must say who may see the page"),
        ("{secret_header: x-page}".to_owned(), "must say who may see the page"),
        (
            format!("{{secret_sha256: '{digest}'}}"),
            "must say who may see the page",
        ),
        (
            format!("{{public: true, secret_header: x-page, secret_sha256: '{digest}'}}"),
            "has both `public: true` and a secret",
        ),
        (
            "{secret_header: x-page, secret_sha256: secret}".to_owned(),
            "64 hexadecimal digits",
        ),
        (
            format!("{{secret_header: authorization, secret_sha256: '{digest}'}}"),
            "cannot be changed here",
        ),
        (
            "{secret_header: x-page, secret_sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}"
                .to_owned(),
            "is the SHA-256 of an empty value",
        ),
        (
            "{path: /a//b, public: true}".to_owned(),
            "has an empty segment",
        ),
        ("{path: //a, public: true}".to_owned(), "has an empty segment"),
        (
            "{path: /a/../b, public: true}".to_owned(),
            "has an empty segment",
        ),
        (
            "{path: /a/., public: true}".to_owned(),
            "has an empty segment",
        ),
        ("{public: true, secret: open}".to_owned(), "unknown field"),
        ("{path: llm, public: true}".to_owned(), "must begin with"),
        ("{path: /, public: true}".to_owned(), "must begin with"),
        ("{path: /llm/, public: true}".to_owned(), "must begin with"),
        (
            "{path: /llm.json, public: true}".to_owned(),
            "must begin with",
        ),
        (
            "{path: '/llm?x', public: true}".to_owned(),
            "must begin with",
        ),
        (
            "{path: /v1/models, public: true}".to_owned(),
            "path of an API",
        ),
        (
            "{path: /v1/files, public: true}".to_owned(),
            "path of an API",
        ),
    ] {
        let errors = read(&page).unwrap_err();
        assert_eq!(errors.len(), 1, "{page}: {errors:?}");
        assert!(errors[0].contains("defaults.page"), "{page}: {errors:?}");
        assert!(errors[0].contains(expected), "{page}: {errors:?}");
    }
}
