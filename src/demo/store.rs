//! The objects that a backend stores for its clients: files, batches, responses, conversations and Gemini caches.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Api;
use super::call::Refusal;
use super::clock::{rfc3339, time_in};
use super::fields::Fields;
use super::openai::set;
use super::record::RecordedRequest;
use super::reply::{next_id, seconds_since_1970, seen};

/// How many objects are kept; the oldest are dropped first.
const KEPT: usize = 1000;

/// Larger files are refused.
const MOST_FILE_BYTES: usize = 1024 * 1024;

/// The lifetime of a cache.
const CACHE_TIME: Duration = Duration::from_secs(3600);

/// The objects of one backend.
#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: Mutex<VecDeque<Object>>,
}

#[derive(Clone, Debug)]
struct Object {
    collection: Collection,
    id: String,
    value: Value,
    /// The content of a file.
    content: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Collection {
    Files,
    Batches,
    Responses,
    Conversations,
    CachedContents,
}

/// What a path names: a collection, an object in it, or a part of the object.
struct Resource<'a> {
    collection: Collection,
    id: Option<&'a str>,
    part: Option<&'a str>,
}

impl Collection {
    fn named(name: &str) -> Option<Collection> {
        Some(match name {
            "files" => Collection::Files,
            "batches" => Collection::Batches,
            "responses" => Collection::Responses,
            "conversations" => Collection::Conversations,
            "cachedContents" => Collection::CachedContents,
            _ => return None,
        })
    }

    fn api(self) -> Api {
        match self {
            Collection::CachedContents => Api::Gemini,
            _ => Api::OpenAi,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Collection::Files => "file-",
            Collection::Batches => "batch_",
            Collection::Responses => "resp_",
            Collection::Conversations => "conv_",
            Collection::CachedContents => "",
        }
    }

    fn deleted(self, id: &str) -> Value {
        let object = match self {
            Collection::Files => "file",
            Collection::Batches => "batch",
            Collection::Responses => "response",
            Collection::Conversations => "conversation.deleted",
            Collection::CachedContents => return json!({}),
        };
        json!({"id": id, "object": object, "deleted": true})
    }

    fn list(self, values: Vec<Value>) -> Value {
        if self == Collection::CachedContents {
            return json!({"cachedContents": values});
        }
        let id = |value: Option<&Value>| value.and_then(|value| value.get("id").cloned());
        json!({
            "object": "list",
            "first_id": id(values.first()),
            "last_id": id(values.last()),
            "has_more": false,
            "data": values,
        })
    }
}

impl<'a> Resource<'a> {
    fn of(path: &'a str) -> Option<Resource<'a>> {
        let mut segments = path.split('/');
        let collection = segments.find_map(Collection::named)?;
        let resource = Resource {
            collection,
            id: segments.next(),
            part: segments.next(),
        };
        // These are model calls.
        let models = [None, Some("input_tokens"), Some("compact")];
        let is_models = collection == Collection::Responses && models.contains(&resource.id);
        (!is_models && segments.next().is_none()).then_some(resource)
    }
}

impl Store {
    /// Stores a response under its ID.
    pub(crate) fn keep_response(&self, id: String, value: Value) {
        self.keep(Object {
            collection: Collection::Responses,
            id,
            value,
            content: Vec::new(),
        });
    }

    /// Answers a request for a stored object, or one that stores an object; `None` for any other request.
    pub(crate) fn answer(&self, name: &str, request: &RecordedRequest) -> Option<Answer> {
        let (path, _) = request.path_and_query();
        let resource = Resource::of(path)?;
        let answer = match self.reply(&resource, request) {
            Ok(StoredContent::Content(content)) => {
                Answer::body(StatusCode::OK, "application/octet-stream", content)
            }
            Ok(StoredContent::Value(mut value)) => {
                set(&mut value, "demo", seen(name, request, None));
                Answer::json(StatusCode::OK, &value)
            }
            Err((status, message)) => Answer::refusal(&Refusal {
                api: resource.collection.api(),
                status,
                message,
            }),
        };
        Some(answer)
    }

    fn reply(
        &self,
        resource: &Resource<'_>,
        request: &RecordedRequest,
    ) -> Result<StoredContent, Problem> {
        let collection = resource.collection;
        let method = request.method.as_str();
        let Some(id) = resource.id else {
            return match method {
                "POST" => self.create(collection, request),
                "GET" => Ok(StoredContent::Value(collection.list(self.all(collection)))),
                _ => Err(not_allowed(request)),
            };
        };
        let object = self.find(collection, id).ok_or_else(|| {
            let message = format!("No such object: {id}");
            (StatusCode::NOT_FOUND, message)
        })?;
        match (method, collection, resource.part) {
            ("GET", _, None) => Ok(StoredContent::Value(object.value)),
            ("DELETE", _, None) => {
                self.remove(collection, id);
                Ok(StoredContent::Value(collection.deleted(id)))
            }
            ("GET", Collection::Files, Some("content")) => {
                Ok(StoredContent::Content(object.content))
            }
            ("GET", Collection::Responses, Some("input_items")) => {
                Ok(StoredContent::Value(collection.list(Vec::new())))
            }
            ("POST", Collection::Batches | Collection::Responses, Some("cancel")) => {
                let mut object = object;
                set(&mut object.value, "status", Value::from("cancelled"));
                self.remove(collection, id);
                self.keep(object.clone());
                Ok(StoredContent::Value(object.value))
            }
            _ => Err(not_allowed(request)),
        }
    }

    fn create(
        &self,
        collection: Collection,
        request: &RecordedRequest,
    ) -> Result<StoredContent, Problem> {
        let fields = Fields::read(request).map_err(|message| (StatusCode::BAD_REQUEST, message))?;
        let id = format!("{}{}", collection.prefix(), next_id());
        let (value, content) = match collection {
            Collection::Files => file(&id, &fields)?,
            Collection::Batches => (batch(&id, &fields), Vec::new()),
            Collection::CachedContents => (cache(&id, &fields), Vec::new()),
            Collection::Conversations => (conversation(&id, &fields), Vec::new()),
            Collection::Responses => return Err(not_allowed(request)),
        };
        self.keep(Object {
            collection,
            id,
            value: value.clone(),
            content,
        });
        Ok(StoredContent::Value(value))
    }

    fn keep(&self, object: Object) {
        let mut objects = self.locked();
        if objects.len() >= KEPT {
            objects.pop_front();
        }
        objects.push_back(object);
    }

    fn find(&self, collection: Collection, id: &str) -> Option<Object> {
        self.locked()
            .iter()
            .find(|object| object.collection == collection && object.id == id)
            .cloned()
    }

    fn all(&self, collection: Collection) -> Vec<Value> {
        self.locked()
            .iter()
            .filter(|object| object.collection == collection)
            .map(|object| object.value.clone())
            .collect()
    }

    fn remove(&self, collection: Collection, id: &str) {
        self.locked()
            .retain(|object| object.collection != collection || object.id != id);
    }

    /// Locks the objects. A panic while the lock was held leaves them intact, so a poisoned lock can be used.
    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Problem = (StatusCode, String);

enum StoredContent {
    Value(Value),
    Content(Vec<u8>),
}

fn not_allowed(request: &RecordedRequest) -> Problem {
    let (path, _) = request.path_and_query();
    (
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} is not allowed on {path}", request.method),
    )
}

fn file(id: &str, fields: &Fields) -> Result<(Value, Vec<u8>), Problem> {
    let Some(file) = fields.files().next() else {
        return Err((StatusCode::BAD_REQUEST, "'file' is required".to_owned()));
    };
    if file.content.len() > MOST_FILE_BYTES {
        let message = format!("A file may have {MOST_FILE_BYTES} bytes.");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    let value = json!({
        "id": id,
        "object": "file",
        "bytes": file.content.len(),
        "created_at": seconds_since_1970(),
        "expires_at": null,
        "filename": file.filename,
        "purpose": fields.text("purpose"),
        "status": "processed",
        "status_details": null,
    });
    Ok((value, file.content.clone()))
}

fn batch(id: &str, fields: &Fields) -> Value {
    let now = seconds_since_1970();
    json!({
        "id": id,
        "object": "batch",
        "endpoint": fields.get("endpoint"),
        "errors": null,
        "input_file_id": fields.get("input_file_id"),
        "completion_window": fields.get("completion_window"),
        "status": "validating",
        "output_file_id": null,
        "error_file_id": null,
        "created_at": now,
        "expires_at": now.saturating_add(86_400),
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": fields.get("metadata"),
    })
}

fn conversation(id: &str, fields: &Fields) -> Value {
    json!({
        "id": id,
        "object": "conversation",
        "created_at": seconds_since_1970(),
        "metadata": fields.get("metadata").unwrap_or_else(|| json!({})),
    })
}

fn cache(id: &str, fields: &Fields) -> Value {
    let now = rfc3339(time_in(Duration::ZERO));
    json!({
        "name": format!("cachedContents/{id}"),
        "model": fields.get("model"),
        "displayName": fields.get("displayName"),
        "createTime": now,
        "updateTime": now,
        "expireTime": rfc3339(time_in(CACHE_TIME)),
        "usageMetadata": {"totalTokenCount": 1},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> Option<(Collection, Option<&str>, Option<&str>)> {
        Resource::of(path).map(|found| (found.collection, found.id, found.part))
    }

    #[test]
    fn what_a_path_names() {
        for (path, expected) in [
            ("/v1/files", (Collection::Files, None, None)),
            (
                "/openai/v1/files/f/content",
                (Collection::Files, Some("f"), Some("content")),
            ),
            ("/v1/responses/r", (Collection::Responses, Some("r"), None)),
            (
                "/v1beta/cachedContents/c",
                (Collection::CachedContents, Some("c"), None),
            ),
        ] {
            assert_eq!(resource(path), Some(expected), "{path}");
        }
        for path in [
            "/v1/responses",
            "/v1/responses/input_tokens",
            "/v1/responses/compact",
            "/v1/responses/r/input_items/more",
            "/v1/chat/completions",
        ] {
            assert_eq!(resource(path), None, "{path}");
        }
    }

    #[test]
    fn the_oldest_go_first() {
        let store = Store::default();
        for number in 0..=KEPT {
            store.keep_response(number.to_string(), json!({}));
        }
        assert!(store.find(Collection::Responses, "0").is_none());
        assert!(store.find(Collection::Responses, "1").is_some());
        assert_eq!(store.all(Collection::Responses).len(), KEPT);
    }
}
