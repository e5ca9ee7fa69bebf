use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Serialize;

use super::api::{
    DropsAnswer, HistoryAnswer, PeersAnswer, Problem, StatusAnswer, VocabularyAnswer, millis,
};
use super::cached::Cached;
use super::history::{History, INTERVAL, Point};
use super::observed::{Observed, Unobservable};
use super::process::{ProcessUse, wall};
use super::token::Token;
use super::{host, metrics, page, query};

/// Drops that are told unless another number is asked for, and the most.
const DROPS: [usize; 2] = [50, 500];
/// Everything that can be asked, as the description has it.
#[cfg(test)]
pub(super) const PATHS: [&str; 8] = [
    "/metrics",
    "/api/v1/status",
    "/api/v1/peers",
    "/api/v1/drops",
    "/api/v1/explain",
    "/api/v1/history",
    "/api/v1/vocabulary",
    "/api/v1/openapi.json",
];
const OPENAPI: &str = include_str!("../../../docs/reference/openapi.json");
const JSON: &str = "application/json";

pub(super) type Answer = Response<Full<Bytes>>;

/// Answers requests.
pub(super) struct Desk {
    subject: Arc<dyn Observed>,
    cached: Cached,
    history: History,
    token: Option<Token>,
    names: Vec<String>,
    started_at: Duration,
}

/// Why something else is answered than what was asked for.
struct Refusal {
    status: StatusCode,
    why: String,
    header: Option<(HeaderName, &'static str)>,
}

impl Desk {
    pub(super) fn new(
        subject: Arc<dyn Observed>,
        token: Option<Token>,
        names: Vec<String>,
    ) -> Self {
        let cached = Cached::new(Arc::clone(&subject));
        Self { subject, cached, history: History::default(), token, names, started_at: wall() }
    }

    /// Notes the counters of now.
    pub(super) fn note(&mut self) {
        if let Ok(taken) = self.cached.view() {
            self.history.add(Point::of(&taken.view, taken.at));
        }
    }

    /// Answers one request; its body is not read.
    pub(super) fn answer<B>(&mut self, request: &Request<B>) -> Answer {
        let mut answer = self.find(request).unwrap_or_else(Refusal::answer);
        for (name, value) in page::SECURITY {
            let name = HeaderName::from_static(name);
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    fn find<B>(&mut self, request: &Request<B>) -> Result<Answer, Refusal> {
        if !is_for_us(request, &self.names) {
            let why = "this is not the host that was asked for; see names in [admin]";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, why));
        }
        if request.method() != Method::GET {
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered");
            return Err(refusal.with(header::ALLOW, "GET"));
        }
        let path = request.uri().path();
        if let Some((kind, text)) = page::file(path) {
            return Ok(with_body(StatusCode::OK, kind, Bytes::from_static(text.as_bytes())));
        }
        if !self.is_allowed(request.headers()) {
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            return Err(refusal.with(header::WWW_AUTHENTICATE, "Bearer realm=\"sbc\""));
        }
        self.tell(path, request.uri().query())
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers.get(header::AUTHORIZATION);
        shown.is_some_and(|shown| token.is_shown_by(shown.as_bytes()))
    }

    fn tell(&mut self, path: &str, query: Option<&str>) -> Result<Answer, Refusal> {
        match path {
            "/metrics" => {
                let view = self.cached.view()?.view;
                let text = metrics::render(&view, &ProcessUse::read(), self.started_at);
                let kind = "text/plain; version=0.0.4; charset=utf-8";
                Ok(with_body(StatusCode::OK, kind, text.into()))
            }
            "/api/v1/status" => {
                let taken = self.cached.view()?;
                Ok(json(&StatusAnswer::of(&taken.view, taken.at, self.started_at)))
            }
            "/api/v1/peers" => {
                let taken = self.cached.view()?;
                Ok(json(&PeersAnswer { at: millis(taken.at), peers: &taken.view.peers }))
            }
            "/api/v1/drops" => {
                let [few, most] = DROPS;
                let limit = query::limit(query, few, most)?;
                Ok(json(&DropsAnswer { drops: self.subject.drops(limit) }))
            }
            "/api/v1/explain" => Ok(json(&self.subject.explain(query::source(query)?))),
            "/api/v1/history" => {
                let interval_seconds = INTERVAL.as_secs();
                Ok(json(&HistoryAnswer { interval_seconds, points: self.history.points() }))
            }
            "/api/v1/vocabulary" => Ok(json(&VocabularyAnswer::whole())),
            "/api/v1/openapi.json" => {
                Ok(with_body(StatusCode::OK, JSON, Bytes::from_static(OPENAPI.as_bytes())))
            }
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here")),
        }
    }
}

/// Says whether every host that the request names may be us; it has to name one.
fn is_for_us<B>(request: &Request<B>, names: &[String]) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    [host].into_iter().chain(target).all(|asked| host::may_be(asked, names))
}

fn json(answer: &impl Serialize) -> Answer {
    match serde_json::to_vec(answer) {
        Ok(text) => with_body(StatusCode::OK, JSON, text.into()),
        Err(error) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()).answer(),
    }
}

fn with_body(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

impl Refusal {
    fn new(status: StatusCode, why: &str) -> Self {
        Self { status, why: why.to_owned(), header: None }
    }

    fn with(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    fn answer(self) -> Answer {
        let text = serde_json::to_vec(&Problem { error: self.why }).unwrap_or_default();
        let mut answer = with_body(self.status, JSON, text.into());
        if let Some((name, value)) = self.header {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

impl From<Unobservable> for Refusal {
    fn from(unobservable: Unobservable) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, &unobservable.to_string())
    }
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, &why)
    }
}
