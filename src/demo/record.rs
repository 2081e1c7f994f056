//! Records what reached a backend, so that tests can check it afterwards.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// How many requests are kept; the oldest are dropped first.
const KEPT: usize = 10_000;

/// The header by which a test finds its own requests.
const TEST_ID: &str = "x-test-id";

/// One complete request as a backend received it.
///
/// Header names are in lower case, as HTTP/2 sends them and as the HTTP/1.1 parser returns them. Headers are in the
/// order of arrival, except that further values of a name directly follow its first.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The method.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// The `host` header, or `:authority` with HTTP/2.
    pub authority: String,
    /// The headers; values are bytes because they need not be UTF-8.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The trailers.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// When the request's headers had arrived.
    pub at: Instant,
    /// The progress of the answer.
    pub answer: AnswerProgress,
}

impl RecordedRequest {
    /// Returns the first value of a header, whose name is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_slice())
    }

    /// Returns the path and the query, which may be empty.
    pub(crate) fn path_and_query(&self) -> (&str, &str) {
        self.path.split_once('?').unwrap_or((&self.path, ""))
    }
}

/// The progress of an answer, seen from the backend. All clones are updated.
#[derive(Clone, Debug, Default)]
pub struct AnswerProgress {
    times: Arc<Times>,
}

#[derive(Debug, Default)]
struct Times {
    begun: OnceLock<Instant>,
    ended: OnceLock<Instant>,
    left: OnceLock<Instant>,
    counted: OnceLock<(u64, u64)>,
}

impl AnswerProgress {
    /// Returns when the answer's headers were ready to be sent.
    #[must_use]
    pub fn begun(&self) -> Option<Instant> {
        self.times.begun.get().copied()
    }

    /// Returns when the backend was done: when it handed over the last byte to be sent, or broke the connection itself.
    #[must_use]
    pub fn ended(&self) -> Option<Instant> {
        self.times.ended.get().copied()
    }

    /// Returns when the backend noticed that the client had left, if that was before the answer had
    /// [`ended`](AnswerProgress::ended).
    #[must_use]
    pub fn left(&self) -> Option<Instant> {
        self.times.left.get().copied()
    }

    /// Returns the tokens that the backend counts for the answer: input and output.
    #[must_use]
    pub fn counted(&self) -> Option<(u64, u64)> {
        self.times.counted.get().copied()
    }

    /// Returns the watch, which the code that sends the answer holds.
    pub(crate) fn watch(&self) -> ProgressRecorder {
        ProgressRecorder(self.clone())
    }
}

/// Records the progress of an answer. If it is dropped before the answer's end, the client has left.
#[derive(Debug)]
pub(crate) struct ProgressRecorder(AnswerProgress);

impl ProgressRecorder {
    pub(crate) fn count(&self, tokens: (u64, u64)) {
        self.0.times.counted.get_or_init(|| tokens);
    }

    pub(crate) fn begin(&self) {
        self.0.times.begun.get_or_init(Instant::now);
    }

    pub(crate) fn end(&self) {
        self.0.times.ended.get_or_init(Instant::now);
    }
}

impl Drop for ProgressRecorder {
    fn drop(&mut self) {
        if self.0.ended().is_none() {
            self.0.times.left.get_or_init(Instant::now);
        }
    }
}

/// The latest requests of one backend, at most 10,000. A request is recorded once its body has ended: one that is cut
/// off before is not.
#[derive(Debug, Default)]
pub struct Recorder {
    requests: Mutex<VecDeque<RecordedRequest>>,
}

impl Recorder {
    /// Returns the requests whose header `x-test-id` is `test_id`, oldest first.
    #[must_use]
    pub fn requests(&self, test_id: &str) -> Vec<RecordedRequest> {
        self.locked()
            .iter()
            .filter(|request| request.header(TEST_ID) == Some(test_id.as_bytes()))
            .cloned()
            .collect()
    }

    /// Returns the requests of `test_id`, oldest first, and forgets them.
    #[must_use]
    pub fn take(&self, test_id: &str) -> Vec<RecordedRequest> {
        let is_of = |request: &RecordedRequest| request.header(TEST_ID) == Some(test_id.as_bytes());
        let mut requests = self.locked();
        let (taken, kept): (Vec<_>, Vec<_>) = requests.drain(..).partition(is_of);
        requests.extend(kept);
        taken
    }

    /// Returns how many requests are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.locked().len()
    }

    pub(crate) fn record(&self, request: RecordedRequest) {
        let mut requests = self.locked();
        if requests.len() >= KEPT {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// Locks the queue. A panic while the lock was held leaves the queue intact, so a poisoned lock can be used.
    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<RecordedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates a request without headers.
#[cfg(test)]
pub(crate) fn test_request(method: &str, path: &str, body: &str) -> RecordedRequest {
    RecordedRequest {
        version: "HTTP/1.1".to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        authority: String::new(),
        headers: Vec::new(),
        trailers: Vec::new(),
        body: body.as_bytes().to_vec(),
        at: Instant::now(),
        answer: AnswerProgress::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(test_id: &str) -> RecordedRequest {
        RecordedRequest {
            headers: vec![(TEST_ID.to_owned(), test_id.as_bytes().to_vec())],
            ..test_request("POST", "/", "")
        }
    }

    #[test]
    fn requests_are_found_by_their_test_id() {
        let recorder = Recorder::default();
        recorder.record(request("a"));
        recorder.record(request("b"));
        recorder.record(request("a"));
        assert_eq!(recorder.requests("a").len(), 2);
        assert!(recorder.requests("c").is_empty());
        assert_eq!(recorder.take("a").len(), 2);
        assert!(recorder.requests("a").is_empty());
        assert_eq!(recorder.kept(), 1);
    }

    #[test]
    fn an_answer_ends_or_its_client_leaves() {
        let (ended, left) = (AnswerProgress::default(), AnswerProgress::default());
        let watch = ended.watch();
        watch.end();
        drop(watch);
        drop(left.watch());
        assert!(ended.ended().is_some() && ended.left().is_none());
        assert!(left.ended().is_none() && left.left().is_some());
    }

    #[test]
    fn the_oldest_go_first() {
        let recorder = Recorder::default();
        recorder.record(request("first"));
        for _ in 0..KEPT {
            recorder.record(request("later"));
        }
        assert!(recorder.requests("first").is_empty());
        assert_eq!(recorder.requests("later").len(), KEPT);
    }
}
