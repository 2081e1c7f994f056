//! Target: a JSON body that the scan accepts means the same to `serde_json`, and a body that `serde_json` reads is
//! accepted.

use llm_router::config::Tree;
use llm_router::request::{
    BodyKind, BodyView, Content, MAX_MODEL_BYTES, ModelRequirement, PromptPart, ScanError, scan,
};
use llm_router::schema::Api;

use super::json::{self, ParsedJson};

pub fn run(body: &[u8]) {
    for requirement in [ModelRequirement::Required, ModelRequirement::Optional] {
        check(body, requirement, scan(body, requirement));
    }
}

const MARK: &[u8] = b"\xef\xbb\xbf";

fn check(body: &[u8], requirement: ModelRequirement, scanned: Result<BodyView, ScanError>) {
    let text = body.strip_prefix(MARK).unwrap_or(body);
    match (scanned, json::read(text)) {
        (Ok(view), ParsedJson::Valid(tree)) => {
            assert_eq!(view.bom_length, body.len() - text.len());
            check_view(body, &view, &tree);
            check_content(body, &tree);
            check_spacing(body, requirement, &view, &tree);
        }
        (Ok(_), ParsedJson::LimitReached) => {}
        (Ok(view), ParsedJson::Invalid) => panic!("taken for JSON: {view:?}"),
        (Err(error), ParsedJson::Valid(tree)) => check_refusal(body, requirement, error, &tree),
        (Err(_), ParsedJson::LimitReached | ParsedJson::Invalid) => {}
    }
}

fn check_view(body: &[u8], view: &BodyView, tree: &Tree) {
    let Tree::Map(entries) = tree else {
        panic!("taken for an object: {tree:?}");
    };
    for name in ["model", "stream"] {
        let alike = json::count_alike(tree, name);
        assert!(alike <= 1 && alike == json::values(tree, name).len());
    }
    let is_true = json::values(tree, "stream") == [&Tree::Bool(true)];
    assert_eq!(view.stream, is_true);

    let place = view.insert_at.expect("an object has a beginning");
    assert_eq!(body[place.at - 1], b'{');
    assert_eq!(place.comma, !entries.is_empty());

    let model = view.model.as_ref();
    let expected = json::values(tree, "model");
    assert_eq!(
        model.map(|field| Tree::Text(field.name.clone())).as_ref(),
        expected.first().copied()
    );
    if let Some(field) = model {
        let quoted = &body[field.span.start - 1..=field.span.end];
        let meant: String = serde_json::from_slice(quoted).expect("the span is a string's inside");
        assert_eq!(meant, field.name);
    }
}

/// The content that conditions ask for can be read from any body, and is proportional to the body's size.
fn check_content(body: &[u8], tree: &Tree) {
    let Tree::Map(entries) = tree else { return };
    for api in Api::ALL {
        let content = Content::new(*api, &BodyKind::Json, body);
        let bytes = content.prompt_bytes();
        assert!(bytes <= 3 * body.len() as u64);
        let all = content.text(PromptPart::All).len() as u64;
        assert!((bytes..=2 * bytes + 1).contains(&all), "{bytes} of {all}");
        assert!(content.text(PromptPart::LastUser).len() <= content.text(PromptPart::User).len());
        assert!(u64::from(content.turns()) <= bytes + body.len() as u64);
        content.opening();
        content.prompt_tokens();
        // The last field of its name counts.
        if let Some((name, Tree::Bool(value))) = entries.last()
            && !name.contains('.')
            && name.len() <= 200
            && *api == Api::ChatCompletions
        {
            let written = value.to_string();
            assert_eq!(content.field(name), Some(written.as_bytes()), "{name:?}");
        }
    }
}

/// White space makes no difference.
fn check_spacing(body: &[u8], requirement: ModelRequirement, view: &BodyView, tree: &Tree) {
    // Writing the tree again would lose the escapes of keys.
    if body.contains(&b'\\') {
        return;
    }
    let mut compact = String::new();
    json::write(tree, &mut compact);
    let again = scan(compact.as_bytes(), requirement).expect("it is the same object");
    let said = |view: &BodyView| {
        let model = view.model.as_ref().map(|field| field.name.clone());
        (model, view.stream, view.state_reference)
    };
    // Only a character that is escaped without need can make a name longer than before.
    if !compact.contains('\\') {
        assert_eq!(said(&again), said(view));
    }
}

/// Checks that a body was refused for a valid reason.
fn check_refusal(body: &[u8], requirement: ModelRequirement, error: ScanError, tree: &Tree) {
    let models = json::values(tree, "model");
    let has_reason = match error {
        ScanError::Duplicate(name, at) => json::count_alike(tree, name) > 1 && body[at] == b'"',
        ScanError::NotAnObject => !matches!(tree, Tree::Map(_)),
        ScanError::MissingModel => requirement == ModelRequirement::Required && models.is_empty(),
        ScanError::InvalidModel => match models.as_slice() {
            [Tree::Text(name)] => {
                let is_short = (1..=MAX_MODEL_BYTES).contains(&name.len());
                !is_short || matches!(name.as_str(), "." | "..") || body.contains(&b'\\')
            }
            [_] => true,
            _ => requirement == ModelRequirement::Optional && json::count_alike(tree, "model") > 0,
        },
        ScanError::InvalidStream => match json::values(tree, "stream").as_slice() {
            [value] => !matches!(value, Tree::Bool(_) | Tree::Null),
            _ => json::count_alike(tree, "stream") > 0,
        },
        // The other reader has a lower limit for nesting, and everything else is JSON to it.
        _ => false,
    };
    assert!(has_reason, "refused: {error:?}");
}
