//! How are events sent to a collector of OpenTelemetry?
//!
//! As log records in the JSON encoding of OTLP over HTTP. A thread sends them in batches; what fails for a reason that may pass is tried again, later
//! and later. Events wait in a queue that is bounded: when the collector is away for long, `log` says so instead of waiting, because a program must
//! not stand still for a machine elsewhere. What must not be lost belongs in a [`Log`](crate::log::Log), too.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::AuditError;
use crate::event::Event;
use crate::sink::Sink;
use crate::validate::validate;

/// Where events are sent, and how.
#[derive(Debug, Clone)]
pub struct OtlpOptions {
    /// The whole address, such as `http://localhost:4318/v1/logs`.
    pub endpoint: String,
    /// What the collector wants to be told with each request, such as a key.
    pub headers: Vec<(String, String)>,
    /// What the events are shown under.
    pub service_name: String,
    /// So many events may wait.
    pub capacity: usize,
    /// So many are sent at a time.
    pub batch: usize,
    /// Events wait for others for so long.
    pub linger: Duration,
    /// How long the collector may take to answer.
    pub timeout: Duration,
    /// How long after a failure the next attempt is made; after each further one, twice as long, up to half a minute.
    pub retry: Duration,
    /// A batch that could not be sent for so long is given up.
    pub give_up: Duration,
}

impl Default for OtlpOptions {
    fn default() -> OtlpOptions {
        OtlpOptions {
            endpoint: "http://localhost:4318/v1/logs".to_owned(),
            headers: Vec::new(),
            service_name: "reml".to_owned(),
            capacity: 10_000,
            batch: 500,
            linger: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            retry: Duration::from_millis(250),
            give_up: Duration::from_secs(300),
        }
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends events to a collector.
pub struct Otlp {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Value>,
    /// Taken from the queue and not arrived yet.
    sending: usize,
    /// Why the last attempt has failed.
    failure: Option<String>,
    lost: u64,
    hurry: bool,
    closed: bool,
}

struct Shared {
    options: OtlpOptions,
    state: Mutex<State>,
    changed: Condvar,
}

impl Otlp {
    /// Starts the thread that sends. Whether the collector answers is only known when there is something to send.
    pub fn start(options: OtlpOptions) -> Result<Otlp, AuditError> {
        let shared = Arc::new(Shared { options, state: Mutex::default(), changed: Condvar::new() });
        let worker = shared.clone();
        let thread = std::thread::Builder::new().name("audit-otlp".to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(|error| shared.failed(error.to_string()))?;
        Ok(Otlp { shared, thread: Some(thread) })
    }

    /// How many events were given up.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }
}

impl Sink for Otlp {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        validate(event)?;
        let record = log_record(event);
        let mut state = self.shared.lock();
        if state.waiting.len() + state.sending >= self.shared.options.capacity {
            let reason = state.failure.clone().unwrap_or_else(|| "too many events are waiting".to_owned());
            return Err(self.shared.failed(reason));
        }
        state.waiting.push_back(record);
        let first = state.waiting.len() == 1;
        let enough = state.waiting.len() == self.shared.options.batch;
        if first || enough {
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until everything has arrived, or the next attempt to send it fails.
    fn flush(&self) -> Result<(), AuditError> {
        let mut state = self.shared.lock();
        state.failure = None;
        state.hurry = true;
        self.shared.changed.notify_all();
        while state.failure.is_none() && !(state.waiting.is_empty() && state.sending == 0) {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.hurry = false;
        match &state.failure {
            Some(reason) => Err(self.shared.failed(reason.clone())),
            None => Ok(()),
        }
    }
}

impl Drop for Otlp {
    /// What has not been sent is tried once more, and then given up.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // If it has panicked, there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

/// What has become of a request.
enum Answer {
    Taken,
    /// It may be taken another time.
    Later(String),
    /// It will never be.
    Never(String),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, reason: String) -> AuditError {
        AuditError::Transport { target: self.options.endpoint.clone(), reason }
    }

    fn run(&self) {
        let config =
            ureq::Agent::config_builder().timeout_global(Some(self.options.timeout)).http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.build());
        while let Some(batch) = self.take() {
            self.deliver(&agent, batch);
        }
    }

    /// The next events to be sent; none when there will be no more.
    fn take(&self) -> Option<Vec<Value>> {
        let mut state = self.lock();
        let mut since = None;
        loop {
            let enough = state.waiting.len() >= self.options.batch || state.hurry || state.closed;
            let left = match state.waiting.is_empty() {
                true if state.closed => return None,
                true => None,
                false => {
                    let since = *since.get_or_insert_with(Instant::now);
                    Some(self.options.linger.saturating_sub(since.elapsed()))
                }
            };
            if !state.waiting.is_empty() && (enough || left == Some(Duration::ZERO)) {
                let count = state.waiting.len().min(self.options.batch.max(1));
                state.sending = count;
                return Some(state.waiting.drain(..count).collect());
            }
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn deliver(&self, agent: &ureq::Agent, batch: Vec<Value>) {
        let count = batch.len();
        let body = request(&self.options.service_name, batch).to_string();
        let begin = Instant::now();
        let mut pause = self.options.retry;
        loop {
            let answer = self.send(agent, &body);
            let mut state = self.lock();
            let (reason, passes) = match answer {
                Answer::Taken => {
                    state.sending = 0;
                    state.failure = None;
                    self.changed.notify_all();
                    return;
                }
                Answer::Later(reason) => (reason, true),
                Answer::Never(reason) => (reason, false),
            };
            state.failure = Some(reason);
            self.changed.notify_all();
            if !passes || state.closed || begin.elapsed() >= self.options.give_up {
                state.sending = 0;
                state.lost += count as u64;
                if passes && state.closed {
                    // The collector is away, and the program wants to end.
                    state.lost += state.waiting.len() as u64;
                    state.waiting.clear();
                }
                return;
            }
            let until = Instant::now() + pause;
            while !state.closed && !state.hurry {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn send(&self, agent: &ureq::Agent, body: &str) -> Answer {
        let mut request = agent.post(&self.options.endpoint).header("content-type", "application/json");
        for (name, value) in &self.options.headers {
            request = request.header(name, value);
        }
        match request.send(body) {
            Ok(response) => match response.status().as_u16() {
                200..300 => Answer::Taken,
                // What the protocol says can be tried again.
                status @ (429 | 502 | 503 | 504) => {
                    Answer::Later(format!("the collector answered with status {status}"))
                }
                status => Answer::Never(format!("the collector answered with status {status}")),
            },
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => Answer::Never(error.to_string()),
            Err(error) => Answer::Later(error.to_string()),
        }
    }
}

fn request(service: &str, records: Vec<Value>) -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": [attribute("service.name", &service.into())] },
        "scopeLogs": [{ "scope": { "name": "reml.audit" }, "logRecords": records }],
    }] })
}

fn log_record(event: &Event) -> Value {
    let time = event.timestamp.unwrap_or_else(Timestamp::now).as_nanosecond().to_string();
    let mut attributes: Vec<Value> = event.metadata.iter().map(|(key, value)| attribute(key, value)).collect();
    attributes.push(attribute("event.kind", &event.kind.name().into()));
    if let Some(capability) = &event.capability {
        attributes.push(attribute("capability", &capability.as_str().into()));
    }
    if let Some(id) = event.audit_id {
        attributes.push(attribute("audit_id", &id.to_string().into()));
    }
    // 9 is the number of INFO; severities of diagnostics are among the attributes.
    json!({
        "timeUnixNano": time, "observedTimeUnixNano": time, "severityNumber": 9,
        "body": { "stringValue": event.kind.name() }, "attributes": attributes,
    })
}

fn attribute(key: &str, value: &Value) -> Value {
    json!({ "key": key, "value": any_value(value) })
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::String(text) => json!({ "stringValue": text }),
        // In JSON, integers of 64 bits are strings.
        Value::Number(number) => match number.as_i64() {
            Some(number) => json!({ "intValue": number.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::Array(values) => json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } }),
        Value::Object(members) => {
            let values: Vec<Value> = members.iter().map(|(key, value)| attribute(key, value)).collect();
            json!({ "kvlistValue": { "values": values } })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::EventKind;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    /// A collector that answers with these statuses, one for each request, and returns what it was sent.
    fn collector(statuses: &'static [u16]) -> (OtlpOptions, JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/logs", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || statuses.iter().map(|status| serve(&listener, *status)).collect());
        let (linger, retry) = (Duration::from_millis(5), Duration::from_millis(5));
        (OtlpOptions { endpoint, linger, retry, ..OtlpOptions::default() }, thread)
    }

    fn serve(listener: &TcpListener, status: u16) -> Value {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        write!(reader.get_mut(), "HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}").unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn event() -> Event {
        Event::new(EventKind::named("a")).capability("c").with("n", 7).with("list", json!([true, null, 1.5]))
    }

    #[test]
    fn events_arrive_as_log_records() {
        let (options, collector) = collector(&[200]);
        let sink = Otlp::start(options).unwrap();
        sink.log(&event()).unwrap();
        sink.flush().unwrap();
        let sent = &collector.join().unwrap()[0]["resourceLogs"][0];
        assert_eq!(sent["resource"]["attributes"][0]["value"]["stringValue"], "reml");
        let record = &sent["scopeLogs"][0]["logRecords"][0];
        assert_eq!(record["body"]["stringValue"], "a");
        assert_eq!(
            record["attributes"],
            json!([
                { "key": "list", "value": { "arrayValue": { "values": [{ "boolValue": true }, {}, { "doubleValue": 1.5 }] } } },
                { "key": "n", "value": { "intValue": "7" } },
                { "key": "event.kind", "value": { "stringValue": "a" } },
                { "key": "capability", "value": { "stringValue": "c" } },
            ])
        );
    }

    #[test]
    fn a_collector_that_is_busy_is_asked_again() {
        let (options, collector) = collector(&[503, 429, 200]);
        let sink = Otlp::start(options).unwrap();
        sink.log(&event()).unwrap();
        let bodies = collector.join().unwrap();
        assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
        drop(sink);
    }

    #[test]
    fn what_a_collector_will_never_take_is_given_up_and_counted() {
        let (options, collector) = collector(&[400]);
        let sink = Otlp::start(options).unwrap();
        sink.log(&event()).unwrap();
        collector.join().unwrap();
        while sink.lost() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(sink.lost(), 1);
    }

    #[test]
    fn without_a_collector_the_queue_fills_and_nobody_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/logs", listener.local_addr().unwrap());
        drop(listener);
        let sink = Otlp::start(OtlpOptions { endpoint, capacity: 3, ..OtlpOptions::default() }).unwrap();
        (0..3).for_each(|_| sink.log(&event()).unwrap());
        assert!(
            sink.log(&event()).unwrap_err().to_string().starts_with("cannot send audit events to http://127.0.0.1:")
        );
        assert!(sink.flush().is_err());
    }
}
