//! A pass-through request on its way to the one backend that its route names: its body is not read, it gets one
//! attempt, and its answer passes through.

use super::adaptation::{HeaderChange, HeaderWrite, Refusal};
use super::outgoing_headers::{changes, private_headers, written_by_envoy};
use crate::config::Backend;
use crate::request::Headers;
use crate::schema::{Schema, without_credentials};
use crate::wire::{Reader, Writer};

/// The first byte of an encoded pass-through plan. An encoded plan begins with the number of a target instead.
const MARK: u8 = u8::MAX;

/// A pass-through request, as the router role leaves it in filter state for the backend role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassThroughPlan {
    /// The caller's schema, in which errors are written.
    pub schema: Schema,
    backend: String,
    changes: Vec<HeaderChange>,
}

impl PassThroughPlan {
    /// Builds the plan to this backend from the request's path and query.
    pub(crate) fn make(
        schema: Schema,
        backend: &Backend,
        headers: &Headers,
        (path, query): (&str, &str),
        cluster_header: Option<&str>,
    ) -> Self {
        let clean_query = without_credentials(query);
        let query = if backend.forward_client_credentials {
            query
        } else {
            &clean_query
        };
        let path = backend.path.pass(path, query);
        let private = private_headers(headers);
        let mut changes = changes(backend, &path, headers, &private);
        changes.extend(cluster_header.map(HeaderChange::remove));
        PassThroughPlan {
            schema,
            backend: backend.name.clone(),
            changes,
        }
    }

    /// Returns the header changes that turn the request into what the backend should see.
    ///
    /// # Errors
    /// Returns [`Refusal::Mismatch`] if `backend` is not the one that the plan is for.
    pub fn begin(self, backend: &str) -> Result<HeaderWrite, Refusal> {
        if self.backend == backend {
            Ok(HeaderWrite::Change(self.changes, written_by_envoy(None)))
        } else {
            Err(Refusal::Mismatch(self.backend))
        }
    }

    /// Encodes the plan for filter state.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(MARK);
        let schema = Schema::ALL.iter().position(|one| *one == self.schema);
        out.length(schema.unwrap_or(0));
        out.bytes(self.backend.as_bytes());
        out.list(&self.changes, |out, change| change.write(out));
        out.0
    }

    /// Decodes a pass-through plan from filter state; `None` if the bytes are not a pass-through plan.
    pub fn decode(bytes: &[u8]) -> Option<PassThroughPlan> {
        let mut from = Reader(bytes);
        if from.byte()? != MARK {
            return None;
        }
        let pass_through_plan = PassThroughPlan {
            schema: *Schema::ALL.get(from.length()?)?,
            backend: from.text()?,
            changes: from.list(HeaderChange::read)?,
        };
        from.0.is_empty().then_some(pass_through_plan)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attempt::ChangeKind;
    use crate::attempt::outgoing_headers::SUBPROTOCOL;
    use crate::config::Document;

    fn pass_through_plan(fields: &str, protocols: &[&str], query: &str) -> PassThroughPlan {
        let document = Document::of_yaml(&format!(
            "backends: [{{name: b, schema: openai, models: [{{name: m}}], {fields}}}]
routes: [{{name: r, match: {{model: '*'}}, targets: [{{backend: b}}]}}]"
        ))
        .unwrap();
        let headers = protocols
            .iter()
            .map(|value| (SUBPROTOCOL.to_owned(), value.as_bytes().to_vec()));
        let headers = Headers::new(headers.collect());
        PassThroughPlan::make(
            Schema::OpenAi,
            &document.backends[0],
            &headers,
            ("/v1/realtime", query),
            None,
        )
    }

    fn changes_of(pass_through_plan: PassThroughPlan) -> Vec<HeaderChange> {
        match pass_through_plan.begin("b").unwrap() {
            HeaderWrite::Change(changes, _) => changes,
            HeaderWrite::Replace(_) => panic!("there is no attempt before it"),
        }
    }

    /// Returns what the request's subprotocols become; `None` if they stay unchanged.
    fn protocols(pass_through_plan: PassThroughPlan) -> Option<String> {
        let changes = changes_of(pass_through_plan);
        let mut changes = changes.iter().filter(|change| change.name == SUBPROTOCOL);
        assert_eq!(changes.next()?.kind, ChangeKind::Remove);
        let value = changes.next().map(|change| change.value.clone());
        Some(String::from_utf8(value.unwrap_or_default()).unwrap())
    }

    #[test]
    fn keys_are_no_subprotocols() {
        for (sent, kept) in [
            (
                &["realtime, openai-insecure-api-key.sk-1, openai-beta.realtime-v1"][..],
                "realtime, openai-beta.realtime-v1",
            ),
            (
                &[
                    "realtime",
                    "OpenAI-Insecure-API-Key.sk-1,openai-project.p ,, x",
                ],
                "realtime, x",
            ),
            (&["openai-insecure-api-key.sk-1"], ""),
        ] {
            assert_eq!(
                protocols(pass_through_plan("", sent, "")).unwrap(),
                kept,
                "{sent:?}"
            );
        }
        let byok = "forward_client_credentials: true";
        assert_eq!(
            protocols(pass_through_plan(
                byok,
                &["openai-insecure-api-key.sk-1"],
                ""
            )),
            None
        );
        assert_eq!(protocols(pass_through_plan("", &[], "")), None);
    }

    #[test]
    fn goes_to_its_backend_alone() {
        let pass_through_plan =
            pass_through_plan("host: b.example, path_prefix: /x", &[], "key=secret&a=1");
        assert_eq!(
            PassThroughPlan::decode(&pass_through_plan.encode()),
            Some(pass_through_plan.clone())
        );
        let other = pass_through_plan.clone().begin("other");
        assert_eq!(other, Err(Refusal::Mismatch("b".to_owned())));
        let changes = changes_of(pass_through_plan);
        let values: Vec<_> = changes.iter().map(|change| change.value.clone()).collect();
        assert_eq!(values, [b"/x/realtime?a=1".to_vec(), b"b.example".to_vec()]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes: Vec<u8>, marked: bool) {
            if marked {
                bytes.insert(0, MARK);
            }
            let _ = PassThroughPlan::decode(&bytes);
        }
    }
}
